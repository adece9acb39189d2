//! Downloads one file so that a break costs nothing that was already there, and a damaged file is never taken for a whole one.
//!
//! Bytes go to `NAME.part`. When the connection breaks, or a new process finds that file, the download goes on at its end by
//! an HTTP range request (RFC 9110, section 14.2). Only when size and SHA-256 are right does the file get its name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{Hub, HubError, HubFile};

/// Attempts in a row that bring no new byte.
const MAX_VAIN_ATTEMPTS: usize = 3;
const COPY_BYTES: usize = 64 << 10;

// ANCHOR: download
pub(super) fn download(
    hub: &Hub,
    url: &str,
    expected: &HubFile,
    path: &Path,
    progress: &dyn Fn(u64),
) -> Result<(), HubError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| HubError::Io { path, source }
    };
    if fs::metadata(path).is_ok_and(|file| file.len() == expected.n_bytes) {
        progress(expected.n_bytes);
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(at(folder))?;
    }
    let part = path.with_added_extension("part");
    let mut n_vain = 0;
    loop {
        let n_before = size_of(&part);
        if n_before == expected.n_bytes && part.exists() {
            break;
        }
        let outcome = append(hub, url, &part, expected.n_bytes, progress);
        let has_grown = size_of(&part) > n_before;
        n_vain = if has_grown { 0 } else { n_vain + 1 };
        match outcome {
            Err(error @ HubError::Status { status: 416, .. }) => {
                // The hub's file ends before ours: what is here is of another file.
                fs::remove_file(&part).map_err(at(&part))?;
                return Err(error);
            }
            Err(error @ (HubError::Status { .. } | HubError::Io { .. })) => return Err(error),
            Err(error) if n_vain >= MAX_VAIN_ATTEMPTS => return Err(error),
            Ok(()) if n_vain >= MAX_VAIN_ATTEMPTS => break,
            Ok(()) | Err(_) => {}
        }
    }
    if let Err((expected, found)) = check(&part, expected).map_err(at(&part))? {
        fs::remove_file(&part).map_err(at(&part))?;
        return Err(HubError::Damaged { url: url.to_owned(), expected, found });
    }
    fs::rename(&part, path).map_err(at(path))
}
// ANCHOR_END: download

fn size_of(part: &Path) -> u64 {
    fs::metadata(part).map_or(0, |file| file.len())
}

/// Appends what the hub sends to `part`, up to `n_bytes` in all and a little more, which shows that the size is wrong.
fn append(hub: &Hub, url: &str, part: &Path, n_bytes: u64, progress: &dyn Fn(u64)) -> Result<(), HubError> {
    let disk = |source| HubError::Io { path: part.to_owned(), source };
    if size_of(part) > n_bytes {
        fs::remove_file(part).map_err(disk)?;
    }
    let n_there = size_of(part);
    let mut answer = hub.get(url, n_there)?;
    // A server that does not know ranges sends the whole file again.
    let is_resumed = answer.status().as_u16() == 206;
    let mut file = OpenOptions::new()
        .create(true)
        .append(is_resumed)
        .write(true)
        .truncate(!is_resumed)
        .open(part)
        .map_err(disk)?;
    let mut n_written = if is_resumed { n_there } else { 0 };
    let mut body = answer.body_mut().as_reader();
    let mut buffer = vec![0; COPY_BYTES];
    while n_written <= n_bytes {
        let n_read = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(n_read) => n_read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(HubError::Answer { url: url.to_owned(), reason: format!("broken off: {error}") }),
        };
        file.write_all(&buffer[..n_read]).map_err(disk)?;
        n_written += n_read as u64;
        progress(n_written.min(n_bytes));
    }
    file.sync_all().map_err(disk)
}

/// What is wrong with the file, as expectation and finding.
type Difference = (String, String);

/// Compares size and hash with what the hub names.
fn check(part: &Path, expected: &HubFile) -> io::Result<Result<(), Difference>> {
    let n_bytes = fs::metadata(part)?.len();
    if n_bytes != expected.n_bytes {
        return Ok(Err((format!("{} bytes", expected.n_bytes), format!("{n_bytes} bytes"))));
    }
    let Some(sha256) = &expected.sha256 else { return Ok(Ok(())) };
    let mut hasher = Sha256::new();
    let mut file = File::open(part)?;
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n_read => hasher.update(&buffer[..n_read]),
        }
    }
    let found: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let is_same = found.eq_ignore_ascii_case(sha256);
    Ok(if is_same { Ok(()) } else { Err((format!("SHA-256 {sha256}"), format!("SHA-256 {found}"))) })
}
