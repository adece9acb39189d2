//! Files with the pipelines of published models give the ids that their own libraries give, and are written so that those
//! libraries read them again. The files and the ids come from `tests/reference/tokenizer_files.py`.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use serde_json::Value;
use tokenizer::{PreTokenizer, Tokenizer, TokenizerError};
use tokenizers::Tokenizer as HfTokenizer;

const NAMES: [&str; 5] = ["gpt2", "llama3", "smollm2", "qwen2", "gpt4o"];

fn reference(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference/tokenizer").join(name)
}

fn read_json(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(reference(name)).unwrap()).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

#[test]
fn published_pipelines_give_the_ids_of_their_library() {
    let golden = read_json("ids.json");
    for name in NAMES {
        let ours = Tokenizer::load(reference(&format!("{name}.json"))).unwrap();
        assert_gives(&ours, name, golden[name].as_array().unwrap());
        for row in golden[name].as_array().unwrap() {
            let text = row["text"].as_str().unwrap();
            assert_eq!(ours.wrap(&ours.encode_with_special(text)), ids(&row["wrapped"]), "{name} {text:?}");
            assert_eq!(ours.decode(&ids(&row["plain"])), row["decoded"].as_str().unwrap(), "{name} {text:?}");
        }
    }
}

fn assert_gives(ours: &Tokenizer, name: &str, rows: &[Value]) {
    assert!(rows.len() > 40, "{name}");
    for row in rows {
        let text = row["text"].as_str().unwrap();
        assert_eq!(ours.encode(text), ids(&row["plain"]), "{name} {text:?}");
        assert_eq!(ours.encode_with_special(text), ids(&row["with_special"]), "{name} {text:?}");
    }
}

#[test]
fn rank_files_give_the_ids_of_tiktoken() {
    let golden = &read_json("ids.json")["tiktoken"];
    let special: Vec<(&str, u32)> = golden["special"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(text, id)| (text.as_str(), id.as_u64().unwrap() as u32))
        .collect();
    let ours = Tokenizer::load_tiktoken(reference("cl100k.tiktoken"), "cl100k".parse().unwrap(), &special).unwrap();
    assert_gives(&ours, "tiktoken", golden["rows"].as_array().unwrap());
    let list = Tokenizer::load(reference("llama3.json")).unwrap();
    assert!(ours.has_ties() && !list.has_ties(), "`aa a` and `a aa` have the rank of `aaa`; a list has no equals");
    // An id without a token, as in OpenAI's own table, is neither text nor a crash.
    let gap = special[0].1 - 1;
    assert_eq!((ours.token_of(gap), ours.decode(&[gap]).as_str()), (None, "\u{FFFD}"));
    // What it saves opens in `tokenizers` and gives the same ids.
    let hf = hf_reload(&ours);
    for row in golden["rows"].as_array().unwrap() {
        let text = row["text"].as_str().unwrap();
        assert_eq!(hf.encode_fast(text, false).unwrap().get_ids(), ids(&row["with_special"]), "{text:?}");
    }
}

/// What `tokenizers` reads from a file of ours.
fn hf_reload(ours: &Tokenizer) -> HfTokenizer {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    ours.save(&path).unwrap();
    HfTokenizer::from_file(&path).unwrap()
}

#[test]
fn a_file_that_is_read_and_written_is_the_same_file_to_its_library() {
    for name in NAMES {
        let file = reference(&format!("{name}.json"));
        let theirs = HfTokenizer::from_file(&file).unwrap();
        let reread = hf_reload(&Tokenizer::load(&file).unwrap());
        let json = |hf: &HfTokenizer| serde_json::from_str::<Value>(&hf.to_string(false).unwrap()).unwrap();
        let (mut reread, mut theirs) = (json(&reread), json(&theirs));
        // A decoder of this type has flags that it does not read.
        assert_eq!(reread["decoder"]["type"], theirs["decoder"]["type"]);
        // Two ways to say that a pattern which matches everything keeps its matches; the rest is equal to the letter.
        for file in [&mut reread, &mut theirs] {
            for stage in
                file.pointer_mut("/pre_tokenizer/pretokenizers").and_then(Value::as_array_mut).into_iter().flatten()
            {
                stage.as_object_mut().unwrap().retain(|key, _| !["behavior", "invert"].contains(&key.as_str()));
            }
        }
        for part in ["added_tokens", "normalizer", "pre_tokenizer", "post_processor", "model"] {
            assert_eq!(reread[part], theirs[part], "{name} {part}");
        }
    }
}

#[test]
fn damaged_rank_files_are_refused_with_their_line() {
    let whole = std::fs::read_to_string(reference("cl100k.tiktoken")).unwrap();
    let load = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.tiktoken");
        std::fs::write(&path, text).unwrap();
        Tokenizer::load_tiktoken(&path, "cl100k".parse().unwrap(), &[]).unwrap_err().to_string()
    };
    for (damage, said) in [
        ("IQ==", "line 1 is not a token in base64"),
        ("I! 0", "line 1 is not a token in base64"),
        ("IQ== 4000000000", "line 1 has a token of 1 bytes and rank 4000000000"),
        (" 0", "line 1 has a token of 0 bytes"),
        ("IQ== 1", "line 2 gives rank 1 a second time"),
    ] {
        let rest = whole.split_once('\n').unwrap().1;
        let error = load(&format!("{damage}\n{rest}"));
        assert!(error.contains(said), "{damage}: {error}");
    }
    let error = load("IQ== 0\n");
    assert!(error.contains("no token for byte 0x09"), "{error}");
    let error = Tokenizer::open(reference("cl100k.tiktoken")).unwrap_err();
    assert!(matches!(error, TokenizerError::Unsupported { .. }) && error.to_string().contains("o200k_base"), "{error}");
}

/// Found by the fuzz target `tiktoken`: what loads must load again when it was saved.
#[test]
fn a_rank_file_with_as_many_gaps_as_are_allowed_can_be_saved_and_loaded() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let folder = tempfile::tempdir().unwrap();
    let (ranks, saved) = (folder.path().join("x.tiktoken"), folder.path().join("tokenizer.json"));
    let bytes: String = (0..=255_u8).map(|byte| format!("{} {byte}\n", STANDARD.encode([byte]))).collect();
    let load = |rank: u32| {
        std::fs::write(&ranks, format!("{bytes}{} {rank}\n", STANDARD.encode("la"))).unwrap();
        Tokenizer::load_tiktoken(&ranks, PreTokenizer::default(), &[])
    };
    load(513).unwrap().save(&saved).unwrap();
    assert_eq!(Tokenizer::load(&saved).unwrap().encode("la"), [513]);
    assert!(load(514).unwrap_err().to_string().contains("rank 514 among 257 lines"));
}
