//! `llm corpus` as a user meets it: a job that is killed again and again, shards in processes of their own, deduplication in a pipe,
//! and requests that are refused.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use corpus::mixture::Mixed;
use corpus::{Document, World, WorldConfig, read_jsonl, write_jsonl};

#[path = "../chapters/02-corpus/tests/shared/tree.rs"]
mod tree;
use tree::tree;

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llm"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn llm(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

fn succeeds(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Twelve files of an invented world's pages, and settings that make a task of each.
fn input(folder: &Path) {
    let world = World::generate(&WorldConfig { n_pages: 900, ..WorldConfig::default() }).unwrap();
    let document = |page: &corpus::world::CrawledPage| Document::new(&page.id, &page.url, &page.truth.text);
    let documents: Vec<Document> = world.crawl().iter().map(document).collect();
    for (i, documents) in documents.chunks(documents.len().div_ceil(12)).enumerate() {
        write_jsonl(&folder.join(format!("in/{i:02}.jsonl")), documents).unwrap();
    }
    fs::write(folder.join("job.toml"), "part_bytes = 1000\nrange_bytes = 100000\n").unwrap();
}

fn n_records(out: &Path) -> usize {
    fs::read_dir(out.join("tasks")).map_or(0, |entries| {
        let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        names.filter(|name| name.ends_with(".json")).count()
    })
}

const BUILD: [&str; 7] = ["corpus", "build", "--input", "in", "--config", "job.toml", "--out"];

#[test]
fn a_job_that_is_killed_again_and_again_ends_as_if_it_never_was() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    input(here);
    let table = succeeds(llm(here, &[&BUILD[..], &["whole", "--workers", "1"]].concat()));
    assert!(table.contains("near_dedup") && table.contains(" held out"), "{table}");
    let expected = tree(&here.join("whole"));

    // Killed (SIGKILL on Unix) as soon as there are so many records more than before.
    let out = here.join("killed");
    let mut n_kills = 0;
    for n_more in [1, 3, 5, 2, 7, 1, 4] {
        let mut child = command(here, &[&BUILD[..], &["killed", "--workers", "2"]].concat()).spawn().unwrap();
        let goal = n_records(&out) + n_more;
        let started = Instant::now();
        while n_records(&out) < goal && child.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < Duration::from_secs(100), "the job does not move");
            std::thread::sleep(Duration::from_millis(1));
        }
        n_kills += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(n_kills >= 4, "the job was killed {n_kills} times only");
    succeeds(llm(here, &[&BUILD[..], &["killed"]].concat()));
    assert!(tree(&out) == expected, "killed {n_kills} times, the job ends otherwise");

    // Three processes at once.
    let shards = ["0/3", "1/3", "2/3"];
    let start = |shard| command(here, &[&BUILD[..], &["shards", "--shard", shard, "--wait"]].concat()).spawn().unwrap();
    for child in shards.map(start) {
        assert_eq!(succeeds(child.wait_with_output().unwrap()), table);
    }
    assert!(tree(&here.join("shards")) == expected, "three processes make another corpus");

    assert_eq!(succeeds(llm(here, &["corpus", "report", "shards"])), table);
    let card = fs::read_to_string(here.join("whole/card.md")).unwrap();
    assert!(card.contains("near_dedup") && card.contains("| input | in |"), "{card}");
    let json: serde_json::Value =
        serde_json::from_str(&succeeds(llm(here, &["corpus", "report", "shards", "--json"]))).unwrap();
    assert!(json["n_training"].as_u64().unwrap() > 500, "{json}");
}

