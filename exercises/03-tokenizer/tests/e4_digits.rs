//! Tests of exercise 03.4. The pieces were cut by hand.

use ex_tokenizer::e4_digits::cut_numbers;

#[test]
fn numbers_are_cut_by_three_from_the_left() {
    assert_eq!(cut_numbers("in 1984!"), ["in ", "198", "4", "!"]);
    assert_eq!(cut_numbers("1234567"), ["123", "456", "7"], "from the left: 7 digits are 3 + 3 + 1");
    assert_eq!(cut_numbers("123 45"), ["123", " ", "45"], "the space is no part of a number");
}

#[test]
fn text_between_numbers_stays_whole() {
    assert_eq!(cut_numbers("no numbers, none"), ["no numbers, none"]);
    assert_eq!(cut_numbers("3.14"), ["3", ".", "14"]);
    assert!(cut_numbers("").is_empty(), "no empty pieces");
}

#[test]
fn digits_of_all_scripts_count_as_one_each() {
    assert_eq!(cut_numbers("٣١٤١ ½"), ["٣١٤", "١", " ", "½"], "Arabic digits have two bytes, ½ is a number too");
    assert_eq!(cut_numbers("Ⅷ一1"), ["Ⅷ", "一", "1"], "a Roman numeral has three bytes; 一 is a letter to Unicode");
}

#[test]
fn the_pieces_are_the_text() {
    for text in ["", "a", "1", "0000000000", "a1b22c333d4444", "½½½½", "é9é99 999é9999", "\n12\t345678"] {
        let pieces = cut_numbers(text);
        assert_eq!(pieces.concat(), text);
        assert!(pieces.iter().all(|piece| !piece.is_empty()), "{text:?} has empty pieces: {pieces:?}");
    }
}
