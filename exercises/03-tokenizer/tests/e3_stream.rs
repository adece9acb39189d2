//! Tests of exercise 03.3. What is expected is the standard library's reading of all bytes at once.

use ex_tokenizer::e3_stream::Stream;

/// The pieces of a stream that gets `tokens`, and its end.
fn pieces(tokens: &[&[u8]]) -> Vec<String> {
    let mut stream = Stream::default();
    let mut pieces: Vec<String> = tokens.iter().map(|token| stream.push(token)).collect();
    pieces.push(stream.finish());
    pieces
}

#[test]
fn a_whole_character_is_shown_at_once() {
    assert_eq!(pieces(&[b"la", b"mp", "é".as_bytes()]), ["la", "mp", "é", ""]);
}

#[test]
fn half_a_character_waits() {
    assert_eq!(pieces(&[&[0xE2], &[0x82], &[0xAC, b'!']]), ["", "", "€!", ""], "€ is three bytes");
    assert_eq!(
        pieces(&[&[b'a', 0xF0], &[0x9F, 0xA6], &[0x80]]),
        ["a", "", "🦀", ""],
        "🦀 is four bytes, and three may wait"
    );
}

#[test]
fn wrong_bytes_do_not_stop_the_stream() {
    assert_eq!(
        pieces(&[&[0xFF], b"a"]),
        ["\u{FFFD}", "a", ""],
        "0xFF is in no character: nothing is gained by waiting"
    );
    assert_eq!(pieces(&[&[0xC3], b"a"]), ["", "\u{FFFD}a", ""], "the second half of é did not come");
}

#[test]
fn the_end_shows_what_is_missing() {
    assert_eq!(pieces(&[&[b'a', 0xC3]]), ["a", "\u{FFFD}"]);
}

#[test]
fn however_the_bytes_are_cut_the_text_is_the_same() {
    let bytes =
        [" é€🦀".as_bytes(), &[0xFF, 0xC3, 0x28, 0xF0, 0x9F, 0x41, 0xE2, 0x82], "東京".as_bytes(), &[0xF0, 0x9F, 0xA6]]
            .concat();
    let whole = String::from_utf8_lossy(&bytes);
    for size in 1..=bytes.len() {
        let tokens: Vec<&[u8]> = bytes.chunks(size).collect();
        assert_eq!(pieces(&tokens).concat(), whole, "tokens of {size} bytes");
    }
}
