//! Masks personal data: e-mail addresses and telephone numbers.
//!
//! The page stays, the person goes: each address or number becomes a placeholder word. FineWeb (arXiv:2406.17557,
//! section 3) and Dolma (arXiv:2402.00159) do this with regular expressions as well. What patterns cannot see
//! (`mara at example dot com`, names, street addresses) stays in the text; a pattern is a floor, not a guarantee.
//!
//! Masking stands before deduplication: two copies of a page that differ only in the address are then equal.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde::{Deserialize, Serialize};

use crate::setting::{InvalidSetting, holds};

// ANCHOR: patterns
/// An e-mail address.
const EMAIL: &str = r"[A-Za-z0-9][A-Za-z0-9._%+-]*@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}";

/// A telephone number: `+44 20 5550 0142`, `(555) 555-0142`, `555.555.0142`, `555-0142`. Seven digits need a hyphen,
/// or every decimal fraction would be a number to call, and must not end in a year, or the standard IEEE 754-2019 would.
const PHONE: &str = r"(?x)
    \+\d{1,3} (?: [\ .-]? \(?\d{2,4}\)? ){2,5}
  | \(\d{3}\) \ ? \d{3} [\ .-] \d{4}
  | \d{3} [\ .-] \d{3} [\ .-] \d{4}
  | \d{3} - (?: 0\d{3} | 1[0-8]\d{2} | 2[1-9]\d{2} | [3-9]\d{3} )";
// ANCHOR_END: patterns

/// The words that stand where personal data stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PiiConfig {
    /// Replaces an e-mail address.
    pub email_placeholder: String,
    /// Replaces a telephone number.
    pub phone_placeholder: String,
}

impl Default for PiiConfig {
    fn default() -> Self {
        Self { email_placeholder: "<EMAIL>".into(), phone_placeholder: "<PHONE>".into() }
    }
}

impl PiiConfig {
    /// Refuses placeholders that would be masked again.
    ///
    /// # Errors
    /// The placeholder that looks like personal data.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        let rule = "choose a word that is neither an address nor a number, such as <EMAIL>";
        let plain = |word: &str| mask(word, &PiiConfig::default()).spans.is_empty();
        holds(plain(&self.email_placeholder), "pii.email_placeholder", &self.email_placeholder, rule)?;
        holds(plain(&self.phone_placeholder), "pii.phone_placeholder", &self.phone_placeholder, rule)
    }
}

/// A text without its personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked {
    /// The text with placeholders.
    pub text: String,
    /// What was masked, in order: addresses first, then numbers.
    pub spans: Vec<String>,
}

// ANCHOR: mask
/// Replaces every e-mail address and telephone number.
pub fn mask(text: &str, config: &PiiConfig) -> Masked {
    let mut spans = Vec::new();
    let text = EMAIL_PATTERN.replace_all(text, |found: &Captures| {
        spans.push(found[0].to_string());
        config.email_placeholder.clone()
    });
    let masked = PHONE_PATTERN.replace_all(&text, |found: &Captures| {
        if stands_alone(&text, found) {
            spans.push(found[0].to_string());
            config.phone_placeholder.clone()
        } else {
            found[0].to_string()
        }
    });
    Masked { text: masked.into_owned(), spans }
}
// ANCHOR_END: mask

/// Is the match a word of its own, rather than the middle of a longer number, identifier or fraction?
fn stands_alone(text: &str, found: &Captures) -> bool {
    let Some(span) = found.get(0) else { return false };
    let before = text[..span.start()].chars().next_back();
    let mut after = text[span.end()..].chars();
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '/' | '=');
    let (next, next_but_one) = (after.next(), after.next());
    let goes_on = next.is_some_and(joins) || (next == Some('.') && next_but_one.is_some_and(|c| c.is_ascii_digit()));
    !before.is_some_and(|c| joins(c) || c == '.') && !goes_on
}

static EMAIL_PATTERN: LazyLock<Regex> = LazyLock::new(|| constant(EMAIL));
static PHONE_PATTERN: LazyLock<Regex> = LazyLock::new(|| constant(PHONE));

#[allow(clippy::expect_used)]
fn constant(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns are constants, and every test of this file compiles them")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        mask(text, &PiiConfig::default()).text
    }

    #[test]
    fn addresses_become_a_placeholder() {
        assert_eq!(masked("Write to mara.f+inn@post.example.org."), "Write to <EMAIL>.");
        assert_eq!(masked("a@example.com,b@example.com"), "<EMAIL>,<EMAIL>");
    }

    #[test]
    fn numbers_become_a_placeholder() {
        for number in
            ["555-0142", "(555) 555-0142", "555 555-0142", "555.555.0142", "+1 555 555 0142", "+44 20 5550 0142"]
        {
            assert_eq!(masked(&format!("Call {number}.")), "Call <PHONE>.", "{number}");
            assert_eq!(mask(number, &PiiConfig::default()).spans, [number]);
        }
    }

    #[test]
    fn what_only_looks_like_personal_data_stays() {
        for text in [
            "It is 2015-05-15 today.",
            "The address is 127.0.0.1:8080.",
            "A mile has 1609.3440 metres, and 123.4567 is a fraction.",
            "The id is 67e55044-10b1-426f-9247-bb680e5fe0c8.",
            "The walk takes 10-12 hours; see pages 100-120.",
            "Floating-point numbers follow IEEE 754-2019, characters ISO 646-1973.",
            "Use #[derive(Debug)] @ home.",
            "x = 1_555-0142",
        ] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn masking_twice_changes_nothing() {
        let once = masked("Mara: mara@example.com, (555) 555-0142.");
        assert_eq!(masked(&once), once);
    }

    #[test]
    fn a_placeholder_must_not_be_personal_data() {
        let config = PiiConfig { email_placeholder: "email@example.com".into(), ..Default::default() };
        assert!(config.validate().unwrap_err().to_string().contains("pii.email_placeholder is email@example.com"));
    }
}
