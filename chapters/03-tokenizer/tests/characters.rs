//! Tables of characters (SentencePiece: Llama 2, Mistral, Gemma) give the ids that their libraries give, and are written so that those libraries
//! read them again. The files and the ids come from `tests/reference/tokenizer_sentencepiece.py`.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tokenizer::gguf::{Header, Value};
use tokenizer::{Tokenizer, TokenizerError};
use tokenizers::Tokenizer as HfTokenizer;

const NAMES: [&str; 5] = ["llama2", "mistral", "gemma", "partial", "normalized"];

fn reference(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference/tokenizer/spm").join(name)
}

fn read_json(name: &str) -> Json {
    serde_json::from_slice(&std::fs::read(reference(name)).unwrap()).unwrap()
}

fn load(name: &str) -> Tokenizer {
    Tokenizer::load(reference(&format!("{name}.json"))).unwrap()
}

fn load_json(file: &Json) -> Result<Tokenizer, TokenizerError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, file.to_string()).unwrap();
    Tokenizer::load(&path)
}

fn saved(ours: &Tokenizer) -> Json {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    ours.save(&path).unwrap();
    serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()
}

fn hf(file: &Json) -> HfTokenizer {
    file.to_string().parse().unwrap()
}

fn ids(value: &Json) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

#[test]
fn published_pipelines_give_the_ids_of_their_library() {
    let golden = read_json("ids.json");
    for name in NAMES {
        let ours = load(name);
        let rows = golden[name].as_array().unwrap();
        assert!(rows.len() > 60, "{name}");
        for row in rows {
            let text = row["text"].as_str().unwrap();
            assert_eq!(ours.encode(text), ids(&row["plain"]), "{name} {text:?}");
            assert_eq!(ours.encode_with_special(text), ids(&row["with_special"]), "{name} {text:?}");
            assert_eq!(ours.wrap(&ours.encode_with_special(text)), ids(&row["wrapped"]), "{name} {text:?}");
            assert_eq!(ours.decode(&ids(&row["plain"])), row["decoded"].as_str().unwrap(), "{name} {text:?}");
            let with_special = ours.decode_with_special(&ids(&row["wrapped"]));
            assert_eq!(with_special, row["decoded_with_special"].as_str().unwrap(), "{name} {text:?}");
        }
    }
}

#[test]
fn a_file_that_is_read_and_written_is_the_same_file_to_its_library() {
    for name in NAMES {
        let theirs: Json =
            serde_json::from_str(&hf(&read_json(&format!("{name}.json"))).to_string(false).unwrap()).unwrap();
        let reread: Json = serde_json::from_str(&hf(&saved(&load(name))).to_string(false).unwrap()).unwrap();
        assert_eq!(reread, theirs, "{name}");
    }
}

