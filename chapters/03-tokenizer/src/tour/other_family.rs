//! The vocabulary of the tour once more, written as SentencePiece would write it: the same merges, another table.
//!
//! ```text
//! ids of bytes        256 bytes | merges
//! ids of characters   <unk> <s> </s> | <0x00> … <0xFF> | merges, ▁ for a space | characters
//! ```
//!
//! The order is that of Llama 2's table. The merges are those that byte-level training made; of ASCII text, bytes are characters. What SentencePiece
//! would have learned itself differs, since it does not cut the text at its words first.

use std::{io::Write, path::Path};

use crate::{
    Tokenizer, TokenizerError,
    added::AddedToken,
    characters::{Characters, byte_token, with_marks},
    file::{MergeText, assemble},
    pipeline::{Pipeline, Symbols},
    spaces::SpaceParts,
};

pub(super) fn other_family(out: &mut dyn Write, of_bytes: &Tokenizer) -> anyhow::Result<()> {
    let of_characters = with_characters(of_bytes)?;
    writeln!(out, "== the other family ==")?;
    writeln!(out, "{:<10}{:>4} ids, {} merges", "bytes", of_bytes.vocab_size(), of_bytes.merges().len())?;
    writeln!(
        out,
        "{:<10}{:>4} ids, {} merges",
        "characters",
        of_characters.vocab_size(),
        of_characters.merges().len()
    )?;
    writeln!(out, "\n{:<12}{:>6}{:>12}", "token", "bytes", "characters")?;
    let rows: [(&str, IdOf); 6] = [
        ("<unk>", |tokenizer| tokenizer.added().by_text("<unk>").map(|token| token.id)),
        ("byte 0x41", |tokenizer| tokenizer.id_of_byte(b'A')),
        ("\"A\"", |tokenizer| tokenizer.id_of_bytes(b"A")),
        ("byte 0xC3", |tokenizer| tokenizer.id_of_byte(0xC3)),
        ("\"é\"", |tokenizer| tokenizer.id_of_bytes("é".as_bytes())),
        ("\" the\"", |tokenizer| tokenizer.id_of_bytes(b" the")),
    ];
    for (token, id_of) in rows {
        let [bytes, characters] =
            [of_bytes, &of_characters].map(|tokenizer| id_of(tokenizer).map_or("-".to_owned(), |id| id.to_string()));
        writeln!(out, "{token:<12}{bytes:>6}{characters:>12}")?;
    }
    for text in ["the lamps", " the lamps", "a ☃ é"] {
        writeln!(out, "\n{text:?}")?;
        for (name, tokenizer) in [("bytes", of_bytes), ("characters", &of_characters)] {
            let ids = tokenizer.encode(text);
            let pieces: Vec<String> = ids.iter().map(|&id| tokenizer.written(id)).collect();
            writeln!(out, "  {name:<11} {}", pieces.join("|"))?;
            writeln!(out, "  {:<11} {ids:?}, back: {:?}", "", tokenizer.decode(&ids))?;
        }
    }
    writeln!(out)?;
    Ok(())
}

type IdOf = fn(&Tokenizer) -> Option<u32>;

/// A table of characters with the merges of one of bytes.
fn with_characters(of_bytes: &Tokenizer) -> Result<Tokenizer, TokenizerError> {
    let path = Path::new("the tour's table");
    let written = |id: u32| with_marks(of_bytes.token_bytes(id).unwrap_or_default());
    let merges: Vec<(String, String)> =
        of_bytes.merges().iter().map(|&(left, right)| (written(left), written(right))).collect();
    let special = ["<unk>", "<s>", "</s>"];
    let mut tokens: Vec<String> = special.map(str::to_owned).into();
    tokens.extend((0..=255).map(byte_token));
    tokens.extend(merges.iter().map(|(left, right)| format!("{left}{right}")));
    tokens.extend((b' '..=b'~').map(|byte| with_marks(&[byte])));
    let spaces = SpaceParts::older(true).read().map_err(|what| TokenizerError::unsupported(path, what))?;
    let characters = Characters { spaces, byte_fallback: true, fuse_unknown: true };
    let symbols = Symbols::Characters(Box::new(characters));
    let pipeline = Pipeline { symbols, unknown: Some(0), ..Pipeline::default() };
    let added = (0..).zip(special).map(|(id, token)| AddedToken::special(token, id)).collect();
    let merges: Vec<MergeText> = merges.into_iter().map(|(left, right)| MergeText::Pair(left, right)).collect();
    assemble(path, tokens.into_iter().zip(0..).collect(), &merges, added, pipeline)
}
