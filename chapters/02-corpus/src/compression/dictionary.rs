//! The dictionary of a `.warc.zst`, which the file itself brings.
//!
//! Pages of one site repeat each other, and a record that is a zstd frame of its own cannot refer to the record before. So
//! such archives train a dictionary and put it first, in a skippable frame with the magic number `0x184D2A5D`, either as it
//! is or itself compressed.
//!
//! Source: the Zstandard addendum to WARC, iipc.github.io/warc-specifications, `warc-zstd`.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

const FRAME_MAGIC: [u8; 4] = 0x184d_2a5d_u32.to_le_bytes();
const DICTIONARY_MAGIC: [u8; 4] = 0xec30_a437_u32.to_le_bytes();
/// Dictionaries are some hundred kilobytes.
const MAX_DICTIONARY_BYTES: u64 = 16 << 20;

/// Reads the dictionary at the file's beginning, and goes back there; empty if there is none.
///
/// # Errors
/// When it is too large or cannot be unpacked, or the file cannot be read.
pub(super) fn read(file: &mut File) -> io::Result<Vec<u8>> {
    let dictionary = read_frame(file)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(dictionary)
}

fn read_frame(file: &mut File) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    file.take(8).read_to_end(&mut head)?;
    let (Some(magic), Some(length)) = (head.get(..4), head.get(4..8)) else { return Ok(Vec::new()) };
    if magic != FRAME_MAGIC {
        return Ok(Vec::new());
    }
    let n_bytes = length.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
    let is_packed = match next_four(file)? {
        DICTIONARY_MAGIC => false,
        zstd_magic if zstd_magic == 0xfd2f_b528_u32.to_le_bytes() => true,
        // A skippable frame of another program.
        _ => return Ok(Vec::new()),
    };
    file.seek(SeekFrom::Start(8))?;
    let mut dictionary = Vec::new();
    let frame = file.take(n_bytes);
    let limit = MAX_DICTIONARY_BYTES + 1;
    if is_packed {
        zstd::stream::read::Decoder::new(frame)?.take(limit).read_to_end(&mut dictionary)?;
    } else {
        frame.take(limit).read_to_end(&mut dictionary)?;
    }
    if dictionary.len() as u64 > MAX_DICTIONARY_BYTES {
        return Err(io::Error::other(format!("its zstd dictionary is larger than {MAX_DICTIONARY_BYTES} bytes")));
    }
    Ok(dictionary)
}

fn next_four(file: &mut File) -> io::Result<[u8; 4]> {
    let mut bytes = Vec::new();
    file.take(4).read_to_end(&mut bytes)?;
    Ok(bytes.try_into().unwrap_or_default())
}
