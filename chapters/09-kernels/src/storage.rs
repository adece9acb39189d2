//! From tensors to slices.

use std::ops::{Deref, Range};

use ::attention::Rope;
use candle_core::{CpuStorage, DType, Device, Layout, Result, Shape, Storage, Tensor, bail};

/// The numbers of a storage that candle hands to an operation.
///
/// # Errors
/// If they are not contiguous f32.
pub(crate) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        (CpuStorage::F32(_), None) => {
            bail!("a kernel wants contiguous tensors, this one has strides {:?}", layout.stride())
        }
        _ => bail!("a kernel wants f32"),
    }
}

/// A tensor's storage while it is read.
pub(crate) struct Reading<'a> {
    storage: Box<dyn Deref<Target = Storage> + 'a>,
    layout: &'a Layout,
}

impl<'a> Reading<'a> {
    pub(crate) fn of(tensor: &'a Tensor) -> Self {
        let (storage, layout) = tensor.storage_and_layout();
        Self { storage: Box::new(storage), layout } // candle does not name the guard's type.
    }

    /// The numbers.
    ///
    /// # Errors
    /// If they are not contiguous f32 on the CPU.
    pub(crate) fn slice(&self) -> Result<&[f32]> {
        match &**self.storage {
            Storage::Cpu(storage) => slice(storage, self.layout),
            _ => bail!("a CPU kernel wants tensors on the CPU"),
        }
    }

    /// The storage from the tensor's first number on: for a kernel that knows the strides.
    ///
    /// # Errors
    /// If it is not f32 on the CPU.
    pub(crate) fn slice_to_end(&self) -> Result<&[f32]> {
        match &**self.storage {
            Storage::Cpu(CpuStorage::F32(values)) => Ok(&values[self.layout.start_offset()..]),
            _ => bail!("a CPU kernel wants f32 on the CPU"),
        }
    }
}

/// A tensor on the CPU from its numbers.
pub(crate) fn tensor(values: Vec<f32>, shape: &Shape) -> Result<Tensor> {
    Tensor::from_vec(values, shape, &Device::Cpu)
}

/// Whether the kernels can work on these tensors.
pub(crate) fn is_supported(tensors: &[&Tensor]) -> bool {
    tensors.iter().all(|tensor| tensor.device().is_cpu() && tensor.dtype() == DType::F32)
}

/// Cosines and sines of these positions, each `(positions, head_dim / 2)`; those of the angle 0, which rotate nothing, if positions are not rotary.
///
/// # Errors
/// If there are fewer positions, or heads are of another width.
pub(crate) fn rotary_tables(rope: Option<&Rope>, positions: Range<usize>, head_dim: usize) -> Result<[Tensor; 2]> {
    let Some(rope) = rope else {
        let shape = (positions.len(), head_dim / 2);
        let (cos, sin) =
            (Tensor::ones(shape, DType::F32, &Device::Cpu)?, Tensor::zeros(shape, DType::F32, &Device::Cpu)?);
        return Ok([cos, sin]);
    };
    let (cos, sin) = rope.tables();
    let (max_seq_len, half) = cos.dims2()?;
    if positions.end > max_seq_len || 2 * half != head_dim {
        let end = positions.end;
        bail!("{end} positions of head_dim {head_dim} do not fit rotary tables of ({max_seq_len}, {half})");
    }
    let of_positions = |table: &Tensor| table.narrow(0, positions.start, positions.len())?.contiguous();
    Ok([of_positions(cos)?, of_positions(sin)?])
}
