//! A device as the operations use it: buffers, checked launches, products of matrices.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{Result, bail};

use super::machine::{Argument, F32Products, Grid, Kernel, Layout, Machine, Product};
use super::memory::{Buffer, Element, View};
use super::profile::{Label, Profile, Recording};
use crate::Precision;

/// A device.
#[derive(Debug, Clone)]
pub(crate) struct Gpu {
    machine: Arc<dyn Machine>,
    precision: Precision,
    recording: Recording,
}

impl Gpu {
    pub(crate) fn new(machine: Arc<dyn Machine>, precision: Precision) -> Self {
        Self { machine, precision, recording: Recording::default() }
    }

    /// Times launches and products from now on.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn start_profile(&self) -> Result<()> {
        self.recording.start(self.machine.as_ref())
    }

    /// What they took since then, once the device is done.
    ///
    /// # Errors
    /// If none was started, or the device fails.
    pub(crate) fn stop_profile(&self) -> Result<Profile> {
        self.recording.stop(self.machine.as_ref())
    }

    /// The type that products work on.
    pub(crate) fn element(&self) -> Element {
        match self.precision {
            Precision::F32 | Precision::Tf32 => Element::F32,
            Precision::Bf16 => Element::Bf16,
        }
    }

    /// Room for `len` numbers to be written.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub(crate) fn buffer(&self, element: Element, len: usize) -> Result<Buffer> {
        Buffer::new(&self.machine, element, len)
    }

    /// Room for `len` numbers of the type that products work on.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub(crate) fn activations(&self, len: usize) -> Result<Buffer> {
        self.buffer(self.element(), len)
    }

    /// Numbers of the host, on the device.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub(crate) fn upload_u32(&self, values: &[u32]) -> Result<Buffer> {
        let buffer = self.buffer(Element::U32, values.len())?;
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
        // SAFETY: the buffer has room for these bytes.
        unsafe { self.machine.upload(&bytes, buffer.view().address())? };
        Ok(buffer)
    }

    /// Bytes of the host, on the device.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub(crate) fn upload_bytes(&self, bytes: &[u8]) -> Result<Buffer> {
        let buffer = self.buffer(Element::Byte, bytes.len())?;
        // SAFETY: the buffer has room for these bytes.
        unsafe { self.machine.upload(bytes, buffer.view().address())? };
        Ok(buffer)
    }

    /// The one number of a buffer, once all that was launched is done.
    ///
    /// # Errors
    /// If the device fails, or it is no f64.
    pub(crate) fn read_f64(&self, view: View<'_>) -> Result<f64> {
        view.must_be("result", Element::F64, 1)?;
        let mut bytes = [0; 8];
        // SAFETY: the view is one f64.
        unsafe { self.machine.download(view.address(), &mut bytes)? };
        Ok(f64::from_ne_bytes(bytes))
    }

    /// The ids of a view, once all that was launched is done.
    ///
    /// # Errors
    /// If the device fails, or they are no u32.
    pub(crate) fn read_u32(&self, view: View<'_>) -> Result<Vec<u32>> {
        view.must_be("ids", Element::U32, view.len())?;
        let mut bytes = vec![0; view.len() * size_of::<u32>()];
        // SAFETY: the view has so many bytes.
        unsafe { self.machine.download(view.address(), &mut bytes)? };
        Ok(bytes.chunks_exact(4).map(|four| u32::from_ne_bytes([four[0], four[1], four[2], four[3]])).collect())
    }

    /// Writes zeros.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn zero(&self, view: View<'_>) -> Result<()> {
        // SAFETY: the view is as long.
        unsafe { self.machine.zero(view.address(), view.len() * view.element().n_bytes()) }
    }

    /// Starts a kernel; nothing to do is no launch.
    ///
    /// # Safety
    /// Arguments must be those of the kernel, and what they point at as long as it reads and writes.
    ///
    /// # Errors
    /// If the kernel cannot be compiled or started.
    pub(crate) unsafe fn launch(&self, kernel: Kernel, grid: Grid, arguments: &[Argument]) -> Result<()> {
        if grid.blocks.contains(&0) {
            return Ok(());
        }
        // SAFETY: as this function's.
        let launch = || unsafe { self.machine.launch(kernel, grid, arguments) };
        self.recording.timed(self.machine.as_ref(), Label::Kernel(kernel.name), launch)
    }

    /// Blocks of so many threads that keep the device busy with `n_items` pieces of work, each block taking several in turn.
    pub(crate) fn n_blocks(&self, n_items: usize, threads: usize) -> usize {
        /// Half of what a multiprocessor holds: the other half is for kernels that use many registers.
        const THREADS_PER_MULTIPROCESSOR: usize = 1024;
        n_items.min(self.machine.n_multiprocessors() * (THREADS_PER_MULTIPROCESSOR / threads).max(1))
    }

    /// `out` `(m, n)` = `a` `(m, k)` · `b` `(k, n)`, plus `addend` `(m, n)`, which may be `out` itself.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub(crate) fn multiply(
        &self,
        a: Matrix<'_>,
        b: Matrix<'_>,
        addend: Option<Matrix<'_>>,
        out: Matrix<'_>,
    ) -> Result<()> {
        let fits = a.layout.n_cols == b.layout.n_rows
            && (a.layout.n_rows, b.layout.n_cols) == (out.layout.n_rows, out.layout.n_cols)
            && a.layout.element == b.layout.element
            && !out.layout.is_transposed
            && addend.is_none_or(|addend| addend.layout == out.layout);
        if !fits {
            bail!("a product of {:?} and {:?} plus {addend:?} does not fit {:?}", a.layout, b.layout, out.layout);
        }
        let f32_products = match self.precision {
            Precision::Tf32 => F32Products::Tf32,
            Precision::F32 | Precision::Bf16 => F32Products::Exact,
        };
        let place = |matrix: Matrix<'_>| (matrix.address, matrix.layout);
        let product = Product { a: place(a), b: place(b), addend: addend.map(place), out: place(out), f32_products };
        // SAFETY: a matrix is made of a view that covers it.
        let multiply = || unsafe { self.machine.multiply(&product) };
        self.recording.timed(self.machine.as_ref(), Label::of_product(&product), multiply)
    }
}

