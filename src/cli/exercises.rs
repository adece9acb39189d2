//! `llm exercises`: what to solve next, a hint, and whether it works.
//!
//! An exercise is solved when its tests pass, so progress is never stored: the commands look at the
//! files and ask cargo. A starter that still holds `todo!` is known to be unsolved without a build.
//! The commands need the sources and say so outside a checkout; they never change a file.

mod workshop;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};
use workshop::{Exercise, discover, find_root};

/// How often `watch` looks at the file.
const WATCH_INTERVAL: Duration = Duration::from_millis(300);
/// Jaro-Winkler similarity from which an unknown id is taken for a slip of the keyboard.
const LEAST_LIKENESS: f64 = 0.75;
/// How a reader calls this program in a checkout.
const LLM: &str = "cargo run --release --";

/// Work through the book's exercises.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: llm exercises next, then edit the file it names, then llm exercises check softmax")]
pub struct ExercisesArgs {
    #[command(subcommand)]
    command: ExercisesCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum ExercisesCommand {
    /// Show the first exercise that is not solved: its statement, its file, how to check it.
    Next,
    /// List all exercises in reading order.
    List {
        /// Print a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Print the hints of an exercise.
    Hint {
        /// Exercise, such as `softmax`; without it, the next one.
        id: Option<String>,
    },
    /// Run the tests of an exercise; fails if they do.
    Check {
        /// Exercise, such as `softmax`; without it, all that are written.
        id: Option<String>,
    },
    /// Check the next exercise whenever its file is saved, until all are solved.
    Watch,
}

/// A request for an exercise that does not exist.
#[derive(Debug)]
pub struct UnknownExercise {
    asked: String,
    nearest: Option<String>,
}

impl std::fmt::Display for UnknownExercise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "there is no exercise `{}`", self.asked)?;
        if let Some(nearest) = &self.nearest {
            write!(f, "; did you mean `{nearest}`?")?;
        }
        write!(f, " (`{LLM} exercises list` shows all)")
    }
}

impl std::error::Error for UnknownExercise {}

/// Runs `llm exercises`.
///
/// # Errors
/// Outside a checkout, for an unknown exercise ([`UnknownExercise`]), when cargo cannot be
/// started, and when a checked exercise does not pass.
pub fn run(args: &ExercisesArgs, out: &mut dyn Write) -> Result<()> {
    let here = std::env::current_dir().context("cannot tell the current folder")?;
    let root = find_root(&here)?;
    let exercises = discover(&root)?;
    match &args.command {
        ExercisesCommand::Next => next(out, &root, &exercises),
        ExercisesCommand::List { json: false } => list(out, &exercises),
        ExercisesCommand::List { json: true } => list_json(out, &root, &exercises),
        ExercisesCommand::Hint { id } => hint(out, &root, &exercises, id.as_deref()),
        ExercisesCommand::Check { id: Some(id) } => check_one(out, &root, &exercises, find(&exercises, id)?),
        ExercisesCommand::Check { id: None } => check_written(out, &root, &exercises),
        ExercisesCommand::Watch => watch(out, &root, &exercises),
    }
}

fn next(out: &mut dyn Write, root: &Path, exercises: &[Exercise]) -> Result<()> {
    match first_unsolved(root, exercises)? {
        Some(exercise) => {
            show(out, root, exercise)?;
            if exercise.is_written()? {
                writeln!(out, "\nIt is written but does not pass; check shows why.")?;
            }
            Ok(())
        }
        None => {
            writeln!(out, "All {} exercises are solved.", exercises.len())?;
            Ok(())
        }
    }
}

fn show(out: &mut dyn Write, root: &Path, exercise: &Exercise) -> Result<()> {
    let id = exercise.id();
    writeln!(out, "{}\n", exercise.statement()?)?;
    writeln!(out, "write  {}", shown_path(root, &exercise.starter()))?;
    writeln!(out, "tests  {}", shown_path(root, &exercise.test()))?;
    writeln!(out, "check  {LLM} exercises check {id}")?;
    writeln!(out, "       or  cargo test -p {} --test {}", exercise.package(), exercise.stem)?;
    writeln!(out, "hint   {LLM} exercises hint {id}")?;
    Ok(())
}

fn list(out: &mut dyn Write, exercises: &[Exercise]) -> Result<()> {
    let width = exercises.iter().map(|e| e.id().len()).max().unwrap_or(0);
    let mut chapter = "";
    for exercise in exercises {
        if exercise.chapter != chapter {
            chapter = &exercise.chapter;
            writeln!(out, "{chapter}")?;
        }
        writeln!(out, "  {:<8}{:<width$}  {}", state(exercise)?, exercise.id(), exercise.title()?)?;
    }
    writeln!(out, "\n`written` says that no todo! is left; `{LLM} exercises check` says whether it is right.")?;
    Ok(())
}

