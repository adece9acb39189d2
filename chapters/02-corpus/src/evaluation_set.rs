//! Reads evaluation sets, so that their questions can be kept out of a corpus.
//!
//! One JSON object a line: `{"question", "answer"}`, or `{"text"}` for a set that has only texts. `answer` may be missing,
//! or a list of right answers; other fields are passed over. A line that is neither is an error with its number: an exam that was
//! read by halves would keep the corpus clean of half an exam.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use crate::decontaminate::TestItem;

/// A longer line is no question.
const MAX_LINE_BYTES: u64 = 16 << 20;

/// Why an evaluation set was not read.
#[derive(Debug, Error)]
pub enum EvaluationSetError {
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A line is no item.
    #[error("{} line {line}: {why}; write {{\"question\", \"answer\"}} or {{\"text\"}}, one object a line", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line's number from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
}

#[derive(Deserialize)]
struct Row {
    question: Option<String>,
    answer: Option<Answer>,
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    One(String),
    Many(Vec<String>),
}

/// The items of a JSONL file; an item with several right answers becomes several.
///
/// # Errors
/// The file cannot be read, or a line is no item.
pub fn read_evaluation_set(path: &Path) -> Result<Vec<TestItem>, EvaluationSetError> {
    let io = |error| EvaluationSetError::Io { path: path.into(), error };
    let mut reader = BufReader::new(File::open(path).map_err(io)?);
    let (mut items, mut bytes, mut line) = (Vec::new(), Vec::new(), 0);
    loop {
        bytes.clear();
        line += 1;
        if reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes).map_err(io)? == 0 {
            return Ok(items);
        }
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        let wrong = |why: String| EvaluationSetError::Line { path: path.into(), line, why };
        let row: Row = serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?;
        let question = row.question.or(row.text).filter(|question| !question.trim().is_empty());
        let question = question.ok_or_else(|| wrong("neither a question nor a text".into()))?;
        let answers = match row.answer {
            None => vec![String::new()],
            Some(Answer::One(answer)) => vec![answer],
            Some(Answer::Many(answers)) if answers.is_empty() => vec![String::new()],
            Some(Answer::Many(answers)) => answers,
        };
        items.extend(answers.into_iter().map(|answer| TestItem { question: question.clone(), answer }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<TestItem>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read_evaluation_set(file.path()).map_err(|e| e.to_string().rsplit('/').next().unwrap().to_string())
    }

    #[test]
    fn questions_texts_and_lists_of_answers_are_read() {
        let items = read(
            "{\"question\": \"Q1?\", \"answer\": \"A\", \"id\": 7}\n\n{\"text\": \"A text.\"}\n{\"question\": \"Q2?\", \"answer\": [\"B\", \"C\"]}",
        );
        let said: Vec<(String, String)> = items.unwrap().into_iter().map(|item| (item.question, item.answer)).collect();
        let expected = [("Q1?", "A"), ("A text.", ""), ("Q2?", "B"), ("Q2?", "C")];
        assert_eq!(said, expected.map(|(question, answer)| (question.to_string(), answer.to_string())));
    }

    #[test]
    fn a_line_that_is_no_item_is_named() {
        let said = read("{\"text\": \"x\"}\n{\"prompt\": \"x\"}\n").unwrap_err();
        assert!(said.contains("line 2: neither a question nor a text"), "{said}");
        assert!(read("{\"text\": \"x\"}\nnonsense").unwrap_err().contains("line 2: expected"));
        assert!(read_evaluation_set(Path::new("no/such")).unwrap_err().to_string().starts_with("cannot read no/such"));
    }
}