#[test]
fn a_shard_alone_says_what_is_missing_with_a_code_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    input(folder.path());
    let output = llm(folder.path(), &[&BUILD[..], &["out", "--shard", "1/2"]].concat());
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(message.contains("others have 6 of 12 tasks of step filter left (the first is 0)"), "{message}");
    let output = llm(folder.path(), &["corpus", "report", "out"]);
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn copies_go_in_a_pipe_and_lines_stay_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let words = |start: usize| (start..start + 60).map(|i| format!("w{i}")).collect::<Vec<_>>().join(" ");
    let lines = [
        format!("{{\"text\":\"{}\", \"score\": 1.50}}", words(0)),
        format!("{{\"text\":\"{}\"}}", words(1000)),
        format!("{{\"text\":\"{} and more\"}}", words(0)),
        format!("{{\"id\":4,\"text\":\"{}\"}}", words(1000).to_uppercase()),
    ];
    let mut child = command(folder.path(), &["corpus", "dedup", "--input", "-", "--out", "-", "--json"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(lines.join("\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let counts: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!([&counts["n_kept"], &counts["n_exact"], &counts["n_near"]], [2, 1, 1], "{counts}");
    assert_eq!(succeeds(output), format!("{}\n{}\n", lines[0], lines[1]));
}

/// A mixture of two sources and a finished job, of which one is repeated.
const MIX: &str = "total_bytes = 60000\nseed = 3\nheld_out_share = 0.1\npart_bytes = 10000\n
[[sources]]\nname = \"web\"\npath = \"in/00.jsonl\"\nweight = 3\n
[[sources]]\nname = \"books\"\npath = \"books\"\nweight = 1\nmax_epochs = 8\n
[[stages]]\nshare = 3\n[[stages]]\nshare = 1\nweights = { books = 1.0, web = 1.0 }\n";

/// A few pages that a job has cleaned, in `books`.
fn books(here: &Path) {
    let pages = fs::read_to_string(here.join("in/07.jsonl")).unwrap();
    fs::write(here.join("few.jsonl"), pages.lines().take(20).map(|line| format!("{line}\n")).collect::<String>())
        .unwrap();
    succeeds(llm(here, &["corpus", "build", "--input", "few.jsonl", "--out", "books"]));
}

#[test]
fn a_mixture_is_the_same_every_time_and_whole_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    input(here);
    books(here);
    fs::write(here.join("mix.toml"), MIX).unwrap();
    let mix = |out: &'static str| ["corpus", "mix", "--config", "mix.toml", "--out", out];
    let table = succeeds(llm(here, &mix("mix")));
    let expected = tree(&here.join("mix"));
    let mixed: Mixed = serde_json::from_slice(&expected["mixture.json"]).unwrap();

    // Three of four bytes are the web's in the first stage, half of them in the second.
    for (stage, shares) in [[0.75, 0.25], [0.5, 0.5]].iter().enumerate() {
        let reached: Vec<f64> = mixed.reached[stage].iter().map(|reached| reached.n_bytes as f64).collect();
        let whole: f64 = reached.iter().sum();
        for (reached, share) in reached.iter().zip(shares) {
            assert!((reached / whole - share).abs() < 0.1, "{table}");
        }
    }
    assert!(mixed.epochs_of(1) > 1.0 && mixed.epochs_of(1) <= 8.0, "{table}");
    assert!(mixed.training_bytes <= 60_000 && mixed.training_bytes > 55_000, "{table}");

    // The files in the order of their names are the order; the counts are those of the documents.
    let files: Vec<&String> = expected.keys().filter(|name| name.starts_with("train")).collect();
    let (first, last) = (files.iter().filter(|name| name.as_str() == "train/00-00000.jsonl"), files.last().unwrap());
    assert!(first.count() == 1 && files.len() > 5 && last.starts_with("train/01-"), "{files:?}");
    let read = |name: &str| read_jsonl(&here.join("mix").join(name)).unwrap().documents;
    let documents: Vec<Document> = files.iter().flat_map(|name| read(name)).collect();
    assert_eq!(documents.len() as u64, mixed.n_training);
    let mut ids: Vec<&str> = documents.iter().map(|document| document.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), documents.len(), "every id is there once");
    assert!(ids.iter().any(|id| id.starts_with("books/") && id.ends_with("#1")), "{ids:?}");
    for name in &files {
        let is_of_stage = |document: &Document| {
            let stage = document.metadata["mixture"]["stage"].as_u64().unwrap();
            name.starts_with(&format!("train/{stage:02}-"))
        };
        assert!(read(name).iter().all(is_of_stage), "{name} has documents of another stage");
    }
    let held_out = read("held_out/00000.jsonl");
    assert_eq!(held_out.len(), mixed.n_held_out);
    let mixed_ids: Vec<&str> = documents.iter().filter_map(|document| document.id.split('#').next()).collect();
    assert!(!held_out.is_empty() && held_out.iter().all(|document| !mixed_ids.contains(&document.id.as_str())));
    let card = fs::read_to_string(here.join("mix/card.md")).unwrap();
    assert!(card.contains("| books | books |") && card.contains("stage 1") && card.contains("\"seed\": 3"), "{card}");

    assert_eq!(succeeds(llm(here, &mix("again"))), table);
    assert!(tree(&here.join("again")) == expected, "the same settings make another mixture");
    fs::write(here.join("mix.toml"), MIX.replace("seed = 3", "seed = 4")).unwrap();
    succeeds(llm(here, &mix("other")));
    assert!(tree(&here.join("other")) != expected, "the seed decides nothing");

    // Training shards of it, which keep what it repeats.
    fs::write(here.join("mix.toml"), MIX).unwrap();
    let run = ["run", "--corpus", "mix", "--preset", "micro", "--until", "shards", "--name", "mixed", "--json"];
    let output = succeeds(llm(here, &run));
    assert!(output.contains("mix taken as it is"), "{output}");
    let training = read_jsonl(&here.join("runs/mixed/corpus/training.jsonl")).unwrap().documents;
    assert_eq!(training, documents);
    assert!(here.join("runs/mixed/shards/training").exists());
}

#[test]
fn a_mixture_that_is_killed_leaves_nothing_that_looks_whole() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    input(here);
    let settings =
        "total_bytes = 30000000\npart_bytes = 100000\n[[sources]]\nname = \"all\"\npath = \"in\"\nmax_epochs = 1000\n";
    fs::write(here.join("mix.toml"), settings).unwrap();
    let mix = ["corpus", "mix", "--config", "mix.toml", "--out", "mix"];
    let mut child = command(here, &mix).spawn().unwrap();
    let started = Instant::now();
    while !here.join(".mix.mixing/train/00-00003.jsonl").exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "nothing is written");
        std::thread::sleep(Duration::from_millis(1));
    }
    let output = llm(here, &mix);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("another process is writing") && message.contains("--out"), "{message}");
    assert!(child.try_wait().unwrap().is_none(), "the mixture was too small to be killed on its way");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!here.join("mix").exists());

    fs::write(here.join("mix.toml"), settings.replace("30000000", "300000")).unwrap();
    succeeds(llm(here, &mix));
    let found = tree(&here.join("mix"));
    assert!(found.keys().all(|name| !name.contains("lock")), "{:?}", found.keys());
    succeeds(llm(here, &["corpus", "mix", "--config", "mix.toml", "--out", "alone"]));
    assert!(tree(&here.join("alone")) == found, "what the killed one left is in the mixture");
    assert!(!here.join(".mix.mixing").exists());
}

