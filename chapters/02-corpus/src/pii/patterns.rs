//! The patterns of personal data and secrets, one a kind, and the checks that a pattern cannot make.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use regex::Regex;

use super::PiiKind;

// ANCHOR: patterns
/// An e-mail address.
/// Letters are those of scripts that set spaces between words, or the sentence around the address would go with it.
const EMAIL: &str = r"(?x)
    [\p{Latin}\p{Greek}\p{Cyrillic}0-9_] [\p{Latin}\p{Greek}\p{Cyrillic}0-9._%+'-]*
    @ (?: [\p{Latin}\p{Greek}\p{Cyrillic}0-9-]+ \. )+ [\p{Latin}\p{Greek}\p{Cyrillic}]{2,}";

/// A telephone number. With `+` or `00` anything of a number's length; in North America 3, 3 and 4 digits; where a number begins
/// with 0, groups that no date has; and the mobile forms of Spain, Russia, Brazil and China. Seven digits need a
/// hyphen, or every decimal fraction would be a number to call, and must not end in a year, or the standard
/// IEEE 754-2019 would.
const PHONE: &str = r"(?x)
    \+ [1-9] (?: [\ .()/-]{0,3} \d ){7,14}
  | 00 \ ? [1-9] \d{0,2} (?: [\ -] \d{1,6} ){2,5}
  | (?: 1 [\ .-] )? \(\d{3}\) \ ? \d{3} [\ .-] \d{4}
  | (?: 1 [\ .-] )? \d{3} [\ .-] \d{3} [\ .-] \d{4}
  | 8 \  \(\d{3}\) \  \d{3} - \d{2} - \d{2}
  | \(\d{2}\) \  9? \d{4} - \d{4}
  | \(0 [1-9] \d{0,3}\) \ ? \d{3,8} (?: [\ -] \d{2,4} ){0,3}
  | 0 [1-9] \d{0,3} (?: (?: \  \d{2,4} ){2,4} | (?: - \d{2,4} ){2,3} )
  | 0 [1-9] \d{1,4} [\ /-] \d{5,8}
  | 0 [1-9] (?: \. \d{2} ){4}
  | [69] \d{2} (?: \  \d{2} ){3}
  | 1 [3-9] \d \  \d{4} \  \d{4}
  | \d{3} - (?: 0\d{3} | 1[0-8]\d{2} | 2[1-9]\d{2} | [3-9]\d{3} )";

/// An address of the internet protocol, version 4 or 6; the second form needs two colons.
const IP: &str = r"(?:::ffff:)?\d{1,3}(?:\.\d{1,3}){3}|[23][0-9A-Fa-f]{3}:(?:[0-9A-Fa-f]{0,4}:){1,6}[0-9A-Fa-f]{0,4}";

/// The number of a payment card, in one piece or in the groups that are printed on it.
const CARD: &str = r"(?x)
    \d{4} \  \d{4} \  \d{4} \  \d{4} (?: \  \d{3} )? | \d{4} - \d{4} - \d{4} - \d{4}
  | \d{4} \  \d{6} \  \d{4,5} | \d{4} - \d{6} - \d{4,5}
  | \d{13,19}";

/// Keys that say what they are: AWS, GitHub, Slack, Google, Stripe, OpenAI, JSON web tokens, blocks of private keys.
/// Anything else of twenty characters counts only behind `key =` and the like: group `value`.
const KEY: &str = r#"(?x)
    (?: AKIA | ASIA ) [A-Z2-7]{16}
  | gh[pousr]_ [A-Za-z0-9]{36,} | github_pat_ [A-Za-z0-9_]{22,}
  | xox[abprs]- [A-Za-z0-9-]{10,}
  | AIza [A-Za-z0-9_-]{35} | [sr]k_live_ [A-Za-z0-9]{24,} | sk- [A-Za-z0-9_-]{32,}
  | eyJ [A-Za-z0-9_-]{8,} \. eyJ [A-Za-z0-9_-]{8,} \. [A-Za-z0-9_-]{8,}
  | -----BEGIN\ (?:[A-Z]+\ )*PRIVATE\ KEY----- [A-Za-z0-9+/=\s\\:,.-]*? -----END\ (?:[A-Z]+\ )*PRIVATE\ KEY-----
  | (?i: (?: api | access | secret | private | auth )? [_-]? (?: key | secret | token | passwd | password ) )
    ["']? \s* [:=] \s* ["']? (?<value> [A-Za-z0-9+/_-]{20,} ={0,2} )"#;
// ANCHOR_END: patterns

/// The compiled pattern of a kind.
pub(super) fn pattern(kind: PiiKind) -> &'static Regex {
    static PATTERNS: LazyLock<[Regex; 5]> = LazyLock::new(|| [KEY, EMAIL, CARD, PHONE, IP].map(constant));
    &PATTERNS[kind as usize]
}

#[allow(clippy::expect_used)]
fn constant(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns are constants, and every test of this file compiles them")
}

// ANCHOR: luhn
/// Luhn's check, by which the last digit of a card's number guards against typing errors: from the right, every second
/// digit is doubled, and the digits of all of them add up to a multiple of ten. One random number in ten passes.
pub fn luhn(digits: &[u8]) -> bool {
    let doubled = |d: u8| if d > 4 { 2 * d - 9 } else { 2 * d };
    let weighted = digits.iter().rev().enumerate().map(|(i, &d)| u32::from(if i % 2 == 1 { doubled(d) } else { d }));
    !digits.is_empty() && weighted.sum::<u32>() % 10 == 0
}
// ANCHOR_END: luhn

/// Has the number an issuer's first digits, its length, and a right check digit?
pub(super) fn is_card(number: &str) -> bool {
    let digits: Vec<u8> = number.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0').collect();
    let first = |n: usize| digits.iter().take(n).fold(0u32, |number, &d| 10 * number + u32::from(d));
    let issued = match (digits.len(), first(2)) {
        (13 | 16 | 19, 40..=49) => true,
        (16, 51..=55) => true,
        (16, 22..=27) => (2221..=2720).contains(&first(4)),
        (15, 34 | 37) => true,
        (14, 30 | 36 | 38 | 39) => true,
        (16..=19, 35 | 60 | 62 | 64 | 65) => true,
        _ => false,
    };
    issued && luhn(&digits)
}

/// Has a telephone's number a plausible length, and is it neither a date nor a decimal number with a sign?
pub(super) fn is_phone(number: &str) -> bool {
    let n_digits = number.bytes().filter(u8::is_ascii_digit).count();
    let lengths: Vec<usize> = number.split(|c: char| !c.is_ascii_digit()).map(str::len).filter(|&n| n > 0).collect();
    let is_date = lengths.starts_with(&[2, 2, 4]) && !number.starts_with('+');
    let is_decimal = number.starts_with('+') && lengths.len() == 2 && number.contains('.');
    let bounds = match number.trim_start_matches('(').as_bytes() {
        [b'0', b'0', ..] | [b'+', ..] => 7..=15,
        [b'0', ..] => 9..=12,
        _ => 7..=11,
    };
    bounds.contains(&n_digits) && !is_date && !is_decimal
}

/// Ends of names that are files', not hosts': `icon@2x.png`.
const FILE_ENDINGS: [&str; 8] = ["css", "gif", "jpeg", "jpg", "js", "png", "svg", "webp"];

/// Does the part behind the `@` look like a host?
pub(super) fn is_mailbox(address: &str) -> bool {
    let ending = address.rsplit('.').next().unwrap_or_default();
    // `git@github.com:` is how a program is addressed.
    !address.starts_with("git@") && !FILE_ENDINGS.iter().any(|it| ending.eq_ignore_ascii_case(it))
}

/// Is the address one that belongs to somebody: neither private, nor of this machine, nor kept for documentation?
pub(super) fn is_public_ip(address: &str) -> bool {
    if let Ok(v4) = address.parse::<Ipv4Addr>() {
        let [a, b, c, _] = v4.octets();
        let is_shared = a == 100 && (64..128).contains(&b);
        let is_reserved = a == 0 || a >= 240 || (a == 198 && (b == 18 || b == 19)) || (a == 192 && b == 0 && c == 0);
        let is_own = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast();
        return !(is_own || is_shared || is_reserved || v4.is_documentation());
    }
    let Ok(v6) = address.parse::<Ipv6Addr>() else { return false };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return is_public_ip(&v4.to_string());
    }
    let [a, b, ..] = v6.segments();
    let is_documentation = (a == 0x2001 && b == 0x0db8) || (a == 0x3fff && b < 0x1000);
    (0x2000..0x4000).contains(&a) && !is_documentation
}

