//! Tests of exercise 02.3. The counts were made by hand.

use ex_corpus::e3_link_density::Run::{Link, Text};
use ex_corpus::e3_link_density::is_menu;

#[test]
fn links_with_bars_between_are_a_menu() {
    assert!(is_menu(&[Link("Home"), Text(" | "), Link("Ferries"), Text(" | "), Link("Contact")]));
    // 3 characters in links, 12 bars and spaces, no other letter.
    assert!(
        is_menu(&[Link("A"), Text(" || || "), Link("B"), Text(" || || "), Link("C")]),
        "only letters and digits count"
    );
}

#[test]
fn prose_with_links_is_no_menu() {
    assert!(!is_menu(&[Text("Read the "), Link("timetable"), Text(" first.")]));
    let prose = [Text("The "), Link("ferry"), Text(" meets the "), Link("train"), Text(" and the night "), Link("bus")];
    assert!(!is_menu(&prose), "13 of 35 characters are links");
}

#[test]
fn exactly_half_is_prose() {
    assert!(!is_menu(&[Link("ab"), Link("cd"), Link("ef"), Text("ghijkl")]), "6 of 12: more than half is asked");
    assert!(is_menu(&[Link("ab"), Link("cd"), Link("efg"), Text("hijkl")]), "7 of 12");
}

#[test]
fn few_links_must_be_nearly_everything() {
    assert!(is_menu(&[Link("Read the next article about seals")]));
    assert!(is_menu(&[Link("123456789"), Text("x")]), "9 of 10 characters");
    assert!(!is_menu(&[Link("12345678"), Text("xy")]), "8 of 10: one long link in a short sentence");
    assert!(!is_menu(&[Link("1234"), Link("5678"), Text("xy")]), "two links are not three");
}

#[test]
fn the_script_does_not_matter() {
    // 3 * 2 of 13 characters, but 18 of 25 bytes.
    let block = [Link("灯台"), Link("港町"), Link("朝市"), Text("sevenup")];
    assert!(!is_menu(&block), "count characters, not bytes");
    assert!(is_menu(&[Link("أخبار"), Text(" / "), Link("ثقافة"), Text(" / "), Link("رياضة")]));
}

#[test]
fn without_a_letter_there_is_no_menu() {
    assert!(!is_menu(&[]));
    assert!(!is_menu(&[Link("→"), Link("*"), Text("·"), Link("…")]));
}
