//! The sharded job against the pipeline in memory, and against itself: other workers, other shards, crashes, damage.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use corpus::classifier::{ClassifierConfig, TrainingConfig, train};
use corpus::job::plan::Plan;
use corpus::job::{Job, JobConfig, JobError, JobReport, Others, Shard, read_report};
use corpus::paragraph_dedup::ParagraphConfig;
use corpus::read::list;
use corpus::substring_dedup::SubstringConfig;
use corpus::word_lists::WordList;
use corpus::{
    Document, PipelineConfig, Stage, TestItem, World, WorldConfig, clean, extract_warc, read_jsonl, write_jsonl,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

#[path = "shared/tree.rs"]
mod tree;
use tree::tree;

/// A paragraph that many pages end with.
const FOOTER: &str =
    "\n\nThis page may be copied by anyone who leaves the names of its authors where they stand in it.";

/// So many pages are followed by a near copy with a paragraph more, which stands in a later page, too.
const N_NOTES: usize = 10;

/// If the near copy goes, its paragraph stays in the later page: it occurs nowhere else.
fn add_notes(documents: &mut Vec<Document>) {
    let step = documents.len() / (N_NOTES + 1);
    for i in (0..N_NOTES).rev() {
        documents[(i + 1) * step].text.push_str(&format!("\n\n{}", note(i)));
        let near_copy = format!("{}\n\n{}", documents[i * step].text, note(i));
        documents.insert(i * step + 1, Document::new(format!("near-copy-{i}"), "", near_copy));
    }
}

/// Twenty invented words.
fn note(i: usize) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(i as u64);
    let mut syllable = || ["ba", "den", "fi", "gor", "hu", "ka", "lem", "mi", "nor", "pu"][rng.random_range(0..10)];
    (0..20).map(|_| syllable().to_string() + syllable() + syllable()).collect::<Vec<_>>().join(" ")
}

/// The rows of a file between two steps.
fn rows<const N: usize>(bytes: &[u8]) -> Vec<[u32; N]> {
    let value = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    let head = 4 + 8 * (value(&bytes[..4]) as usize + 1);
    let row = |bytes: &[u8]| std::array::from_fn(|i| value(&bytes[4 * i..4 * i + 4]));
    bytes[head..].chunks_exact(4 * N).map(row).collect()
}

/// An input of several files, a job over it, and the settings that cut it into many tasks.
struct Fixture {
    folder: TempDir,
    config: JobConfig,
    exam: Vec<TestItem>,
}

impl Fixture {
    /// The pages of an invented world, extracted, in files of uneven size.
    fn new() -> Self {
        let world = World::generate(&WorldConfig { seed: 6, n_pages: 400, ..WorldConfig::default() }).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let warc = folder.path().join("crawl.warc");
        world.write_warc(&warc).unwrap();
        let mut documents = extract_warc(&warc, &|_, _, _| {}).unwrap().documents;
        documents.iter_mut().step_by(5).for_each(|document| document.text.push_str(FOOTER));
        add_notes(&mut documents);
        let mut rest = &documents[..];
        for (i, n) in [7, 120, 1, 60, 200, 30].into_iter().chain([usize::MAX]).enumerate() {
            let (file, others) = rest.split_at(n.min(rest.len()));
            // The first page of a part is a near copy, so that it is compared.
            let again = Document::new(format!("again-{i}"), "", documents[5 * i].text.clone() + "\n\nAgain.");
            let file: Vec<&Document> = std::iter::once(&again).chain(file).collect();
            write_jsonl(&folder.path().join(format!("in/{i}.jsonl")), file).unwrap();
            rest = others;
        }
        let pipeline = PipelineConfig {
            paragraph: ParagraphConfig { enabled: true, ..Default::default() },
            substring: SubstringConfig { enabled: true, min_bytes: 60, ..Default::default() },
            ..Default::default()
        };
        let config = JobConfig { pipeline, part_bytes: 40_000, range_bytes: 60_000, ..JobConfig::default() };
        Self { folder, config, exam: world.test_items() }
    }

    fn input(&self) -> PathBuf {
        self.folder.path().join("in")
    }

    fn out(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self, out: &Path) -> Result<Job, JobError> {
        Job::open(out, list(&[self.input()]).unwrap().files, &self.config, &self.exam)
    }

    fn run(&self, out: &Path, shard: Shard, workers: usize, others: Others) -> Result<JobReport, JobError> {
        self.open(out)?.run(shard, workers, others, &|_, _, _| {})
    }

    fn run_alone(&self, out: &Path) -> JobReport {
        self.run(out, Shard::WHOLE, 2, Others::Leave).unwrap()
    }
}

