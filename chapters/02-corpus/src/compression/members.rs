//! Decompresses a row of gzip members or zstd frames and survives a damaged one.
//!
//! The usual decoders stop at the first error. Here, after an error, the reader goes back to the damaged member's
//! beginning, looks from there for the next magic bytes, and goes on, remembering where in the decompressed stream the gap
//! is. It goes back because a damaged member may decode past its own end, into the next. Magic bytes that occur by chance
//! inside compressed data only lead to the next error and on.
//!
//! Source: RFC 1952, section 2.2 (gzip: "a series of members").

use std::collections::VecDeque;
use std::io::{self, BufRead, Read, Seek, SeekFrom};

use flate2::bufread::GzDecoder;

/// A place in the decompressed stream where bytes are missing or wrong.
#[derive(Debug)]
pub(crate) struct Gap {
    /// Decompressed bytes that were delivered before the damage was noticed.
    pub offset: u64,
    /// Whether the bytes before the gap come from the damaged member: a wrong checksum is found after its data.
    pub spoils_what_it_ends: bool,
    pub reason: String,
}

/// How the members are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Gzip,
}

impl Codec {
    const ALL: [Codec; 1] = [Codec::Gzip];
    const MAGIC_BYTES: usize = 3;

    /// The codec of a file that begins with these bytes; `None` if it is not compressed.
    pub fn of(magic: &[u8]) -> Option<Codec> {
        // Two bytes are enough to know gzip, and a file may be cut after them.
        Self::ALL.into_iter().find(|codec| magic.len() > 1 && codec.may_begin(&magic[..2]))
    }

    fn name(self) -> &'static str {
        match self {
            Codec::Gzip => "gzip",
        }
    }

    /// Whether `bytes` are the magic bytes of a member, as far as they go.
    fn may_begin(self, bytes: &[u8]) -> bool {
        let n = bytes.len().min(Self::MAGIC_BYTES);
        match self {
            Codec::Gzip => bytes[..n] == [0x1f, 0x8b, 0x08][..n],
        }
    }
}

/// Reads the concatenation of all members that can be read.
pub(super) struct Members<R> {
    codec: Codec,
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
    Gzip(Box<GzDecoder<R>>),
}

impl<R: BufRead + Seek> Members<R> {
    pub fn new(codec: Codec, compressed: R) -> Self {
        Members {
            codec,
            member: Some(Member::Between(compressed)),
            n_delivered: 0,
            member_start: 0,
            member_position: 0,
            last_gap: None,
            gaps: VecDeque::new(),
        }
    }

    /// Opens the next member, passing over what is none; `Ok(None)` at the end of the file.
    fn next_member(&mut self, mut compressed: R) -> io::Result<Option<Member<R>>> {
        let (n_skipped, is_found) = skip_to_magic(&mut compressed, self.codec)?;
        self.member_start = self.n_delivered;
        if n_skipped > 0 {
            self.note_gap(format!("{n_skipped} bytes here are not {}", self.codec.name()));
        }
        self.member_position = compressed.stream_position()?;
        Ok(is_found.then(|| match self.codec {
            Codec::Gzip => Member::Gzip(Box::new(GzDecoder::new(compressed))),
        }))
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

    /// Leaves a damaged member for the bytes after its magic.
    fn give_up(&mut self, member: Member<R>) -> io::Result<()> {
        let mut compressed = member.into_inner();
        compressed.seek(SeekFrom::Start(self.member_position + 1))?;
        self.member = Some(Member::Between(compressed));
        Ok(())
    }
}

impl<R: BufRead> Member<R> {
    fn decode(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Member::Between(_) => Ok(0),
            Member::Gzip(decoder) => decoder.read(buffer),
        }
    }

    fn into_inner(self) -> R {
        match self {
            Member::Between(compressed) => compressed,
            Member::Gzip(decoder) => decoder.into_inner(),
        }
    }
}

impl<R: BufRead + Seek> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let mut member = match self.member.take() {
                None => return Ok(0),
                Some(Member::Between(compressed)) => {
                    self.member = self.next_member(compressed)?;
                    continue;
                }
                Some(member) => member,
            };
            match member.decode(buffer) {
                Ok(0) => self.member = Some(Member::Between(member.into_inner())),
                Ok(n) => {
                    self.n_delivered += n as u64;
                    self.member = Some(member);
                    return Ok(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => self.member = Some(member),
                Err(error) => {
                    self.give_up(member)?;
                    if self.note_gap(format!("{}: {error}", self.codec.name())) {
                        // A line end, so that the next member's first line is seen to begin a line.
                        buffer[0] = b'\n';
                        self.n_delivered += 1;
                        return Ok(1);
                    }
                }
            }
        }
    }
}

/// Consumes bytes up to where a member may begin; returns how many there were, and whether the file goes on.
fn skip_to_magic(compressed: &mut impl BufRead, codec: Codec) -> io::Result<(u64, bool)> {
    let mut n_skipped = 0;
    loop {
        let available = compressed.fill_buf()?;
        if available.is_empty() {
            return Ok((n_skipped, false));
        }
        // Where the buffer ends inside the magic, its beginning will do: the decoder reads on across the edge and decides.
        let found = (0..available.len()).find(|&at| codec.may_begin(&available[at..]));
        let n = found.unwrap_or(available.len());
        compressed.consume(n);
        n_skipped += n as u64;
        if found.is_some() {
            return Ok((n_skipped, true));
        }
    }
}
