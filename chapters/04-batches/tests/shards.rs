//! Shards: what is written is read back, and what is damaged is refused by name.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use batches::{BatchError, ShardConfig, ShardWriter, Shards, Summary, TokenDtype};
use proptest::prelude::*;

const EOT: u32 = 0;

fn write(dir: &Path, vocab_size: usize, tokens_per_shard: u64, documents: &[Vec<u32>]) -> Summary {
    let config = ShardConfig { vocab_size, eot_id: EOT, tokens_per_shard };
    let mut writer = ShardWriter::create(dir, config).unwrap();
    for document in documents {
        writer.push_document(document).unwrap();
    }
    writer.finish().unwrap()
}

fn read_all(shards: &Shards) -> Vec<u32> {
    let mut ids = Vec::new();
    shards.read(0, shards.n_tokens() as usize, &mut ids).unwrap();
    ids
}

proptest! {
    // Each case flushes its shards to the disk.
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_stream_is_the_documents_each_ended(
        documents in prop::collection::vec(prop::collection::vec(1..70_000_u32, 0..20), 1..12),
        tokens_per_shard in 1..30_u64,
        wide in any::<bool>(),
    ) {
        let vocab_size = if wide { 70_000 } else { 65_536 };
        let documents: Vec<Vec<u32>> =
            documents.into_iter().map(|ids| ids.into_iter().filter(|&id| (id as usize) < vocab_size).collect()).collect();
        prop_assume!(documents.iter().any(|ids| !ids.is_empty()));
        let mut stream = Vec::new();
        for ids in documents.iter().filter(|ids| !ids.is_empty()) {
            stream.extend_from_slice(ids);
            stream.push(EOT);
        }

        let dir = tempfile::tempdir().unwrap();
        let summary = write(dir.path(), vocab_size, tokens_per_shard, &documents);
        let shards = Shards::open(dir.path()).unwrap();
        shards.verify().unwrap();
        prop_assert_eq!(read_all(&shards), stream.clone());

        let n_empty = documents.iter().filter(|ids| ids.is_empty()).count() as u64;
        let dtype = shards.index().dtype;
        prop_assert_eq!(dtype, if wide { TokenDtype::U32 } else { TokenDtype::U16 });
        prop_assert_eq!(summary.n_tokens, stream.len() as u64);
        prop_assert_eq!(summary.n_bytes, (stream.len() * dtype.n_bytes()) as u64);
        prop_assert_eq!((summary.n_empty, summary.n_documents), (n_empty, documents.len() as u64 - n_empty));
        prop_assert_eq!(summary.n_shards as u64, (stream.len() as u64).div_ceil(tokens_per_shard));
        prop_assert_eq!(shards.index().shards.iter().map(|s| s.n_documents).sum::<u64>(), summary.n_documents);

        // Any range, also across shards.
        for start in 0..stream.len() {
            let n = (stream.len() - start).min(7);
            let mut ids = Vec::new();
            shards.read(start as u64, n, &mut ids).unwrap();
            prop_assert_eq!(&ids, &stream[start..start + n]);
        }
        // The index, the shards, and no temporary file.
        prop_assert_eq!(fs::read_dir(dir.path()).unwrap().count(), summary.n_shards + 1);
    }
}

#[test]
fn the_bytes_are_little_endian_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 65_536, 100, &[vec![1, 0x0203, 65_535]]);
    assert_eq!(fs::read(dir.path().join("shard-00000.bin")).unwrap(), [1, 0, 3, 2, 255, 255, 0, 0]);
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 65_537, 100, &[vec![65_536]]);
    assert_eq!(fs::read(dir.path().join("shard-00000.bin")).unwrap(), [0, 0, 1, 0, 0, 0, 0, 0]);
}

#[test]
fn a_wrong_request_is_refused_with_its_values() {
    let dir = tempfile::tempdir().unwrap();
    let config = ShardConfig { vocab_size: 10, eot_id: EOT, tokens_per_shard: 4 };
    let refused = |config| ShardWriter::create(dir.path(), config).unwrap_err().to_string();
    assert!(refused(ShardConfig { eot_id: 10, ..config }).contains("eot_id 10 is not below vocab_size 10"));
    assert!(refused(ShardConfig { tokens_per_shard: 0, ..config }).contains("tokens_per_shard is 0"));

    let mut writer = ShardWriter::create(dir.path(), config).unwrap();
    writer.push_document(&[1, 2, 3]).unwrap();
    let error = writer.push_document(&[4, 10]).unwrap_err();
    assert!(matches!(error, BatchError::TokenOutOfVocab { document: 1, id: 10, vocab_size: 10 }), "{error}");
    writer.push_document(&[5]).unwrap();
    writer.finish().unwrap();
    assert_eq!(read_all(&Shards::open(dir.path()).unwrap()), [1, 2, 3, EOT, 5, EOT]);

    let error = ShardWriter::create(dir.path(), config).unwrap_err();
    assert!(matches!(error, BatchError::AlreadyThere { .. }), "{error}");
}

