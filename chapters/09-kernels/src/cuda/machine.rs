//! What the kernels' host side needs of a device, as a trait: a GPU has it by its driver, the CPU twin by playing the GPU's part.
//!
//! Everything above this line, which buffers there are, which kernel runs when and with what, is the same code for both; and so is
//! every kernel. What a machine without a GPU cannot test is therefore what stands in the two implementations, and the hardware.

use std::ffi::c_void;
use std::fmt::Debug;

use candle_core::Result;

use super::memory::{Element, View};

/// A kernel of a compiled source, as `rms_norm_forward` of `rms_norm` for f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Kernel {
    /// The source and its constants.
    pub(crate) module: Module,
    /// The name in the source.
    pub(crate) name: &'static str,
}

/// A source and the constants that it is compiled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Module {
    /// File name without ending.
    pub(crate) source: &'static str,
    /// The type that products work on.
    pub(crate) element: Element,
    /// A size that loops are unrolled by.
    pub(crate) head_dim: Option<usize>,
}

impl Module {
    pub(crate) fn kernel(self, name: &'static str) -> Kernel {
        Kernel { module: self, name }
    }
}

// ANCHOR: launch
/// How many threads, and what they share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    /// Blocks along x, y and z.
    pub(crate) blocks: [usize; 3],
    /// Threads of a block.
    pub(crate) threads: usize,
    /// Bytes of shared memory that the launch adds to what the kernel declares.
    pub(crate) shared_bytes: usize,
}

impl Grid {
    pub(crate) fn new(blocks: usize, threads: usize) -> Self {
        Self { blocks: [blocks, 1, 1], threads, shared_bytes: 0 }
    }
}

/// An argument of a kernel, with the bytes that the kernel sees.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Argument {
    Address(u64),
    I32(i32),
    U64(u64),
    F32(f32),
    /// A struct of up to nine 4-byte fields.
    Words([u32; 9]),
}

impl Argument {
    /// No memory.
    pub(crate) const NULL: Self = Self::Address(0);

    /// Where its bytes begin, as drivers want arguments.
    pub(crate) fn pointer(&self) -> *mut c_void {
        let pointer: *const c_void = match self {
            Self::Address(x) | Self::U64(x) => (&raw const *x).cast(),
            Self::I32(x) => (&raw const *x).cast(),
            Self::F32(x) => (&raw const *x).cast(),
            Self::Words(x) => x.as_ptr().cast(),
        };
        pointer.cast_mut()
    }
}

impl From<View<'_>> for Argument {
    fn from(view: View<'_>) -> Self {
        Self::Address(view.address())
    }
}

impl From<usize> for Argument {
    /// Sizes are C's `int` in kernels; what is longer is refused where views are checked.
    fn from(size: usize) -> Self {
        Self::I32(i32::try_from(size).unwrap_or(i32::MAX))
    }
}
// ANCHOR_END: launch

/// A matrix for a product: `n_rows` rows of `n_cols` numbers, `stride` numbers from one row to the next, or its transpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Layout {
    pub(crate) n_rows: usize,
    pub(crate) n_cols: usize,
    pub(crate) stride: usize,
    pub(crate) element: Element,
    /// Whether memory holds the transpose: `n_cols` rows of `n_rows` numbers.
    pub(crate) is_transposed: bool,
}

/// How products of f32 are computed; those of bf16 always sum in f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum F32Products {
    /// As they are.
    Exact,
    /// Rounded to 10 bits of mantissa (TF32) before they are multiplied.
    Tf32,
}

/// out = a · b, plus `addend` if there is one: addresses and layouts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Product {
    pub(crate) a: (u64, Layout),
    pub(crate) b: (u64, Layout),
    /// Shape and element as `out`, perhaps the same memory.
    pub(crate) addend: Option<(u64, Layout)>,
    pub(crate) out: (u64, Layout),
    pub(crate) f32_products: F32Products,
}

// ANCHOR: machine
/// A device with one stream of work.
pub(crate) trait Machine: Debug + Send + Sync {
    /// Room for `n_bytes`; the address is a multiple of 256.
    ///
    /// # Errors
    /// If there is none.
    fn allocate(&self, n_bytes: usize) -> Result<u64>;

    /// Takes memory back.
    fn free(&self, address: u64, n_bytes: usize);

    /// Writes bytes of the host to the device.
    ///
    /// # Safety
    /// The device's memory must exist.
    ///
    /// # Errors
    /// If the device fails.
    unsafe fn upload(&self, bytes: &[u8], to: u64) -> Result<()>;

    /// Reads bytes of the device, once all that was launched is done.
    ///
    /// # Safety
    /// The device's memory must exist.
    ///
    /// # Errors
    /// If the device fails, or failed in something launched before.
    unsafe fn download(&self, from: u64, bytes: &mut [u8]) -> Result<()>;

    /// Writes zeros.
    ///
    /// # Safety
    /// The device's memory must exist.
    ///
    /// # Errors
    /// If the device fails.
    unsafe fn zero(&self, address: u64, n_bytes: usize) -> Result<()>;

    /// Starts a kernel.
    ///
    /// # Safety
    /// Arguments must be those of the kernel, and what they point at as long as it reads and writes.
    ///
    /// # Errors
    /// If the kernel cannot be compiled or started.
    unsafe fn launch(&self, kernel: Kernel, grid: Grid, arguments: &[Argument]) -> Result<()>;

    /// Starts a product.
    ///
    /// # Safety
    /// The memory must be there at each address and as long as the layout says.
    ///
    /// # Errors
    /// If the library refuses it.
    unsafe fn multiply(&self, product: &Product) -> Result<()>;

    /// Lets the device note the moment at which it has done all that was launched before.
    ///
    /// # Errors
    /// If the device fails.
    fn mark(&self) -> Result<()>;

    /// Forgets the marks and returns the milliseconds from each to the next, once the device has passed them all.
    ///
    /// # Errors
    /// If the device fails, or failed in something launched before.
    fn take_marks(&self) -> Result<Vec<f64>>;

    /// How many blocks a grid should have at least to keep the device busy.
    fn n_multiprocessors(&self) -> usize;
}
// ANCHOR_END: machine
