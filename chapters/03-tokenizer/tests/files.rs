//! `tokenizer.json`: what is saved is read back, and what cannot be read is refused by name.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use tokenizer::{Tokenizer, TokenizerError, TrainConfig};

const TEXTS: [&str; 2] = ["the lamp, the lamplight, <|end|>", "the lamp and the lamps"];

fn trained() -> Tokenizer {
    Tokenizer::train(&TEXTS, &TrainConfig::with_vocab_size(280)).unwrap()
}

fn saved() -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    trained().save(&path).unwrap();
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn load(text: &str) -> Result<Tokenizer, TokenizerError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, text).unwrap();
    Tokenizer::load(&path)
}

#[test]
fn a_loaded_tokenizer_equals_the_saved_one() {
    let ours = trained();
    let loaded = load(&saved().to_string()).unwrap();
    assert_eq!(loaded.merges(), ours.merges());
    assert_eq!(loaded.special_tokens(), ours.special_tokens());
    for id in 0..ours.vocab_size() as u32 + 1 {
        assert_eq!(loaded.token_bytes(id), ours.token_bytes(id));
    }
    for text in TEXTS {
        assert_eq!(loaded.encode(text), ours.encode(text));
        assert_eq!(loaded.encode_with_special(text), ours.encode_with_special(text));
    }
}

#[test]
fn saving_twice_gives_the_same_bytes_and_leaves_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    trained().save(&path).unwrap();
    let first = std::fs::read(&path).unwrap();
    Tokenizer::load(&path).unwrap().save(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), first);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn older_files_write_merges_as_lines() {
    let mut file = saved();
    for merge in file["model"]["merges"].as_array_mut().unwrap() {
        *merge = json!(format!("{} {}", merge[0].as_str().unwrap(), merge[1].as_str().unwrap()));
    }
    assert_eq!(load(&file.to_string()).unwrap().merges(), trained().merges());
}

#[test]
fn a_special_token_that_is_a_line_feed_does_not_hide_the_byte() {
    let mut file = saved();
    let id = trained().vocab_size();
    let flags =
        json!({"id": id, "content": "\n", "single_word": false, "lstrip": false, "rstrip": false, "special": true});
    file["added_tokens"].as_array_mut().unwrap().push(flags);
    let loaded = load(&file.to_string()).unwrap();
    assert_eq!(loaded.encode("a\nb"), trained().encode("a\nb"));
    assert_eq!(loaded.encode_with_special("\n"), [id as u32]);
}

#[test]
fn what_is_not_supported_is_named() {
    let cases = [
        ("/model/type", json!("Unigram"), "model type \"Unigram\""),
        ("/normalizer", json!({"type": "NFKC"}), "normalizer {\"type\":\"NFKC\"}"),
        ("/pre_tokenizer", json!({"type": "Whitespace"}), "pre_tokenizer {\"type\":\"Whitespace\"}"),
        ("/pre_tokenizer/add_prefix_space", json!(true), "\"add_prefix_space\":true"),
        ("/pre_tokenizer/use_regex", json!(false), "\"use_regex\":false"),
        ("/post_processor", json!({"type": "RobertaProcessing"}), "post_processor {\"type\":\"RobertaProcessing\""),
        ("/decoder", Value::Null, "decoder null"),
        ("/truncation", json!({"max_length": 5}), "truncation"),
        ("/model/dropout", json!(0.1), "dropout 0.1"),
        ("/model/byte_fallback", json!(true), "byte_fallback"),
        ("/model/end_of_word_suffix", json!("</w>"), "end_of_word_suffix"),
        ("/added_tokens/1/single_word", json!(true), "\"<|user|>\" with single_word"),
    ];
    for (part, value, said) in cases {
        let mut file = saved();
        *file.pointer_mut(part).unwrap() = value;
        let error = load(&file.to_string()).unwrap_err();
        assert!(matches!(error, TokenizerError::Unsupported { .. }), "{part}: {error}");
        assert!(error.to_string().contains(said), "{part}: {error}");
    }
}

