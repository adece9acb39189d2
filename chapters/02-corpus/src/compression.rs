//! The bytes of a file, decompressed as they are read: plain, gzip or zstd, told apart by their first bytes.
//!
//! Names lie: a browser saves `pages.jsonl.gz` already unpacked, a script writes gzip into `pages.jsonl`. Both formats begin
//! with bytes that no text begins with, so the content decides (RFC 1952, section 2.3.1; RFC 8878, sections 3.1.1 and 3.1.2).
//!
//! A compressed file is a row of *members* (gzip) or *frames* (zstd), each decoded on its own. After a damaged one reading
//! goes on at the next, and a [`Gap`] remembers the place in the decompressed stream. Memory is the decoder's window,
//! whatever the file unpacks to.

mod members;

pub(crate) use members::Gap;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use members::{Codec, Members};

const READ_BYTES: usize = 64 << 10;

/// A file's bytes after decompression. After an error of the disk it is at its end.
pub(crate) struct ByteStream {
    source: Source,
    /// Where the decompressed stream lacks bytes, since the caller last emptied the list.
    pub gaps: VecDeque<Gap>,
}

enum Source {
    Plain(File),
    Compressed(Box<Members<BufReader<File>>>),
    Failed,
}

impl ByteStream {
    /// Opens the file and looks at its first bytes.
    pub fn open(path: &Path) -> io::Result<ByteStream> {
        let mut file = File::open(path)?;
        let mut magic = Vec::new();
        (&mut file).take(4).read_to_end(&mut magic)?;
        file.seek(SeekFrom::Start(0))?;
        let source = match Codec::of(&magic) {
            None => Source::Plain(file),
            Some(codec) => {
                let compressed = BufReader::with_capacity(READ_BYTES, file);
                Source::Compressed(Box::new(Members::new(codec, compressed)))
            }
        };
        Ok(ByteStream { source, gaps: VecDeque::new() })
    }

    /// Removes the first gap if it lies before `offset`.
    pub fn take_gap_before(&mut self, offset: u64) -> Option<Gap> {
        if self.gaps.front()?.offset < offset { self.gaps.pop_front() } else { None }
    }
}

impl Read for ByteStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_read = match &mut self.source {
            Source::Plain(file) => file.read(buffer),
            Source::Compressed(members) => {
                let n_read = members.read(buffer);
                self.gaps.append(&mut members.gaps);
                n_read
            }
            Source::Failed => Ok(0),
        };
        if n_read.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted) {
            self.source = Source::Failed;
        }
        n_read
    }
}