fn list_json(out: &mut dyn Write, root: &Path, exercises: &[Exercise]) -> Result<()> {
    let rows = exercises
        .iter()
        .map(|exercise| {
            Ok(serde_json::json!({
                "id": exercise.id(),
                "chapter": exercise.chapter,
                "title": exercise.title()?,
                "state": state(exercise)?,
                "file": shown_path(root, &exercise.starter()),
                "package": exercise.package(),
                "test": exercise.stem,
            }))
        })
        .collect::<Result<Vec<_>>>()?;
    writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
    Ok(())
}

fn hint(out: &mut dyn Write, root: &Path, exercises: &[Exercise], id: Option<&str>) -> Result<()> {
    let exercise = match id {
        Some(id) => Some(find(exercises, id)?),
        None => first_unsolved(root, exercises)?,
    };
    let Some(exercise) = exercise else {
        writeln!(out, "All {} exercises are solved; name one to see its hints.", exercises.len())?;
        return Ok(());
    };
    let path = exercise.hint();
    let hints = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    writeln!(out, "{}: {}\n\n{}", exercise.id(), exercise.title()?, hints.trim_end())?;
    Ok(())
}

fn check_one(out: &mut dyn Write, root: &Path, exercises: &[Exercise], exercise: &Exercise) -> Result<()> {
    let status = cargo_test(root, exercise)
        .status()
        .context("cannot start cargo; Rust's tools are needed here (https://rustup.rs)")?;
    if !status.success() {
        bail!("{} does not pass yet; `{LLM} exercises hint {0}` helps", exercise.id());
    }
    let solution = shown_path(root, &exercise.solution());
    writeln!(out, "{} passes. Compare with {solution}.", exercise.id())?;
    say_what_is_next(out, exercises)
}

fn check_written(out: &mut dyn Write, root: &Path, exercises: &[Exercise]) -> Result<()> {
    let mut failed = Vec::new();
    let mut n_written = 0;
    for exercise in exercises {
        if exercise.is_written()? {
            n_written += 1;
            let report = test_quietly(root, exercise)?;
            writeln!(out, "{}  {}", if report.is_none() { "passes" } else { "fails " }, exercise.id())?;
            failed.extend(report.map(|report| (exercise.id(), report)));
        }
    }
    if let Some((id, report)) = failed.first() {
        writeln!(out, "\n{report}")?;
        bail!("{} of {n_written} written exercises do not pass; the first is {id}", failed.len());
    }
    say_what_is_next(out, exercises)
}

fn watch(out: &mut dyn Write, root: &Path, exercises: &[Exercise]) -> Result<()> {
    while let Some(exercise) = first_unsolved(root, exercises)? {
        show(out, root, exercise)?;
        writeln!(out, "\nWatching the file; Ctrl-C ends.")?;
        loop {
            wait_for_change(&exercise.starter())?;
            if !exercise.is_written()? {
                writeln!(out, "{} still holds a todo!", exercise.id())?;
                continue;
            }
            match test_quietly(root, exercise)? {
                Some(report) => writeln!(out, "{report}\n{} does not pass yet.", exercise.id())?,
                None => break,
            }
        }
        writeln!(out, "{} passes.\n", exercise.id())?;
    }
    writeln!(out, "All {} exercises are solved.", exercises.len())?;
    Ok(())
}

/// The exercise that the reader means by `id`: `softmax`, `e1_softmax`, `causal-softmax`.
fn find<'a>(exercises: &'a [Exercise], id: &str) -> Result<&'a Exercise, UnknownExercise> {
    let wanted = id.to_lowercase().replace('-', "_");
    if let Some(exercise) = exercises.iter().find(|e| e.id() == wanted || e.stem == wanted) {
        return Ok(exercise);
    }
    let (likeness, nearest) = exercises
        .iter()
        .map(|e| (strsim::jaro_winkler(e.id(), &wanted), e.id()))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .unwrap_or_default();
    Err(UnknownExercise { asked: id.to_string(), nearest: (likeness >= LEAST_LIKENESS).then(|| nearest.to_string()) })
}

/// The first exercise, in reading order, that holds a `todo!` or whose tests fail.
fn first_unsolved<'a>(root: &Path, exercises: &'a [Exercise]) -> Result<Option<&'a Exercise>> {
    for exercise in exercises {
        if !exercise.is_written()? || test_quietly(root, exercise)?.is_some() {
            return Ok(Some(exercise));
        }
    }
    Ok(None)
}

fn say_what_is_next(out: &mut dyn Write, exercises: &[Exercise]) -> Result<()> {
    for exercise in exercises {
        if !exercise.is_written()? {
            let title = exercise.title()?;
            writeln!(out, "Next: {} ({title}). `{LLM} exercises next` shows it.", exercise.id())?;
            return Ok(());
        }
    }
    writeln!(out, "Every exercise is written.")?;
    Ok(())
}

