//! The chapter's experiment: a toy stream from documents to batches, every step printed.
//!
//! The tokens are letters (a is 0, b is 1 …) and `|` is the end of text, so that a row of ids can be read.

use std::{fs, io::Write, path::Path};

use candle_core::{Device, Tensor};

use crate::{Loader, LoaderConfig, ShardConfig, ShardWriter, Shards, packing::n_sequences, shuffle::epoch_order};

const EOT: u32 = 26;
const DOCUMENTS: [&str; 5] = ["lamplight", "harbour", "sea", "stormwarning", "ebb"];
const CONFIG: LoaderConfig = LoaderConfig { batch_size: 2, seq_len: 5, seed: 1 };

/// Prints the chapter's experiment.
///
/// # Errors
/// When `out` cannot be written, or the temporary folder of the toy shards cannot.
pub fn tour(out: &mut dyn Write) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    stream(out, folder.path())?;
    packing(out, &Shards::open(folder.path())?)?;
    padding(out)?;
    shuffling(out)?;
    batches(out, folder.path())?;
    resuming(out, folder.path())?;
    refusals(out, folder.path())
}

fn stream(out: &mut dyn Write, dir: &Path) -> anyhow::Result<()> {
    let config = ShardConfig { vocab_size: 27, eot_id: EOT, tokens_per_shard: 16 };
    let mut writer = ShardWriter::create(dir, config)?;
    for document in DOCUMENTS {
        let ids: Vec<u32> = document.bytes().map(|letter| u32::from(letter - b'a')).collect();
        writer.push_document(&ids)?;
    }
    let summary = writer.finish()?;
    let shards = Shards::open(dir)?;
    writeln!(out, "== five documents, one stream ==")?;
    let mut start = 0;
    for shard in &shards.index().shards {
        let letters = read(&shards, start, shard.n_tokens as usize)?;
        writeln!(out, "{}  {letters:<16}  {} tokens, {} ends", shard.file, shard.n_tokens, shard.n_documents)?;
        start += shard.n_tokens;
    }
    let first = fs::read(dir.join(&shards.index().shards[0].file))?;
    writeln!(out, "{} tokens in {} bytes; the first six: {:?}\n", summary.n_tokens, summary.n_bytes, &first[..6])?;
    Ok(())
}

fn packing(out: &mut dyn Write, shards: &Shards) -> anyhow::Result<()> {
    let seq_len = CONFIG.seq_len;
    writeln!(out, "== packing ==")?;
    writeln!(out, "stream       {}", read(shards, 0, shards.n_tokens() as usize)?)?;
    let n = n_sequences(shards.n_tokens(), seq_len);
    for sequence in 0..n {
        let start = sequence * seq_len as u64;
        let row = read(shards, start, seq_len + 1)?;
        let indent = " ".repeat(start as usize);
        writeln!(out, "sequence {sequence:<4}{indent}{row}")?;
    }
    let left_over = shards.n_tokens() - 1 - n * seq_len as u64;
    writeln!(out, "{n} sequences, {left_over} tokens left over\n")?;
    Ok(())
}

/// Positions of a context that hold text, if each document gets its own rows of `seq_len`.
fn padding(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== what padding would waste ==")?;
    writeln!(out, "{:>8}  {:>12}  {:>12}", "seq_len", "positions", "hold text")?;
    let lengths: Vec<usize> = DOCUMENTS.iter().map(|document| document.len() + 1).collect();
    let n_tokens: usize = lengths.iter().sum();
    for seq_len in [4, 8, 16, 32] {
        let positions: usize = lengths.iter().map(|length| length.div_ceil(seq_len) * seq_len).sum();
        let share = 100.0 * n_tokens as f64 / positions as f64;
        writeln!(out, "{seq_len:>8}  {positions:>12}  {share:>11.0}%")?;
    }
    writeln!(out)?;
    Ok(())
}

fn shuffling(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== the order of an epoch ==")?;
    for (seed, epoch) in [(1, 0), (1, 1), (1, 2), (2, 0), (1, 0)] {
        let order: Vec<String> = epoch_order(12, seed, epoch).iter().map(|place| format!("{place:2}")).collect();
        writeln!(out, "seed {seed}, epoch {epoch}:  {}", order.join(" "))?;
    }
    writeln!(out)?;
    Ok(())
}

