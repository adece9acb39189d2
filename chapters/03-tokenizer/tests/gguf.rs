//! The tokenizer in a GGUF header: the same ids as its `tokenizer.json`, and no damage that panics or asks for memory.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::Value as Json;
use tokenizer::gguf::{Header, TensorInfo, Value};
use tokenizer::{Tokenizer, TokenizerError, TrainConfig};

/// Writes GGUF's key-value pairs.
struct Pairs {
    bytes: Vec<u8>,
    n_pairs: u64,
}

impl Pairs {
    fn new() -> Self {
        Self { bytes: Vec::new(), n_pairs: 0 }
    }

    fn pair(&mut self, key: &str, kind: u32, value: &[u8]) {
        self.bytes.extend(text(key));
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend(value);
        self.n_pairs += 1;
    }

    fn array(&mut self, key: &str, kind: u32, values: &[Vec<u8>]) {
        let n = values.len() as u64;
        self.pair(key, 9, &[&kind.to_le_bytes()[..], &n.to_le_bytes(), &values.concat()].concat());
    }

    fn finish(self) -> Vec<u8> {
        let n_tensors = 1_u64;
        [b"GGUF", &3_u32.to_le_bytes()[..], &n_tensors.to_le_bytes(), &self.n_pairs.to_le_bytes(), &self.bytes].concat()
    }
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference/tokenizer").join(name)
}

/// The header that llama.cpp's converter would write for a `tokenizer.json`.
fn header(name: &str, pre: &str) -> Vec<u8> {
    let file: Json = serde_json::from_slice(&std::fs::read(reference(name)).unwrap()).unwrap();
    let mut by_id: Vec<(u64, String, i32)> = file["model"]["vocab"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(text, id)| (id.as_u64().unwrap(), text.clone(), 1))
        .collect();
    for token in file["added_tokens"].as_array().unwrap() {
        let (id, text) = (token["id"].as_u64().unwrap(), token["content"].as_str().unwrap().to_owned());
        let kind = if token["special"] == true { 3 } else { 4 };
        by_id.retain(|other| other.0 != id);
        by_id.push((id, text, kind));
    }
    by_id.sort();
    let merge = |merge: &Json| match merge {
        Json::String(line) => text(line),
        pair => text(&format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap())),
    };
    let merges: Vec<Vec<u8>> = file["model"]["merges"].as_array().unwrap().iter().map(merge).collect();
    let mut header = Pairs::new();
    header.pair("general.architecture", 8, &text("llama"));
    header.pair("llama.rope.freq_base", 6, &10_000_f32.to_le_bytes());
    header.array("general.languages", 8, &[text("en")]);
    header.pair("tokenizer.ggml.model", 8, &text("gpt2"));
    header.pair("tokenizer.ggml.pre", 8, &text(pre));
    header.array("tokenizer.ggml.tokens", 8, &by_id.iter().map(|token| text(&token.1)).collect::<Vec<_>>());
    header.array(
        "tokenizer.ggml.token_type",
        5,
        &by_id.iter().map(|token| token.2.to_le_bytes().to_vec()).collect::<Vec<_>>(),
    );
    header.array("tokenizer.ggml.merges", 8, &merges);
    let begin = by_id.iter().find(|token| token.1 == "<|begin_of_text|>").map_or(0, |token| token.0 as u32);
    header.pair("tokenizer.ggml.bos_token_id", 4, &begin.to_le_bytes());
    header.pair("tokenizer.ggml.scores", 9, &[&6_u32.to_le_bytes()[..], &1_u64.to_le_bytes(), &[0; 4]].concat());
    header.finish()
}

fn read(bytes: &[u8]) -> Result<Tokenizer, TokenizerError> {
    Tokenizer::read_gguf(bytes, bytes.len() as u64, Path::new("model.gguf"))
}

