//! A GGUF header as bytes: what [`Header::read`] reads.
//!
//! The types are those that llama.cpp asks for: counts are `u32`, numbers `f32`, arrays of integers `i32`. What does not fit
//! them is refused.

use super::header::{ARRAY, BOOL, DamagedHeader, F32, Header, I32, STRING, TensorInfo, Value};

const VERSION: u32 = 3;
const U32: u32 = 4;
const I64: u32 = 11;

// ANCHOR: write_header
impl Header {
    /// The bytes of a header with these pairs, in this order, and these tensors.
    ///
    /// # Errors
    /// If a value has no type in the format, which [`Value::Other`] and array elements beyond 32 bits have not.
    pub fn to_bytes(pairs: &[(String, Value)], tensors: &[TensorInfo]) -> Result<Vec<u8>, DamagedHeader> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((tensors.len() as u64).to_le_bytes());
        bytes.extend((pairs.len() as u64).to_le_bytes());
        for (key, value) in pairs {
            put_text(&mut bytes, key);
            put_value(&mut bytes, value).ok_or_else(|| DamagedHeader::no_type(key))?;
        }
        for TensorInfo { name, dims, kind, offset } in tensors {
            put_text(&mut bytes, name);
            bytes.extend((dims.len() as u32).to_le_bytes());
            dims.iter().for_each(|dim| bytes.extend(dim.to_le_bytes()));
            bytes.extend(kind.to_le_bytes());
            bytes.extend(offset.to_le_bytes());
        }
        Ok(bytes)
    }
}
// ANCHOR_END: write_header

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

/// Writes the type and the value; `None` if there is no type for it.
fn put_value(bytes: &mut Vec<u8>, value: &Value) -> Option<()> {
    let mut put_kind = |kind: u32| bytes.extend(kind.to_le_bytes());
    match value {
        Value::Flag(flag) => {
            put_kind(BOOL);
            bytes.push(u8::from(*flag));
        }
        Value::Integer(integer) => match u32::try_from(*integer) {
            Ok(integer) => {
                put_kind(U32);
                bytes.extend(integer.to_le_bytes());
            }
            Err(_) => {
                put_kind(I64);
                bytes.extend(integer.to_le_bytes());
            }
        },
        Value::Number(number) => {
            put_kind(F32);
            bytes.extend((*number as f32).to_le_bytes());
        }
        Value::Text(text) => {
            put_kind(STRING);
            put_text(bytes, text);
        }
        Value::Texts(texts) => {
            put_array(bytes, STRING, texts.len());
            texts.iter().for_each(|text| put_text(bytes, text));
        }
        Value::Integers(integers) => {
            put_array(bytes, I32, integers.len());
            for integer in integers {
                bytes.extend(i32::try_from(*integer).ok()?.to_le_bytes());
            }
        }
        Value::Numbers(numbers) => {
            put_array(bytes, F32, numbers.len());
            numbers.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
        }
        Value::Other => return None,
    }
    Some(())
}

fn put_array(bytes: &mut Vec<u8>, kind: u32, n: usize) {
    bytes.extend(ARRAY.to_le_bytes());
    bytes.extend(kind.to_le_bytes());
    bytes.extend((n as u64).to_le_bytes());
}