#[test]
fn what_is_damaged_is_named() {
    let whole = saved().to_string();
    let half = load(&whole[..whole.len() / 2]).unwrap_err().to_string();
    assert!(half.contains("is no tokenizer that can be read: not JSON"), "{half}");

    type Damage = fn(&mut Value);
    let cases: [(&str, Damage, &str); 8] = [
        ("no model", |file| drop(file.as_object_mut().unwrap().remove("model")), "it has no model with a type"),
        ("a merge of nothing", |file| file["model"]["merges"][0] = json!(["nope", "t"]), "merge 0 needs \"nope\""),
        ("half a merge", |file| file["model"]["merges"][0] = json!("t"), "merge 0 does not name two tokens"),
        ("a byte gone", |file| drop(file["model"]["vocab"].as_object_mut().unwrap().remove("z")), "no token"),
        ("ids twice", |file| file["model"]["vocab"]["z"] = json!(9), "share the id 9"),
        (
            "a special token twice",
            |file| file["added_tokens"][1]["content"] = json!("<|endoftext|>"),
            "is no tokenizer that can be read: special token \"<|endoftext|>\" is listed twice",
        ),
        (
            "an added token that merges make otherwise",
            |file| {
                let merge = file["model"]["merges"].as_array().unwrap().iter().find(|merge| merge[0] == "Ġ").unwrap();
                let content = format!("Ġ{}", merge[1].as_str().unwrap());
                let mut token = file["added_tokens"][1].clone();
                token["id"] = file["model"]["vocab"][&content].clone();
                token["content"] = json!(content);
                file["added_tokens"].as_array_mut().unwrap().push(token);
            },
            "which is another text",
        ),
        ("a text id", |file| file["model"]["vocab"]["z"] = json!("z"), "invalid type"),
    ];
    for (what, damage, said) in cases {
        let mut file = saved();
        damage(&mut file);
        let error = load(&file.to_string()).unwrap_err().to_string();
        assert!(error.contains(said), "{what}: {error}");
    }
}

#[test]
fn a_missing_file_and_an_unwritable_folder_are_named() {
    let error = Tokenizer::load("/no/such/tokenizer.json").unwrap_err().to_string();
    assert!(error.contains("cannot read /no/such/tokenizer.json"), "{error}");
    let error = trained().save("/no/such/tokenizer.json").unwrap_err().to_string();
    assert!(error.contains("cannot write /no/such/tokenizer.json"), "{error}");
}

#[test]
fn bytes_that_a_corpus_never_had_may_be_missing_and_are_left_out_as_tokenizers_leaves_them_out() {
    for unknown in [Value::Null, json!("<|end|>")] {
        let mut file = saved();
        let vocab = file["model"]["vocab"].as_object_mut().unwrap();
        // The first byte of U+40000, and the control code 4.
        let gone = ["ñ", "Ą"].map(|byte| vocab.remove(byte).unwrap());
        // No id may be left without a token, or `tokenizers` gives its own ids to the special ones.
        for (n, id) in gone.into_iter().enumerate() {
            vocab.insert(format!("Ġfilling{n}"), id);
        }
        file["model"]["unk_token"] = unknown;
        let ours = load(&file.to_string()).unwrap();
        let hf: tokenizers::Tokenizer = file.to_string().parse().unwrap();
        assert_eq!(ours.missing_bytes(), [0x04, 0xF1]);
        for text in ["a\u{4}b", "\u{4}\u{4}", "\u{40000} lamp", "the lamp"] {
            assert_eq!(ours.encode(text), hf.encode_fast(text, false).unwrap().get_ids(), "{text:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        ours.save(folder.path().join("tokenizer.json")).unwrap();
        let again = Tokenizer::open(folder.path()).unwrap();
        assert_eq!(again.encode("a\u{4}b"), ours.encode("a\u{4}b"));
    }
    assert!(trained().missing_bytes().is_empty());
}