#[test]
fn a_gguf_header_gives_the_ids_of_its_tokenizer_json() {
    let golden: Json = serde_json::from_slice(&std::fs::read(reference("ids.json")).unwrap()).unwrap();
    for (name, pre) in [("gpt2", "gpt-2"), ("llama3", "llama-bpe"), ("smollm2", "smollm"), ("qwen2", "qwen2")] {
        let file = Tokenizer::load(reference(&format!("{name}.json"))).unwrap();
        let ours = read(&header(&format!("{name}.json"), pre)).unwrap();
        assert_eq!(ours.merges(), file.merges());
        assert_eq!(ours.special_tokens(), file.special_tokens());
        for row in golden[name].as_array().unwrap() {
            let text = row["text"].as_str().unwrap();
            assert_eq!(ours.encode(text), file.encode(text), "{name} {text:?}");
            let ids = ours.encode_with_special(text);
            assert_eq!(ids, file.encode_with_special(text), "{name} {text:?}");
            assert_eq!(ours.wrap(&ids), file.wrap(&ids), "{name}");
        }
    }
}

#[test]
fn what_a_header_claims_is_not_believed() {
    let start = |version: u32, n_pairs: u64| {
        [b"GGUF", &version.to_le_bytes()[..], &0_u64.to_le_bytes(), &n_pairs.to_le_bytes()].concat()
    };
    let huge = u64::MAX.to_le_bytes();
    let key = text("tokenizer.ggml.tokens");
    let array = |kind: u32, n: u64| [&9_u32.to_le_bytes()[..], &kind.to_le_bytes(), &n.to_le_bytes()].concat();
    let cases: [(Vec<u8>, &str); 9] = [
        (b"GGML".to_vec(), "does not begin with GGUF"),
        (b"GG".to_vec(), "cannot be read to the end"),
        (start(1, 0), "version is 1"),
        (start(3, u64::MAX), "cannot be read to the end"),
        ([start(3, 1), huge.to_vec()].concat(), "a text of 18446744073709551615 bytes does not fit"),
        ([start(3, 1), key.clone(), array(8, u64::MAX)].concat(), "an array of 18446744073709551615 values"),
        (
            [start(3, 1), key.clone(), array(9, 1), [9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0].repeat(3), vec![0; 64]]
                .concat(),
            "at depth 3",
        ),
        ([start(3, 1), key, 99_u32.to_le_bytes().to_vec(), vec![0; 64]].concat(), "there is no type 99"),
        (
            [start(3, 1), text("a"), 8_u32.to_le_bytes().to_vec(), 1_u64.to_le_bytes().to_vec(), vec![0xFF]].concat(),
            "not UTF-8",
        ),
    ];
    for (bytes, said) in cases {
        let error = read(&bytes).unwrap_err().to_string();
        assert!(error.contains(said) && error.contains("model.gguf"), "{error}");
    }
    // The file system says how long the file is; what is missing is noticed all the same.
    let short = header("gpt2.json", "gpt-2");
    let error = Tokenizer::read_gguf(&short[..2000], u64::MAX, Path::new("model.gguf")).unwrap_err().to_string();
    assert!(error.contains("cannot be read to the end"), "{error}");
}

#[test]
fn other_kinds_of_tokenizers_are_named() {
    let with = |model: &str, pre: Option<&str>| {
        let mut header = Pairs::new();
        header.pair("tokenizer.ggml.model", 8, &text(model));
        if let Some(pre) = pre {
            header.pair("tokenizer.ggml.pre", 8, &text(pre));
        }
        let error = read(&header.finish()).unwrap_err();
        assert!(matches!(error, TokenizerError::Unsupported { .. }), "{error}");
        error.to_string()
    };
    assert!(with("t5", None).contains("model \"t5\"") && with("t5", None).contains("Unigram"));
    assert!(with("gpt2", None).contains("tokenizer.ggml.pre"));
    assert!(with("gpt2", Some("tekken")).contains("\"tekken\""));
}

#[test]
fn what_is_written_for_llama_cpp_is_the_same_tokenizer() {
    for name in ["gpt2", "llama3", "smollm2", "qwen2"] {
        let ours = Tokenizer::load(reference(&format!("{name}.json"))).unwrap();
        let n_ids = ours.vocab_size() + 3; // A model's table may be larger.
        let bytes = Header::to_bytes(&ours.to_gguf(n_ids).unwrap(), &[]).unwrap();
        let again = read(&bytes).unwrap();
        assert_eq!((again.merges(), again.special_tokens()), (ours.merges(), ours.special_tokens()), "{name}");
        assert_eq!(again.vocab_size(), ours.vocab_size());
        let text = "In 1999, don't <tool_call> e\u{301}\n  of 12345 lamps!";
        assert_eq!(again.encode(text), ours.encode(text), "{name}");
        assert_eq!(again.wrap(&[5]), ours.wrap(&[5]), "{name}");
        let Value::Texts(tokens) =
            &Header::read(&*bytes, bytes.len() as u64).unwrap().metadata["tokenizer.ggml.tokens"]
        else {
            panic!("no tokens")
        };
        assert_eq!(tokens.len(), n_ids);
    }
}