#[test]
fn an_empty_corpus_is_refused_and_leaves_no_index() {
    let dir = tempfile::tempdir().unwrap();
    let config = ShardConfig { vocab_size: 10, eot_id: EOT, tokens_per_shard: 4 };
    let mut writer = ShardWriter::create(dir.path(), config).unwrap();
    writer.push_document(&[]).unwrap();
    assert!(matches!(writer.finish().unwrap_err(), BatchError::NoTokens { n_empty: 1, .. }));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_writer_that_stops_halfway_leaves_no_index_and_no_half_shard() {
    let dir = tempfile::tempdir().unwrap();
    let config = ShardConfig { vocab_size: 10, eot_id: EOT, tokens_per_shard: 4 };
    let mut writer = ShardWriter::create(dir.path(), config).unwrap();
    writer.push_document(&[1, 2, 3, 4, 5]).unwrap();
    drop(writer);
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["shard-00000.bin"]);
    let error = Shards::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("cannot read") && error.contains("index.json"), "{error}");
    // Starting again is possible, and the old file does no harm.
    write(dir.path(), 10, 4, &[vec![7]]);
    assert_eq!(read_all(&Shards::open(dir.path()).unwrap()), [7, EOT]);
}

#[test]
fn an_index_that_cannot_be_written_is_named_and_leaves_no_temporary_file() {
    let dir = tempfile::tempdir().unwrap();
    let config = ShardConfig { vocab_size: 10, eot_id: EOT, tokens_per_shard: 4 };
    let mut writer = ShardWriter::create(dir.path(), config).unwrap();
    writer.push_document(&[1, 2]).unwrap();
    // A directory of that name makes the rename fail for every user, root too.
    fs::create_dir(dir.path().join("index.json")).unwrap();
    let error = writer.finish().unwrap_err().to_string();
    assert!(error.contains("cannot write") && error.contains("index.json"), "{error}");
    let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["index.json", "shard-00000.bin"]);
}

/// Writes two shards, damages something, and gives what `open` and `verify` say.
fn said_after(damage: impl FnOnce(&Path)) -> String {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 10, 4, &[vec![1, 2, 3], vec![4, 5, 6]]);
    damage(dir.path());
    Shards::open(dir.path()).and_then(|shards| shards.verify()).unwrap_err().to_string()
}

#[test]
fn damaged_files_are_named() {
    let shard = "shard-00001.bin";
    let said = said_after(|dir| fs::write(dir.join(shard), [0; 7]).unwrap());
    assert!(said.contains(shard) && said.contains("7 bytes for 4 U16 tokens"), "{said}");
    let said = said_after(|dir| fs::write(dir.join(shard), []).unwrap());
    assert!(said.contains("0 bytes for 4 U16 tokens"), "{said}");
    let said = said_after(|dir| fs::remove_file(dir.join(shard)).unwrap());
    assert!(said.contains("cannot open") && said.contains(shard), "{said}");
    let said = said_after(|dir| fs::write(dir.join(shard), [1, 0, 2, 0, 3, 0, 4, 0]).unwrap());
    assert!(said.contains(shard) && said.contains("its xxh3 is"), "{said}");

    let index = |edit: &dyn Fn(&str) -> String| {
        said_after(|dir| {
            let path = dir.join("index.json");
            fs::write(&path, edit(&fs::read_to_string(&path).unwrap())).unwrap();
        })
    };
    let said = index(&|text| text[..text.len() / 2].to_owned());
    assert!(said.contains("index.json is damaged"), "{said}");
    let said = index(&|text| text.replacen("\"n_tokens\": 8", "\"n_tokens\": 9", 1));
    assert!(said.contains("do not sum to its n_tokens 9"), "{said}");
    let said = index(&|text| text.replace(shard, "../elsewhere.bin"));
    assert!(said.contains("is not a file in its folder"), "{said}");
    let said = index(&|text| text.replace("u16", "f16"));
    assert!(said.contains("unknown variant `f16`"), "{said}");
}

#[test]
fn an_id_outside_the_vocabulary_is_found_by_a_plain_read() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 10, 4, &[vec![1, 2, 3], vec![4, 5, 6]]);
    fs::write(dir.path().join("shard-00001.bin"), [4, 0, 99, 0, 6, 0, 0, 0]).unwrap();
    let shards = Shards::open(dir.path()).unwrap();
    let error = shards.read(3, 3, &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("shard-00001.bin") && error.contains("token 1 is 99"), "{error}");
}

#[test]
fn a_range_beyond_the_end_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 10, 4, &[vec![1, 2, 3]]);
    let shards = Shards::open(dir.path()).unwrap();
    for (start, n) in [(2, 3), (5, 0), (u64::MAX, 1)] {
        let error = shards.read(start, n, &mut Vec::new()).unwrap_err().to_string();
        assert!(error.contains("the stream has 4"), "{error}");
    }
}
