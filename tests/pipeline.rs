//! The whole program on the micro preset: what it prints, that it resumes, and that it says no clearly.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Runs `llm` with its working folder in `folder`.
fn llm(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llm"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The exit code and the message of a request that must fail, without a panic.
fn refusal(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = llm(folder, arguments);
    let message = String::from_utf8_lossy(&output.stderr).to_string();
    assert!(!output.status.success(), "{arguments:?} succeeded");
    assert!(!message.contains("panicked"), "{arguments:?}: {message}");
    (output.status.code().unwrap(), message)
}

fn last_line(text: &str) -> Value {
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

/// All of a run's metrics but the times, for each training stage.
fn metrics(run: &Path) -> Vec<(String, Vec<Value>)> {
    let stages = ["pretrain", "sft", "dpo"];
    stages
        .iter()
        .map(|stage| {
            let text = fs::read_to_string(run.join(stage).join("metrics.jsonl")).unwrap();
            let line = |line: &str| {
                let mut value: Value = serde_json::from_str(line).unwrap();
                let object = value.as_object_mut().unwrap();
                for time in ["elapsed_s", "tokens_per_s", "flops_per_s", "mfu"] {
                    object.remove(time);
                }
                value
            };
            (stage.to_string(), text.lines().map(line).collect())
        })
        .collect()
}

#[test]
fn the_micro_run_does_everything_and_resumes_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let printed = stdout(&llm(here, &["run", "--preset", "micro", "--name", "whole", "--json"]));
    let summary = last_line(&printed);
    for stage in ["corpus", "tokenizer", "shards", "pretrain", "evaluate", "sft", "dpo", "report"] {
        assert!(summary["seconds"][stage].as_f64().unwrap() >= 0.0, "{stage}");
    }
    for stage in ["extraction", "language", "quality", "pii", "exact_dedup", "near_dedup", "decontamination"] {
        for measure in ["precision", "recall"] {
            assert!((0.0..=1.0).contains(&summary["corpus"][stage][measure].as_f64().unwrap()), "{stage} {measure}");
        }
    }
    let number = |group: &str, key: &str| summary[group][key].as_f64().unwrap();
    assert!(number("bits_per_byte", "after") < number("bits_per_byte", "before"));
    assert!(number("sft_loss", "after") < number("sft_loss", "before"));
    assert!(number("preference_accuracy", "held_out") > 0.5);
    for (group, keys) in
        [("cloze", &["before", "after"][..]), ("exact_match", &["base", "sft", "dpo"]), ("manner", &["sft", "dpo"])]
    {
        assert!(keys.iter().all(|key| (0.0..=1.0).contains(&number(group, key))), "{group}");
    }
    assert!(summary["tokens_per_s"].as_f64().unwrap() > 0.0);
    let whole = here.join("runs/whole");
    assert!(fs::read_to_string(whole.join("report.html")).unwrap().contains("<svg"));
    pretraining_counts_its_arithmetic(&whole);

    // The same run, killed in the middle of pretraining and resumed.
    let mut child =
        command(here, &["run", "--preset", "micro", "--name", "killed"]).stdout(Stdio::null()).spawn().unwrap();
    let log = here.join("runs/killed/pretrain/metrics.jsonl");
    let started = Instant::now();
    while fs::read_to_string(&log).map_or(0, |text| text.lines().count()) < 30 {
        assert!(started.elapsed() < Duration::from_secs(100), "pretraining does not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let (code, message) = refusal(here, &["run", "--preset", "micro", "--name", "killed"]);
    assert!(code == 2 && message.contains("--resume") && message.contains("--force"), "{message}");
    for (arguments, expected) in [
        (["--preset", "small"], "--preset small differs"),
        (["--minutes", "5"], "--minutes 5 differs"),
        (["--seed", "1"], "--seed 1 differs"),
    ] {
        let (code, message) = refusal(here, &[&["run", "--resume", "--name", "killed"], &arguments[..]].concat());
        assert!(code == 2 && message.contains(expected), "{message}");
    }
    stdout(&llm(here, &["run", "--resume", "--name", "killed", "--preset", "micro"]));
    let killed = here.join("runs/killed");
    assert_eq!(metrics(&killed), metrics(&whole));
    for folder in ["pretrained", "finetuned", "model"] {
        let weights = |run: &Path| fs::read(run.join(folder).join("model.safetensors")).unwrap();
        assert!(weights(&killed) == weights(&whole), "{folder} differs");
    }

    // Killed again, after the last step and before the result: nothing is left to train, and the speed is still known.
    fs::remove_file(killed.join("stages/pretrain.json")).unwrap();
    let summary = last_line(&stdout(&llm(here, &["pretrain", "--name", "killed", "--json"])));
    assert!(summary["tokens_per_s"].as_f64().unwrap() > 0.0);

    the_vocabulary_is_the_one_that_tokenizers_reads(&whole);
    the_model_talks(here);
    what_is_too_long_is_said(here);
    damaged_models_are_refused(here, &whole);
}

/// FLOP/s in `metrics.jsonl` are tokens per second times chapter 6's FLOPs per token; a CPU has no peak to compare with.
fn pretraining_counts_its_arithmetic(run: &Path) {
    let settings = fs::read_to_string(run.join("run.toml")).unwrap();
    let settings = llm_from_scratch::preset::RunConfig::parse(&settings).unwrap();
    let flops_per_token = transformer::flops_per_token(&settings.model, settings.pretrain.seq_len);
    for line in fs::read_to_string(run.join("pretrain/metrics.jsonl")).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let (flops_per_s, tokens_per_s) =
            (line["flops_per_s"].as_f64().unwrap(), line["tokens_per_s"].as_f64().unwrap());
        assert!((flops_per_s / (tokens_per_s * flops_per_token) - 1.0).abs() < 1e-9);
        assert!(line.get("mfu").is_none());
    }
    assert!(!fs::read_to_string(run.join("sft/metrics.jsonl")).unwrap().contains("flops_per_s"));
}

/// `tokenizer.json` opens in Hugging Face's crate and gives the same ids on every document.
fn the_vocabulary_is_the_one_that_tokenizers_reads(run: &Path) {
    let ours = tokenizer::Tokenizer::load(run.join("tokenizer.json")).unwrap();
    let theirs = tokenizers::Tokenizer::from_file(run.join("tokenizer.json")).unwrap();
    let documents = corpus::read_jsonl(&run.join("corpus/training.jsonl")).unwrap().documents;
    assert!(documents.len() > 300);
    for document in documents {
        let expected = theirs.encode(document.text.as_str(), false).unwrap();
        assert_eq!(ours.encode(&document.text), expected.get_ids(), "{}", document.id);
    }
}

fn the_model_talks(here: &Path) {
    let model = "runs/whole/model";
    let generate = |seed: &str| {
        let arguments = [
            "generate",
            "--model",
            model,
            "--prompt",
            "The market",
            "--max-tokens",
            "8",
            "--temperature",
            "1",
            "--seed",
            seed,
            "--json",
        ];
        last_line(&stdout(&llm(here, &arguments)))
    };
    assert_eq!(generate("1"), generate("1"));
    assert_ne!(generate("1")["text"], generate("2")["text"]);
    assert!(generate("1")["n_tokens"].as_u64().unwrap() <= 8);
    let answer = stdout(&llm(here, &["chat", "--model", model, "--message", "What does Banunu sell?"]));
    assert!(!answer.trim().is_empty());
    let score = last_line(&stdout(&llm(
        here,
        &["eval", "--model", model, "--text", "runs/whole/corpus/held_out.jsonl", "--json"],
    )));
    assert!(score["bits_per_byte"].as_f64().unwrap() > 0.0);
    assert!(stdout(&llm(here, &["corpus", "report", "--run", "runs/whole"])).contains("near_dedup"));
}

fn what_is_too_long_is_said(here: &Path) {
    let model = "runs/whole/model";
    let long = "What? ".repeat(200);
    for arguments in [["generate", "--model", model, "--prompt", &long], ["chat", "--model", model, "--message", &long]]
    {
        let (code, message) = refusal(here, &arguments);
        assert!(code == 2 && message.contains("tokens"), "{message}");
    }
    // A conversation goes on, and its end says that a message had no answer.
    let mut chat = command(here, &["chat", "--model", model]);
    let mut chat = chat.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    write!(chat.stdin.take().unwrap(), "{long}\nWhat does Banunu sell?\n").unwrap();
    let output = chat.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("line 1: this message takes"));
    assert!(output.status.code() == Some(2) && !output.stdout.trim_ascii().is_empty());
}

fn damaged_models_are_refused(here: &Path, run: &Path) {
    let weights = run.join("model/model.safetensors");
    let whole = fs::read(&weights).unwrap();
    fs::write(&weights, &whole[..whole.len() / 2]).unwrap();
    let (code, message) = refusal(here, &["generate", "--model", "runs/whole/model", "--prompt", "x"]);
    assert!(code == 1 && message.contains("model.safetensors"), "{message}");
    fs::write(&weights, &whole).unwrap();
    let (code, message) = refusal(here, &["chat", "--model", "runs/whole", "--message", "x"]);
    assert!(code == 2 && message.contains("holds no model"), "{message}");
}

/// A note of six sentences put together from lists.
fn note(number: u64) -> String {
    let who = [
        "The gardener",
        "My neighbour",
        "A friend of mine",
        "The woman at the gate",
        "Nobody in the street",
        "The old teacher",
    ];
    let does = [
        "has seen",
        "remembers",
        "often talks about",
        "would like to have",
        "keeps looking for",
        "has written to us about",
    ];
    let what = [
        "the apple trees",
        "a boat with a red sail",
        "the garden wall",
        "two letters",
        "the road to the sea",
        "a very small lamp",
        "the winter",
    ];
    let when = [
        "in the morning",
        "after the rain",
        "while the others are away",
        "since last autumn",
        "when it is cold",
        "on the way to the market",
    ];
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    // No phrase comes twice in a note: that would be a repeated run, which the quality rules drop.
    let pick =
        |list: &[&str], shift: u32, step: usize| list[((mixed >> shift) as usize + step) % list.len()].to_string();
    let sentence = |step| {
        format!(
            "{} {} {} {}. ",
            pick(&who, 8, step),
            pick(&does, 20, step),
            pick(&what, 32, step),
            pick(&when, 44, step)
        )
    };
    (0..6).map(sentence).collect()
}

#[test]
fn a_run_stops_where_it_is_told_and_goes_on_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let stages = || {
        let files = fs::read_dir(here.join("runs/world-micro/stages")).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let printed = stdout(&llm(here, &["run", "--preset", "micro", "--until", "tokenizer"]));
    assert_eq!(stages(), ["corpus.json", "tokenizer.json"]);
    assert!(printed.contains("llm run --resume --name world-micro") && !printed.contains("report.html"), "{printed}");
    let vocabulary = fs::read(here.join("runs/world-micro/tokenizer.json")).unwrap();
    stdout(&llm(here, &["run", "--resume", "--name", "world-micro", "--until", "shards"]));
    assert_eq!(stages(), ["corpus.json", "shards.json", "tokenizer.json"]);
    assert_eq!(fs::read(here.join("runs/world-micro/tokenizer.json")).unwrap(), vocabulary);
}

#[test]
fn a_folder_of_one_s_own_texts_is_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let texts = here.join("notes");
    fs::create_dir(&texts).unwrap();
    for number in 0..40 {
        fs::write(texts.join(format!("{number}.txt")), note(number)).unwrap();
    }
    fs::write(texts.join("broken.jsonl"), "{\"text\": \"cut of").unwrap();
    fs::write(texts.join("binary.txt"), [0, 1, 2, 0xFE, 7].repeat(50)).unwrap();
    let printed = stdout(&llm(here, &["run", "--corpus", "notes", "--preset", "micro", "--name", "own", "--json"]));
    assert!(printed.contains("broken.jsonl at byte 0"), "{printed}");
    assert!(printed.contains("binary.txt"), "{printed}");
    let summary = last_line(&printed);
    assert!(summary["bits_per_byte"]["after"].as_f64().unwrap() < summary["bits_per_byte"]["before"].as_f64().unwrap());
    for absent in ["corpus", "cloze", "exact_match", "manner"] {
        assert!(summary.get(absent).is_none(), "{absent}");
    }
    // Nobody taught this model to chat.
    assert!(printed.contains("llm generate --model") && !printed.contains("llm chat"), "{printed}");
    stdout(&llm(here, &["generate", "--model", "runs/own/model", "--prompt", "The", "--max-tokens", "4"]));
    let (_, message) = refusal(here, &["chat", "--model", "runs/own/model", "--message", "Hello"]);
    assert!(message.contains("was not trained to chat"), "{message}");
    // run.toml says what was used.
    let settings = fs::read_to_string(here.join("runs/own/run.toml")).unwrap();
    let settings = llm_from_scratch::preset::RunConfig::parse(&settings).unwrap();
    let tokenizer = tokenizer::Tokenizer::load(here.join("runs/own/tokenizer.json")).unwrap();
    assert_eq!(settings.model.vocab_size, tokenizer.vocab_size());
}

