//! One state of all exercises (starters, solutions, or the first, second, ... bug of each), built
//! and tested together.
//!
//! A variant is a workspace of its own under `target/exercises/`, a copy of the exercise crates in
//! which the wanted files take the place of the starters, so the reader's files are never touched.
//! All variants share one target folder: dependencies are compiled once. A file is written only
//! when it differs, so a second run compiles nothing. Nothing is downloaded.

use crate::workshop::Exercise;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A workspace with one state of the exercises.
#[derive(Debug)]
pub struct Variant {
    name: String,
    folder: PathBuf,
    target_folder: PathBuf,
    expected: Vec<String>,
}

/// What the tests of one exercise said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Names of the tests that passed.
    pub passed: Vec<String>,
    /// Names of the tests that failed.
    pub failed: Vec<String>,
}

impl Variant {
    /// Writes the workspace `name` of the checkout at `root`. In it, `replaced` takes the place of
    /// the starters, and only the exercises named there are expected to have an outcome; an empty
    /// map leaves the starters and expects all.
    ///
    /// # Errors
    /// When a file of the exercises cannot be read, or the workspace cannot be written.
    pub fn write(
        root: &Path,
        name: &str,
        exercises: &[Exercise],
        replaced: &BTreeMap<String, PathBuf>,
    ) -> Result<Self> {
        let target_folder = root.join("target/exercises");
        let folder = target_folder.join(name);
        let mut files = BTreeMap::new();
        files.insert(PathBuf::from("Cargo.toml"), workspace_manifest(root, name)?.into_bytes());
        // Cargo tells packages apart by their path within the workspace, so variants that share a
        // target folder need different paths there: the crates lie in <name>/<name>/.
        for exercise in exercises {
            read_into(&mut files, &exercise.folder, &Path::new(name).join(&exercise.chapter))?;
        }
        // Only after all copies: two exercises share a folder, and the second copy would bring the
        // first starter back.
        for exercise in exercises {
            if let Some(source) = replaced.get(&exercise.stem) {
                let copy = Path::new(name).join(&exercise.chapter).join("src");
                files.insert(copy.join(format!("{}.rs", exercise.stem)), read(source)?);
            }
        }
        write_changes(&folder, &files)?;
        let lock = folder.join("Cargo.lock");
        if !lock.exists() {
            fs::copy(root.join("Cargo.lock"), &lock).context("cannot copy Cargo.lock")?;
        }
        let is_expected = |e: &&Exercise| replaced.is_empty() || replaced.contains_key(&e.stem);
        Ok(Self {
            name: name.to_string(),
            folder,
            target_folder,
            expected: exercises.iter().filter(is_expected).map(|e| e.stem.clone()).collect(),
        })
    }

    /// Compiles and runs the tests with the given cargo features; outcomes by exercise stem.
    ///
    /// # Errors
    /// When cargo cannot be started, something does not compile, or an expected exercise
    /// has no outcome.
    pub fn test(&self, features: &[&str]) -> Result<BTreeMap<String, Outcome>> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        // One pipe for both streams keeps cargo's headings and the tests' lines in order.
        let (mut reader, writer) = std::io::pipe().context("cannot open a pipe")?;
        let mut command = Command::new(cargo);
        command
            .args(["test", "--workspace", "--test", "*", "--no-fail-fast", "--offline"])
            .arg("--features")
            .arg(features.join(","))
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", &self.target_folder)
            .env("CARGO_TERM_COLOR", "never")
            .env("RUST_BACKTRACE", "0")
            .stdout(writer.try_clone().context("cannot share the pipe")?)
            .stderr(writer);
        let mut child = command.spawn().context("cannot start cargo")?;
        // The command holds the writing end; the pipe ends only when all holders are gone.
        drop(command);
        let mut output = Vec::new();
        reader.read_to_end(&mut output).context("cannot read what cargo says")?;
        child.wait().context("cannot wait for cargo")?;
        let output = String::from_utf8_lossy(&output);
        let outcomes = parse(&output);
        for stem in &self.expected {
            if !outcomes.contains_key(stem) {
                bail!(
                    "no test of {stem} ran in variant {}. It did not compile, or a dependency is not on this \
                     machine yet (`cargo fetch` gets them). Cargo said:\n{output}",
                    self.name
                );
            }
        }
        Ok(outcomes.into_iter().filter(|(stem, _)| self.expected.contains(stem)).collect())
    }
}

