//! Masks personal data and secrets: e-mail addresses, telephone numbers, network addresses, cards, keys.
//!
//! The page stays, the person goes: each address or number becomes a placeholder word. FineWeb (arXiv:2406.17557,
//! section 3) and Dolma (arXiv:2402.00159) do this with regular expressions as well. What patterns cannot see
//! (`mara at example dot com`, names, street addresses) stays in the text; a pattern is a floor, not a guarantee.
//!
//! What only looks like personal data is kept, or the text would suffer: network addresses that belong to nobody
//! (private, of this machine, kept for documentation), numbers of a card's length that fail Luhn's check, and version
//! numbers and those of sections.
//!
//! Masking stands before deduplication: two copies of a page that differ only in the address are then equal.

mod patterns;

use std::ops::Range;

use regex::Captures;
use serde::{Deserialize, Serialize};

pub use self::patterns::luhn;
use self::patterns::{is_card, is_mailbox, is_phone, is_public_ip, looks_random, pattern};
use crate::setting::{InvalidSetting, holds};

/// A kind of personal data, in the order in which they are looked for: a card's number is no telephone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PiiKind {
    /// Access keys, tokens and private keys.
    Key,
    /// E-mail addresses.
    Email,
    /// Payment cards.
    Card,
    /// Telephone numbers.
    Phone,
    /// Public addresses of the internet protocol.
    Ip,
}

impl PiiKind {
    /// All kinds in order.
    pub const ALL: [Self; 5] = [Self::Key, Self::Email, Self::Card, Self::Phone, Self::Ip];
}

// ANCHOR: pii_config
/// The words that stand where personal data stood; an empty one leaves its kind alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PiiConfig {
    /// Replaces an e-mail address.
    pub email_placeholder: String,
    /// Replaces a telephone number.
    pub phone_placeholder: String,
    /// Replaces a public network address.
    pub ip_placeholder: String,
    /// Replaces the number of a card.
    pub card_placeholder: String,
    /// Replaces a key.
    pub key_placeholder: String,
}
// ANCHOR_END: pii_config

impl Default for PiiConfig {
    fn default() -> Self {
        Self {
            email_placeholder: "<EMAIL>".into(),
            phone_placeholder: "<PHONE>".into(),
            ip_placeholder: "<IP>".into(),
            card_placeholder: "<CARD>".into(),
            key_placeholder: "<KEY>".into(),
        }
    }
}

impl PiiConfig {
    /// What stands where data of a kind stood.
    pub fn placeholder(&self, kind: PiiKind) -> &str {
        match kind {
            PiiKind::Key => &self.key_placeholder,
            PiiKind::Email => &self.email_placeholder,
            PiiKind::Card => &self.card_placeholder,
            PiiKind::Phone => &self.phone_placeholder,
            PiiKind::Ip => &self.ip_placeholder,
        }
    }

    /// Refuses placeholders that would be masked again.
    ///
    /// # Errors
    /// The placeholder that looks like personal data.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        let rule = "choose a word that is neither an address nor a number, such as <EMAIL>";
        let plain = |word: &str| mask(word, &PiiConfig::default()).spans.is_empty();
        for (name, word) in [
            ("pii.email_placeholder", &self.email_placeholder),
            ("pii.phone_placeholder", &self.phone_placeholder),
            ("pii.ip_placeholder", &self.ip_placeholder),
            ("pii.card_placeholder", &self.card_placeholder),
            ("pii.key_placeholder", &self.key_placeholder),
        ] {
            holds(plain(word), name, word, rule)?;
        }
        Ok(())
    }
}

/// A text without its personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked {
    /// The text with placeholders.
    pub text: String,
    /// What was masked, kind by kind in the order of [`PiiKind::ALL`].
    pub spans: Vec<String>,
    /// The kind of each span.
    pub kinds: Vec<PiiKind>,
}

// ANCHOR: mask
/// Replaces personal data of every kind that has a placeholder.
pub fn mask(text: &str, config: &PiiConfig) -> Masked {
    let mut masked = Masked { text: text.to_string(), spans: Vec::new(), kinds: Vec::new() };
    for kind in PiiKind::ALL {
        let placeholder = config.placeholder(kind);
        if placeholder.is_empty() {
            continue;
        }
        let (mut text, mut end) = (String::with_capacity(masked.text.len()), 0);
        for found in pattern(kind).captures_iter(&masked.text) {
            let Some(span) = personal(kind, &masked.text, &found) else { continue };
            masked.spans.push(masked.text[span.clone()].to_string());
            masked.kinds.push(kind);
            text.push_str(&masked.text[end..span.start]);
            text.push_str(placeholder);
            end = span.end;
        }
        text.push_str(&masked.text[end..]);
        masked.text = text;
    }
    masked
}

/// Words before numbers of four parts that are no addresses.
const NUMBERED: [&str; 7] = ["version", "release", "v", "section", "chapter", "figure", "clause"];