fn assert_same(found: &Path, expected: &BTreeMap<String, Vec<u8>>, what: &str) {
    let found = tree(found);
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{what}");
    for (name, bytes) in expected {
        assert!(found[name] == *bytes, "{what}: {name} differs");
    }
}

fn documents(out: &Path, kind: &str) -> Vec<Document> {
    let mut names: Vec<PathBuf> = fs::read_dir(out.join(kind)).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names.iter().flat_map(|name| read_jsonl(name).unwrap().documents).collect()
}

#[test]
fn the_job_keeps_what_the_pipeline_in_memory_keeps() {
    let fixture = Fixture::new();
    let out = fixture.out("out");
    let report = fixture.run_alone(&out);
    let all: Vec<Document> =
        list(&[fixture.input()]).unwrap().files.iter().flat_map(|f| read_jsonl(&f.path).unwrap().documents).collect();
    let expected = clean(all, &fixture.config.pipeline, &fixture.exam, &|_, _, _| {}).unwrap();
    let (held_out, training): (Vec<Document>, Vec<Document>) =
        expected.documents.into_iter().partition(|d| corpus::split::is_held_out(d, fixture.config.held_out_share));
    assert_eq!(documents(&out, "train"), training);
    assert_eq!(documents(&out, "held_out"), held_out);
    assert_eq!(report.funnel.stages[1..], expected.funnel.stages);
    assert_eq!((report.n_training, report.n_held_out), (training.len(), held_out.len()));
    assert!(!held_out.is_empty());
    assert_eq!(report.training_bytes, training.iter().map(|d| d.text.len()).sum::<usize>());
    for stage in &report.funnel.stages[2..] {
        let did_something = stage.documents_in > stage.documents_out || stage.bytes_in != stage.bytes_out;
        assert!(did_something, "{stage:?} had nothing to do");
    }
    assert_eq!(read_report(&out).unwrap(), report);

    // A paragraph is no repetition of one on a page that has gone.
    let is_gone = |i: usize| {
        let id = format!("near-copy-{i}");
        expected.removed.iter().any(|removal| removal.stage == Stage::NearDedup && removal.id == id)
    };
    let is_left = |i: usize| training.iter().any(|document| document.text.contains(&note(i)));
    assert!((0..N_NOTES).filter(|&i| is_gone(i) && is_left(i)).count() > 2);

    // A page that went as a copy is no near copy as well.
    let files = tree(&out);
    let found = |step: &str| -> BTreeSet<u32> {
        let of_step = files.iter().filter(|(name, _)| name.starts_with(&format!("work/found-{step}-")));
        of_step.flat_map(|(_, bytes)| rows::<2>(bytes)).map(|row| row[0]).collect()
    };
    let (copies, near_copies) = (found("exact"), found("clusters"));
    assert!(copies.len() > 10 && near_copies.len() > 10);
    assert!(copies.is_disjoint(&near_copies), "copies are compared again");
}