/// The model that SentencePiece trained, as the pairs of a GGUF file.
fn scored() -> (Tokenizer, Json) {
    let file = read_json("scores.json");
    let texts = file["tokens"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect();
    let scores = file["scores"].as_array().unwrap().iter().map(|score| score.as_f64().unwrap() as f32).collect();
    let types = file["types"].as_array().unwrap().iter().map(|kind| kind.as_i64().unwrap()).collect();
    let pairs = [
        ("model", Value::Text("llama".to_owned())),
        ("tokens", Value::Texts(texts)),
        ("scores", Value::Numbers(scores)),
        ("token_type", Value::Integers(types)),
        ("unknown_token_id", Value::Integer(0)),
    ];
    let metadata = pairs.map(|(key, value)| (format!("tokenizer.ggml.{key}"), value)).into_iter().collect();
    (Tokenizer::from_gguf(metadata, Path::new("model.gguf")).unwrap(), file)
}

#[test]
fn scores_give_the_ids_of_sentencepiece() {
    let (ours, file) = scored();
    assert_eq!(ours.wrap(&[]), [1]);
    for row in file["rows"].as_array().unwrap() {
        let text = row["text"].as_str().unwrap();
        assert_eq!(ours.encode(text), ids(&row["ids"]), "{text:?}");
        assert_eq!(ours.decode(&ids(&row["ids"])), row["decoded"].as_str().unwrap(), "{text:?}");
    }
    // Its merges, listed, are those of the converter that made the file of Llama 2's form.
    assert_eq!(ours.merges(), load("llama2").merges());
    let reread = hf(&saved(&ours));
    for row in file["rows"].as_array().unwrap() {
        let text = row["text"].as_str().unwrap();
        assert_eq!(reread.encode_fast(text, false).unwrap().get_ids(), ours.encode_with_special(text), "{text:?}");
    }
}

#[test]
fn what_is_written_for_llama_cpp_is_the_same_tokenizer() {
    for ours in [load("llama2"), scored().0] {
        let n_ids = ours.vocab_size() + 3; // A model's table may be larger.
        let pairs = ours.to_gguf(n_ids).unwrap();
        let bytes = Header::to_bytes(&pairs, &[]).unwrap();
        let again = Tokenizer::read_gguf(&*bytes, bytes.len() as u64, Path::new("model.gguf")).unwrap();
        assert_eq!((again.vocab_size(), again.special_tokens()), (ours.vocab_size(), ours.special_tokens()));
        assert_eq!((again.merges(), again.wrap(&[5])), (ours.merges(), ours.wrap(&[5])));
        for row in read_json("scores.json")["rows"].as_array().unwrap() {
            let text = row["text"].as_str().unwrap();
            assert_eq!(again.encode(text), ours.encode(text), "{text:?}");
        }
        let metadata = Header::read(&*bytes, bytes.len() as u64).unwrap().metadata;
        let of = |key: &str| metadata[&format!("tokenizer.ggml.{key}")].clone();
        let (Value::Integers(types), Value::Texts(texts)) = (of("token_type"), of("tokens")) else { panic!("types") };
        assert_eq!((types[0], types[1], types[3], types[n_ids - 1]), (2, 3, 6, 5));
        assert_eq!((texts[3].as_str(), of("model")), ("<0x00>", Value::Text("llama".to_owned())));
    }
}

/// In Mistral's table all runs of spaces have one score; a list of merges mixes the ways to make them.
#[test]
fn equal_scores_come_back_from_a_list_of_merges() {
    let read =
        |pairs: Vec<(String, Value)>| Tokenizer::from_gguf(pairs.into_iter().collect(), Path::new("x.gguf")).unwrap();
    let mut pairs = load("llama2").to_gguf(0).unwrap();
    let texts =
        pairs.iter().find_map(|(_, value)| if let Value::Texts(texts) = value { Some(texts.clone()) } else { None });
    for (_, value) in &mut pairs {
        if let Value::Numbers(scores) = value {
            let runs =
                texts.iter().flatten().zip(scores).filter(|(text, _)| ["aa", "aaa", "aaaa"].contains(&text.as_str()));
            assert_eq!(runs.map(|(_, score)| *score = -100.0).count(), 3);
        }
    }
    let scored = read(pairs);
    let listed = load_json(&saved(&scored)).unwrap();
    assert_eq!(listed.merges(), scored.merges());
    let again = read(listed.to_gguf(0).unwrap());
    assert_eq!(again.merges(), scored.merges());
    for text in ["aaaaa aaa aaaaaaaaaaa", "aaaab", "the lamplight"] {
        assert_eq!(again.encode(text), scored.encode(text), "{text:?}");
    }
}

#[test]
fn merges_that_scores_cannot_say_are_refused() {
    let said = load("mistral").to_gguf(0).unwrap_err();
    assert!(said.contains("llama.cpp joins by scores") && said.contains("which this tokenizer does not"), "{said}");
    let mut file = read_json("llama2.json");
    // One merge made late, after all others: its token has another way to be made, which is early.
    let merges = file["model"]["merges"].as_array_mut().unwrap();
    let text = |merge: &Json| merge[0].as_str().unwrap().to_owned() + merge[1].as_str().unwrap();
    let twice = (1..merges.len()).find(|&at| text(&merges[at - 1]) == text(&merges[at])).unwrap();
    let moved = merges.remove(twice);
    merges.push(moved);
    let said = load_json(&file).unwrap().to_gguf(0).unwrap_err();
    assert!(said.contains("no score can say"), "{said}");
}

#[test]
fn a_continuation_keeps_its_first_space_and_an_answer_alone_loses_it() {
    let ours = load("llama2");
    let ids = ours.encode("the lamp");
    let joined =
        |mut stream: tokenizer::DecodeStream<'_>| ids.iter().filter_map(|&id| stream.push(id)).collect::<String>();
    assert_eq!(joined(ours.decode_stream()), "the lamp");
    assert_eq!(joined(ours.decode_continuation()), " the lamp");
    assert_eq!((ours.text_inside(ids[0]).as_str(), ours.decode(&ids[..1]).as_str()), (" the", "the"));
}

#[test]
fn text_behind_other_tokens_begins_as_the_file_says() {
    // Llama 2's form puts its space in front of every piece, Mistral's in front of the first alone.
    let (llama2, mistral) = (load("llama2"), load("mistral"));
    assert_eq!(llama2.encode_continuation("lamp"), llama2.encode("lamp"));
    assert_ne!(mistral.encode_continuation("lamp"), mistral.encode("lamp"));
    let whole = mistral.encode_with_special("<s>lamp");
    assert_eq!(whole[1..], mistral.encode_continuation("lamp"));
}

#[test]
fn what_is_not_supported_is_named() {
    let metaspace = |part: &str, value: Json| {
        let mut metaspace = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false});
        metaspace[part] = value;
        metaspace
    };
    let cases = [
        ("llama2", "/model/type", json!("Unigram"), "model type \"Unigram\""),
        ("llama2", "/normalizer/normalizers/0/prepend", json!("_"), "normalizer"),
        ("llama2", "/normalizer/normalizers/1/content", json!("_"), "normalizer"),
        ("llama2", "/pre_tokenizer", json!({"type": "Whitespace"}), "pre_tokenizer {\"type\":\"Whitespace\"}"),
        ("llama2", "/pre_tokenizer", metaspace("split", json!(false)), "before Metaspace"),
        ("llama2", "/decoder/decoders/3/start", json!(2), "decoder"),
        ("llama2", "/decoder/decoders/1/type", json!("Metaspace"), "decoder"),
        ("llama2", "/decoder", Json::Null, "decoder null"),
        ("llama2", "/model/ignore_merges", json!(true), "ignore_merges over characters"),
        ("llama2", "/model/dropout", json!(0.1), "dropout"),
        ("mistral", "/pre_tokenizer", metaspace("split", json!(true)), "pre_tokenizer"),
        ("mistral", "/pre_tokenizer", metaspace("split", Json::Null), "pre_tokenizer"),
        ("mistral", "/pre_tokenizer", metaspace("replacement", json!("_")), "pre_tokenizer"),
        ("mistral", "/pre_tokenizer", metaspace("prepend_scheme", json!("last")), "pre_tokenizer"),
        ("mistral", "/added_tokens/1/single_word", json!(true), "with single_word"),
    ];
    for (name, part, value, said) in cases {
        let mut file = read_json(&format!("{name}.json"));
        *file.pointer_mut(part).unwrap() = value;
        let error = load_json(&file).unwrap_err();
        assert!(matches!(error, TokenizerError::Unsupported { .. }), "{part}: {error}");
        assert!(error.to_string().contains(said), "{part}: {error}");
    }
}

