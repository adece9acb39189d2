//! Decompresses a row of gzip members (RFC 1952, section 2.2) and survives a damaged one.
//!
//! `flate2::MultiGzDecoder` stops at the first error. In a `.warc.gz` every record is a member, so after an error this
//! reader goes back to the damaged member's beginning, looks from there for the next magic bytes `1f 8b 08`, and goes on,
//! remembering where in the decompressed stream the gap is. It goes back because a damaged member may decode past its own
//! end, into the next. Magic bytes that occur by chance inside compressed data only lead to the next error and on.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read, Seek, SeekFrom};

use flate2::bufread::GzDecoder;

const MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];

/// A place in the decompressed stream where bytes are missing or wrong.
#[derive(Debug)]
pub(super) struct Gap {
    /// Decompressed bytes that were delivered before the damage was noticed.
    pub offset: u64,
    /// Whether the bytes before the gap come from the damaged member: a wrong checksum is found after its data.
    pub spoils_what_it_ends: bool,
    pub reason: String,
}

/// Reads the concatenation of all members that can be read.
pub(super) struct GzipMembers<R> {
    /// `None` only while a decoder is being exchanged.
    member: Option<Member<R>>,
    n_delivered: u64,
    /// `n_delivered` when the present member began, and the place of its magic in the file.
    member_start: u64,
    member_position: u64,
    last_gap: Option<u64>,
    /// Gaps since the caller last emptied the list.
    pub gaps: VecDeque<Gap>,
}

enum Member<R> {
    Between(R),
    Inside(Box<GzDecoder<R>>),
}

impl<R: BufRead + Seek> GzipMembers<R> {
    pub fn new(compressed: R) -> Self {
        GzipMembers {
            member: Some(Member::Between(compressed)),
            n_delivered: 0,
            member_start: 0,
            member_position: 0,
            last_gap: None,
            gaps: VecDeque::new(),
        }
    }

    /// Opens the next member, passing over what is not gzip; `Ok(None)` at the end of the file.
    fn next_member(&mut self, mut compressed: R) -> io::Result<Option<Member<R>>> {
        let (n_skipped, is_found) = skip_to_magic(&mut compressed)?;
        self.member_start = self.n_delivered;
        if n_skipped > 0 {
            self.note_gap(format!("{n_skipped} bytes here are not gzip"));
        }
        self.member_position = compressed.stream_position()?;
        Ok(is_found.then(|| Member::Inside(Box::new(GzDecoder::new(compressed)))))
    }

    /// Remembers a gap, unless nothing was delivered since the last one but its line end: then it is the same gap, and
    /// false is returned.
    fn note_gap(&mut self, reason: String) -> bool {
        let is_new = self.last_gap.is_none_or(|offset| offset + 1 < self.n_delivered);
        if is_new {
            self.last_gap = Some(self.n_delivered);
            let spoils_what_it_ends = self.member_start < self.n_delivered;
            self.gaps.push_back(Gap { offset: self.n_delivered, spoils_what_it_ends, reason });
        }
        is_new
    }
}

impl<R: BufRead + Seek> Read for GzipMembers<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.member.take() {
                None => return Ok(0),
                Some(Member::Between(compressed)) => {
                    self.member = self.next_member(compressed)?;
                }
                Some(Member::Inside(mut decoder)) => match decoder.read(buffer) {
                    Ok(0) => self.member = Some(Member::Between(decoder.into_inner())),
                    Ok(n) => {
                        self.n_delivered += n as u64;
                        self.member = Some(Member::Inside(decoder));
                        return Ok(n);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                        self.member = Some(Member::Inside(decoder));
                    }
                    Err(error) => {
                        let mut compressed = decoder.into_inner();
                        compressed.seek(SeekFrom::Start(self.member_position + 1))?;
                        self.member = Some(Member::Between(compressed));
                        if self.note_gap(format!("gzip: {error}")) {
                            // A line end, so that the next member's first line is seen to begin a line.
                            buffer[0] = b'\n';
                            self.n_delivered += 1;
                            return Ok(1);
                        }
                    }
                },
            }
        }
    }
}

/// Consumes bytes up to where a member may begin; returns how many there were, and whether the file goes on.
fn skip_to_magic(compressed: &mut impl BufRead) -> io::Result<(u64, bool)> {
    let mut n_skipped = 0;
    loop {
        let available = compressed.fill_buf()?;
        if available.is_empty() {
            return Ok((n_skipped, false));
        }
        let found = find_magic(available);
        let n = found.unwrap_or(available.len());
        compressed.consume(n);
        n_skipped += n as u64;
        if found.is_some() {
            return Ok((n_skipped, true));
        }
    }
}

/// The first place with the magic bytes, or with their beginning where `available` ends inside them: the decoder then
/// reads on across the buffer's edge and decides.
fn find_magic(available: &[u8]) -> Option<usize> {
    (0..available.len()).find(|&at| {
        let rest = &available[at..];
        let n = rest.len().min(MAGIC.len());
        rest[..n] == MAGIC[..n]
    })
}
