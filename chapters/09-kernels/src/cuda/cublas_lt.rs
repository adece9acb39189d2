//! Products of matrices by cuBLASLt: bfloat16 or f32 in, sums in f32, and a matrix added on the way to memory.
//!
//! cuBLAS counts columns first, we count rows first: a matrix of ours is the transpose of what cuBLAS sees in the same memory. From
//! (A B)ᵀ = Bᵀ Aᵀ the product that we want is the one of B and A that it computes.
//!
//! Which of its kernels is best for a shape is a question to a heuristic that takes longer than launching: answers are kept.

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Mutex, PoisonError};

use candle_core::cuda_backend::cudarc::cublaslt::{result, sys};
use candle_core::cuda_backend::cudarc::driver::sys::CUstream;
use candle_core::{Error, Result};

use super::machine::{F32Products, Layout, Product};
use super::memory::Element;

/// Memory that a product may work in; NVIDIA's advice for Hopper.
pub(super) const WORKSPACE_BYTES: usize = 32 << 20;

// ANCHOR: cublas_lt
/// The library's handle, and how it computes each shape.
#[derive(Debug)]
pub(super) struct CublasLt {
    handle: sys::cublasLtHandle_t,
    plans: Mutex<HashMap<Key, Plan>>,
}

/// All that decides how a product is computed. Alignments are powers of two up to 256 that addresses are multiples of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    a: Layout,
    b: Layout,
    out: Layout,
    f32_products: F32Products,
    alignments: [u32; 4],
}

impl CublasLt {
    pub(super) fn new() -> Result<Self> {
        Ok(Self { handle: result::create_handle().map_err(Error::wrap)?, plans: Mutex::default() })
    }

    /// Starts a product on `stream`, with `workspace` of [`WORKSPACE_BYTES`].
    ///
    /// # Safety
    /// The memory must be there at each address and as long as the layout says.
    ///
    /// # Errors
    /// If the library has no kernel for it.
    pub(super) unsafe fn multiply(&self, product: &Product, workspace: u64, stream: CUstream) -> Result<()> {
        let Product { a, b, addend, out, f32_products } = *product;
        let addend_address = addend.map_or(out.0, |(address, _)| address);
        let alignments = [b.0, a.0, addend_address, out.0].map(alignment);
        let key = Key { a: a.1, b: b.1, out: out.1, f32_products, alignments };
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = match plans.entry(key) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => entry.insert(Plan::new(self.handle, &key)?),
        };
        let (one, beta) = (1.0_f32, if addend.is_some() { 1.0_f32 } else { 0.0 });
        // SAFETY: the caller vouches for the memory; descriptors live as long as the plan.
        unsafe {
            result::matmul(
                self.handle,
                plan.operation.0,
                (&raw const one).cast(),
                (&raw const beta).cast(),
                b.0 as *const c_void,
                plan.left.0,
                a.0 as *const c_void,
                plan.right.0,
                addend_address as *const c_void,
                plan.out.0,
                out.0 as *mut c_void,
                plan.out.0,
                &raw const plan.algorithm,
                workspace as *mut c_void,
                WORKSPACE_BYTES,
                stream.cast(),
            )
        }
        .map_err(Error::wrap)
    }
}
// ANCHOR_END: cublas_lt

// SAFETY: a handle may be used by several threads; what hangs on it here stands behind a mutex.
unsafe impl Send for CublasLt {}
// SAFETY: as above.
unsafe impl Sync for CublasLt {}

impl Drop for CublasLt {
    fn drop(&mut self) {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).clear();
        // SAFETY: made by `new`, and nobody else has it.
        let _ = unsafe { result::destroy_handle(self.handle) };
    }
}

fn alignment(address: u64) -> u32 {
    1 << address.trailing_zeros().min(8)
}

/// A product as the library describes it, and the kernel that it chose.
#[derive(Debug)]
struct Plan {
    operation: Operation,
    left: MatrixLayout,
    right: MatrixLayout,
    out: MatrixLayout,
    algorithm: sys::cublasLtMatmulAlgo_t,
}

