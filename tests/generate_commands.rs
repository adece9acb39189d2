//! `llm generate` and `llm chat` as a user meets them, on a model of a few thousand numbers that was never trained: what is asked of them is kept, and what
//! cannot be is refused with exit code 2, by value and range.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use candle_core::Device;
use llm_from_scratch::stages::model_folder::{self, ModelKind};
use serde_json::{Value, json};
use tokenizer::{Tokenizer, TrainConfig};
use transformer::{ModelConfig, Transformer};

const MAX_SEQ_LEN: usize = 48;

/// A folder with the models `base` and `chat`.
fn models() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let texts = ["the river of the town is the elm", "what does the town sell? the town sells honey."];
    let tokenizer = Tokenizer::train(&texts, &TrainConfig::with_vocab_size(300)).unwrap();
    let config: ModelConfig = serde_json::from_value(json!({
        "vocab_size": tokenizer.vocab_size(), "d_model": 16, "n_layers": 2, "n_heads": 2, "n_kv_heads": 1, "d_ff": 32,
        "max_seq_len": MAX_SEQ_LEN, "init_std": 0.3,
    }))
    .unwrap();
    let model = Transformer::new(config, 3, &Device::Cpu).unwrap();
    for (name, kind) in [("base", ModelKind::Base), ("chat", ModelKind::Chat)] {
        fs::create_dir(folder.path().join(name)).unwrap();
        model_folder::save(&folder.path().join(name), &model, &tokenizer, kind).unwrap();
    }
    folder
}

