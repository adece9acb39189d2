//! A file of equal rows in groups: what one step of a job hands to the next.
//!
//! ```text
//! u32 n_groups | u64 offset of each group in rows, and of the end | rows of N u32, little-endian
//! ```
//! A step that works on one range of hashes reads that group of every part and nothing else, with one seek. Rows are
//! sorted, so a file is the same whoever makes it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Sorts the rows and writes them. `group_of` must not fall as rows rise.
///
/// # Errors
/// What `out` answers.
pub(super) fn write<const N: usize>(
    out: &mut impl Write,
    mut rows: Vec<[u32; N]>,
    n_groups: usize,
    group_of: impl Fn(&[u32; N]) -> usize,
) -> io::Result<()> {
    rows.sort_unstable();
    out.write_all(&(n_groups as u32).to_le_bytes())?;
    for group in 0..=n_groups {
        let offset = rows.partition_point(|row| group_of(row) < group);
        out.write_all(&(offset as u64).to_le_bytes())?;
    }
    for value in rows.iter().flatten() {
        out.write_all(&value.to_le_bytes())?;
    }
    Ok(())
}

/// The rows of one group.
///
/// # Errors
/// A file that cannot be read, or is shorter than its head says.
pub(super) fn read_group<const N: usize>(path: &Path, group: usize) -> io::Result<Vec<[u32; N]>> {
    read_groups(path, group, group + 1)
}

/// The rows of all groups.
///
/// # Errors
/// As [`read_group`].
pub(super) fn read_all<const N: usize>(path: &Path) -> io::Result<Vec<[u32; N]>> {
    let mut head = [0; 4];
    File::open(path)?.read_exact(&mut head)?;
    read_groups(path, 0, u32::from_le_bytes(head) as usize)
}

fn read_groups<const N: usize>(path: &Path, from: usize, to: usize) -> io::Result<Vec<[u32; N]>> {
    let mut file = File::open(path)?;
    let mut word = [0; 4];
    file.read_exact(&mut word)?;
    let n_groups = u32::from_le_bytes(word) as usize;
    if to > n_groups {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it has {n_groups} groups, not {to}")));
    }
    let [start, end] = [offset(&mut file, from)?, offset(&mut file, to)?];
    let head_bytes = 4 + 8 * (n_groups as u64 + 1);
    let row_bytes = 4 * N as u64;
    // A damaged head must not ask for more memory than the file could fill.
    let n_rows = end.checked_sub(start).filter(|n| n.saturating_mul(row_bytes) <= file_bytes(&file).unwrap_or(0));
    let n_rows = n_rows.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "its head is damaged"))?;
    file.seek(SeekFrom::Start(head_bytes + start * row_bytes))?;
    let mut bytes = vec![0; (n_rows * row_bytes) as usize];
    file.read_exact(&mut bytes)?;
    let value = |bytes: &[u8]| bytes.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte));
    let row = |bytes: &[u8]| {
        let mut row = [0; N];
        row.iter_mut().zip(bytes.chunks_exact(4)).for_each(|(place, bytes)| *place = value(bytes));
        row
    };
    Ok(bytes.chunks_exact(row_bytes as usize).map(row).collect())
}

fn offset(file: &mut File, group: usize) -> io::Result<u64> {
    file.seek(SeekFrom::Start(4 + 8 * group as u64))?;
    let mut word = [0; 8];
    file.read_exact(&mut word)?;
    Ok(u64::from_le_bytes(word))
}

fn file_bytes(file: &File) -> io::Result<u64> {
    Ok(file.metadata()?.len())
}

/// The range of hashes, out of `n_ranges`, into which a hash with these leading 32 bits falls.
pub(super) fn range_of(leading_bits: u32, n_ranges: usize) -> usize {
    ((u64::from(leading_bits) * n_ranges as u64) >> 32) as usize
}

/// A 128-bit hash as row values that sort as it does.
pub(super) fn split_u128(hash: u128) -> [u32; 4] {
    [(hash >> 96) as u32, (hash >> 64) as u32, (hash >> 32) as u32, hash as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_come_back_sorted_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        let rows: Vec<[u32; 2]> = (0..1000u32).map(|i| [i.wrapping_mul(0x9E37_79B9), i]).collect();
        let mut bytes = Vec::new();
        write(&mut bytes, rows.clone(), 7, |row| range_of(row[0], 7)).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        let groups: Vec<Vec<[u32; 2]>> = (0..7).map(|group| read_group(&path, group).unwrap()).collect();
        let mut sorted = rows;
        sorted.sort_unstable();
        assert_eq!(groups.concat(), sorted);
        assert_eq!(read_all::<2>(&path).unwrap(), sorted);
        for (group, rows) in groups.iter().enumerate() {
            assert!(!rows.is_empty() && rows.iter().all(|row| range_of(row[0], 7) == group));
        }
        assert!(read_group::<2>(&path, 7).is_err());
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(read_all::<2>(&path).is_err());
    }
}
