//! Tests of exercise 02.4. The blocks were written by hand.

use ex_corpus::e4_code_blocks::Piece::{LineBox, LineNumber, Text};
use ex_corpus::e4_code_blocks::fenced;

#[test]
fn text_stays_as_it_is() {
    let code = "def f(x):\n    return  x\n\n\tprint( x )";
    assert_eq!(fenced(&[Text(code)]), format!("```\n{code}\n```"));
    assert_eq!(
        fenced(&[Text("let "), Text("x"), Text(" = 1;")]),
        "```\nlet x = 1;\n```",
        "colours cut a line in pieces"
    );
}

#[test]
fn boxes_around_lines_end_them_once() {
    let pieces = [LineBox, Text("if x {"), LineBox, LineBox, Text("    y"), LineBox, LineBox, Text("}"), LineBox];
    assert_eq!(fenced(&pieces), "```\nif x {\n    y\n}\n```");
    let with_line_ends = [LineBox, Text("a\n"), LineBox, LineBox, Text("\n"), LineBox, LineBox, Text("b\n"), LineBox];
    assert_eq!(fenced(&with_line_ends), "```\na\n\nb\n```", "the code's own blank line stays");
}

#[test]
fn numbers_of_lines_are_no_code() {
    let pieces = [LineNumber("1"), Text("if x {"), LineBox, LineNumber("2"), Text("    y"), LineBox];
    assert_eq!(fenced(&pieces), "```\nif x {\n    y\n```");
    assert_eq!(fenced(&[LineNumber("1\n"), LineNumber("2\n")]), "", "numbers alone are no block");
}

#[test]
fn the_first_line_keeps_its_indentation() {
    assert_eq!(fenced(&[Text("\n\n    indented\nnot\n\n  ")]), "```\n    indented\nnot\n```");
}

#[test]
fn a_fence_is_longer_than_any_run_in_the_code() {
    assert_eq!(fenced(&[Text("```\nx\n```")]), "````\n```\nx\n```\n````");
    assert_eq!(fenced(&[Text("`````")]), "``````\n`````\n``````");
    assert_eq!(fenced(&[Text("`a` `b` `c`")]), "```\n`a` `b` `c`\n```", "six backticks, but no run of three");
}

#[test]
fn no_code_gives_no_fences() {
    assert_eq!(fenced(&[]), "");
    assert_eq!(fenced(&[Text(" \n "), LineBox, Text("\n")]), "");
}