impl Plan {
    fn new(handle: sys::cublasLtHandle_t, key: &Key) -> Result<Self> {
        let operation = Operation::new(key)?;
        let (left, right) = (MatrixLayout::new(key.b)?, MatrixLayout::new(key.a)?);
        let out = MatrixLayout::new(key.out)?;
        let preference = Preference::new(key.alignments)?;
        // SAFETY: all descriptors exist.
        let answer = unsafe {
            result::get_matmul_algo_heuristic(handle, operation.0, left.0, right.0, out.0, out.0, preference.0)
        };
        let answer = answer.map_err(|error| {
            Error::Msg(format!("cuBLASLt has no kernel for {:?} times {:?} into {:?}: {error}", key.a, key.b, key.out))
        })?;
        Ok(Self { operation, left, right, out, algorithm: answer.algo })
    }
}

/// What is computed: transposes, and in which precision.
#[derive(Debug)]
struct Operation(sys::cublasLtMatmulDesc_t);

impl Operation {
    fn new(key: &Key) -> Result<Self> {
        let compute = match (key.a.element, key.f32_products) {
            (Element::F32, F32Products::Tf32) => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32,
            _ => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
        };
        let operation = Self(result::create_matmul_desc(compute, sys::cudaDataType::CUDA_R_32F).map_err(Error::wrap)?);
        use sys::cublasLtMatmulDescAttributes_t::{CUBLASLT_MATMUL_DESC_TRANSA, CUBLASLT_MATMUL_DESC_TRANSB};
        // Our B is its left factor, our A its right one.
        let transposes = [(CUBLASLT_MATMUL_DESC_TRANSA, key.b), (CUBLASLT_MATMUL_DESC_TRANSB, key.a)];
        for (attribute, layout) in transposes {
            let is_transposed = i32::from(layout.is_transposed);
            // SAFETY: the descriptor exists, and the attribute is an i32.
            unsafe {
                let value = (&raw const is_transposed).cast();
                result::set_matmul_desc_attribute(operation.0, attribute, value, size_of::<i32>())
            }
            .map_err(Error::wrap)?;
        }
        Ok(operation)
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        // SAFETY: made by `new`, and nobody else has it.
        let _ = unsafe { result::destroy_matmul_desc(self.0) };
    }
}

/// A matrix as it stands in memory, columns first.
#[derive(Debug)]
struct MatrixLayout(sys::cublasLtMatrixLayout_t);

impl MatrixLayout {
    fn new(layout: Layout) -> Result<Self> {
        let Layout { n_rows, n_cols, stride, element, is_transposed } = layout;
        // In memory stand rows of the matrix, or of its transpose; either is a column over there.
        let (rows_in_memory, row_len) = if is_transposed { (n_cols, n_rows) } else { (n_rows, n_cols) };
        let data_type = match element {
            Element::Bf16 => sys::cudaDataType::CUDA_R_16BF,
            _ => sys::cudaDataType::CUDA_R_32F,
        };
        let handle = result::create_matrix_layout(data_type, row_len as u64, rows_in_memory as u64, stride as i64);
        Ok(Self(handle.map_err(Error::wrap)?))
    }
}

impl Drop for MatrixLayout {
    fn drop(&mut self) {
        // SAFETY: made by `new`, and nobody else has it.
        let _ = unsafe { result::destroy_matrix_layout(self.0) };
    }
}

/// What the heuristic must respect.
struct Preference(sys::cublasLtMatmulPreference_t);

impl Preference {
    fn new(alignments: [u32; 4]) -> Result<Self> {
        use sys::cublasLtMatmulPreferenceAttributes_t as Attribute;
        let preference = Self(result::create_matmul_pref().map_err(Error::wrap)?);
        let set = |attribute, value: *const c_void, n_bytes| {
            // SAFETY: the preference exists, and the value has the attribute's size.
            unsafe { result::set_matmul_pref_attribute(preference.0, attribute, value, n_bytes) }.map_err(Error::wrap)
        };
        let workspace = WORKSPACE_BYTES;
        set(Attribute::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, (&raw const workspace).cast(), size_of::<usize>())?;
        let attributes = [
            Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
            Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
            Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
            Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES,
        ];
        for (attribute, alignment) in attributes.into_iter().zip(&alignments) {
            set(attribute, (&raw const *alignment).cast(), size_of::<u32>())?;
        }
        Ok(preference)
    }
}

impl Drop for Preference {
    fn drop(&mut self) {
        // SAFETY: made by `new`, and nobody else has it.
        let _ = unsafe { result::destroy_matmul_pref(self.0) };
    }
}
