//! `llm corpus extract`: one page in, its text out.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::process::{Command, Output, Stdio};

const PAGE: &str = "<html lang=en><head><title>Tides | Gazette</title><meta name=robots content='noindex, noai'>\
    <link rel=license href=/by-sa></head><body><nav>Home</nav><main><h1>Tides</h1><p>High water is at noon, and \
    low water comes six hours later.</p><pre>a\n  b</pre></main></body></html>";
const TEXT: &str = "# Tides\n\nHigh water is at noon, and low water comes six hours later.\n\n```\na\n  b\n```";

fn extract(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_llm"))
        .args(["corpus", "extract"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A request that is refused does not read its input.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

#[test]
fn a_file_and_standard_input_give_the_same_text() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    std::fs::write(&file, PAGE).unwrap();
    for output in [extract(&[file.to_str().unwrap()], b""), extract(&["-"], PAGE.as_bytes())] {
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{TEXT}\n"));
    }
}

#[test]
fn json_adds_what_the_page_says_about_itself() {
    let output = extract(&["-", "--json"], PAGE.as_bytes());
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected =
        serde_json::json!({"title": "Tides | Gazette", "text": TEXT, "licence": "/by-sa", "robots": "noindex, noai"});
    assert_eq!(found, expected);
    let silent: serde_json::Value = serde_json::from_slice(&extract(&["-", "--json"], b"").stdout).unwrap();
    assert_eq!(silent, serde_json::json!({"title": null, "text": "", "licence": null, "robots": null}));
}

#[test]
fn bytes_that_are_no_utf8_are_no_error() {
    let output = extract(&["-"], b"<p>Tide \xff tables are sold on board, as ever.</p>");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "Tide \u{fffd} tables are sold on board, as ever.\n");
}

#[test]
fn a_wrong_request_ends_with_2_and_says_the_way_out() {
    let output = extract(&["no-such-page.html"], b"");
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("no-such-page.html is no file") && message.contains("- for standard input"), "{message}");
    assert_eq!(extract(&[], b"").status.code(), Some(2), "no page at all");
}