#[test]
fn a_way_to_cut_text_without_a_name_is_refused() {
    let config = TrainConfig { pretokenizer: "gpt2+digits3".parse().unwrap(), ..TrainConfig::with_vocab_size(300) };
    let tokenizer = Tokenizer::train(&["a few words"], &config).unwrap();
    let error = tokenizer.to_gguf(300).unwrap_err();
    assert!(error.contains("ByThree") && error.contains("SmolLM2's"), "{error}");
}

#[test]
fn every_kind_of_value_and_tensor_comes_back() {
    let pairs: Vec<(String, Value)> = [
        ("flag", Value::Flag(true)),
        ("small", Value::Integer(7)),
        ("negative", Value::Integer(-7)),
        ("large", Value::Integer(1 << 40)),
        ("number", Value::Number(0.5)),
        ("text", Value::Text("ä".to_owned())),
        ("texts", Value::Texts(vec!["a".to_owned(), String::new()])),
        ("integers", Value::Integers(vec![3, -1])),
        ("numbers", Value::Numbers(vec![0.25, f32::MIN])),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .to_vec();
    let tensor = |name: &str| TensorInfo { name: name.to_owned(), dims: vec![3, 2], kind: 1, offset: 64 };
    let bytes = Header::to_bytes(&pairs, &[tensor("b"), tensor("a")]).unwrap();
    let header = Header::read(&*bytes, bytes.len() as u64).unwrap();
    assert_eq!(header.metadata, pairs.iter().cloned().collect());
    assert_eq!((header.tensors, header.n_bytes), (vec![tensor("b"), tensor("a")], bytes.len() as u64));

    let refused = |pairs: &[(String, Value)], tensors: &[TensorInfo]| {
        let bytes = Header::to_bytes(pairs, tensors).unwrap();
        Header::read(&*bytes, bytes.len() as u64).unwrap_err().to_string()
    };
    let twice = [pairs[0].clone(), pairs[0].clone()];
    assert_eq!(refused(&twice, &[]), "the key \"flag\" is there twice");
    assert_eq!(refused(&[], &[tensor("a"), tensor("a")]), "tensor \"a\" is there twice");
    for n_dims in [0, 5] {
        let said = refused(&[], &[TensorInfo { dims: vec![1; n_dims], ..tensor("a") }]);
        assert!(said.contains(&format!("has {n_dims} dimensions")), "{said}");
    }
    assert!(Header::to_bytes(&[("x".to_owned(), Value::Other)], &[]).is_err());
}

proptest! {
    #[test]
    fn damage_is_refused_or_harmless(changes in prop::collection::vec((0..12_000_usize, any::<u8>()), 0..6), cut in 0..40_000_usize) {
        let mut bytes = header("gpt2.json", "gpt-2");
        for (place, byte) in changes {
            let n = bytes.len();
            bytes[place % n] = byte;
        }
        bytes.truncate(cut);
        if let Ok(tokenizer) = read(&bytes) {
            let text = "the lamp";
            prop_assert_eq!(tokenizer.decode(&tokenizer.encode(text)), text);
        }
    }
}

/// Named by `SMOLLM2_GGUF`, a real file must give the ids that `tests/reference/tokenizer_smollm2.py` wrote beside it.
#[test]
fn smollm2_gives_its_published_ids_when_the_file_is_there() {
    let Some(file) = std::env::var_os("SMOLLM2_GGUF") else { return };
    let ours = Tokenizer::load_gguf(&file).unwrap();
    assert_eq!((ours.vocab_size(), ours.merges().len()), (49_152, 48_900));
    let rows: Vec<Json> =
        serde_json::from_slice(&std::fs::read(Path::new(&file).with_extension("ids.json")).unwrap()).unwrap();
    for row in rows {
        let expected: Vec<u32> = serde_json::from_value(row["ids"].clone()).unwrap();
        assert_eq!(ours.encode_with_special(row["text"].as_str().unwrap()), expected);
    }
}
