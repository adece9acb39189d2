//! Planted bug: what is still begun at the end of the text is dropped when its block is open.

/// The paragraphs of `text`, in order.
pub fn paragraphs(text: &str) -> Vec<&str> {
    let mut paragraphs = Vec::new();
    let mut start: Option<usize> = None;
    let mut open: Option<(char, usize)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if let Some((mark, n_marks)) = open {
            let closes = fence(line).is_some_and(|(other, n, label)| other == mark && n >= n_marks && label.is_empty());
            if closes {
                open = None;
            }
        } else if line.trim().is_empty() {
            paragraphs.extend(start.take().map(|start| without_break(&text[start..at])));
        } else {
            start.get_or_insert(at);
            open = fence(line).map(|(mark, n_marks, _)| (mark, n_marks));
        }
        at += line.len();
    }
    if open.is_none() {
        paragraphs.extend(start.map(|start| without_break(&text[start..])));
    }
    paragraphs
}

/// The mark of a fence, how many of them, and what stands behind them.
fn fence(line: &str) -> Option<(char, usize, &str)> {
    let mark = line.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let rest = line.trim_start_matches(mark);
    let n_marks = line.len() - rest.len();
    (n_marks >= 3).then_some((mark, n_marks, rest.trim()))
}

fn without_break(paragraph: &str) -> &str {
    paragraph.strip_suffix('\n').unwrap_or(paragraph)
}
