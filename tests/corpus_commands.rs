//! `llm corpus` as a user meets it: a job that is killed again and again, shards in processes of their own, deduplication in a pipe,
//! and requests that are refused.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use corpus::{Document, World, WorldConfig, write_jsonl};

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

/// Every file below `folder` with its bytes, but the data card.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    // The card bears the date.
    let is_card = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("card."));
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !is_card(&path) {
                files.insert(path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
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

#[cfg(not(feature = "hub"))]
#[test]
fn a_data_set_s_name_says_how_to_build_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let output = llm(folder.path(), &["corpus", "build", "--input", "hf:owner/name", "--out", "clean"]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("hf:owner/name") && message.contains("--features hub"), "{message}");
}