/// Outcomes by test file, from the output of `cargo test`.
fn parse(output: &str) -> BTreeMap<String, Outcome> {
    let mut outcomes: BTreeMap<String, Outcome> = BTreeMap::new();
    let mut current: Option<String> = None;
    for line in output.lines() {
        if let Some(rest) = line.trim_start().strip_prefix("Running tests/") {
            current = rest.split_once(".rs").map(|(stem, _)| stem.to_string());
        }
        let (Some(stem), Some(result)) = (&current, line.strip_prefix("test ")) else {
            continue;
        };
        let outcome = outcomes.entry(stem.clone()).or_default();
        if let Some(name) = result.strip_suffix(" ... ok") {
            outcome.passed.push(name.to_string());
        } else if let Some(name) = result.strip_suffix(" ... FAILED") {
            outcome.failed.push(name.to_string());
        }
    }
    outcomes
}

/// The root's manifest, its own package and profiles left out: the exercises inherit versions and
/// lints from it.
fn workspace_manifest(root: &Path, name: &str) -> Result<String> {
    let path = root.join("Cargo.toml");
    let source = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut manifest = format!("[workspace]\nresolver = \"3\"\nmembers = [\"{name}/*\"]\n\n");
    let mut is_inherited = false;
    for line in source.lines() {
        if line.starts_with('[') {
            is_inherited = line.starts_with("[workspace.");
        }
        if is_inherited {
            manifest.push_str(line);
            manifest.push('\n');
        }
    }
    manifest.push_str("\n[profile.dev]\ndebug = false\nincremental = false\n");
    Ok(manifest)
}

fn read_into(files: &mut BTreeMap<PathBuf, Vec<u8>>, from: &Path, to: &Path) -> Result<()> {
    let entries = fs::read_dir(from).with_context(|| format!("cannot read folder {}", from.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read folder {}", from.display()))?.path();
        let copy = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            read_into(files, &path, &copy)?;
        } else {
            files.insert(copy, read(&path)?);
        }
    }
    Ok(())
}

/// Makes `folder` hold `files`, leaving equal files alone so that cargo sees them as unchanged.
fn write_changes(folder: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    let mut present = BTreeMap::new();
    if folder.exists() {
        read_into(&mut present, folder, Path::new(""))?;
    }
    for stale in present.keys().filter(|path| path.extension().is_some_and(|e| e == "rs")) {
        if !files.contains_key(stale) {
            fs::remove_file(folder.join(stale)).with_context(|| format!("cannot remove {}", stale.display()))?;
        }
    }
    for (path, content) in files {
        if present.get(path) != Some(content) {
            let path = folder.join(path);
            let parent = path.parent().unwrap_or(folder);
            fs::create_dir_all(parent).with_context(|| format!("cannot make folder {}", parent.display()))?;
            fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_read_by_test_file() {
        let output = "   Compiling x\n     Running tests/e1_a.rs (target/debug/deps/e1_a-1)\n\nrunning 2 tests\n\
                      test first ... ok\ntest second ... FAILED\n\nfailures:\n---- second stdout ----\ntest of mine\n\
                      test result: FAILED. 1 passed; 1 failed\n     Running tests/e2_b.rs (e2_b-1)\ntest third ... ok\n";
        let outcomes = parse(output);
        let a = Outcome { passed: vec!["first".into()], failed: vec!["second".into()] };
        assert_eq!(outcomes["e1_a"], a);
        assert_eq!(outcomes["e2_b"].passed, ["third"]);
        assert!(parse("error: could not compile `x`\n").is_empty());
    }

    #[test]
    fn unchanged_files_keep_their_time_and_stale_sources_go() {
        let folder = tempfile::tempdir().unwrap();
        let files = |content: &str| BTreeMap::from([(PathBuf::from("src/a.rs"), content.as_bytes().to_vec())]);
        write_changes(folder.path(), &files("one")).unwrap();
        fs::write(folder.path().join("src/old.rs"), "gone").unwrap();
        let path = folder.path().join("src/a.rs");
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        write_changes(folder.path(), &files("one")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
        assert!(!folder.path().join("src/old.rs").exists());
        write_changes(folder.path(), &files("two")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
    }
}
