//! The CPU in the part of a GPU: the kernels' own source, compiled by a C++ compiler, thread by thread. For tests.
//!
//! What it shows: that kernels and the host's side of them compute the right thing, at every size, whatever the order in which threads
//! run; that nothing is read before it is written and nothing beyond its end. What it cannot show: that a GPU's compiler
//! and hardware agree, and how fast they are.

use std::alloc::{Layout as Block, alloc, dealloc};
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_uint, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use candle_core::{Result, bail};

use super::machine::{Argument, F32Products, Grid, Kernel, Layout, Machine, Product};
use super::memory::Element;

/// Bytes before and after an allocation that must stay as they are. They read as NaN, in f32 and in bf16.
const GUARD: usize = 256;
const POISON: u8 = 0xff;

unsafe extern "C" {
    fn twin_launch(
        module: *const c_char,
        name: *const c_char,
        grid: *const c_uint,
        threads: *const c_uint,
        shared_bytes: c_uint,
        arguments: *const *mut c_void,
        n_arguments: usize,
        seed: u64,
    ) -> *const c_char;
}

// ANCHOR: twin
/// The twin of a GPU.
#[derive(Debug, Default)]
pub(crate) struct Twin {
    /// Sizes of what is allocated, by address.
    allocations: Mutex<HashMap<u64, usize>>,
    /// Decides the order in which a block's threads run.
    seed: u64,
    /// Whatever is launched is done when the launch returns: the host's clock is right.
    marks: Mutex<Vec<Instant>>,
}

impl Twin {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    fn allocations(&self) -> MutexGuard<'_, HashMap<u64, usize>> {
        self.allocations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether all that surrounds the buffers is as it was.
    fn check_guards(&self, who: &str) -> Result<()> {
        for (&address, &n_bytes) in self.allocations().iter() {
            // SAFETY: an allocation has guards on both sides.
            let is_intact = unsafe {
                let before = std::slice::from_raw_parts((address as *const u8).sub(GUARD), GUARD);
                let after = std::slice::from_raw_parts((address as *const u8).add(n_bytes), GUARD);
                before.iter().chain(after).all(|&byte| byte == POISON)
            };
            if !is_intact {
                bail!("{who} wrote beyond a buffer of {n_bytes} bytes");
            }
        }
        Ok(())
    }
}
// ANCHOR_END: twin

fn block(n_bytes: usize) -> Result<Block> {
    Block::from_size_align(n_bytes + 2 * GUARD, GUARD).map_err(candle_core::Error::wrap)
}

impl Machine for Twin {
    fn allocate(&self, n_bytes: usize) -> Result<u64> {
        let block = block(n_bytes)?;
        // SAFETY: the size is not zero; all bytes are written before the address leaves.
        let address = unsafe {
            let start = alloc(block);
            if start.is_null() {
                bail!("out of memory: {n_bytes} bytes");
            }
            start.write_bytes(POISON, block.size());
            start.add(GUARD) as u64
        };
        self.allocations().insert(address, n_bytes);
        Ok(address)
    }

    fn free(&self, address: u64, n_bytes: usize) {
        if self.allocations().remove(&address).is_some()
            && let Ok(block) = block(n_bytes)
        {
            // SAFETY: it was allocated with this layout.
            unsafe { dealloc((address as *mut u8).sub(GUARD), block) };
        }
    }

