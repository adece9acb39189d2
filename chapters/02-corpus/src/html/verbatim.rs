//! Code blocks: the text of `<pre>`, letter by letter, between fences.
//!
//! Nothing inside is collapsed, and marks of colour are no text. Two things still break lines: `<br>`, and the boxes that some
//! highlighters put around each line. One thing goes: the signature below a message. The fence is longer than any run of backticks in the code (CommonMark 0.31, section 4.5).

use super::phrases::without_signature;
use super::role::Role;

/// The open `<pre>`, if there is one.
#[derive(Debug, Default)]
pub(super) struct Verbatim {
    code: String,
    /// `<pre>` inside `<pre>` happens in broken pages.
    n_open: usize,
}

impl Verbatim {
    pub fn is_open(&self) -> bool {
        self.n_open > 0
    }

    pub fn push(&mut self, text: &str) {
        self.code.push_str(text);
    }

    pub fn open(&mut self, role: Role) {
        match role {
            Role::Pre => self.n_open += 1,
            Role::Break => self.code.push('\n'),
            Role::Block | Role::Item | Role::Row => self.end_line(),
            _ => {}
        }
    }

    /// The code with its fences, when the outermost `<pre>` closes and is not empty.
    pub fn close(&mut self, role: Role) -> Option<String> {
        match role {
            Role::Pre => self.n_open -= 1,
            Role::Block | Role::Item | Role::Row => self.end_line(),
            _ => {}
        }
        if self.is_open() {
            return None;
        }
        let code = std::mem::take(&mut self.code);
        let code = without_plain_signature(&code).trim_end().trim_start_matches(['\n', '\r']);
        if code.is_empty() {
            return None;
        }
        let fence = "`".repeat(longest_run_of_backticks(code).max(2) + 1);
        Some(format!("{fence}\n{code}\n{fence}"))
    }

    fn end_line(&mut self) {
        if !self.code.is_empty() && !self.code.ends_with('\n') {
            self.code.push('\n');
        }
    }
}

/// A message, set as it was typed, without its signature; nothing if the signature has a box of its own. Lines that could be code
/// are none.
fn without_plain_signature(message: &str) -> &str {
    let body = without_signature(message.trim_end());
    let has_code = message[body.len()..].contains([';', '=', '{', '}', '(', ')']);
    if has_code { message } else { body }
}

fn longest_run_of_backticks(code: &str) -> usize {
    code.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}
