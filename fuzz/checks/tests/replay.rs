//! Every seed of every fuzz target passes its check, without a fuzzer.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fuzz_checks::ALL;

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn names_in(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(fuzz_folder().join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn every_check_has_a_target_and_seeds() {
    let checks: BTreeSet<String> = ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names_in("corpus"), checks);
    assert_eq!(names_in("fuzz_targets"), checks);
    for (name, _) in ALL {
        let target = fs::read_to_string(fuzz_folder().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(target.contains(&format!("check(\"{name}\")")), "{name} runs another check:\n{target}");
        let manifest = fs::read_to_string(fuzz_folder().join("Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is not in Cargo.toml");
    }
}

#[test]
fn seeds_and_found_inputs_pass() {
    for (name, check) in ALL {
        let mut n_seeds = 0;
        for entry in fs::read_dir(fuzz_folder().join("corpus").join(name)).unwrap() {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            if let Err(panic) = std::panic::catch_unwind(|| check(&bytes)) {
                let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
                panic!("{}: {}", path.display(), said.unwrap_or("it panicked"));
            }
            n_seeds += 1;
        }
        assert!(n_seeds >= 2, "{name} has {n_seeds} seeds");
    }
}
