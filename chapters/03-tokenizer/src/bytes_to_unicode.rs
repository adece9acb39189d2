//! The 256 bytes as 256 printable characters, which is how `tokenizer.json` writes tokens.
//!
//! Problem: a token is a list of bytes, often not valid UTF-8, and JSON holds text. GPT-2 gives each byte a printable
//! character: itself for the 188 bytes that print in Latin-1, and the characters from U+0100 on, in order, for the 68
//! others. So a space is `Ġ` and a line feed is `Ċ`.
//!
//! The order of those characters by code point is also the order of the first 256 ids after the special tokens.
//!
//! Source: Radford et al. 2019, `bytes_to_unicode` in GPT-2's `encoder.py`.

// ANCHOR: byte_alphabet
/// The character that stands for each byte.
pub fn byte_to_char(byte: u8) -> char {
    if prints(byte) {
        return char::from(byte);
    }
    let n_before = (0..byte).filter(|&b| !prints(b)).count() as u32;
    char::from_u32(0x100 + n_before).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The byte that `c` stands for, if it stands for one.
pub fn char_to_byte(c: char) -> Option<u8> {
    match u8::try_from(u32::from(c)) {
        Ok(byte) => prints(byte).then_some(byte),
        Err(_) => (0..=255).filter(|&b| !prints(b)).nth((u32::from(c) as usize).checked_sub(0x100)?),
    }
}

/// All bytes in the order of their characters: the order of their ids.
pub fn bytes_in_id_order() -> [u8; 256] {
    let mut bytes = std::array::from_fn(|i| i as u8);
    bytes.sort_by_key(|&byte| byte_to_char(byte));
    bytes
}

/// Whether Latin-1 has a visible character there: not a control code, a space, or the soft hyphen (0xAD).
fn prints(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF)
}
// ANCHOR_END: byte_alphabet

/// A token's bytes as GPT-2 writes them: one character a byte.
pub fn to_visible(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| byte_to_char(byte)).collect()
}

/// The bytes that `visible` stands for, or the first character that stands for none.
///
/// # Errors
/// The character that is not in the alphabet.
pub fn from_visible(visible: &str) -> Result<Vec<u8>, char> {
    visible.chars().map(|c| char_to_byte(c).ok_or(c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_own_character() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(from_visible(&to_visible(&all)), Ok(all));
        assert_eq!((byte_to_char(b' '), byte_to_char(b'\n')), ('Ġ', 'Ċ'));
        assert_eq!(from_visible("a b"), Err(' '));
    }
}
