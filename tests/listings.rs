//! The book takes its code, outputs and figures from the repository, and shows all that is kept for it.
//!
//! Every include, output and figure of `book/src` resolves and is non-empty; every section of every tour's snapshot
//! and every figure is shown by some page; every chapter has its page. mdBook itself would print an empty listing and
//! succeed. The book's builder reads pages with the same code.

#![allow(clippy::unwrap_used)]

// The module stands alone: taking it by path keeps the builder's dependencies (a typesetter) out of `cargo test`.
#[allow(dead_code, unused_imports)]
#[path = "../book/builder/src/pages/mod.rs"]
mod pages;

use std::fs;
use std::path::Path;

#[test]
fn pages_and_repository_agree() {
    let problems = pages::problems(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// A repository with one chapter whose page shows everything.
fn sample() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let page = "# Attention\n\n```rust\n{{#include ../../chapters/05-attention/src/mask.rs:mask}}\n```\n\n\
                ```text\n{{#output 05-attention#weights}}\n```\n\n{{#figure loss \"The loss\"}}\n";
    let files = [
        ("book/src/SUMMARY.md", "- [5 Attention](05-attention.md)\n"),
        ("book/src/05-attention.md", page),
        ("chapters/05-attention/src/mask.rs", "// ANCHOR: mask\nfn mask() {}\n// ANCHOR_END: mask\n"),
        ("tests/snapshots/tours__05-attention.snap", "---\nexpression: out\n---\n== weights ==\n1.000\n"),
        ("tests/snapshots/figures/loss.svg", "<svg/>\n"),
    ];
    for (file, text) in files {
        let file = folder.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    folder
}

/// The only problem after `from` became `to` in `file`.
fn problem_after(file: &str, from: &str, to: &str) -> String {
    let folder = sample();
    let file = folder.path().join(file);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{from} is not there");
    fs::write(&file, text.replace(from, to)).unwrap();
    let problems = pages::problems(folder.path()).unwrap();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].clone()
}

#[test]
fn a_sound_book_has_no_problem() {
    assert_eq!(pages::problems(sample().path()).unwrap(), Vec::<String>::new());
}

#[test]
fn each_planted_fault_is_found() {
    let page = "book/src/05-attention.md";
    let snapshot = "tests/snapshots/tours__05-attention.snap";
    let faults = [
        (page, "mask.rs:mask", "mask.rs:absent", "05-attention.md:4"),
        (page, "mask.rs:mask", "absent.rs:mask", "absent.rs"),
        ("chapters/05-attention/src/mask.rs", "fn mask() {}\n", "", "the listing is empty"),
        (snapshot, "1.000\n", "1.000\n== extra ==\n2.000\n", "no page shows section `extra`"),
        (page, "{{#figure loss \"The loss\"}}", "", "loss.svg is shown by no page"),
    ];
    for (file, from, to, expected) in faults {
        let problem = problem_after(file, from, to);
        assert!(problem.contains(expected), "{problem}");
    }
}

#[test]
fn a_chapter_without_a_page_and_a_page_without_a_link_are_found() {
    let folder = sample();
    fs::create_dir_all(folder.path().join("chapters/06-transformer")).unwrap();
    fs::write(folder.path().join("book/src/orphan.md"), "# Orphan\n").unwrap();
    let problems = pages::problems(folder.path()).unwrap();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("orphan.md") && problems[1].contains("06-transformer"), "{problems:?}");
}
