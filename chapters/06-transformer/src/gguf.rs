//! GGUF, llama.cpp's format: a whole model in one file, its numbers often quantised.
//!
//! ```text
//! header (pairs and tensor infos: tokenizer::gguf::header) · padding · data
//! ```
//!
//! | file | what it holds |
//! |---|---|
//! | [`block_type`] | how a tensor's numbers are stored, by ggml's number: bytes a block, values a block |
//! | `plain` | f32, f16 and bf16 |
//! | `blocks_of_32` | Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, and the way there for the first two |
//! | `blocks_of_256` | Q4_K, Q5_K, Q6_K |
//! | [`write`](mod@write) | the file, written |
//! | `keys` | the pairs that hold a configuration |
//! | `names` | the names of tensors, and the order of rows in queries and keys |
//! | `rope_factors` | Llama 3's scaling of rotary positions, which a file holds as a tensor |
//! | `model` | [`Transformer::load_gguf`](crate::Transformer::load_gguf) and back |
//!
//! A file is mapped, and one tensor at a time becomes f32. Nothing that it says is believed: every tensor must lie in the file, aligned, beside
//! the others, and have a type whose blocks fill its rows.
//!
//! Source: ggml, `docs/gguf.md`, versions 2 and 3, little-endian.

pub mod block_type;
mod blocks_of_256;
mod blocks_of_32;
mod keys;
mod model;
mod names;
mod plain;
mod rope_factors;
pub mod write;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use candle_core::{Device, Error, Result, Tensor, bail};
use memmap2::Mmap;
use tokenizer::gguf::{Header, TensorInfo, Value};

use crate::checkpoint::at;
use crate::safetensors_file::map;
pub use block_type::BlockType;
pub use write::Storage;

/// Where the data begins and each tensor in it: at a multiple of this, unless the file says otherwise.
const DEFAULT_ALIGNMENT: u64 = 32;

// ANCHOR: file
/// A mapped GGUF file.
#[derive(Debug)]
pub struct GgufFile {
    path: PathBuf,
    mapping: Mmap,
    metadata: BTreeMap<String, Value>,
    tensors: BTreeMap<String, Place>,
}

/// Where a tensor lies, and what it is.
#[derive(Debug)]
struct Place {
    kind: BlockType,
    /// As everywhere else: the fastest dimension last.
    shape: Vec<usize>,
    bytes: Range<usize>,
}

impl GgufFile {
    /// Maps a file and checks all that its header says.
    ///
    /// # Errors
    /// If it is missing or damaged; the message names it and, where there is one, the tensor.
    pub fn open(path: &Path) -> Result<Self> {
        let mapping = map(path).map_err(|error| at(path, "cannot read", error))?;
        let (metadata, tensors) = places(&mapping).map_err(|error| at(path, "cannot read", error))?;
        Ok(Self { path: path.to_path_buf(), mapping, metadata, tensors })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The pairs of its header.
    pub fn metadata(&self) -> &BTreeMap<String, Value> {
        &self.metadata
    }

    /// Name, type and shape of each tensor, by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, BlockType, &[usize])> {
        self.tensors.iter().map(|(name, place)| (name.as_str(), place.kind, place.shape.as_slice()))
    }

    /// The shape of a tensor.
    pub(crate) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|place| place.shape.as_slice())
    }

    /// A tensor as f32 on the CPU.
    ///
    /// # Errors
    /// If there is none of that name, or some of its numbers are not finite.
    pub fn read(&self, name: &str) -> Result<Tensor> {
        let Some(Place { kind, shape, bytes }) = self.tensors.get(name) else { bail!("{name} is missing") };
        let numbers = kind.dequantize(&self.mapping[bytes.clone()]);
        let n_bad = numbers.iter().filter(|x| !x.is_finite()).count();
        if n_bad > 0 {
            bail!("{name} in {}: {n_bad} of {} numbers are not finite", self.path.display(), numbers.len());
        }
        Tensor::from_vec(numbers, shape.as_slice(), &Device::Cpu)
    }
}
// ANCHOR_END: file

/// The pairs and the tensors of a file.
fn places(file: &[u8]) -> Result<(BTreeMap<String, Value>, BTreeMap<String, Place>)> {
    let n_bytes = file.len() as u64;
    let Header { metadata, tensors, n_bytes: header_bytes } = Header::read(file, n_bytes).map_err(Error::wrap)?;
    let alignment = match metadata.get("general.alignment") {
        None => DEFAULT_ALIGNMENT,
        Some(Value::Integer(alignment)) if *alignment > 0 && alignment % 8 == 0 => alignment.unsigned_abs(),
        Some(other) => bail!("general.alignment is {other:?}; it must be a multiple of 8"),
    };
    // Without tensors a file may end with its header.
    let Some(data) =
        header_bytes.checked_next_multiple_of(alignment).filter(|data| *data <= n_bytes || tensors.is_empty())
    else {
        bail!("it ends before its data, which its header says begin after {header_bytes} bytes");
    };
    let mut places: Vec<(String, Place)> = tensors
        .into_iter()
        .map(|info| {
            let place = place(&info, data, alignment, n_bytes);
            place.map(|place| (info.name.clone(), place)).map_err(|why| Error::msg(format!("{}: {why}", info.name)))
        })
        .collect::<Result<_>>()?;
    places.sort_by_key(|(_, place)| place.bytes.start);
    for pair in places.windows(2) {
        if let [(before, first), (after, second)] = pair
            && first.bytes.end > second.bytes.start
        {
            bail!("{before} and {after} overlap");
        }
    }
    Ok((metadata, places.into_iter().collect()))
}

// ANCHOR: place
/// Where a tensor lies, if that is possible.
fn place(info: &TensorInfo, data: u64, alignment: u64, file_bytes: u64) -> std::result::Result<Place, String> {
    let TensorInfo { dims, kind, offset, .. } = info;
    let kind = BlockType::from_number(*kind)?;
    if !offset.is_multiple_of(alignment) {
        return Err(format!("its offset {offset} is no multiple of {alignment}"));
    }
    let row = dims.first().copied().unwrap_or(0);
    if dims.contains(&0) || !row.is_multiple_of(kind.values_per_block() as u64) {
        let (name, n) = (kind.name(), kind.values_per_block());
        return Err(format!("its dimensions {dims:?} do not suit {name}, whose rows are multiples of {n}"));
    }
    let n_values = dims.iter().try_fold(1_u64, |product, dim| product.checked_mul(*dim));
    let n_bytes =
        n_values.and_then(|n| (n / kind.values_per_block() as u64).checked_mul(kind.bytes_per_block() as u64));
    let start = data.checked_add(*offset);
    let end = start.zip(n_bytes).and_then(|(start, n_bytes)| start.checked_add(n_bytes));
    match (start, end) {
        // What lies in a mapped file has addresses, so it fits usize.
        (Some(start), Some(end)) if end <= file_bytes => Ok(Place {
            kind,
            shape: dims.iter().rev().map(|dim| *dim as usize).collect(),
            bytes: start as usize..end as usize,
        }),
        _ => Err(format!("its dimensions {dims:?} at offset {offset} leave the file of {file_bytes} bytes")),
    }
}
// ANCHOR_END: place