/// Where in a match the data is, if the match is no accident.
fn personal(kind: PiiKind, text: &str, found: &Captures) -> Option<Range<usize>> {
    let span = found.get(0)?;
    let is_personal = match kind {
        PiiKind::Email => is_mailbox(span.as_str()),
        PiiKind::Phone => {
            stands_alone(text, span.range()) && !is_among_groups(text, span.range()) && is_phone(span.as_str())
        }
        PiiKind::Card => stands_alone(text, span.range()) && is_card(span.as_str()),
        PiiKind::Ip => {
            let is_numbering = is_behind_word(&text[..span.start()], &NUMBERED);
            is_host(text, span.range()) && is_public_ip(span.as_str()) && !is_numbering
        }
        PiiKind::Key => {
            if let Some(value) = found.name("value") {
                return looks_random(value.as_str()).then(|| value.range());
            }
            !text[..span.start()].ends_with(|c: char| c.is_alphanumeric() || c == '_')
        }
    };
    is_personal.then(|| span.range())
}
// ANCHOR_END: mask

/// Is the match a word of its own, rather than the middle of a longer number, identifier or fraction?
fn stands_alone(text: &str, span: Range<usize>) -> bool {
    stands_between(text[..span.start].chars().next_back(), &text[span.end..])
}

fn stands_between(before: Option<char>, after: &str) -> bool {
    let joins = |c: char| is_joined(c) || matches!(c, '_' | '-' | '+' | '/');
    let mut after = after.chars();
    let (next, next_but_one) = (after.next(), after.next());
    let goes_on = next.is_some_and(|c| joins(c) || c == '=')
        || (next == Some('.') && next_but_one.is_some_and(|c| c.is_ascii_digit()));
    // After `key=` stands a value.
    !before.is_some_and(|c| joins(c) || c == '.') && !goes_on
}

/// Do more groups of digits stand beside those of the match, as in the number of a card?
fn is_among_groups(text: &str, span: Range<usize>) -> bool {
    let is_group =
        |start: Option<char>, next: Option<char>| start == Some(' ') && next.is_some_and(|c| c.is_ascii_digit());
    let (mut before, mut after) = (text[..span.start].chars().rev(), text[span.end..].chars());
    let has_sign = text[span.start..].starts_with(['+', '(']);
    !has_sign && is_group(before.next(), before.next()) || is_group(after.next(), after.next())
}

/// Letters of scripts without spaces between words are no part of a number.
fn is_joined(c: char) -> bool {
    c.is_alphanumeric() && !matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}')
}

/// Is the match an address by its neighbours? Behind the `//` of a URL it is one, and a path or the size of a network may follow.
/// A slash alone before it is a path's: there it is a version.
fn is_host(text: &str, span: Range<usize>) -> bool {
    let before = text[..span.start].chars().next_back().filter(|_| !text[..span.start].ends_with("//"));
    let after = &text[span.end..];
    stands_between(before, if after.starts_with('/') { "" } else { after })
}

/// Is the last word of `text` one of `words`?
fn is_behind_word(text: &str, words: &[&str]) -> bool {
    let last = text.trim_end().rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    words.iter().any(|word| word.eq_ignore_ascii_case(last))
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
            "On 01 12 2023 10 boats came in.",
        ] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn cards_keys_and_public_addresses_become_placeholders() {
        for (text, expected) in [
            ("Pay with 4111 1111 1111 1111 today.", "Pay with <CARD> today."),
            ("Pay with 378282246310005 or 3782-822463-10005.", "Pay with <CARD> or <CARD>."),
            ("The server 8.8.4.4 and 2606:4700:4700::1111 answer.", "The server <IP> and <IP> answer."),
            ("AKIAIOSFODNN7EXAMPLE is a key.", "<KEY> is a key."),
            ("token: \"c2VjcmV0LXNlY3JldC1zZWNyZXQ0Mg==\"", "token: \"<KEY>\""),
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIB+/=\n-----END RSA PRIVATE KEY-----", "<KEY>"),
        ] {
            assert_eq!(masked(text), expected);
        }
    }

    #[test]
    fn what_only_has_the_form_of_a_card_key_or_address_stays() {
        for text in [
            "The order 4111 1111 1111 1112 fails the check.",
            "The number 1234567812345670 has no issuer.",
            "The local server is 192.168.1.20, the example 203.0.113.9 and 2001:db8::1.",
            "It came with version 4.12.3.1 and v8.8.8.8, see RFC 4291, section 2.5.5.1.",
            "Clone ssh://git@github.com/a/b.",
            "The path std::fmt::add and the address 1.2.3.4.5 are none.",
            "The key = get_the_value_of_the_environment is code.",
            "The commit is 67e5504410b1426f9247bb680e5fe0c867e55044.",
        ] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn an_empty_placeholder_leaves_its_kind_alone() {
        let config = PiiConfig { email_placeholder: String::new(), ..Default::default() };
        config.validate().unwrap();
        assert_eq!(mask("a@example.com or 555-0142", &config).text, "a@example.com or <PHONE>");
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
