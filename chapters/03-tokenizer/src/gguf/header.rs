//! What stands before the tensors of a GGUF file: key-value pairs, then the name, shape, type and place of each tensor.
//!
//! ```text
//! file:    "GGUF" version:u32 n_tensors:u64 n_pairs:u64 pair… tensor… padding data        (little-endian)
//! pair:    key:string type:u32 value        string: n_bytes:u64 bytes        array: type:u32 n:u64 value…
//! tensor:  name:string n_dims:u32 dim:u64… type:u32 offset:u64        (fastest dimension first; offset in data)
//! ```
//!
//! A file may lie about its sizes, so no count is believed: a string or an array must fit in the bytes that are left, and
//! nothing is allocated before it was read. Refused are other versions than 2 and 3 (which look alike), and keys or tensors
//! that stand there twice. What the tensors' types and places mean is chapter 6's.
//!
//! Source: ggml, `docs/gguf.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read},
};

/// The value of a pair. Integers of all widths are one kind, and so are numbers of both.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// True or false.
    Flag(bool),
    /// An integer.
    Integer(i64),
    /// A number with a fraction.
    Number(f64),
    /// A text.
    Text(String),
    /// An array of texts.
    Texts(Vec<String>),
    /// An array of integers.
    Integers(Vec<i64>),
    /// An array of numbers.
    Numbers(Vec<f32>),
    /// Read over: arrays of flags or arrays, an empty one, and integers beyond an `i64`.
    Other,
}

/// What a file says of one tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// Its dimensions, the fastest first: the reverse of how shapes are written elsewhere.
    pub dims: Vec<u64>,
    /// How its numbers are stored, by ggml's number.
    pub kind: u32,
    /// Where it begins, in bytes from the start of the data.
    pub offset: u64,
}

/// Everything before the data.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// The pairs.
    pub metadata: BTreeMap<String, Value>,
    /// The tensors, in the file's order.
    pub tensors: Vec<TensorInfo>,
    /// How many bytes all this takes, without the padding before the data.
    pub n_bytes: u64,
}

/// Why a header cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DamagedHeader(String);

impl DamagedHeader {
    pub(super) fn no_type(key: &str) -> Self {
        Self(format!("the format has no type for the value of {key}"))
    }
}

impl Header {
    /// Reads the header of a file of `n_bytes` from its start.
    ///
    /// # Errors
    /// If it is no GGUF file of version 2 or 3, is cut short, claims more than the file can hold, or says something twice.
    pub fn read(source: impl Read, n_bytes: u64) -> Result<Self, DamagedHeader> {
        let mut reader = Reader { source, left: n_bytes };
        let (n_tensors, metadata) = reader.metadata().map_err(DamagedHeader)?;
        let tensors = reader.tensors(n_tensors).map_err(DamagedHeader)?;
        Ok(Self { metadata, tensors, n_bytes: n_bytes - reader.left })
    }
}

// ANCHOR: reader
/// Reads from `source`, of which `left` bytes have not been read.
pub(super) struct Reader<R> {
    pub(super) source: R,
    pub(super) left: u64,
}

/// Types of values, by number.
pub(super) const I32: u32 = 5;
pub(super) const F32: u32 = 6;
pub(super) const BOOL: u32 = 7;
pub(super) const STRING: u32 = 8;
pub(super) const ARRAY: u32 = 9;
/// Arrays of arrays of arrays are in no file that anyone made.
const MAX_DEPTH: u32 = 3;
/// Nor are arrays of so many values: the largest vocabularies have a quarter of a million tokens.
const MAX_VALUES: u64 = 1 << 24;
/// ggml's tensors have at most four dimensions.
const MAX_DIMS: u32 = 4;

impl<R: Read> Reader<R> {
    /// The number of tensors, and all pairs.
    pub(super) fn metadata(&mut self) -> Result<(u64, BTreeMap<String, Value>), String> {
        if self.bytes::<4>()? != *b"GGUF" {
            return Err("it does not begin with GGUF".to_owned());
        }
        let version = self.u32()?;
        if !matches!(version, 2 | 3) {
            return Err(format!("its version is {version}; 2 and 3 are known"));
        }
        let (n_tensors, n_pairs) = (self.u64()?, self.u64()?);
        let mut pairs = BTreeMap::new();
        for _ in 0..n_pairs {
            let (key, kind) = (self.string()?, self.u32()?);
            let value = self.value(kind, 0)?;
            if pairs.insert(key.clone(), value).is_some() {
                return Err(format!("the key {key:?} is there twice"));
            }
        }
        Ok((n_tensors, pairs))
    }