#[test]
fn damage_is_named() {
    let rename = |from: &str, to: &str| {
        let file = read_json("llama2.json").to_string().replace(&format!("\"{from}\":"), &format!("\"{to}\":"));
        load_json(&serde_json::from_str(&file).unwrap()).unwrap_err().to_string()
    };
    assert!(rename("▁", "nothing").contains("which is not in the vocabulary"));
    assert!(rename("<0x41>", "a b").contains("token \"a b\" has a space"));
    let scores = |change: fn(&mut Vec<f32>)| {
        let mut pairs = load("llama2").to_gguf(0).unwrap();
        for (_, value) in &mut pairs {
            if let Value::Numbers(scores) = value {
                change(scores);
            }
        }
        Tokenizer::from_gguf(pairs.into_iter().collect(), Path::new("model.gguf")).unwrap_err().to_string()
    };
    assert!(scores(|scores| scores.truncate(5)).contains("scores"));
    assert!(scores(|scores| scores[300] = f32::NAN).contains("is NaN"));
}

/// What a table of characters treats specially, and any characters at all.
fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        "[ \t\n▁\u{3000}]{1,4}",
        "[a-z]{1,6}",
        " [a-z]{1,6}",
        "[ab]{1,9}",
        prop::sample::select(
            &["<s>", "</s>", "<tool>", "<mask>", "<unk>", "<0x41>", " the", " lamp", " of the", "東京", "é"][..]
        )
        .prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