fn llm(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llm"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

fn stdout(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn generate(folder: &Path, arguments: &[&str]) -> String {
    stdout(llm(folder, &[&["generate", "--model", "base", "--max-tokens", "9"], arguments].concat()))
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The message of a command that is refused as a wrong request.
fn refusal(folder: &Path, arguments: &[&str]) -> String {
    let output = llm(folder, arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    assert!(output.stdout.is_empty());
    message
}

#[test]
fn several_prompts_become_what_each_becomes_alone() {
    let folder = models();
    let here = folder.path();
    let prompts = ["the river of the town is", "honey", "what does the town"];
    fs::write(here.join("prompts.txt"), prompts.join("\n")).unwrap();
    let of_json = prompts.map(|prompt| json!({ "prompt": prompt, "id": 7 }).to_string());
    fs::write(here.join("prompts.jsonl"), of_json.join("\n")).unwrap();
    let settings = ["--temperature", "1.2", "--top-k", "40", "--repetition-penalty", "1.1", "--seed", "4", "--json"];
    let alone: Vec<Value> = prompts
        .iter()
        .flat_map(|prompt| lines(&generate(here, &[&["--prompt", prompt], &settings[..]].concat())))
        .collect();
    assert_eq!(alone.len(), 3);
    let repeated = prompts.iter().flat_map(|prompt| ["--prompt", prompt]).collect::<Vec<_>>();
    for source in [repeated, vec!["--prompts", "prompts.txt"], vec!["--prompts", "prompts.jsonl", "--batch-size", "2"]]
    {
        assert_eq!(lines(&generate(here, &[&source[..], &settings[..]].concat())), alone, "{source:?}");
    }
    for (line, prompt) in alone.iter().zip(prompts) {
        assert!(line["prompt"] == prompt && line["finish_reason"] == "length" && line["n_tokens"] == 9, "{line}");
    }
}

#[test]
fn text_is_streamed_as_json_has_it_and_ends_at_a_stop_string() {
    let folder = models();
    let here = folder.path();
    let arguments = ["--prompt", "the town", "--temperature", "1", "--seed", "2"];
    let whole =
        lines(&generate(here, &[&arguments[..], &["--json"]].concat()))[0]["text"].as_str().unwrap().to_string();
    assert_eq!(generate(here, &arguments), format!("the town{whole}\n"));
    // Every piece of the text in turn as the stop string.
    let characters: Vec<char> = whole.chars().filter(|c| *c != '\u{FFFD}').collect();
    assert!(characters.len() >= 4, "{whole:?}");
    let mut n_stopped = 0;
    for pair in characters.windows(2) {
        let stop: String = pair.iter().collect();
        let Some(start) = whole.find(&stop) else { continue };
        let stop = format!("--stop={stop}");
        let line = &lines(&generate(here, &[&arguments[..], &["--json", &stop]].concat()))[0];
        assert_eq!(
            (line["text"].as_str(), line["finish_reason"].as_str()),
            (Some(&whole[..start]), Some("stop")),
            "{stop}"
        );
        n_stopped += 1;
    }
    assert!(n_stopped >= 2);
}

#[test]
fn log_probabilities_come_with_alternatives() {
    let folder = models();
    let arguments = ["--prompt", "the town", "--logprobs", "3", "--temperature", "0.5"];
    let line = &lines(&generate(folder.path(), &[&arguments[..], &["--json"]].concat()))[0];
    let content = line["logprobs"]["content"].as_array().unwrap();
    assert_eq!(content.len(), 9);
    for token in content {
        let logprob = token["logprob"].as_f64().unwrap();
        let top = token["top_logprobs"].as_array().unwrap();
        assert!(logprob <= 0.0 && top.len() == 3 && top[0]["logprob"].as_f64().unwrap() >= logprob, "{token}");
        let bytes: Vec<u8> = serde_json::from_value(token["bytes"].clone()).unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes), token["token"].as_str().unwrap());
    }
    // In words: the text, then a line a token.
    assert_eq!(generate(folder.path(), &arguments).lines().filter(|line| line.matches(" | ").count() == 3).count(), 9);
}

#[test]
fn penalties_and_cuts_change_the_text() {
    let folder = models();
    let text = |arguments: &[&str]| generate(folder.path(), &[&["--prompt", "the town"], arguments].concat());
    let greedy = text(&[]);
    assert_eq!(text(&["--temperature", "1", "--top-k", "1"]), greedy);
    assert_eq!(text(&["--temperature", "1", "--min-p", "1"]), greedy);
    assert_eq!(text(&["--temperature", "1", "--top-p", "0.000001"]), greedy);
    let long = ["--max-tokens", "40"];
    let long = |arguments: &[&str]| {
        let all = [&["generate", "--model", "base", "--prompt", "the town"], &long[..], arguments].concat();
        stdout(llm(folder.path(), &all))
    };
    for penalty in ["--repetition-penalty=2", "--presence-penalty=2", "--frequency-penalty=2"] {
        assert_ne!(long(&[penalty]), long(&[]), "{penalty}");
    }
}

#[test]
fn values_that_cannot_be_are_refused_by_name_and_range() {
    let folder = models();
    for (arguments, words) in [
        (vec!["--temperature", "-1"], vec!["temperature -1", "above 0"]),
        (vec!["--temperature", "NaN"], vec!["temperature NaN", "above 0"]),
        (vec!["--temperature", "1", "--top-p", "0"], vec!["top_p 0", "above 0 and at most 1"]),
        (vec!["--temperature", "1", "--top-p", "1.5"], vec!["top_p 1.5", "at most 1"]),
        (vec!["--temperature", "1", "--min-p", "-0.1"], vec!["min_p -0.1", "from 0 to 1"]),
        (vec!["--temperature", "1", "--top-k", "0"], vec!["--top-k", "0 is not in 1.."]),
        (vec!["--temperature", "1", "--top-k", "-3"], vec!["--top-k", "-3 is not in 1.."]),
        (vec!["--repetition-penalty", "0"], vec!["repetition_penalty 0", "above 0"]),
        (vec!["--presence-penalty", "2.5"], vec!["presence_penalty 2.5", "from -2 to 2"]),
        (vec!["--frequency-penalty", "-3"], vec!["frequency_penalty -3", "from -2 to 2"]),
        (vec!["--logprobs", "21"], vec!["--logprobs", "21 is not in 0..=20"]),
        (vec!["--stop", ""], vec!["--stop is empty"]),
        (vec!["--min-p", "0.1"], vec!["--min-p", "need a --temperature above 0"]),
        (vec!["--seed", "x"], vec!["--seed", "'x'", "give a whole number such as 8"]),
        (vec!["--seed", "-1"], vec!["--seed", "-1 is negative; give 0 or more"]),
        (vec!["--max-tokens", "-1"], vec!["--max-tokens", "-1 is negative; give 0 or more"]),
        (vec!["--batch-size", "0"], vec!["--batch-size", "0 is not in 1.."]),
        (vec!["--prompts", "absent.txt"], vec!["--prompt"]),
    ] {
        let message =
            refusal(folder.path(), &[&["generate", "--model", "base", "--prompt", "x"], &arguments[..]].concat());
        for word in words {
            assert!(message.contains(word), "{arguments:?}: {message}");
        }
    }
    assert!(
        refusal(folder.path(), &["generate", "--model", "base", "--prompts", "absent"]).contains("there is no file")
    );
    assert!(refusal(folder.path(), &["generate", "--model", "base"]).contains("--prompt"));
    assert!(refusal(folder.path(), &["chat", "--model", "chat", "--message", " "]).contains("--message is empty"));
    let arguments = ["model", "report", "--model", "base", "--batch", "9223372036854775807"];
    assert!(refusal(folder.path(), &arguments).contains("--batch 9223372036854775807 must be between 1 and 1048576"));
    assert!(refusal(folder.path(), &["model", "logits", "--model", "base", "--prompt", ""]).contains("give some text"));
    let arguments = ["chat", "--model", "chat", "--message", "x", "--top-p", "2", "--temperature", "1"];
    assert!(refusal(folder.path(), &arguments).contains("top_p 2 must be above 0 and at most 1"));
}

#[test]
fn ids_are_read_in_any_form_and_refused_by_name() {
    let folder = models();
    let decoded = |ids: &[&str]| {
        stdout(llm(folder.path(), &[&["tokenizer", "decode", "--tokenizer", "base/tokenizer.json"], ids].concat()))
    };
    let text = decoded(&["65", "66"]);
    assert!(decoded(&["65,66"]) == text && decoded(&["[65, 66]"]) == text);
    for (ids, words) in [
        (vec!["65", "-3"], "token id -3 is not in the vocabulary, whose ids go from 0 to"),
        (vec!["99999999999"], "token id 99999999999 is not in the vocabulary"),
        (vec!["[65,"], "the ids are no JSON array of numbers"),
        (vec!["65", "b"], "\"b\" is no token id; give numbers such as 41,72"),
    ] {
        let decode = [&["tokenizer", "decode", "--tokenizer", "base/tokenizer.json"], &ids[..]].concat();
        assert!(refusal(folder.path(), &decode).contains(words), "{ids:?}");
        let ids = ids.join(",");
        for command in
            [&["model", "logits", "--model", "base", "--ids", &ids][..], &["inspect", "--model", "base", "--ids", &ids]]
        {
            let message = refusal(folder.path(), command);
            assert!(message.contains(words), "{command:?}: {message}");
        }
    }
}

#[test]
fn a_page_and_a_plot_are_written_into_folders_that_do_not_exist_yet() {
    let folder = models();
    fs::write(folder.path().join("text.txt"), "the river of the town").unwrap();
    stdout(llm(folder.path(), &["inspect", "--model", "base", "--ids", "65,66", "--out", "new/pages/a.html"]));
    assert!(folder.path().join("new/pages/a.html").is_file());
    let report = ["tokenizer", "report", "--tokenizer", "base", "--corpus", "text.txt", "--plot", "plots/a.svg"];
    stdout(llm(folder.path(), &report));
    assert!(folder.path().join("plots/a.svg").is_file());
    let message = refusal(folder.path(), &[&report[..], &["--d-model", "0"]].concat());
    assert!(message.contains("--d-model") && message.contains("0 is not in 1.."), "{message}");
}

#[test]
fn a_prompt_that_is_too_long_is_refused_or_cut() {
    let folder = models();
    let long = "the river of the town is the elm ".repeat(30);
    let arguments = ["generate", "--model", "base", "--prompt", &long];
    let message = refusal(folder.path(), &arguments);
    assert!(message.contains("the 48 that the model reads") && message.contains("47 at most"), "{message}");
    assert!(message.contains("--truncate"), "{message}");
    let json = &lines(&stdout(llm(folder.path(), &[&arguments[..], &["--truncate", "--json"]].concat())))[0];
    // A quarter of the model's positions is left for the answer, and the last token is never read.
    assert_eq!(json["n_tokens"], MAX_SEQ_LEN / 4 + 1);
}

#[test]
fn chat_needs_a_model_that_can() {
    let folder = models();
    let message = refusal(folder.path(), &["chat", "--model", "base", "--message", "hello"]);
    assert!(message.contains("was not trained to chat; use llm generate"), "{message}");
    let arguments = ["chat", "--model", "chat", "--message", "what?", "--max-tokens", "4", "--json", "--logprobs", "1"];
    let line = &lines(&stdout(llm(folder.path(), &arguments)))[0];
    assert_eq!(line["n_tokens"].as_u64(), line["logprobs"]["content"].as_array().map(|tokens| tokens.len() as u64));
}

#[test]
fn a_template_that_we_do_not_know_is_named() {
    let folder = models();
    let file = folder.path().join("chat/tokenizer_config.json");
    let mut config: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    config["chat_template"] = json!("{{ messages }}\n{% generation %}");
    fs::write(&file, config.to_string()).unwrap();
    let output = llm(folder.path(), &["chat", "--model", "chat", "--message", "x"]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(message.contains("line 2") && message.contains("generation"), "{message}");
}

/// A conversation through a pipe: answers, complaints, and the exit code.
fn converse(folder: &Path, arguments: &[&str], input: &[u8]) -> (String, String, Option<i32>) {
    use std::io::Write;
    let mut command = Command::new(env!("CARGO_BIN_EXE_llm"));
    command.args(["chat", "--model", "chat", "--max-tokens", "4"]).args(arguments).current_dir(folder);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

#[test]
fn a_long_conversation_is_refused_or_forgets_its_oldest_turns() {
    let folder = models();
    let input = "what does the town sell?\n".repeat(8);
    let (answers, refused, code) = converse(folder.path(), &["--json"], input.as_bytes());
    // Each question has its line, and whoever asked learns that some have no answer.
    let answers = lines(&answers);
    let n_errors = answers.iter().filter(|answer| answer["error"].is_string()).count();
    assert!((answers.len(), code) == (8, Some(2)) && n_errors > 0, "{answers:?}");
    assert!(refused.contains(&format!("{n_errors} of the messages could not be answered")), "{refused}");
    assert!(
        refused.contains("turns takes") && refused.contains("reads 48") && refused.contains("--truncate"),
        "{refused}"
    );
    let (answers, refused, code) = converse(folder.path(), &["--json", "--truncate"], input.as_bytes());
    assert_eq!((lines(&answers).len(), refused.as_str(), code), (8, "", Some(0)));
    // A message that does not fit alone cannot be helped by forgetting.
    let long = format!("{}\nshort\n", "the town ".repeat(60));
    let (answers, refused, code) = converse(folder.path(), &["--truncate"], long.as_bytes());
    assert_eq!((answers.lines().count(), code), (1, Some(2)));
    assert!(refused.contains("line 1: this message takes") && refused.contains("say it shorter"), "{refused}");
    let (_, refused, code) = converse(folder.path(), &[], b"short\n\xFF\n");
    assert!(refused.contains("line 2 is not UTF-8") && code == Some(2), "{refused}");
}
