//! The tour prints what the page needs, the same every time.
#![allow(clippy::unwrap_used)]

fn printed() -> String {
    let mut out = Vec::new();
    corpus::tour(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_tour_is_deterministic_narrow_and_in_sections() {
    let text = printed();
    println!("{text}");
    assert_eq!(text, printed());
    assert!(text.starts_with("== "));
    let titles: Vec<_> = text.lines().filter(|line| line.starts_with("== ")).collect();
    let expected = [
        "== a page as the crawler sees it ==",
        "== its main text ==",
        "== one page that each filter drops ==",
        "== personal data ==",
        "== the funnel ==",
        "== precision and recall ==",
        "== the S-curve ==",
    ];
    assert_eq!(titles, expected);
    for line in text.lines() {
        assert!(line.chars().count() <= 70, "{line}");
    }
}