#[test]
fn the_reader_of_a_pipe_may_leave() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in
        [&["chapter"][..], &["chapter", "8"], &["doctor"], &["doctor", "--json"], &["run", "--preset", "micro"]]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let child = command(folder.path(), arguments).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
}

#[test]
fn a_good_run_survives_a_request_that_cannot_be_met() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let run = here.join("runs/notes");
    fs::create_dir_all(run.join("model")).unwrap();
    fs::write(run.join("run.toml"), llm_from_scratch::preset::RunConfig::preset("micro").unwrap().to_toml().unwrap())
        .unwrap();
    fs::write(run.join("model/model.safetensors"), "precious").unwrap();
    for wrong in [["--corpus", "typo"], ["--preset", "wrold"], ["--minutes", "inf"], ["--seed", "18446744073709551615"]]
    {
        let arguments = [&["run", "--force", "--name", "notes"], &wrong[..]].concat();
        let (code, message) = refusal(here, &arguments);
        assert_eq!(code, 2, "{message}");
        let (code, message) = refusal(here, &[&["run", "--name", "fresh"], &wrong[..]].concat());
        assert_eq!(code, 2, "{message}");
    }
    let output = command(here, &["run", "--force", "--name", "notes", "--corpus", "rust-docs"])
        .env("LLM_RUST_DOCS", "absent")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read_to_string(run.join("model/model.safetensors")).unwrap(), "precious");
    assert!(!here.join("runs/fresh").exists(), "a folder would block the corrected command");
}

