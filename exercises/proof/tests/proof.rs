//! For every exercise: all parts exist; the starter compiles and passes no test; the solution
//! passes all; each planted bug is caught.
//!
//! Run by CI. In a checkout where a reader has solved an exercise, `starters_pass_no_test` rightly
//! fails.
#![allow(clippy::unwrap_used)]

use ex_proof::workshop::{Exercise, discover, find_root};
use ex_proof::{Outcome, Variant};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    find_root(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn exercises() -> Vec<Exercise> {
    discover(&root()).unwrap()
}

/// Wrong solutions, sorted by name.
fn bugs(exercise: &Exercise) -> Vec<PathBuf> {
    let folder = exercise.folder.join("bugs").join(&exercise.stem);
    let mut bugs: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    bugs.sort();
    bugs
}

#[test]
fn every_exercise_is_complete() {
    let mut ids = BTreeSet::new();
    for exercise in exercises() {
        let Exercise { stem, chapter, folder } = &exercise;
        assert!(ids.insert(exercise.id().to_string()), "two exercises have the id {}", exercise.id());
        let number = stem[1..].split('_').next().unwrap();
        let title = format!("Exercise {}.{number}: ", &chapter[..2]);
        let statement = exercise.statement().unwrap();
        assert!(statement.starts_with(&title), "the statement of {stem} starts with `{title}`");
        for part in ["Example", "Source", "Book: `book/src/"] {
            let is_there = statement.contains(part) || (part == "Source" && chapter == "01-tensors");
            assert!(is_there, "the statement of {stem} has no `{part}`");
        }
        let page = format!("book/src/{chapter}.md");
        assert!(statement.contains(&page), "the statement of {stem} points to {page}");
        assert!(root().join("chapters").join(chapter).is_dir(), "there is no chapter {chapter}");
        assert!(fs::read_to_string(exercise.hint()).unwrap().lines().count() >= 3, "the hint of {stem} is too short");
        assert!(exercise.test().is_file() && exercise.solution().is_file());
        assert!(bugs(&exercise).len() >= 2, "{stem} has fewer than two planted bugs");
        let lib = fs::read_to_string(folder.join("src/lib.rs")).unwrap();
        let module =
            format!("#[cfg_attr(feature = \"solutions\", path = \"../solutions/{stem}.rs\")]\npub mod {stem};");
        assert!(lib.contains(&module), "lib.rs of {chapter} declares\n{module}");
    }
}

#[test]
fn no_part_is_without_its_exercise() {
    let stems: BTreeSet<String> = exercises().into_iter().map(|e| e.stem).collect();
    for exercise in exercises() {
        for part in ["tests", "hints", "solutions", "bugs"] {
            for entry in fs::read_dir(exercise.folder.join(part)).unwrap() {
                let path = entry.unwrap().path();
                let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
                assert!(stems.contains(&stem), "{} belongs to no exercise", path.display());
            }
        }
    }
}

#[test]
fn starters_pass_no_test() {
    let starters = Variant::write(&root(), "starter", &exercises(), &BTreeMap::new()).unwrap();
    for (stem, Outcome { passed, failed }) in starters.test(&[]).unwrap() {
        assert!(passed.is_empty(), "{stem}: an unsolved starter passes {passed:?}");
        assert!(!failed.is_empty(), "{stem} has no tests");
    }
}

#[test]
fn solutions_pass_every_test() {
    let solutions = Variant::write(&root(), "solution", &exercises(), &BTreeMap::new()).unwrap();
    for (stem, Outcome { passed, failed }) in solutions.test(&["solutions"]).unwrap() {
        assert!(failed.is_empty(), "{stem}: the solution fails {failed:?}");
        assert!(passed.len() >= 4, "{stem} has only {} tests", passed.len());
    }
}

#[test]
fn every_planted_bug_is_caught() {
    let exercises = exercises();
    let rounds = exercises.iter().map(|e| bugs(e).len()).max().unwrap();
    let (mut survivors, mut blunt) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // The first bug of each exercise in one build, then the second of each, and so on.
        let planted: BTreeMap<String, PathBuf> =
            exercises.iter().filter_map(|e| Some((e.stem.clone(), bugs(e).get(round)?.clone()))).collect();
        let variant = Variant::write(&root(), &format!("bug-{}", round + 1), &exercises, &planted).unwrap();
        for (stem, Outcome { passed, failed }) in variant.test(&[]).unwrap() {
            let bug = planted[&stem].file_stem().unwrap().to_string_lossy().into_owned();
            println!("{stem}/{bug}: caught by {}", failed.join(", "));
            if failed.is_empty() {
                survivors.push(format!("{stem}/{bug}"));
            }
            if passed.is_empty() {
                blunt.push(format!("{stem}/{bug}"));
            }
        }
    }
    assert!(survivors.is_empty(), "no test notices these planted bugs: {survivors:?}");
    // A starter fails everything too, so a bug that passes nothing may never have been compiled.
    assert!(blunt.is_empty(), "these planted bugs fail every test, so they prove nothing: {blunt:?}");
}