/// `None` if the tests pass, else what cargo and the tests said.
fn test_quietly(root: &Path, exercise: &Exercise) -> Result<Option<String>> {
    let output = cargo_test(root, exercise)
        .arg("--quiet")
        .output()
        .context("cannot start cargo; Rust's tools are needed here (https://rustup.rs)")?;
    if output.status.success() {
        return Ok(None);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    Ok(Some(format!("{stderr}{stdout}")))
}

fn cargo_test(root: &Path, exercise: &Exercise) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["test", "-p", &exercise.package(), "--test", &exercise.stem])
        .current_dir(root)
        // The assertion's message teaches; a backtrace below it would hide that.
        .env("RUST_BACKTRACE", "0");
    command
}

fn wait_for_change(path: &Path) -> Result<()> {
    let before = modified(path)?;
    while modified(path)? == before {
        std::thread::sleep(WATCH_INTERVAL);
    }
    Ok(())
}

/// Time of the last change; `None` while an editor that saves by renaming has the file away.
fn modified(path: &Path) -> Result<Option<SystemTime>> {
    match fs::metadata(path).and_then(|metadata| metadata.modified()) {
        Ok(time) => Ok(Some(time)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot watch {}", path.display())),
    }
}

fn state(exercise: &Exercise) -> Result<&'static str> {
    Ok(if exercise.is_written()? { "written" } else { "to do" })
}

/// `path` as seen from the checkout.
fn shown_path(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// A checkout with one exercise whose starter is `starter`.
    fn checkout(starter: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("exercises/05-attention");
        fs::create_dir_all(folder.join("src")).unwrap();
        fs::create_dir_all(root.path().join("exercises/proof/src")).unwrap();
        fs::write(root.path().join("exercises/README.md"), "").unwrap();
        fs::write(root.path().join("Cargo.toml"), "members = [\"exercises/*\"]").unwrap();
        fs::write(folder.join("src/lib.rs"), "").unwrap();
        fs::write(folder.join("src/e1_rope.rs"), starter).unwrap();
        root
    }

    #[test]
    fn an_exercise_is_found_from_any_folder_of_the_checkout() {
        let root = checkout("//! Exercise 05.1: rotary positions.\n//!\n//! Write it.\n\nfn f() { todo!() }\n");
        assert_eq!(find_root(&root.path().join("exercises/05-attention/src")).unwrap(), root.path());
        let exercises = discover(root.path()).unwrap();
        assert_eq!(exercises.len(), 1, "lib.rs, proof and README.md are not exercises");
        let exercise = &exercises[0];
        assert_eq!((exercise.id(), exercise.package().as_str()), ("rope", "ex-attention"));
        assert_eq!(exercise.title().unwrap(), "rotary positions");
        assert!(exercise.statement().unwrap().ends_with("Write it."));
        assert_eq!(shown_path(root.path(), &exercise.starter()), "exercises/05-attention/src/e1_rope.rs");
    }

    #[test]
    fn a_todo_in_a_comment_is_not_a_todo() {
        for (source, is_written) in
            [("fn f() { todo!(\"x\") }", false), ("    todo!()", false), ("// was todo!()\nfn f() {}", true)]
        {
            let root = checkout(source);
            assert_eq!(discover(root.path()).unwrap()[0].is_written().unwrap(), is_written, "{source}");
        }
    }

    #[test]
    fn outside_a_checkout_the_error_names_the_folder_and_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let error = find_root(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&folder.path().display().to_string()) && error.contains("clone"), "{error}");
    }

    #[test]
    fn ids_are_forgiving_and_unknown_ones_suggest_the_nearest() {
        let exercises = ["e1_softmax", "e1_causal_softmax", "e2_rope"].map(|stem| Exercise {
            chapter: "05-attention".into(),
            stem: stem.into(),
            folder: PathBuf::new(),
        });
        for id in ["causal_softmax", "causal-softmax", "e1_causal_softmax", "Causal-Softmax"] {
            assert_eq!(find(&exercises, id).unwrap().stem, "e1_causal_softmax");
        }
        let error = find(&exercises, "sofmax").unwrap_err().to_string();
        assert!(error.contains("`sofmax`") && error.contains("`softmax`"), "{error}");
        assert!(find(&exercises, "ropes").unwrap_err().to_string().contains("`rope`"));
        let error = find(&exercises, "tokenizer").unwrap_err().to_string();
        assert!(!error.contains("did you mean"), "{error}");
    }

    #[test]
    fn the_next_exercise_needs_no_build_while_a_todo_is_left() {
        let root = checkout("fn f() { todo!() }");
        let exercises = discover(root.path()).unwrap();
        let next = first_unsolved(root.path(), &exercises).unwrap();
        assert_eq!(next.map(Exercise::id), Some("rope"));
    }

    #[test]
    fn this_checkout_has_exercises_with_all_their_parts() {
        let root = find_root(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        let exercises = discover(&root).unwrap();
        assert!(exercises.len() >= 12, "found {}", exercises.len());
        for exercise in &exercises {
            for path in [exercise.starter(), exercise.test(), exercise.hint(), exercise.solution()] {
                assert!(path.is_file(), "{} is missing", path.display());
            }
        }
    }
}
