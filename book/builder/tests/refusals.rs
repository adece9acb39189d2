//! Plants one fault at a time in a book that builds, and sees that the build fails and names the page.

#![allow(clippy::unwrap_used)]

mod sample;

use std::fs;

const CHAPTER: &str = "book/src/05-attention.md";

/// Builds the sample after `from` became `to` in `file`; gives the error.
fn error_after(file: &str, from: &str, to: &str) -> String {
    let repository = sample::repository();
    let text = fs::read_to_string(repository.path().join(file)).unwrap();
    assert!(text.contains(from), "{file} does not contain {from}");
    sample::write(repository.path(), file, &text.replace(from, to));
    match book::build(repository.path(), &repository.path().join("out")) {
        Ok(_) => panic!("{from} became {to} in {file}, and the book was built"),
        Err(error) => format!("{error:#}"),
    }
}

/// Builds the chapter after `from` became `to`; the error must contain all of `parts`.
fn refused(from: &str, to: &str, parts: &[&str]) {
    let error = error_after(CHAPTER, from, to);
    for part in parts.iter().chain(&["05-attention.md"]) {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

#[test]
fn a_missing_anchor_names_page_line_and_anchor() {
    refused("mask.rs:mask", "mask.rs:masks", &["05-attention.md:10", "mask.rs", "ANCHOR: masks"]);
}

#[test]
fn a_missing_file_names_it() {
    refused("mask.rs:mask", "masks.rs:mask", &["05-attention.md:10", "chapters/05-attention/src/masks.rs"]);
}

#[test]
fn an_empty_listing_is_refused() {
    let error = error_after("chapters/05-attention/src/mask.rs", "// ANCHOR: inner", "// ANCHOR_END: mask");
    assert!(error.contains("05-attention.md:10"), "{error}");
}

#[test]
fn a_missing_section_lists_those_there_are() {
    refused("#weights", "#weight", &["05-attention.md:16", "`weight`", "`weights`"]);
}

#[test]
fn a_missing_figure_names_where_it_was_sought() {
    refused("#figure loss", "#figure lost", &["tests/snapshots/figures/lost.svg", "book/src/figures/lost.svg"]);
}

#[test]
fn a_directive_in_a_sentence_is_refused() {
    refused("Never subtract", "See {{#output 05-attention}}. Never subtract", &["alone on its line"]);
}

#[test]
fn a_figure_in_a_code_block_is_refused() {
    refused("{{#output 05-attention#weights}}", "{{#figure loss \"Loss\"}}", &["code block"]);
}

#[test]
fn an_output_outside_a_code_block_is_refused() {
    refused("Never subtract the mask twice.", "\n\n{{#output 05-attention}}\n", &["```"]);
}

#[test]
fn two_files_under_one_name_are_refused() {
    let both = "{{#output 05-attention}}\n{{#include ../../chapters/05-attention/src/mask.rs}}";
    refused("{{#include ../../chapters/05-attention/src/mask.rs:mask}}", both, &["code block of its own"]);
}

#[test]
fn an_unknown_command_of_mathematics_is_refused() {
    refused("\\operatorname{softmax}", "\\softmx", &["softmx"]);
}

#[test]
fn a_link_to_no_page_is_refused() {
    refused("glossary.md#score", "glossery.md#score", &["glossery.md#score", "leads nowhere"]);
}

#[test]
fn a_link_to_no_heading_is_refused() {
    refused("glossary.md#score", "glossary.md#scores", &["glossary.md#scores", "leads nowhere"]);
}

#[test]
fn a_warning_of_mdbook_is_an_error() {
    // The PDF has no objection to a footnote that nobody cites.
    refused(" and a note.[^note]", ".", &["mdBook warned", "`note`", "not referenced"]);
    refused("</details>", "", &["unclosed HTML tag `<details>`"]);
}

#[test]
fn html_that_the_pdf_would_lose_is_refused() {
    refused("<summary>Hint</summary>", "<summary>Hint</summary><video></video>", &["<video>"]);
}

#[test]
fn a_character_that_no_font_has_is_refused() {
    refused("Never subtract", "ᚠ Never subtract", &["ᚠ"]);
}

#[test]
fn a_skipped_heading_level_is_refused() {
    refused("## The mask", "### The mask", &["`The mask` skips a level"]);
}

#[test]
fn a_page_that_the_summary_promises_must_exist() {
    let error = error_after("book/src/SUMMARY.md", "(glossary.md)", "(glosary.md)");
    assert!(error.contains("glosary.md"), "{error}");
}