/// A job over the archive itself keeps what the world's own path keeps.
#[test]
fn an_archive_gives_what_extraction_in_memory_gives() {
    let world = World::generate(&WorldConfig { seed: 7, n_pages: 200, ..WorldConfig::default() }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let warc = folder.path().join("crawl.warc");
    world.write_warc(&warc).unwrap();
    let config = JobConfig { held_out_share: 0.0, ..JobConfig::default() };
    let out = folder.path().join("out");
    let job = Job::open(&out, list(std::slice::from_ref(&warc)).unwrap().files, &config, &world.test_items()).unwrap();
    job.run(Shard::WHOLE, 1, Others::Leave, &|_, _, _| {}).unwrap();
    let extracted = extract_warc(&warc, &|_, _, _| {}).unwrap().documents;
    let expected = clean(extracted, &config.pipeline, &world.test_items(), &|_, _, _| {}).unwrap().documents;
    let kept = |documents: &[Document]| documents.iter().map(|d| (d.id.clone(), d.text.clone())).collect::<Vec<_>>();
    assert_eq!(kept(&documents(&out, "train")), kept(&expected));
}

#[test]
fn any_number_of_workers_and_shards_gives_the_same_bytes() {
    let fixture = Fixture::new();
    let out = fixture.out("one");
    fixture.run(&out, Shard::WHOLE, 1, Others::Leave).unwrap();
    let expected = tree(&out);
    let n_files = |start: &str| expected.keys().filter(|name| name.starts_with(start)).count();
    assert!(n_files("train/") > 4 && n_files("work/found-near-") > 4, "{:?}", expected.keys());

    let out = fixture.out("four");
    fixture.run(&out, Shard::WHOLE, 4, Others::Leave).unwrap();
    assert_same(&out, &expected, "four workers");

    let out = fixture.out("three");
    std::thread::scope(|scope| {
        for index in 0..3 {
            let (fixture, out) = (&fixture, &out);
            scope.spawn(move || {
                fixture.run(out, Shard { index, count: 3 }, 1, Others::Wait(Duration::from_secs(30))).unwrap()
            });
        }
    });
    assert_same(&out, &expected, "three shards at once");
}

/// Without waiting, shards are started again and again, as by a queue; each call does what can be done.
#[test]
fn shards_that_do_not_wait_say_what_is_missing() {
    let fixture = Fixture::new();
    let (alone, out) = (fixture.out("alone"), fixture.out("out"));
    fixture.run_alone(&alone);
    let error = fixture.run(&out, Shard { index: 0, count: 2 }, 1, Others::Leave).unwrap_err();
    assert!(matches!(error, JobError::Waiting { first: 1, .. }), "{error}");
    assert!(error.to_string().contains("tasks of step filter left (the first is 1)"), "{error}");
    assert!(matches!(read_report(&out), Err(JobError::Waiting { .. })));
    let mut n_calls = 1;
    for index in [1, 0].into_iter().cycle() {
        n_calls += 1;
        if fixture.run(&out, Shard { index, count: 2 }, 1, Others::Leave).is_ok() {
            break;
        }
        assert!(n_calls < 20);
    }
    assert_same(&out, &tree(&alone), "two shards in turn");
}

/// What a kill can leave: any of the records missing, files without record, half a temporary file.
#[test]
fn a_job_that_was_cut_off_anywhere_ends_the_same() {
    let fixture = Fixture::new();
    let out = fixture.out("out");
    fixture.run_alone(&out);
    let expected = tree(&out);
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    for round in 0..8 {
        fs::write(out.join("work/.pages-00000.jsonl.1.tmp"), b"{\"id\": \"half").unwrap();
        for name in expected.keys().filter(|name| *name != "manifest.json") {
            if rng.random_bool(0.3) {
                fs::remove_file(out.join(name)).unwrap();
            }
        }
        // The report is last, so it is never there when something else is missing.
        let _ = fs::remove_file(out.join("tasks/report-00000.json"));
        fixture.run_alone(&out);
        assert_same(&out, &expected, &format!("round {round}"));
    }
}

#[test]
fn a_flipped_byte_in_any_file_is_found_and_the_file_made_again() {
    let fixture = Fixture::new();
    let out = fixture.out("out");
    fixture.run_alone(&out);
    let expected = tree(&out);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for (name, bytes) in expected.iter().filter(|(name, bytes)| *name != "manifest.json" && !bytes.is_empty()) {
        let mut damaged = bytes.clone();
        let at = rng.random_range(0..damaged.len());
        damaged[at] ^= 0x10;
        fs::write(out.join(name), damaged).unwrap();
        if name.starts_with("tasks/") {
            // A record speaks of no checksum of its own; what it says must still lead to the right files or be refused.
            fs::write(out.join(name), &bytes[..bytes.len() / 2]).unwrap();
        }
        fixture.run_alone(&out);
        assert_same(&out, &expected, name);
    }
}

#[test]
fn another_job_in_the_same_folder_is_refused() {
    let mut fixture = Fixture::new();
    let out = fixture.out("out");
    fixture.run_alone(&out);
    let expected = tree(&out);
    let refusal = |fixture: &Fixture| match fixture.open(&out) {
        Err(error @ JobError::Changed { .. }) => error.to_string(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    };

    fixture.config.pipeline.minhash.bands = 21;
    let message = refusal(&fixture);
    assert!(message.contains("the settings: pipeline.minhash.bands is 21 now, 20 then"), "{message}");
    fixture.config.pipeline.minhash.bands = 20;

    let item = fixture.exam.pop().unwrap();
    assert!(refusal(&fixture).contains("the exam's items"));
    fixture.exam.push(item);

    let (first, last) = (fixture.input().join("0.jsonl"), fixture.input().join("z.jsonl"));
    let bytes = fs::read(&first).unwrap();
    fs::write(&last, &bytes).unwrap();
    assert!(refusal(&fixture).contains("the number of inputs: 8 now, 7 then"));
    fs::remove_file(&last).unwrap();

    fs::write(&first, &bytes[1..]).unwrap();
    assert!(refusal(&fixture).contains("the input 0.jsonl has changed since"));
    assert_same(&out, &expected, "a refused job changes nothing");
}

/// Lists and models are edited where they lie; the settings that name them stay the same.
#[test]
fn another_list_or_model_of_the_same_name_is_refused() {
    let mut fixture = Fixture::new();
    let [blocked, unwanted, model] = ["blocked.txt", "unwanted.txt", "model"].map(|name| fixture.out(name));
    fs::write(&blocked, "blocked.example\n").unwrap();
    fs::write(&unwanted, "zzz\n").unwrap();
    let trained = |learning_rate: f64| {
        let config = TrainingConfig { log2_weights: 8, learning_rate, ..TrainingConfig::default() };
        train(&["good words"], &["bad words"], &config).unwrap()
    };
    trained(0.1).save(&model).unwrap();
    let pipeline = &mut fixture.config.pipeline;
    pipeline.url_block_list.files.push(blocked.clone());
    let list = WordList { name: "own".into(), file: Some(unwanted.clone()), max_share: 0.5, ..WordList::default() };
    pipeline.quality.word_lists.push(list);
    pipeline.classifier = Some(ClassifierConfig { model: model.clone(), min_score: 0.0 });

    let out = fixture.out("out");
    fixture.run_alone(&out);
    let expected = tree(&out);
    trained(0.2).save(&fixture.out("other")).unwrap();
    let other_model = fs::read(fixture.out("other")).unwrap();
    for (file, bytes, setting) in [
        (&blocked, &b"other.example\n"[..], "url_block_list.files"),
        (&unwanted, b"yyy\n", "quality.word_lists.file"),
        (&model, &other_model, "classifier.model"),
    ] {
        let before = fs::read(file).unwrap();
        fs::write(file, bytes).unwrap();
        let error = fixture.open(&out).err().unwrap().to_string();
        assert!(error.contains(&format!("what {} of pipeline.{setting} holds", file.display())), "{error}");
        fs::write(file, before).unwrap();
        fixture.run_alone(&out);
        assert_same(&out, &expected, setting);
    }
}

#[test]
fn a_shard_that_is_silent_is_given_up_and_one_that_speaks_is_not() {
    let fixture = Fixture::new();
    let (alone, out) = (fixture.out("alone"), fixture.out("out"));
    fixture.run_alone(&alone);
    let [first, second] = [0, 1].map(|index| Shard { index, count: 2 });
    let patience = Others::Wait(Duration::from_millis(1500));
    let error = fixture.run(&out, first, 1, patience).unwrap_err();
    assert!(matches!(error, JobError::Silent { shard, first: 1, .. } if shard == second), "{error}");
    assert!(error.to_string().contains("shard 1/2 has been silent for 1 s (it has not been seen)"), "{error}");

    // A file that stays as it is was left by a process that was killed.
    let beat = |n_beats: u32| format!("{{\"host\":\"n17\",\"process\":42,\"time_s\":7,\"n_beats\":{n_beats}}}");
    let path = out.join("alive/1-of-2.json");
    fs::write(&path, beat(1)).unwrap();
    let error = fixture.run(&out, first, 1, patience).unwrap_err().to_string();
    assert!(error.contains("(process 42 on n17)") && error.contains("same command with --shard 1/2"), "{error}");

    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n_beats in 2..32 {
                fs::write(&path, beat(n_beats)).unwrap();
                std::thread::sleep(Duration::from_millis(100));
            }
            fixture.run(&out, second, 1, Others::Wait(Duration::from_secs(30))).unwrap()
        });
        fixture.run(&out, first, 1, patience).unwrap();
    });
    assert_same(&out, &tree(&alone), "a shard that was slow");
}