    unsafe fn upload(&self, bytes: &[u8], to: u64) -> Result<()> {
        // SAFETY: the caller says that the memory exists.
        unsafe { (to as *mut u8).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(())
    }

    unsafe fn download(&self, from: u64, bytes: &mut [u8]) -> Result<()> {
        // SAFETY: the caller says that the memory exists.
        unsafe { (from as *const u8).copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    unsafe fn zero(&self, address: u64, n_bytes: usize) -> Result<()> {
        // SAFETY: the caller says that the memory exists.
        unsafe { (address as *mut u8).write_bytes(0, n_bytes) };
        Ok(())
    }

    unsafe fn launch(&self, kernel: Kernel, grid: Grid, arguments: &[Argument]) -> Result<()> {
        let (module, name) = (module_name(kernel)?, CString::new(kernel.name).map_err(candle_core::Error::wrap)?);
        let blocks = grid.blocks.map(|n| n as c_uint);
        let threads = [grid.threads as c_uint, 1, 1];
        let pointers: Vec<*mut c_void> = arguments.iter().map(Argument::pointer).collect();
        // All twins of the process share what kernels declare as shared memory.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the caller says that the arguments are the kernel's; their number is checked over there.
        let error = unsafe {
            twin_launch(
                module.as_ptr(),
                name.as_ptr(),
                blocks.as_ptr(),
                threads.as_ptr(),
                grid.shared_bytes as c_uint,
                pointers.as_ptr(),
                pointers.len(),
                self.seed,
            )
        };
        if !error.is_null() {
            // SAFETY: a text that stays until this thread's next launch.
            bail!("{}", unsafe { CStr::from_ptr(error) }.to_string_lossy());
        }
        self.check_guards(kernel.name)
    }

    unsafe fn multiply(&self, product: &Product) -> Result<()> {
        let Product { a, b, addend, out, f32_products } = *product;
        if a.1.element == Element::F32 && out.1.element != Element::F32 {
            bail!("cuBLAS has no product of f32 into {:?}", out.1.element);
        }
        // Row by row: a GPU needs no memory for a product, so its twin takes none to speak of.
        let (n, k) = (out.1.n_cols, a.1.n_cols);
        let (mut of_a, mut of_b, mut sums) = (vec![0.0; k], vec![0.0; n], vec![0.0; n]);
        for row in 0..out.1.n_rows {
            // SAFETY: the caller says that the memory is as long as the layouts say.
            unsafe {
                read_row(a, row, f32_products, &mut of_a);
                match addend {
                    Some(addend) => read_row(addend, row, F32Products::Exact, &mut sums),
                    None => sums.fill(0.0),
                }
                for (inner, factor) in of_a.iter().enumerate() {
                    read_row(b, inner, f32_products, &mut of_b);
                    sums.iter_mut().zip(&of_b).for_each(|(sum, x)| *sum += factor * x);
                }
                write_row(out, row, &sums);
            }
        }
        self.check_guards("a product")
    }

    fn mark(&self) -> Result<()> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        Ok(())
    }

    fn take_marks(&self) -> Result<Vec<f64>> {
        let marks = std::mem::take(&mut *self.marks.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(marks.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1e3).collect())
    }

    fn n_multiprocessors(&self) -> usize {
        2
    }
}

/// As the table of kernels has it.
fn module_name(kernel: Kernel) -> Result<CString> {
    let constants = match (kernel.module.head_dim, kernel.module.element) {
        (Some(head_dim), _) => head_dim.to_string(),
        (None, Element::F32) => "f32".to_string(),
        (None, Element::Bf16) => "bf16".to_string(),
        (None, other) => bail!("no kernel is compiled for {other:?}"),
    };
    CString::new(format!("{} {constants}", kernel.module.source)).map_err(candle_core::Error::wrap)
}

/// A row of a matrix as f32, rounded as a product would.
///
/// # Safety
/// The memory must be there.
unsafe fn read_row((address, layout): (u64, Layout), row: usize, f32_products: F32Products, values: &mut [f32]) {
    let Layout { stride, element, is_transposed, .. } = layout;
    let (start, step) = if is_transposed { (row, stride) } else { (row * stride, 1) };
    let indices = (0..).map(|col| start + col * step);
    match (element, f32_products) {
        (Element::Bf16, _) => values.iter_mut().zip(indices).for_each(|(value, index)| {
            // SAFETY: the caller's.
            let bits = unsafe { *(address as *const u16).add(index) };
            *value = f32::from_bits(u32::from(bits) << 16);
        }),
        (_, F32Products::Exact) => values.iter_mut().zip(indices).for_each(|(value, index)| {
            // SAFETY: the caller's.
            *value = unsafe { *(address as *const f32).add(index) };
        }),
        (_, F32Products::Tf32) => values.iter_mut().zip(indices).for_each(|(value, index)| {
            // SAFETY: the caller's.
            *value = round_to_tf32(unsafe { *(address as *const f32).add(index) });
        }),
    }
}

/// Writes a row of a matrix that is not transposed.
///
/// # Safety
/// The memory must be there.
unsafe fn write_row((address, layout): (u64, Layout), row: usize, values: &[f32]) {
    for (index, &value) in (row * layout.stride..).zip(values) {
        match layout.element {
            // SAFETY: the caller's.
            Element::Bf16 => unsafe { *(address as *mut u16).add(index) = round_to_bf16(value) },
            // SAFETY: the caller's.
            _ => unsafe { *(address as *mut f32).add(index) = value },
        }
    }
}

/// To nearest, ties to even.
fn round_to_bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    if x.is_nan() {
        return 0x7fff;
    }
    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

/// To the 10 bits after the point that tensor cores read, to nearest, ties away from zero.
fn round_to_tf32(x: f32) -> f32 {
    if x.is_finite() { f32::from_bits((x.to_bits() + 0x1000) & !0x1fff) } else { x }
}
