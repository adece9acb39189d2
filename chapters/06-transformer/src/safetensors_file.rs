//! Safetensors files: written whole, read through a mapping.
//!
//! A mapped file is memory that the kernel fills when it is looked at. So a model is converted tensor by tensor from the file to where it is to be,
//! and no second copy of it ever exists. The header is checked by crate `safetensors` before anything is believed: names, ranges that overlap or
//! leave the file, sizes that do not follow from shapes.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Error, Result, Tensor, bail};
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};

use crate::checkpoint::{at, replace_file};

/// Writes a safetensors file under a temporary name, flushes it, and renames it.
///
/// # Errors
/// If the file cannot be written; the message names it.
pub fn write_safetensors(path: &Path, tensors: &HashMap<String, Tensor>) -> Result<()> {
    // transformers wants to be told who wrote the file; "pt" says: row-major matrices, as PyTorch has them.
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    replace_file(path, |temporary| {
        safetensors::serialize_to_file(
            tensors.iter().map(|(name, tensor)| (name.clone(), tensor)),
            Some(metadata),
            temporary,
        )
        .map_err(Error::wrap)
    })
}

/// Reads a safetensors file onto the CPU, each tensor in the file's own dtype.
///
/// # Errors
/// If it is missing or damaged; the message names it.
pub fn read_safetensors(path: &Path) -> Result<HashMap<String, Tensor>> {
    candle_core::safetensors::load(path, &Device::Cpu).map_err(|error| at(path, "cannot read", error))
}

// ANCHOR: mapped
/// The tensors of one or several mapped files.
#[derive(Debug, Default)]
pub(crate) struct MappedWeights {
    files: Vec<(PathBuf, Mmap)>,
    tensors: BTreeMap<String, Place>,
}

/// Where a tensor lies.
#[derive(Debug)]
struct Place {
    file: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Range<usize>,
}

impl MappedWeights {
    /// Adds the tensors of a file.
    ///
    /// # Errors
    /// If it is missing or damaged, or a name is there already; the message names the file.
    pub(crate) fn add(&mut self, path: &Path) -> Result<()> {
        let failed = |error: &dyn std::fmt::Display| at(path, "cannot read", error);
        let mapping = map(path).map_err(|error| failed(&error))?;
        SafeTensors::deserialize(&mapping).map_err(|error| failed(&error))?;
        let (header_len, metadata) = SafeTensors::read_metadata(&mapping).map_err(|error| failed(&error))?;
        const LENGTH_BYTES: usize = 8;
        let start = LENGTH_BYTES + header_len;
        for (name, info) in metadata.tensors() {
            let (from, to) = info.data_offsets;
            let (dtype, shape) = (info.dtype, info.shape.clone());
            let place = Place { file: self.files.len(), dtype, shape, bytes: start + from..start + to };
            if let Some(other) = self.tensors.insert(name.clone(), place) {
                let (other, _) = &self.files[other.file];
                return Err(failed(&format_args!("{name} is also in {}", other.display())));
            }
        }
        self.files.push((path.to_path_buf(), mapping));
        Ok(())
    }

    /// Names, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The shape of a tensor.
    pub(crate) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|place| place.shape.as_slice())
    }

    /// A tensor as f32 on the CPU.
    ///
    /// # Errors
    /// If there is none of that name, its numbers are not floating-point, or some of them are not finite.
    pub(crate) fn read(&self, name: &str) -> Result<Tensor> {
        let Some(Place { file, dtype, shape, bytes }) = self.tensors.get(name) else { bail!("{name} is missing") };
        let (path, mapping) = &self.files[*file];
        let stored = match dtype {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            Dtype::F64 => DType::F64,
            other => bail!("{name} in {} is {other:?}; weights must be F32, BF16, F16 or F64", path.display()),
        };
        let raw = Tensor::from_raw_buffer(&mapping[bytes.clone()], stored, shape, &Device::Cpu)?;
        let tensor = raw.to_dtype(DType::F32)?;
        let numbers = tensor.flatten_all()?.to_vec1::<f32>()?;
        let n_bad = numbers.iter().filter(|x| !x.is_finite()).count();
        if n_bad > 0 {
            bail!("{name} in {}: {n_bad} of {} numbers are not finite", path.display(), numbers.len());
        }
        Ok(tensor)
    }
}
// ANCHOR_END: mapped

/// Mapping is unsafe because the bytes change, or the process dies of a bus error, if someone else writes to the file or cuts it short
/// meanwhile. Files of weights are never changed in place: a new one is renamed over the old one, which stays as it was for whoever maps it.
#[allow(unsafe_code)]
fn map(path: &Path) -> std::io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: see above.
    unsafe { Mmap::map(&file) }
}
