//! A chapter depends on lower numbers only, and no chapter depends on the root.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use llm_from_scratch::chapters::CHAPTERS;

/// A package with the packages that it depends on.
type Dependencies = (String, Vec<String>);

/// Package name to chapter number, and each chapter's dependencies of any kind.
fn chapters() -> (BTreeMap<String, usize>, Vec<Dependencies>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("chapters");
    let (mut numbers, mut dependencies) = (BTreeMap::new(), Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let (number, name) = path.file_name().unwrap().to_str().unwrap().split_once('-').unwrap();
        let manifest: toml::Table = std::fs::read_to_string(path.join("Cargo.toml")).unwrap().parse().unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some(name), "the package is named for its folder");
        let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
        let names =
            tables.iter().filter_map(|table| manifest.get(*table)?.as_table()).flat_map(|table| table.keys().cloned());
        numbers.insert(name.to_string(), number.parse().unwrap());
        dependencies.push((name.to_string(), names.collect()));
    }
    (numbers, dependencies)
}

/// What is wrong with a chapter's dependencies.
fn faults(numbers: &BTreeMap<String, usize>, dependencies: &[Dependencies]) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, needs) in dependencies {
        for other in needs {
            if numbers.get(other).is_some_and(|number| *number >= numbers[name]) {
                faults.push(format!("{name} depends on {other}, which does not come before it"));
            }
            if other == "llm-from-scratch" {
                faults.push(format!("{name} depends on the root"));
            }
        }
    }
    faults
}

#[test]
fn a_chapter_depends_on_lower_numbers_only() {
    let (numbers, dependencies) = chapters();
    assert_eq!(faults(&numbers, &dependencies), Vec::<String>::new());
    assert_eq!(numbers.len(), CHAPTERS.len());
}

#[test]
fn planted_dependencies_are_seen() {
    let (numbers, mut dependencies) = chapters();
    dependencies.push(("tensors".to_string(), vec!["attention".to_string(), "llm-from-scratch".to_string()]));
    assert_eq!(faults(&numbers, &dependencies).len(), 2);
}

#[test]
fn the_program_lists_the_chapters_that_exist() {
    let (numbers, _) = chapters();
    for chapter in CHAPTERS {
        assert_eq!(numbers.get(chapter.name), Some(&chapter.number));
    }
}
