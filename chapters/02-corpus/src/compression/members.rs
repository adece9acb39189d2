//! Decompresses a row of gzip members or zstd frames and survives a damaged one.
//!
//! The usual decoders stop at the first error. Here, after an error, the reader goes back to the damaged member's
//! beginning, looks from there for the next magic bytes, and goes on, remembering where in the decompressed stream the gap
//! is. It goes back because a damaged member may decode past its own end, into the next. Magic bytes that occur by chance
//! inside compressed data only lead to the next error and on.
//!
//! Among zstd frames there may be *skippable* ones, which hold no data; they are passed over. Frames may need a dictionary,
//! which the caller supplies. zstd refuses windows above 128 MiB (`--long=28` and more), and so do we: that is the reader's
//! bound on memory. A zstd frame without checksum (`--no-check`) may be damaged and decode all the same.
//!
//! Sources: RFC 1952, section 2.2 (gzip: "a series of members"); RFC 8878, sections 3.1.1 and 3.1.2 (zstd).

use std::collections::VecDeque;
use std::io::{self, BufRead, Read, Seek, SeekFrom};

use flate2::bufread::GzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Codec {
    Gzip,
    Zstd {
        /// For all frames; empty if they need none.
        dictionary: Vec<u8>,
    },
}

const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];
const ZSTD_MAGIC: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();
/// The last three bytes of a skippable frame's magic; the first is one of sixteen.
const SKIPPABLE_MAGIC: [u8; 3] = [0x2a, 0x4d, 0x18];

impl Codec {
    /// The codec of a file that begins with these bytes; `None` if it is not compressed.
    pub fn of(magic: &[u8]) -> Option<Codec> {
        if magic.starts_with(&GZIP_MAGIC[..2]) {
            // Two bytes are enough to know gzip, and a file may be cut after them.
            Some(Codec::Gzip)
        } else if magic == ZSTD_MAGIC || magic.len() == ZSTD_MAGIC.len() && is_skippable(magic) {
            Some(Codec::Zstd { dictionary: Vec::new() })
        } else {
            None
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Codec::Gzip => "gzip",
            Codec::Zstd { .. } => "zstd",
        }
    }

    /// Whether `bytes` are the magic bytes of a member, as far as they go.
    fn may_begin(&self, bytes: &[u8]) -> bool {
        let is_prefix = |magic: &[u8]| {
            let n = bytes.len().min(magic.len());
            bytes[..n] == magic[..n]
        };
        match self {
            Codec::Gzip => is_prefix(&GZIP_MAGIC),
            Codec::Zstd { .. } => is_prefix(&ZSTD_MAGIC),
        }
    }

    fn open<R: BufRead>(&self, compressed: R) -> io::Result<Member<R>> {
        Ok(match self {
            Codec::Gzip => Member::Gzip(Box::new(GzDecoder::new(compressed))),
            Codec::Zstd { dictionary } => {
                Member::Zstd(Box::new(ZstdDecoder::with_dictionary(compressed, dictionary)?.single_frame()))
            }
        })
    }

    fn reason(&self, error: &io::Error) -> String {
        let message = error.to_string();
        if message.contains("ictionary") {
            return "zstd: it needs a dictionary that the file does not bring".to_owned();
        }
        format!("{}: {message}", self.name())
    }
}

/// Whether `bytes`, as far as they go, begin a frame without data.
fn is_skippable(bytes: &[u8]) -> bool {
    let n = bytes.len().min(ZSTD_MAGIC.len());
    bytes[0] & 0xf0 == 0x50 && bytes[1..n] == SKIPPABLE_MAGIC[..n - 1]
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
    /// Since the last error no member was read to its end.
    is_lost: bool,
    /// Gaps since the caller last emptied the list.
    pub gaps: VecDeque<Gap>,
}

enum Member<R> {
    Between(R),
    Gzip(Box<GzDecoder<R>>),
    Zstd(Box<ZstdDecoder<'static, R>>),
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
            is_lost: false,
            gaps: VecDeque::new(),
        }
    }

    /// Opens the next member, passing over what is none; `Ok(None)` at the end of the file.
    fn next_member(&mut self, mut compressed: R) -> io::Result<Option<Member<R>>> {
        // A search for the way back trusts only what carries data: a skippable frame's length, met by chance, leads astray.
        let is_member = |bytes: &[u8]| {
            self.codec.may_begin(bytes) || self.codec != Codec::Gzip && !self.is_lost && is_skippable(bytes)
        };
        let (n_skipped, is_found) = skip_to_magic(&mut compressed, is_member)?;
        self.member_start = self.n_delivered;
        if n_skipped > 0 {
            self.note_gap(format!("{n_skipped} bytes here are not {}", self.codec.name()));
        }
        self.member_position = compressed.stream_position()?;
        if is_found { self.codec.open(compressed).map(Some) } else { Ok(None) }
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
        self.is_lost = true;
        Ok(())
    }
}

impl<R: BufRead> Member<R> {
    fn decode(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Member::Between(_) => Ok(0),
            Member::Gzip(decoder) => decoder.read(buffer),
            Member::Zstd(decoder) => decoder.read(buffer),
        }
    }

    fn into_inner(self) -> R {
        match self {
            Member::Between(compressed) => compressed,
            Member::Gzip(decoder) => decoder.into_inner(),
            Member::Zstd(decoder) => decoder.finish(),
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
                Ok(0) => {
                    self.member = Some(Member::Between(member.into_inner()));
                    self.is_lost = false;
                }
                Ok(n) => {
                    self.n_delivered += n as u64;
                    self.member = Some(member);
                    return Ok(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => self.member = Some(member),
                Err(error) => {
                    self.give_up(member)?;
                    if self.note_gap(self.codec.reason(&error)) {
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
fn skip_to_magic(compressed: &mut impl BufRead, is_member: impl Fn(&[u8]) -> bool) -> io::Result<(u64, bool)> {
    let mut n_skipped = 0;
    loop {
        let available = compressed.fill_buf()?;
        if available.is_empty() {
            return Ok((n_skipped, false));
        }
        // Where the buffer ends inside the magic, its beginning will do: the decoder reads on across the edge and decides.
        let found = (0..available.len()).find(|&at| is_member(&available[at..]));
        let n = found.unwrap_or(available.len());
        compressed.consume(n);
        n_skipped += n as u64;
        if found.is_some() {
            return Ok((n_skipped, true));
        }
    }
}