fn batches(out: &mut dyn Write, dir: &Path) -> anyhow::Result<()> {
    let mut loader = Loader::new(Shards::open(dir)?, CONFIG)?;
    let batch = loader.next_batch(&Device::Cpu)?;
    writeln!(out, "== one batch ==")?;
    writeln!(out, "inputs   {:?}  {}", batch.inputs.dims(), letters_of(&batch.inputs)?)?;
    writeln!(out, "targets  {:?}  {}", batch.targets.dims(), letters_of(&batch.targets)?)?;
    writeln!(out, "{} batches an epoch, {} targets each\n", loader.batches_per_epoch(), loader.tokens_per_batch())?;
    Ok(())
}

fn resuming(out: &mut dyn Write, dir: &Path) -> anyhow::Result<()> {
    let mut first = Loader::new(Shards::open(dir)?, CONFIG)?;
    writeln!(out, "== stop and resume ==")?;
    for n in 1..=4 {
        writeln!(out, "first run    batch {n}  {}", letters_of(&first.next_batch(&Device::Cpu)?.inputs)?)?;
    }
    let saved = serde_json::to_string(&first.state())?;
    writeln!(
        out,
        "state        {}",
        saved.replace(",\"config\"", ",\n             \"config\"").replace(",\"data\"", ",\n             \"data\"")
    )?;
    let mut second = Loader::new(Shards::open(dir)?, CONFIG)?;
    second.restore(&serde_json::from_str(&saved)?)?;
    for n in 5..=6 {
        let (would, does) = (first.next_batch(&Device::Cpu)?.inputs, second.next_batch(&Device::Cpu)?.inputs);
        writeln!(out, "first run    batch {n}  {}", letters_of(&would)?)?;
        writeln!(out, "second run   batch {n}  {}", letters_of(&does)?)?;
    }
    writeln!(out)?;
    Ok(())
}

fn refusals(out: &mut dyn Write, dir: &Path) -> anyhow::Result<()> {
    writeln!(out, "== refused ==")?;
    let mut loader = Loader::new(Shards::open(dir)?, CONFIG)?;
    let other = Loader::new(Shards::open(dir)?, LoaderConfig { seed: 2, ..CONFIG })?;
    say(out, dir, loader.restore(&other.state()))?;
    say(out, dir, Loader::new(Shards::open(dir)?, LoaderConfig { batch_size: 64, ..CONFIG }))?;
    let shard = dir.join("shard-00001.bin");
    let mut bytes = fs::read(&shard)?;
    bytes[2] ^= 1;
    fs::write(&shard, &bytes)?;
    say(out, dir, Shards::open(dir)?.verify())?;
    fs::write(&shard, &bytes[..bytes.len() - 3])?;
    say(out, dir, Shards::open(dir))
}

/// Prints an error, wrapped, with the temporary folder's name left out.
fn say<T>(out: &mut dyn Write, dir: &Path, result: Result<T, crate::BatchError>) -> anyhow::Result<()> {
    let Err(error) = result else { anyhow::bail!("this should have been refused") };
    let message = error.to_string().replace(&format!("{}{}", dir.display(), std::path::MAIN_SEPARATOR), "");
    let mut line = String::from("-");
    for word in message.split(' ') {
        if line.len() + 1 + word.len() > 68 {
            writeln!(out, "{line}")?;
            line = String::from(" ");
        }
        line.push(' ');
        line.push_str(word);
    }
    writeln!(out, "{line}")?;
    Ok(())
}

fn read(shards: &Shards, start: u64, n_tokens: usize) -> anyhow::Result<String> {
    let mut ids = Vec::new();
    shards.read(start, n_tokens, &mut ids)?;
    Ok(letters(&ids))
}

fn letters_of(ids: &Tensor) -> anyhow::Result<String> {
    let rows: Vec<String> = ids.to_vec2::<u32>()?.iter().map(|row| letters(row)).collect();
    Ok(rows.join("  "))
}

fn letters(ids: &[u32]) -> String {
    ids.iter().map(|&id| if id == EOT { '|' } else { char::from(b'a' + id as u8) }).collect()
}
