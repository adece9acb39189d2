//! Tests of exercise 02.7.

use ex_corpus::e7_paragraphs::paragraphs;

#[test]
fn empty_lines_part_paragraphs() {
    assert_eq!(paragraphs("a\nb\n\nc"), ["a\nb", "c"]);
    assert_eq!(paragraphs("\n\na\n \t\n\n\nb\n\n"), ["a", "b"], "a line of spaces is empty, many are as one");
    assert_eq!(paragraphs("  a \n b  "), ["  a \n b  "], "the spaces of a paragraph stay");
    assert!(paragraphs("").is_empty() && paragraphs("\n\n").is_empty());
}

#[test]
fn a_block_of_code_is_never_cut() {
    let code = "```rust\nlet a = 1;\n\nlet b = 2;\n```";
    assert_eq!(paragraphs(&format!("before\n\n{code}\n\nafter")), ["before", code, "after"]);
    let tildes = "~~~\na\n\n\nb\n~~~";
    assert_eq!(paragraphs(&format!("{tildes}\n\nafter")), [tildes, "after"], "tildes open a block, too");
}

#[test]
fn text_beside_a_block_belongs_to_its_paragraph() {
    let text = "For example:\n```\na\n\nb\n```\nwhich is all.";
    assert_eq!(paragraphs(&format!("{text}\n\nafter")), [text, "after"]);
}

#[test]
fn only_the_same_mark_closes() {
    let code = "```\n~~~\n\n~~~\n\nb\n```";
    assert_eq!(paragraphs(&format!("{code}\n\nafter")), [code, "after"], "tildes do not close backticks");
    let code = "````md\n```\n\na\n```\n\nb\n````";
    assert_eq!(paragraphs(&format!("{code}\n\nafter")), [code, "after"], "three do not close four");
    let code = "```\na\n\n`````";
    assert_eq!(paragraphs(&format!("{code}\n\nafter")), [code, "after"], "five close three");
}

#[test]
fn a_fence_with_a_language_does_not_close() {
    let code = "```\na\n```rust\n\nb\n```  ";
    assert_eq!(
        paragraphs(&format!("{code}\n\nafter")),
        [code, "after"],
        "a label opens, spaces behind a fence do not matter"
    );
}

#[test]
fn an_open_block_runs_to_the_end() {
    assert_eq!(paragraphs("a\n\n```\nb\n\nc\n\nd"), ["a", "```\nb\n\nc\n\nd"]);
}

#[test]
fn two_marks_are_no_fence() {
    assert_eq!(paragraphs("``\na\n\nb\n``"), ["``\na", "b\n``"]);
}