/// Does a value behind `key =` look drawn at random? A name or a sentence of hyphens has no digits.
pub(super) fn looks_random(value: &str) -> bool {
    let n_digits = value.bytes().filter(u8::is_ascii_digit).count();
    let n_letters = value.bytes().filter(u8::is_ascii_alphabetic).count();
    n_digits >= 3
        && n_letters >= 3
        && value.bytes().filter(|b| matches!(b, b'-' | b'_' | b'/')).count() * 8 <= value.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luhn_sees_every_changed_digit_and_most_swaps() {
        // The worked example of ISO/IEC 7812-1, annex B.
        let digits: Vec<u8> = "49927398716".bytes().map(|b| b - b'0').collect();
        assert!(luhn(&digits) && !luhn(&[]));
        for i in 0..digits.len() {
            for d in (0..10).filter(|d| *d != digits[i]) {
                let mut changed = digits.clone();
                changed[i] = d;
                assert!(!luhn(&changed), "{changed:?}");
            }
        }
        for i in 0..digits.len() - 1 {
            let mut swapped = digits.clone();
            swapped.swap(i, i + 1);
            // Only 09 and 90 look the same to it.
            assert_eq!(
                luhn(&swapped),
                digits[i] == digits[i + 1] || digits[i] + digits[i + 1] == 9 && matches!(digits[i], 0 | 9)
            );
        }
    }

    #[test]
    fn addresses_of_nobody_are_not_public() {
        for nobody in
            ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.1.1", "203.0.113.7", "255.255.255.255", "0.0.0.0"]
        {
            assert!(!is_public_ip(nobody), "{nobody}");
        }
        for nobody in ["2001:db8::1", "fe80::1", "::1", "999.1.1.1", "2001:db8", "2001::1::2"] {
            assert!(!is_public_ip(nobody), "{nobody}");
        }
        assert!(is_public_ip("8.8.8.8") && is_public_ip("2606:4700:4700::1111"));
    }
}
