//! Which lines of a text are code: those between fences of three or more backticks.
//!
//! Extraction writes code so. Code has no language and no sentences, so what judges prose leaves it out.

/// The lines of `text`, each with whether it is prose; a fence is none.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (&str, bool)> {
    // The length of the fence that opened a block: a shorter one is code inside it.
    let mut open_fence = None;
    text.lines().map(move |line| {
        let line_start = line.trim_start();
        let fence = line_start.len() - line_start.trim_start_matches('`').len();
        match open_fence {
            None if fence >= 3 => open_fence = Some(fence),
            None => return (line, true),
            Some(opening) if fence >= opening => open_fence = None,
            Some(_) => {}
        }
        (line, false)
    })
}

/// The lines of `text` outside fenced code blocks.
pub(crate) fn prose(text: &str) -> String {
    let mut prose = String::with_capacity(text.len());
    for (line, _) in lines(text).filter(|(_, is_prose)| *is_prose) {
        prose.push_str(line);
        prose.push('\n');
    }
    prose
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_closed_by_one_at_least_as_long() {
        let text = "Before.\n````markdown\n```\ncode\n```\nstill code\n````\nBetween.\n```\ncode\n`````\nAfter.";
        assert_eq!(prose(text), "Before.\nBetween.\nAfter.\n");
    }
}