#[test]
fn mixtures_that_cannot_be_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    input(here);
    fs::write(here.join("page.html"), "<p>text").unwrap();
    fs::create_dir(here.join("there")).unwrap();
    let source = "[[sources]]\nname = \"a\"\npath = \"in/00.jsonl\"\n";
    for (settings, expected) in [
        ("total_bytes = 10\n".to_string(), "mixture.sources is empty; name at least one source"),
        (source.to_string(), "mixture.total_bytes is 0; say how many bytes"),
        (format!("total_bytes = 10\n{source}weight = 0\n"), "weight is 0 for all sources; give at least one source"),
        (format!("total_bytes = 1000000000\n{source}"), "lower mixture.total_bytes, raise max_epochs, or add text"),
        (format!("total_bytes = 10\n{}", source.replace("in/00", "nowhere")), "source a: nowhere.jsonl does not exist"),
        (
            format!("total_bytes = 10\n{}", source.replace("in/00.jsonl", "page.html")),
            "llm corpus build --input page.html",
        ),
        (format!("total_bytes = 10\nweights = 1\n{source}"), "unknown field `weights`"),
    ] {
        fs::write(here.join("mix.toml"), &settings).unwrap();
        let output = llm(here, &["corpus", "mix", "--config", "mix.toml", "--out", "mix"]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{settings}: {message}");
        assert!(message.contains(expected), "{settings}: {message}");
        assert!(!here.join("mix").exists());
    }
    fs::write(here.join("mix.toml"), format!("total_bytes = 10000\n{source}")).unwrap();
    let output = llm(here, &["corpus", "mix", "--config", "mix.toml", "--out", "there"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("is there already; remove it"));
    let plan = succeeds(llm(here, &["corpus", "mix", "--config", "mix.toml", "--plan"]));
    assert!(plan.contains("MB planned") && !here.join("mix").exists(), "{plan}");
}

#[test]
fn passages_go_from_lines_that_stay() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let words = |start: usize| (start..start + 60).map(|i| format!("w{i}")).collect::<Vec<_>>().join(" ");
    let quoted = "said the mayor of the town to all who had come to hear what had been found";
    let line = |start| format!("{{\"text\":\"{}. {quoted} {}\",\"n\":{start}}}\n", words(start), words(start + 60));
    fs::write(here.join("in.jsonl"), [line(0), line(200)].concat()).unwrap();
    let dedup = ["corpus", "dedup", "--input", "in.jsonl", "--out", "out.jsonl"];
    let summary = succeeds(llm(here, &[&dedup[..], &["--substring", "50"]].concat()));
    assert!(summary.contains("passages of 0.1 KB went from 1 lines"), "{summary}");
    let expected = [line(0), line(200).replace(&format!(". {quoted}"), "")].concat();
    assert_eq!(fs::read_to_string(here.join("out.jsonl")).unwrap(), expected);
    for (rest, expected) in [
        (&["--substring", "5"][..], "substring.min_bytes is 5; choose 20 or more"),
        (
            &["--substring", "50", "--substring-max-bytes", "100"],
            "substring.max_bytes is 100; the texts have more bytes",
        ),
    ] {
        let output = llm(here, &[&dedup[..], rest].concat());
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn wrong_requests_end_with_2_and_say_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    input(here);
    fs::write(here.join("bad.toml"), "[pipeline.minhash]\nbands = 0\n").unwrap();
    fs::write(here.join("other.toml"), "held_out_share = 0.5\n").unwrap();
    fs::write(here.join("exam.jsonl"), "{\"question\": 1}\n").unwrap();
    succeeds(llm(here, &[&BUILD[..], &["done"]].concat()));
    let build = |rest: &[&'static str]| [&["corpus", "build", "--input", "in"], rest].concat();
    let dedup = |rest: &[&'static str]| [&["corpus", "dedup", "--out", "x"], rest].concat();
    for (arguments, expected) in [
        (build(&[]), "--out"),
        (build(&["--out", "in/clean"]), "--out in/clean lies in --input in"),
        (build(&["--out", "o", "--input", "nowhere"]), "nowhere does not exist; give a folder or a file with"),
        (build(&["--out", "o", "--config", "bad.toml"]), "minhash.bands is 0; choose from 1 to 256"),
        (build(&["--out", "done", "--config", "other.toml"]), "held_out_share is 0.5 now, 0.02 then"),
        (build(&["--out", "o", "--exam", "exam.jsonl"]), "exam.jsonl line 1"),
        (build(&["--out", "o", "--shard", "2/2"]), "the first is 0"),
        (build(&["--out", "o", "--name", "run"]), "--name"),
        (build(&["--out", "o", "--wait=0"]), "0 is no number of minutes from 0.1 on"),
        (dedup(&["--input", "nowhere"]), "cannot read nowhere"),
        (
            dedup(&["--input", "in/00.jsonl", "--threshold", "1.5"]),
            "the threshold is 1.5; choose a similarity between 0 and 1",
        ),
        (dedup(&["--input", "in/00.jsonl", "--shingle-hash", "md5"]), "choose xxh3 or sha1"),
        (vec!["corpus", "report", "in"], "in is no folder that llm corpus build --out has made"),
    ] {
        let output = llm(here, &arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}

#[test]
fn a_job_that_keeps_nothing_fails_and_names_the_rule() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    input(here);
    fs::write(here.join("strict.toml"), "[pipeline.quality]\nmin_words = 100000\n").unwrap();
    let output = llm(here, &["corpus", "build", "--input", "in", "--out", "out", "--config", "strict.toml"]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("quality dropped most") && message.contains(" for too_few_words; "), "{message}");
    assert!(message.contains("llm corpus report out --rules"), "{message}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("0 documents"), "the funnel is printed all the same");
}

#[cfg(not(feature = "hub"))]
#[test]
fn a_data_set_s_name_says_how_to_build_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let output = llm(folder.path(), &["corpus", "build", "--input", "hf:owner/name", "--out", "clean"]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("hf:owner/name") && message.contains("--features hub"), "{message}");
}