#[test]
fn wrong_requests_end_with_2_and_say_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let empty = here.join("empty");
    fs::create_dir(&empty).unwrap();
    fs::create_dir_all(here.join("runs/foreign")).unwrap();
    fs::write(here.join("runs/foreign/thesis.tex"), "precious").unwrap();
    let config = "seed = 0\n";
    fs::write(here.join("half.toml"), config).unwrap();
    fs::write(here.join("notes.txt"), "A few words.").unwrap();
    for (arguments, expected) in [
        (vec!["run", "--preset", "wrold"], "did you mean world?"),
        (vec!["run", "--corpus", "no-such-folder"], "there is no corpus no-such-folder"),
        (vec!["run", "--preset", "gpu-8gb"], "text of your own: give --corpus PATH"),
        (vec!["plan", "--preset", "gpu-9gb"], "did you mean gpu-8gb?"),
        (vec!["plan", "--preset", "gpu-8gb", "--gpu", "rtx 4091"], "did you mean RTX 4090?"),
        (vec!["plan", "--preset", "gpu-8gb", "--mfu", "40"], "--mfu 40"),
        (vec!["run", "--minutes", "-3"], "minutes -3"),
        (vec!["run", "--minutes", "inf"], "minutes inf"),
        (vec!["run", "--name", "../up"], "--name"),
        (vec!["run", "--name", "foreign", "--force"], "holds no run"),
        (vec!["run", "--name", "never", "--resume"], "there is no run"),
        (vec!["run", "--config", "half.toml"], "missing field"),
        (vec!["run", "--config", "absent.toml"], "cannot read absent.toml"),
        (vec!["run", "--device", "tpu"], "cpu, cuda, metal"),
        (vec!["run", "--until", "shard"], "corpus, tokenizer, shards, pretrain"),
        (vec!["chapter", "12"], "there is no chapter 12"),
        (vec!["generate", "--model", "absent", "--prompt", "x"], "holds no model"),
        (vec!["generate", "--model", "absent", "--prompt", "x", "--temperature", "-1"], "temperature -1"),
        (vec!["generate", "--model", "absent", "--prompt", "x", "--top-k", "5"], "need a --temperature above 0"),
        (vec!["generate", "--model", "absent", "--prompt", "x", "--top-p", "0.9"], "need a --temperature above 0"),
        (vec!["corpus", "report", "--run", "absent"], "holds no run"),
        (vec!["eval", "--model", "absent", "--text", "notes.txt"], "holds no model"),
        (vec!["eval", "--model", "absent", "--text", "absent.txt"], "there is no file or folder absent.txt"),
        (vec!["tokenizer", "train", "--corpus", "absent.txt"], "there is no file or folder absent.txt"),
        (vec!["tokenizer", "train", "--corpus", "notes.txt", "--vocab-size", "10"], "vocab_size 10"),
        (vec!["tokenizer", "encode", "--tokenizer", "absent", "--text", "x"], "there is no tokenizer"),
        (vec!["frobnicate"], "frobnicate"),
    ] {
        let (code, message) = refusal(here, &arguments);
        assert!(code == 2 && message.contains(expected), "{arguments:?}: {code} {message}");
    }
    if !cfg!(feature = "cuda") {
        let (code, message) = refusal(here, &["run", "--device", "cuda"]);
        assert!(code == 2 && message.contains("--features cuda"), "{message}");
    }
    assert_eq!(fs::read_to_string(here.join("runs/foreign/thesis.tex")).unwrap(), "precious");
}

