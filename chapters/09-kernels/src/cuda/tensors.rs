//! Where a tensor's numbers are on the device. For the CPU twin that is where they are on the CPU.

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, DType, Device, InplaceOp1, Layout, Result, Shape, Storage, Tensor, bail};

use super::memory::{Element, View};

/// The numbers of a contiguous tensor, to be read.
///
/// # Errors
/// If it is not contiguous, or neither f32 nor u32.
pub(crate) fn view(tensor: &Tensor) -> Result<View<'_>> {
    let (storage, layout) = tensor.storage_and_layout();
    let start = match &*storage {
        Storage::Cpu(storage) => of_cpu(storage)?,
        #[cfg(feature = "cuda")]
        Storage::Cuda(storage) => of_cuda(storage)?,
        _ => bail!("a CUDA kernel wants tensors on the GPU"),
    };
    window(start, layout)
}

/// The numbers of a contiguous tensor, to be written.
///
/// # Errors
/// If it is not contiguous, or neither f32 nor u32.
pub(crate) fn place(tensor: &Tensor) -> Result<View<'_>> {
    let finder = Finder(Mutex::new(None));
    tensor.inplace_op1(&finder)?;
    let found = finder.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    match found {
        Some(start) => window(start, tensor.layout()),
        None => bail!("a tensor of {:?} was not found on its device", tensor.dims()),
    }
}

/// A tensor of f32 that a kernel is about to fill.
///
/// # Errors
/// If the device is out of memory.
pub(crate) fn unwritten(shape: impl Into<Shape>, device: &Device) -> Result<Tensor> {
    // SAFETY: nobody reads it before the kernel that writes all of it: work on a device is in order.
    unsafe { Tensor::empty(shape, DType::F32, device) }
}

/// The address of a storage's first number.
type Start = (u64, Element);

fn window<'a>((address, element): Start, layout: &Layout) -> Result<View<'a>> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("a kernel wants contiguous tensors, this one has strides {:?}", layout.stride());
    };
    // SAFETY: the tensor that the caller borrows keeps its storage; candle hands a tensor's numbers to the device's one stream alone.
    Ok(unsafe { View::new(address + (start * element.n_bytes()) as u64, element, end - start) })
}

pub(super) fn of_cpu(storage: &CpuStorage) -> Result<Start> {
    match storage {
        CpuStorage::F32(values) => Ok((values.as_ptr() as u64, Element::F32)),
        CpuStorage::U32(values) => Ok((values.as_ptr() as u64, Element::U32)),
        _ => bail!("a kernel wants f32 or u32"),
    }
}

#[cfg(feature = "cuda")]
pub(super) fn of_cuda(storage: &candle_core::CudaStorage) -> Result<Start> {
    use candle_core::cuda_backend::CudaStorageSlice;
    use candle_core::cuda_backend::cudarc::driver::DevicePtr;
    let stream = storage.device.cuda_stream();
    match &storage.slice {
        CudaStorageSlice::F32(values) => Ok((values.device_ptr(&stream).0, Element::F32)),
        CudaStorageSlice::U32(values) => Ok((values.device_ptr(&stream).0, Element::U32)),
        _ => bail!("a kernel wants f32 or u32"),
    }
}

/// Asks candle for a tensor's storage as something to write to, and notes where it is.
struct Finder(Mutex<Option<Start>>);

impl Finder {
    fn note(&self, start: Start) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(start);
    }
}

impl InplaceOp1 for Finder {
    fn name(&self) -> &'static str {
        "find"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, _layout: &Layout) -> Result<()> {
        match storage {
            CpuStorage::F32(values) => self.note((values.as_mut_ptr() as u64, Element::F32)),
            CpuStorage::U32(values) => self.note((values.as_mut_ptr() as u64, Element::U32)),
            _ => bail!("a kernel wants f32 or u32"),
        }
        Ok(())
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, storage: &mut candle_core::CudaStorage, _layout: &Layout) -> Result<()> {
        self.note(of_cuda(storage)?);
        Ok(())
    }
}
