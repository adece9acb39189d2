//! Writes a GGUF file: header, then each tensor at its aligned place, one at a time, under a temporary name until all is on the disk.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use candle_core::{DType, Error, Result, Tensor, bail};
use tokenizer::gguf::{Header, TensorInfo, Value};

use super::{BlockType, DEFAULT_ALIGNMENT, blocks_of_32};
use crate::checkpoint::replace_file;

// ANCHOR: storage
/// In what type a model's matrices are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// All as it is.
    F32,
    /// Half the size; the nearest of 2,048 steps between powers of two.
    F16,
    /// A little over a quarter.
    Q8_0,
    /// About a seventh; the embedding and the head, which suffer most, in Q8_0.
    Q4_0,
}

impl Storage {
    /// The type of a parameter, by our name or by GGUF's. Vectors and learnt positions stay in f32: they are few, and gains multiply whole rows. Rows that
    /// blocks do not fill become f16.
    pub fn of(self, name: &str, shape: &[usize]) -> BlockType {
        let fills = shape.last().is_some_and(|row| row.is_multiple_of(blocks_of_32::BLOCK));
        let is_table = matches!(name, "embedding" | "head" | "token_embd.weight" | "output.weight");
        match self {
            _ if shape.len() < 2 || matches!(name, "position_embedding" | "position_embd.weight") => BlockType::F32,
            Self::F32 => BlockType::F32,
            Self::F16 => BlockType::F16,
            _ if !fills => BlockType::F16,
            Self::Q4_0 if !is_table => BlockType::Q4_0,
            Self::Q8_0 | Self::Q4_0 => BlockType::Q8_0,
        }
    }

    /// llama.cpp's number for it (`general.file_type`).
    pub(super) fn file_type(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q8_0 => 7,
        }
    }
}
// ANCHOR_END: storage

// ANCHOR: write
/// Writes pairs and tensors, each in its type.
///
/// # Errors
/// If the file cannot be written, or a tensor's numbers are beyond its type; the message names it. The file is then as it was.
pub fn write_gguf(path: &Path, pairs: &[(String, Value)], tensors: &[(String, Tensor, BlockType)]) -> Result<()> {
    let mut end = 0_u64;
    let mut infos = Vec::new();
    for (name, tensor, kind) in tensors {
        let row = tensor.dims().last().copied().unwrap_or(0);
        if row == 0 || !row.is_multiple_of(kind.values_per_block()) {
            bail!("{name} of shape {:?} has rows that blocks of {} do not fill", tensor.dims(), kind.name());
        }
        let dims = tensor.dims().iter().rev().map(|dim| *dim as u64).collect();
        infos.push(TensorInfo { name: name.clone(), dims, kind: kind.number(), offset: end });
        let n_bytes = tensor.elem_count() / kind.values_per_block() * kind.bytes_per_block();
        end = (end + n_bytes as u64).next_multiple_of(DEFAULT_ALIGNMENT);
    }
    let header = Header::to_bytes(pairs, &infos).map_err(Error::wrap)?;
    replace_file(path, |temporary| {
        let mut file = BufWriter::new(File::create(temporary)?);
        file.write_all(&header)?;
        pad(&mut file, header.len())?;
        for (name, tensor, kind) in tensors {
            let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
            let bytes = kind.quantize(&values).map_err(|why| Error::msg(format!("{name}: {why}")))?;
            file.write_all(&bytes)?;
            pad(&mut file, bytes.len())?;
        }
        Ok(file.flush()?)
    })
}
// ANCHOR_END: write

/// Zeros up to the next aligned place after `n_bytes`.
fn pad(file: &mut impl Write, n_bytes: usize) -> std::io::Result<()> {
    let n_bytes = n_bytes as u64;
    let n_zeros = n_bytes.next_multiple_of(DEFAULT_ALIGNMENT) - n_bytes;
    file.write_all(&[0; DEFAULT_ALIGNMENT as usize][..n_zeros as usize])
}
