//! Planted bug: accepts a record without looking at what follows it.

/// How every record begins, up to its length.
pub const START: &[u8] = b"WARC/1.0\r\nContent-Length: ";
/// What follows the length, and what follows the block.
pub const SEPARATOR: &[u8] = b"\r\n\r\n";

/// What an archive holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The blocks of sound records, in order.
    pub blocks: Vec<Vec<u8>>,
    /// Where damaged records begin.
    pub damaged: Vec<usize>,
}

/// Reads all records of `archive` that can be read.
pub fn records(archive: &[u8]) -> Found {
    let mut found = Found::default();
    let mut at = 0;
    while at < archive.len() {
        if let Some((block, rest)) = sound_record(&archive[at..]) {
            found.blocks.push(block.to_vec());
            at = archive.len() - rest.len();
            continue;
        }
        found.damaged.push(at);
        match next_start(archive, at) {
            Some(next) => at = next,
            None => break,
        }
    }
    found
}

/// The block of the record at the beginning of `bytes`, and what follows the record.
fn sound_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = bytes.strip_prefix(START)?;
    let n_digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let length: usize = std::str::from_utf8(&rest[..n_digits]).ok()?.parse().ok()?;
    let rest = rest[n_digits..].strip_prefix(SEPARATOR)?;
    let (block, rest) = rest.split_at_checked(length)?;
    Some((block, rest.strip_prefix(SEPARATOR).unwrap_or(rest)))
}

/// The first place after `at` where a line begins with [`START`].
fn next_start(archive: &[u8], at: usize) -> Option<usize> {
    (at + 1..archive.len()).find(|&place| archive[place - 1] == b'\n' && archive[place..].starts_with(START))
}
