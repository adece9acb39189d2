//! Tests of exercise 07.4.

use ex_generation::e4_stop_strings::Stream;

/// What is shown of each piece, and at the end.
fn shown(stops: &[&str], pieces: &[&str]) -> Vec<String> {
    let mut stream = Stream::new(stops.iter().map(|stop| stop.to_string()).collect());
    let mut shown: Vec<String> = pieces.iter().map(|piece| stream.push(piece)).collect();
    shown.push(stream.finish());
    shown
}

#[test]
fn a_stop_string_in_one_piece() {
    assert_eq!(shown(&["END"], &["the END of it", "more"]), ["the ", "", ""]);
    assert_eq!(shown(&["END"], &["nothing here"]).concat(), "nothing here");
    assert_eq!(shown(&[], &["a", "b"]), ["a", "b", ""], "without stop strings nothing waits");
}

#[test]
fn a_stop_string_in_several_pieces() {
    assert_eq!(shown(&["\nUser:"], &["Yes.", "\n", "Us", "er:", " No."]), ["Yes.", "", "", "", "", ""]);
    assert_eq!(shown(&["END"], &["fin E", "N", "D"]).concat(), "fin ");
}

#[test]
fn a_false_alarm_is_shown_as_soon_as_it_is_one() {
    assert_eq!(shown(&["END"], &["the E", "N", "emy"]), ["the ", "", "ENemy", ""]);
}

#[test]
fn the_end_of_the_text_frees_what_was_held() {
    assert_eq!(shown(&["END"], &["the E", "N"]), ["the ", "", "EN"]);
}

#[test]
fn no_more_is_held_than_could_begin_a_stop_string() {
    assert_eq!(shown(&["a long stop string"], &["Hello", " world"]), ["Hello", " world", ""]);
    // Of "aaa" only two can begin "aab".
    assert_eq!(shown(&["aab"], &["aaa"]), ["a", "aa"]);
    assert_eq!(shown(&["aab"], &["aaa", "b!"]), ["a", "", ""], "and then it is complete");
}

#[test]
fn the_stop_that_is_complete_first_counts() {
    assert_eq!(shown(&["bcd", "c"], &["abcd"]).concat(), "ab", "\"c\" is complete before \"bcd\"");
    assert_eq!(shown(&["c", "abc"], &["xabcd"]).concat(), "x", "of two that end together, the longer");
}

#[test]
fn after_a_stop_nothing_comes() {
    let mut stream = Stream::new(vec!["##".to_string()]);
    assert!(!stream.has_stopped());
    assert_eq!((stream.push("a#"), stream.has_stopped()), ("a".to_string(), false));
    assert_eq!((stream.push("#b"), stream.has_stopped()), (String::new(), true));
    assert_eq!((stream.push("c"), stream.finish()), (String::new(), String::new()));
}

#[test]
fn pieces_make_no_difference() {
    let text = "né tén ténéb ténébr";
    for stops in [["ténébr", "xx"], ["né", "n t"], ["b t", "éb"], ["zz", "q"]] {
        let whole = shown(&stops, &[text]).concat();
        for n in 1..4 {
            let letters: Vec<String> = text.chars().map(String::from).collect();
            let pieces: Vec<String> = letters.chunks(n).map(|chunk| chunk.concat()).collect();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            assert_eq!(shown(&stops, &pieces).concat(), whole, "{stops:?}, {n} characters a piece");
        }
    }
}