/// Each file once, with what `tokenizers` makes of it.
fn both() -> impl Strategy<Value = (&'static str, Tokenizer, HfTokenizer)> {
    prop::sample::select(&NAMES[..]).prop_map(|name| (name, load(name), hf(&read_json(&format!("{name}.json")))))
}

proptest! {
    #[test]
    fn encodes_any_text_as_tokenizers((name, ours, mut hf) in both(), text in any_text()) {
        let theirs = |hf: &HfTokenizer| hf.encode_fast(text.as_str(), false).unwrap().get_ids().to_vec();
        prop_assert_eq!(ours.encode_with_special(&text), theirs(&hf), "{}", name);
        hf.set_encode_special_tokens(true);
        prop_assert_eq!(ours.encode(&text), theirs(&hf), "{}", name);
    }

    #[test]
    fn decodes_as_tokenizers((name, ours, hf) in both(), ids in prop::collection::vec(0..620_u32, 0..30)) {
        let theirs = hf.decode(&ids, true).unwrap();
        // Of a run of bytes that is no text, `tokenizers` shows `�` for each, also for those that are.
        if !theirs.contains('\u{FFFD}') {
            // It also forgets that a special token is special, if it wants normalised text.
            if name != "normalized" {
                prop_assert_eq!(ours.decode(&ids), theirs, "{}", name);
            }
            prop_assert_eq!(ours.decode_with_special(&ids), hf.decode(&ids, false).unwrap(), "{}", name);
        }
    }

    #[test]
    fn decoding_an_encoding_gives_the_text(text in any_text().prop_map(|text| text.replace('▁', "_").replace("<tool>", ""))) {
        // Behind an added token, Llama 2's form puts a space that decoding leaves there.
        for name in ["llama2", "gemma", "normalized"] {
            let ours = load(name);
            prop_assert_eq!(ours.decode(&ours.encode(&text)), &*text, "{}", name);
        }
        // A text that begins with a space gets none from Metaspace, and loses its own: a known flaw of the form.
        let mistral = load("mistral");
        let expected = text.strip_prefix(' ').unwrap_or(&text);
        prop_assert_eq!(mistral.decode(&mistral.encode(&text)), expected);
    }

    #[test]
    fn the_pieces_of_a_stream_join_to_the_decoded_whole((name, ours, _) in both(), ids in prop::collection::vec(0..620_u32, 0..40)) {
        let join = |mut stream: tokenizer::DecodeStream<'_>| {
            let mut text: String = ids.iter().filter_map(|&id| stream.push(id)).collect();
            let last = stream.finish();
            text.extend(last);
            text
        };
        let continued = join(ours.decode_continuation());
        prop_assert_eq!(&join(ours.decode_stream()), &ours.decode(&ids), "{}", name);
        let stripped = if name == "gemma" { &*continued } else { continued.strip_prefix(' ').unwrap_or(&continued) };
        prop_assert_eq!(stripped, ours.decode(&ids), "{}", name);
    }

    #[test]
    fn damage_is_refused_or_harmless(
        name in prop::sample::select(&NAMES[..]),
        changes in prop::collection::vec((0..14_000_usize, 32..127_u8), 1..6),
    ) {
        let mut bytes = std::fs::read(reference(&format!("{name}.json"))).unwrap();
        for (place, byte) in changes {
            let n = bytes.len();
            bytes[place % n] = byte;
        }
        if let Ok(file) = serde_json::from_slice::<Json>(&bytes)
            && let Ok(ours) = load_json(&file)
        {
            let text = " the lamp 🦀";
            let ids = ours.encode_with_special(text);
            let _ = (ours.decode(&ids), ours.to_gguf(0));
            prop_assert_eq!(load_json(&saved(&ours)).unwrap().encode_with_special(text), ids);
        }
    }
}
