//! An operation on the device as candle's autograd sees it.
//!
//! All that the model is made of has one input whose gradient the graph needs, f32 in and f32 out; weights are known by name and their gradients
//! have places of their own. So one adapter serves every operation, on the GPU and on its twin.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::memory::{Element, View};
use super::tensors;

// ANCHOR: device_op
/// An operation with a backward.
pub(super) trait DeviceOp: Send + Sync + 'static {
    /// For messages.
    const NAME: &'static str;

    /// The shape of the result.
    ///
    /// # Errors
    /// If the operation does not take such an input.
    fn output_shape(&self, input: &Shape) -> Result<Shape>;

    /// Writes all of `y`.
    ///
    /// # Errors
    /// If the device fails.
    fn forward(&self, x: View<'_>, y: View<'_>) -> Result<()>;

    /// Writes all of `dx` from the gradient `dy` of the result, and sums gradients of weights where they stay.
    ///
    /// # Errors
    /// If the device fails.
    fn backward(&self, x: View<'_>, dy: View<'_>, dx: View<'_>) -> Result<()>;

    /// Whether the input has a gradient of its own; if not, `dx` above is empty.
    fn has_input_gradient(&self) -> bool {
        true
    }
}
// ANCHOR_END: device_op

/// The result of `op` on `x`.
///
/// # Errors
/// If the operation does not take it, or the device fails.
pub(super) fn apply(x: &Tensor, op: impl DeviceOp) -> Result<Tensor> {
    let x = x.contiguous()?;
    if x.track_op() { x.apply_op1(OnDevice(op)) } else { x.apply_op1_no_bwd(&OnDevice(op)) }
}

struct OnDevice<O>(O);

impl<O: DeviceOp> CustomOp1 for OnDevice<O> {
    fn name(&self) -> &'static str {
        O::NAME
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let shape = self.0.output_shape(layout.shape())?;
        let mut y = vec![f32::NAN; shape.elem_count()];
        let x = input(tensors::of_cpu(storage)?, layout);
        // SAFETY: the numbers stay where they are until forward has returned, and the twin is then done with them.
        self.0.forward(x, unsafe { View::new(y.as_mut_ptr() as u64, Element::F32, y.len()) })?;
        Ok((CpuStorage::F32(y), shape))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        storage: &candle_core::CudaStorage,
        layout: &Layout,
    ) -> Result<(candle_core::CudaStorage, Shape)> {
        use candle_core::CudaStorage;
        let shape = self.0.output_shape(layout.shape())?;
        // SAFETY: forward writes all of it before anything else on the stream can read it.
        let y = unsafe { storage.device.alloc::<f32>(shape.elem_count())? };
        let y = CudaStorage::wrap_cuda_slice(y, storage.device.clone());
        let (address, element) = tensors::of_cuda(&y)?;
        // SAFETY: the storage owns these numbers.
        let place = unsafe { View::new(address, element, shape.elem_count()) };
        self.0.forward(input(tensors::of_cuda(storage)?, layout), place)?;
        Ok((y, shape))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let dy = dy.contiguous()?;
        if !self.0.has_input_gradient() {
            let nothing = tensors::view(&dy)?.part(0..0)?;
            self.0.backward(tensors::view(x)?, tensors::view(&dy)?, nothing)?;
            return Ok(None);
        }
        let dx = tensors::unwritten(x.shape(), x.device())?;
        self.0.backward(tensors::view(x)?, tensors::view(&dy)?, tensors::place(&dx)?)?;
        Ok(Some(dx))
    }
}

/// [`apply`] hands over contiguous tensors only.
fn input<'a>((address, element): (u64, Element), layout: &Layout) -> View<'a> {
    let start = address + (layout.start_offset() * element.n_bytes()) as u64;
    // SAFETY: candle keeps the input's storage as long as the operation runs.
    unsafe { View::new(start, element, layout.shape().elem_count()) }
}
