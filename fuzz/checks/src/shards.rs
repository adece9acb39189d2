//! Token shards, their index, and the state of a loader.

use std::fs;
use std::path::Path;

use batches::{Loader, LoaderConfig, LoaderState, ShardConfig, ShardWriter, Shards};
use candle_core::Device;

use crate::with_file;

/// The first byte chooses what the others are: documents to write and damage, an index, or a loader's state.
pub fn shards(bytes: &[u8]) {
    let [kind, rest @ ..] = bytes else { return };
    match kind % 3 {
        0 => documents(rest),
        1 => index(rest),
        _ => loader_state(rest),
    }
}

/// Documents come back as one stream; a changed byte of a shard is found.
fn documents(bytes: &[u8]) {
    let [size, place, text @ ..] = bytes else { return };
    let docs: Vec<Vec<u32>> =
        text.split(|&byte| byte == 0).map(|doc| doc.iter().map(|&id| id.into()).collect()).collect();
    let stream: Vec<u32> = docs.iter().filter(|doc| !doc.is_empty()).flat_map(|doc| [doc, &[0][..]].concat()).collect();
    with_file("unused", b"", |path| {
        let folder = path.parent().unwrap();
        let config = ShardConfig { vocab_size: 256, eot_id: 0, tokens_per_shard: u64::from(*size % 40) + 1 };
        let mut writer = ShardWriter::create(folder, config).unwrap();
        docs.iter().for_each(|doc| writer.push_document(doc).unwrap());
        assert_eq!(writer.finish().is_ok(), !stream.is_empty());
        if stream.is_empty() {
            return;
        }
        let shards = Shards::open(folder).unwrap();
        shards.verify().unwrap();
        let mut ids = Vec::new();
        shards.read(0, stream.len(), &mut ids).unwrap();
        assert_eq!(ids, stream);
        drop(shards);
        let first = folder.join("shard-00000.bin");
        let mut damaged = fs::read(&first).unwrap();
        let at = usize::from(*place) % damaged.len();
        damaged[at] ^= 1;
        fs::write(&first, damaged).unwrap();
        assert!(Shards::open(folder).unwrap().verify().is_err());
    });
}

/// An index of any content beside a shard of eight tokens: what opens can be read to its end or says why not.
fn index(bytes: &[u8]) {
    with_file("index.json", bytes, |path| {
        let folder = path.parent().unwrap();
        fs::write(folder.join("shard-00000.bin"), [1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0]).unwrap();
        let Ok(shards) = Shards::open(folder) else { return };
        assert!(shards.n_tokens() <= 8 * shards.index().shards.len() as u64);
        let mut ids = Vec::new();
        if shards.read(0, shards.n_tokens() as usize, &mut ids).is_ok() {
            assert_eq!(ids.len() as u64, shards.n_tokens());
            assert!(ids.iter().all(|&id| (id as usize) < shards.index().vocab_size));
        }
        let _ = shards.verify();
    });
}

/// A state of any content is refused or taken as it is; then the next batch is there, and the state moves on.
fn loader_state(bytes: &[u8]) {
    let Ok(mut state) = serde_json::from_slice::<LoaderState>(bytes) else { return };
    with_file("unused", b"", |path| {
        let mut loader = small_loader(path.parent().unwrap());
        // Only the place is the fuzzer's; of other settings and other data it can only be told that they are refused.
        let _ = loader.restore(&state);
        state = LoaderState { epoch: state.epoch, position: state.position, ..loader.state() };
        if loader.restore(&state).is_ok() {
            assert_eq!(loader.state(), state);
            loader.next_batch(&Device::Cpu).unwrap();
            assert_ne!(loader.state(), state);
        }
    });
}

fn small_loader(folder: &Path) -> Loader {
    let config = ShardConfig { vocab_size: 256, eot_id: 0, tokens_per_shard: 20 };
    let mut writer = ShardWriter::create(folder, config).unwrap();
    writer.push_document(&(1..=40).collect::<Vec<u32>>()).unwrap();
    writer.finish().unwrap();
    let config = LoaderConfig { batch_size: 2, seq_len: 5, seed: 7 };
    Loader::new(Shards::open(folder).unwrap(), config).unwrap()
}