    /// What follows the pairs.
    fn tensors(&mut self, n_tensors: u64) -> Result<Vec<TensorInfo>, String> {
        let (mut tensors, mut names) = (Vec::new(), BTreeSet::new());
        for _ in 0..n_tensors {
            let (name, n_dims) = (self.string()?, self.u32()?);
            if !(1..=MAX_DIMS).contains(&n_dims) {
                return Err(format!("tensor {name:?} has {n_dims} dimensions; 1 to {MAX_DIMS} are possible"));
            }
            let dims = (0..n_dims).map(|_| self.u64()).collect::<Result<_, _>>()?;
            let (kind, offset) = (self.u32()?, self.u64()?);
            if !names.insert(name.clone()) {
                return Err(format!("tensor {name:?} is there twice"));
            }
            tensors.push(TensorInfo { name, dims, kind, offset });
        }
        Ok(tensors)
    }

    fn value(&mut self, kind: u32, depth: u32) -> Result<Value, String> {
        match kind {
            STRING => self.string().map(Value::Text),
            ARRAY => self.array(depth),
            _ => self.number(kind),
        }
    }

    fn array(&mut self, depth: u32) -> Result<Value, String> {
        let (kind, n) = (self.u32()?, self.u64()?);
        // Each value takes a byte at least, so the loop ends even when the count is a lie.
        if n > self.left || n > MAX_VALUES || depth >= MAX_DEPTH {
            return Err(format!(
                "an array of {n} values at depth {depth} does not fit in the {} bytes left",
                self.left
            ));
        }
        let (mut texts, mut integers, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..n {
            match self.value(kind, depth + 1)? {
                Value::Text(text) => texts.push(text),
                Value::Integer(integer) => integers.push(integer),
                Value::Number(number) => numbers.push(number as f32),
                _ => {}
            }
        }
        Ok(match kind {
            STRING => Value::Texts(texts),
            _ if integers.len() as u64 == n => Value::Integers(integers),
            _ if numbers.len() as u64 == n => Value::Numbers(numbers),
            _ => Value::Other,
        })
    }

    fn number(&mut self, kind: u32) -> Result<Value, String> {
        Ok(match kind {
            0 => Value::Integer(self.bytes::<1>().map(u8::from_le_bytes)?.into()),
            1 => Value::Integer(self.bytes::<1>().map(i8::from_le_bytes)?.into()),
            2 => Value::Integer(self.bytes::<2>().map(u16::from_le_bytes)?.into()),
            3 => Value::Integer(self.bytes::<2>().map(i16::from_le_bytes)?.into()),
            4 => Value::Integer(self.u32()?.into()),
            I32 => Value::Integer(self.bytes::<4>().map(i32::from_le_bytes)?.into()),
            F32 => Value::Number(self.bytes::<4>().map(f32::from_le_bytes)?.into()),
            BOOL => Value::Flag(self.bytes::<1>()? != [0]),
            10 => i64::try_from(self.u64()?).map_or(Value::Other, Value::Integer),
            11 => Value::Integer(self.bytes::<8>().map(i64::from_le_bytes)?),
            12 => Value::Number(self.bytes::<8>().map(f64::from_le_bytes)?),
            _ => return Err(format!("there is no type {kind}")),
        })
    }

    fn string(&mut self) -> Result<String, String> {
        let n = self.u64()?;
        if n > self.left {
            return Err(format!("a text of {n} bytes does not fit in the {} bytes left", self.left));
        }
        let mut bytes = Vec::new();
        let n_read = self.source.by_ref().take(n).read_to_end(&mut bytes).map_err(ended)? as u64;
        self.left -= n_read;
        if n_read < n {
            return Err(format!("it ends {n_read} bytes into a text of {n}"));
        }
        String::from_utf8(bytes).map_err(|error| format!("a text is not UTF-8: {error}"))
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes).map_err(ended)?;
        self.left = self.left.saturating_sub(N as u64);
        Ok(bytes)
    }
}
// ANCHOR_END: reader

fn ended(error: io::Error) -> String {
    format!("its header cannot be read to the end: {error}")
}