#[test]
fn failures_end_with_1_and_leave_nothing_half_done() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::create_dir(here.join("empty")).unwrap();
    let (code, message) = refusal(here, &["run", "--corpus", "empty", "--preset", "micro"]);
    assert!(code == 1 && message.contains(".jsonl"), "{message}");
    assert!(!here.join("runs/empty-micro/stages/corpus.json").exists());
    // Missing documentation says how to get it.
    let output = command(here, &["run", "--corpus", "rust-docs", "--preset", "micro"])
        .env("LLM_RUST_DOCS", "absent")
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && message.contains("rustup component add rust-docs"), "{message}");
    // A file stands where the runs folder should be.
    let blocked = tempfile::tempdir().unwrap();
    fs::write(blocked.path().join("runs"), "").unwrap();
    let (code, message) = refusal(blocked.path(), &["run", "--preset", "micro"]);
    assert!(code == 1 && message.contains("runs"), "{message}");
}

#[test]
fn help_shows_an_example_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    for command in [
        "run",
        "corpus",
        "tokenizer",
        "pretrain",
        "eval",
        "sft",
        "dpo",
        "generate",
        "chat",
        "chapter",
        "exercises",
        "plan",
        "doctor",
    ] {
        let help = stdout(&llm(folder.path(), &[command, "--help"]));
        assert!(help.contains("Example"), "{command}");
    }
    let chapters = stdout(&llm(folder.path(), &["chapter"]));
    assert_eq!(chapters.lines().count(), llm_from_scratch::chapters::CHAPTERS.len());
}
