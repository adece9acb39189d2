//! Cuts a listing out of a source file by its anchor.
//!
//! A listing is the lines between a line that contains `ANCHOR: name` and one that contains `ANCHOR_END: name`. Anchors
//! may nest or overlap, so the marker lines of *other* anchors are left out of a listing too. It refuses an anchor that is missing, that never ends, that occurs
//! twice, or that encloses nothing.

use anyhow::{Result, bail};

/// The lines of `anchor` in `source`, or all lines without one; without markers and without blank lines around them.
///
/// # Errors
/// A missing, open, repeated or empty anchor; an empty file.
pub fn listing(source: &str, anchor: Option<&str>) -> Result<String> {
    let lines = match anchor {
        Some(anchor) => anchored_lines(source, anchor)?,
        None => source.lines().collect(),
    };
    let text = lines.into_iter().filter(|line| marker(line).is_none()).collect::<Vec<_>>().join("\n");
    let text = text.trim_matches('\n').trim_end();
    if text.trim().is_empty() {
        bail!("the listing is empty");
    }
    Ok(text.to_string())
}

fn anchored_lines<'a>(source: &'a str, anchor: &str) -> Result<Vec<&'a str>> {
    let at = |wanted: Marker| -> Vec<usize> {
        source.lines().enumerate().filter(|(_, line)| marker(line) == Some(wanted)).map(|(at, _)| at).collect()
    };
    match (at(Marker::Start(anchor)).as_slice(), at(Marker::End(anchor)).as_slice()) {
        ([], _) => bail!("there is no `ANCHOR: {anchor}`"),
        (_, []) => bail!("`ANCHOR: {anchor}` has no `ANCHOR_END: {anchor}`"),
        (&[start], &[end]) if start < end => Ok(source.lines().take(end).skip(start + 1).collect()),
        (&[_], &[_]) => bail!("`ANCHOR_END: {anchor}` stands before `ANCHOR: {anchor}`"),
        _ => bail!("anchor {anchor} occurs more than once"),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marker<'a> {
    Start(&'a str),
    End(&'a str),
}

fn marker(line: &str) -> Option<Marker<'_>> {
    let name_after = |key: &str| {
        let rest = line.split_once(key)?.1.trim_start();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').unwrap_or(rest.len());
        (end > 0).then(|| &rest[..end])
    };
    name_after("ANCHOR_END:").map(Marker::End).or_else(|| name_after("ANCHOR:").map(Marker::Start))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
// ANCHOR: outer
fn a() {}
// ANCHOR: inner
fn b() {}
// ANCHOR_END: inner
// ANCHOR_END: outer
fn c() {}
// ANCHOR: hollow
// ANCHOR_END: hollow
// ANCHOR: open
";

    #[test]
    fn nested_markers_are_left_out() {
        assert_eq!(listing(SOURCE, Some("outer")).unwrap(), "fn a() {}\nfn b() {}");
        assert_eq!(listing(SOURCE, Some("inner")).unwrap(), "fn b() {}");
        assert_eq!(listing(SOURCE, None).unwrap(), "fn a() {}\nfn b() {}\nfn c() {}");
    }

    #[test]
    fn indentation_of_the_first_line_is_kept() {
        assert_eq!(listing("// ANCHOR: x\n    a\n  b\n// ANCHOR_END: x", Some("x")).unwrap(), "    a\n  b");
    }

    #[test]
    fn refuses_missing_open_empty_and_repeated_anchors() {
        for anchor in ["absent", "open", "hollow", "out"] {
            assert!(listing(SOURCE, Some(anchor)).is_err(), "{anchor} was accepted");
        }
        assert!(listing(&SOURCE.repeat(2), Some("inner")).is_err());
        assert!(listing("\n\n", None).is_err());
    }
}