/// The plan's bytes a page against the files of a finished job.
#[test]
fn the_rows_take_what_the_plan_says() {
    let mut fixture = Fixture::new();
    fixture.config.pipeline.paragraph.enabled = false;
    let out = fixture.out("out");
    let report = fixture.run_alone(&out);
    let plan = Plan::of(&list(&[fixture.input()]).unwrap().files, &fixture.config, 2).unwrap();
    let n_pages = report.funnel.stages.iter().find(|s| s.stage == Stage::ExactDedup).unwrap().documents_in as u64;
    let mut n_bytes = 0;
    for (name, bytes) in tree(&out) {
        let head = 4 + 8 * (plan.n_ranges as u64 + 1);
        n_bytes += match name {
            name if name.starts_with("work/exact-") || name.starts_with("work/buckets-") => bytes.len() as u64 - head,
            name if name.starts_with("work/signatures-") => bytes.len() as u64,
            _ => 0,
        };
    }
    assert_eq!(n_bytes, n_pages * (plan.rows_bytes / plan.n_pages));
    assert!(plan.n_parts > 4 && plan.n_ranges > 4);
}

#[test]
fn shards_are_read_strictly() {
    assert_eq!("2/3".parse(), Ok(Shard { index: 2, count: 3 }));
    for text in ["3/3", "1", "a/b", "-1/2", "0/0"] {
        assert!(text.parse::<Shard>().is_err(), "{text}");
    }
}