// ANCHOR: matrix
/// A window on the device's memory as a matrix, row after row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'a> {
    address: u64,
    layout: Layout,
    owner: std::marker::PhantomData<&'a ()>,
}

impl<'a> Matrix<'a> {
    /// Rows of `n_cols` numbers.
    pub(crate) fn new(view: View<'a>, n_cols: usize) -> Self {
        let (n_rows, element) = (view.len() / n_cols.max(1), view.element());
        let layout = Layout { n_rows, n_cols, stride: n_cols, element, is_transposed: false };
        Self { address: view.address(), layout, owner: std::marker::PhantomData }
    }

    /// Some rows of it.
    ///
    /// # Errors
    /// If there are not so many, or it is transposed.
    pub(crate) fn rows(self, rows: Range<usize>) -> Result<Self> {
        if self.layout.is_transposed || rows.start > rows.end || rows.end > self.layout.n_rows {
            bail!("rows {rows:?} of {:?}", self.layout);
        }
        let offset = rows.start * self.layout.stride * self.layout.element.n_bytes();
        let layout = Layout { n_rows: rows.len(), ..self.layout };
        Ok(Self { address: self.address + offset as u64, layout, ..self })
    }

    /// The transpose: the same memory, read the other way.
    pub(crate) fn transposed(self) -> Self {
        let Layout { n_rows, n_cols, is_transposed, .. } = self.layout;
        let layout = Layout { n_rows: n_cols, n_cols: n_rows, is_transposed: !is_transposed, ..self.layout };
        Self { layout, ..self }
    }
}
// ANCHOR_END: matrix
