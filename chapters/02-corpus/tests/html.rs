//! Main-content extraction, on small pages whose content is known.
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use corpus::html::extract;
use proptest::prelude::*;

const PROSE: &str = "The ferry to Aldmoor leaves at nine and crosses the bay in an hour, which gives time for tea and a look at the seals on the rocks.";
const MORE: &str = "In winter it runs twice a week, and then the post, the bread and the doctor all travel on the same morning boat to the island.";

fn text_of(body: &str) -> String {
    extract(&format!("<!doctype html><html><head><title>t</title></head><body>{body}</body></html>")).text
}

/// The content survives and the junk does not.
fn assert_drops(junk: &str) {
    let text = text_of(&format!("{junk}<div><p>{PROSE}</p><p>{MORE}</p></div>{junk}"));
    assert_eq!(text, format!("{PROSE}\n\n{MORE}"), "junk: {junk}");
}

#[test]
fn title_and_language_are_read() {
    let page = extract("<html lang=' en-GB '><head><title>\n Aldmoor &amp;\n the bay </title></head><body><p>x</p>");
    assert_eq!(page.title.as_deref(), Some("Aldmoor & the bay"));
    assert_eq!(page.lang.as_deref(), Some("en-GB"));
    let silent = extract("<title> </title><p>x</p>");
    assert_eq!((silent.title, silent.lang, silent.licence, silent.robots), (None, None, None, None));
}

#[test]
fn a_licence_is_read_wherever_a_page_may_state_it() {
    for statement in [
        "<link rel=license href=' /by-sa '>",
        "<p>Shared under <a rel='nofollow License' href=/by-sa>a licence</a></p>",
        "<meta name=DC.rights content=/by-sa>",
        "<meta name=license content=/by-sa><link rel=license href=/other>",
        "<a rel=licensed href=/other>x</a><meta name=dcterms.license content=/by-sa>",
    ] {
        assert_eq!(extract(statement).licence.as_deref(), Some("/by-sa"), "{statement}");
    }
}

#[test]
fn wishes_to_robots_are_kept_as_written() {
    let page = extract("<meta name=ROBOTS content='NoIndex, noai'><meta name=googlebot content=all><p>x");
    assert_eq!(page.robots.as_deref(), Some("NoIndex, noai"));
}

#[test]
fn furniture_is_dropped_by_its_element() {
    for junk in [
        "<script>var words = 'these are not words of the page';</script>",
        "<style>p { color: red }</style>",
        "<nav>Home and other places</nav>",
        "<header>Aldmoor Gazette, founded long ago</header>",
        "<footer>All rights reserved by somebody</footer>",
        "<aside>You may also like something else</aside>",
        "<form>Name <input name=q> <button>Send</button></form>",
        "<noscript>Please turn on scripts</noscript>",
        "<iframe src=x>frame text</iframe>",
        "<svg><text>drawn words</text></svg>",
        "<template><p>not there yet</p></template>",
        "<!-- a comment -->",
        "<dialog open>Wait!</dialog>",
    ] {
        assert_drops(junk);
    }
}

#[test]
fn furniture_is_dropped_by_its_role_or_name() {
    for junk in [
        "<div role=navigation>somewhere else</div>",
        "<div role='banner'>big words</div>",
        "<div class='cookie-banner'>We use cookies. Accept all?</div>",
        "<div id='cookieConsent'>We use cookies. Accept all?</div>",
        "<section class='page_related'>Read something else next</section>",
        "<ul class='share-buttons'><li>Tell a friend</li></ul>",
        "<div class='breadcrumb'>Home / Ferries / Aldmoor</div>",
        "<p class='ad'>Buy now</p>",
    ] {
        assert_drops(junk);
    }
}

#[test]
fn hidden_text_is_dropped() {
    for junk in [
        "<p hidden>unseen</p>",
        "<p style='Display : NONE'>unseen</p>",
        "<div aria-hidden=true>unseen</div>",
        "<div style='color:red;visibility:hidden'>unseen</div>",
    ] {
        assert_drops(junk);
    }
}

#[test]
fn blocks_of_links_are_dropped_without_any_name() {
    for junk in [
        "<ul><li><a href=a>Ferries</a></li><li><a href=b>Trains and buses</a></li><li><a href=c>Contact</a></li></ul>",
        "<div><a href=a>Ferries</a> | <a href=b>Trains</a> | <a href=c>Contact</a></div>",
        "<p><a href=a>Read the next article about seals</a></p>",
        "<table><tr><td><a href=a>Mon</a></td><td><a href=b>Tue</a></td><td><a href=c>Wed</a></td></tr></table>",
        "<h2>Most read</h2><ul><li><a href=a>One</a></li><li><a href=b>Two</a></li><li><a href=c>Three</a></li></ul><h2></h2>",
    ] {
        assert_drops(junk);
    }
}

/// A page of the 1990s: a row for the site, a row with the menu and the content, a row for the footer.
fn table_page(content: &str) -> String {
    format!(
        "<table><tr><td colspan=2><a href=a>Home</a> <a href=b>Boats</a> <a href=c>Guest book</a></td></tr>\
         <tr><td><a href=d>Tides</a><br><a href=e>Fares</a></td><td>{content}</td></tr>\
         <tr><td colspan=2><hr>You are visitor 1482<br><a href=f>Prev</a> <a href=g>Next</a></td></tr></table>"
    )
}

#[test]
fn the_cells_of_a_layout_table_are_boxes() {
    assert_eq!(text_of(&table_page(&format!("{PROSE}<p>{MORE}"))), format!("{PROSE}\n\n{MORE}"));
    // A heading, a rule, an inner table or a role say layout; so do paragraphs in a single row or column.
    for table in [
        format!("<table><tr><th>Lines</th><td><h2>Lines</h2>{PROSE}</td></tr></table>"),
        format!("<table><tr><th>Lines<td><hr>{PROSE}<tr><td>Lines<td>{MORE}</table>"),
        format!("<table role=presentation><tr><td>Lines</td><td>{PROSE}</td></tr></table>"),
        format!("<table><tr><td>Lines<td><p>{PROSE}</table>"),
        format!("<table><tr><td>Lines<td>{PROSE}<br> <br>{MORE}</table>"),
    ] {
        assert!(!text_of(&format!("{table}<p>{MORE}")).contains(" | "), "{table}");
    }
    // So does a single cell, and breaks in it break lines.
    assert_eq!(text_of(&format!("<table><tr><td>{PROSE}<br><br>{MORE}</table>")), format!("{PROSE}\n\n{MORE}"));
}

#[test]
fn a_table_of_data_stays_one() {
    for table in [
        "<table><tr><td>Adult<td>90<tr><td>Child<td>40</table>",
        "<table><tr><th>Adult<td><p>90<tr><th>Child<td><p>40</table>",
        "<table><tr><td>Adult<td><p>90<tr><td>Child<td><p>40</table>",
        "<table><tr><th>Adult<td><p>Child, and 90 pence for it</table>",
        "<table><caption>Fares</caption><tr><td>Adult<td>90<tr><td>Child<td>40</table>",
    ] {
        let text = text_of(&format!("<p>{PROSE}</p>{table}<p>{MORE}</p>"));
        let rows: Vec<&str> = text.lines().filter(|line| line.contains("Adult") || line.contains("Child")).collect();
        assert_eq!(rows.len(), 2, "{table}: {text}");
        assert!(!text.contains("Adult\n\n"), "the cells of a row stay together: {text}");
    }
}

#[test]
fn a_line_after_a_break_may_be_a_row_of_links_or_a_notice() {
    for line in [
        "<a href=a>&lt;&lt; Prev</a> <a href=b>Index</a> <a href=c>Next &gt;&gt;</a>",
        "Last updated: 11/02/97",
        "&copy; 1997 the harbour office",
        "Best viewed with both eyes",
    ] {
        assert_eq!(text_of(&format!("{line}<br>{PROSE}<br>{line}<br>{MORE}<br>{line}")), format!("{PROSE}\n{MORE}"));
    }
    let poem = "Next the <a href=a>sea</a>,<br>and <a href=b>last</a> of all<br>the <a href=c>copyright</a> of gulls.";
    assert!(
        text_of(&format!("<p>{PROSE}</p><p>{poem}</p>"))
            .ends_with("Next the sea,\nand last of all\nthe copyright of gulls.")
    );
}

#[test]
fn links_to_neighbours_go() {
    for junk in [
        "<ul><li>Previous message: <a href=a>The seals are back on the northern sand</a></li></ul>",
        "<p>Next in thread: <a href=a>Which tide is the one to take?</a></p>",
        "<p>Read on: <a rel=next href=a>Which tide is the one to take, and why?</a></p>",
    ] {
        let text = text_of(&format!("<p>{PROSE}</p><p>{MORE}</p>{junk}"));
        assert!(!text.contains("tide is") && !text.contains("northern"), "{text}");
    }
    let sentence = "Previous boats were slower, as the <a href=a>log</a> says in its first pages.";
    assert!(text_of(&format!("<p>{PROSE}</p><p>{sentence}</p>")).contains("Previous boats were slower"));
}

#[test]
fn the_signature_of_a_message_goes() {
    for signature in ["<p>-- <br>Ebba, pilot<br>since 1981</p>", "<p>--</p><p>Ebba, pilot<br>since 1981</p>"] {
        assert_eq!(text_of(&format!("<p>{PROSE}</p><p>{MORE}</p>{signature}")), format!("{PROSE}\n\n{MORE}"));
    }
    assert_eq!(text_of("<pre>Yes, at noon.\n\n-- \nEbba, pilot</pre>"), "```\nYes, at noon.\n```");
    assert_eq!(
        text_of(&format!("<p>{PROSE}</p><p>{MORE}</p><pre>--\nEbba, pilot</pre>")),
        format!("{PROSE}\n\n{MORE}")
    );
    let code = "select 1;\n--\nselect two from tides;";
    assert_eq!(text_of(&format!("<pre>{code}</pre>")), format!("```\n{code}\n```"), "code has comments");
}

#[test]
fn the_head_of_a_message_goes_and_a_table_of_dates_does_not() {
    let text = format!("{PROSE}\n\n{MORE}");
    for head in [
        "<table><tr><th>From:<td>Ebba<tr><th>Date:<td>2 May</table>",
        "<p>From: Ebba<br>To: pilots<br>Subject: tides</p>",
        "<div>Subject: tides</div><div>From: Ebba</div>",
    ] {
        assert_eq!(text_of(&format!("{head}<p>{PROSE}</p><p>{MORE}</p>")), text, "{head}");
        let quoted = text_of(&format!("<p>{PROSE}</p>{head}<p>{MORE}</p>"));
        assert!(quoted.contains("Ebba"), "below the first paragraph it is quoted: {quoted}");
    }
    for table in ["<p>Date: 2 May<br>To: the pier</p>", "<p>From: the pier</p>", "<p>From: the pier<br>at noon</p>"] {
        assert!(text_of(&format!("{table}<p>{PROSE}</p><p>{MORE}</p>")).contains("the pier"), "{table}");
    }
}

#[test]
fn lines_about_the_program_that_wrote_the_page_go() {
    for line in [
        "This document was generated by <a href=a>Ebba</a> on 2 May using doc2web.",
        "These pages are maintained by Ebba.",
        "Powered by Mailroom 0.9",
        "Proudly powered by Mailroom",
    ] {
        assert_eq!(text_of(&format!("<p>{PROSE}</p><p>{MORE}</p><i>{line}</i>")), format!("{PROSE}\n\n{MORE}"));
    }
    for line in [
        "This archive was made by the monks of the northern island.",
        "The pumps are powered by the wind.",
        "This page was torn out by a customs officer.",
    ] {
        assert!(text_of(&format!("<p>{PROSE}</p><p>{line}</p><p>{MORE}</p>")).contains(line), "{line}");
    }
}

#[test]
fn paragraphs_of_bare_links_are_judged_as_a_list() {
    let titles = ["How the coast was measured", "The man who could not swim", "Where the lights went orange"];
    let links: String = titles.iter().map(|title| format!("<p><a href=x>{title}</a></p>")).collect();
    let text = titles.join("\n\n");
    let introduced = format!("<main><p>{PROSE}</p><h2>To read</h2>{links}<p>{MORE}</p></main>");
    assert_eq!(text_of(&introduced), format!("{PROSE}\n\n## To read\n\n{text}\n\n{MORE}"));
    let loose = format!("<main><p>{PROSE}</p>{links}<p>{MORE}</p></main>");
    assert_eq!(text_of(&loose), format!("{PROSE}\n\n{MORE}"), "nothing introduces them");
    // After a link with a word on it, a bare one goes on with the list.
    let entry = "<p><a href=x>Four boats and a raft</a> (the Gazette)</p>";
    let mixed = format!("<main><p>{PROSE}</p><h2>To read</h2>{entry}{links}<p>{MORE}</p></main>");
    assert!(text_of(&mixed).contains(&format!("(the Gazette)\n\n{text}")));
    // Short links are a menu, however they are set.
    let menu = "<p><a href=x>Home</a></p><p><a href=x>Boats</a></p>";
    assert_eq!(text_of(&format!("<main><p>{PROSE}</p><p>{MORE}</p>{menu}</main>")), format!("{PROSE}\n\n{MORE}"));
}

#[test]
fn beside_a_list_of_links_stands_what_is_no_section_of_it() {
    let list = |titles: [&str; 3]| {
        let items: String = titles.iter().map(|title| format!("<li><a href=x>{title}</a></li>")).collect();
        format!("<ul>{items}</ul>")
    };
    let first = list(["How the coast was measured", "The man who could not swim", "Where the lights went orange"]);
    let second = list(["A pilot's account of the sand", "Two winters on the pier", "Why the ferry has no name"]);
    let beside = list(["The harbour in old pictures", "Letters that never arrived", "Ten knots for the pocket"]);
    let page = |level: &str, name: &str| {
        format!(
            "<div><div><p>Read these.</p><h2>Land</h2>{first}<h2>Sea</h2>{second}</div>\
             <div><{level}>{name}</{level}>{beside}</div></div>"
        )
    };
    let (column, section) = (text_of(&page("h4", "Me")), text_of(&page("h2", "Harbour")));
    assert!(column.contains("Why the ferry has no name") && !column.contains("Ten knots"), "{column}");
    assert!(section.contains("Why the ferry has no name") && section.contains("Ten knots"), "{section}");
    let elsewhere = text_of(&page("h2", "Most read"));
    assert!(elsewhere.contains("Why the ferry has no name") && !elsewhere.contains("Ten knots"), "{elsewhere}");
}

#[test]
fn links_in_prose_stay() {
    let body = format!(
        "<p>{PROSE} <a href=a>Timetable</a>, <a href=b>fares</a> and <a href=c>tides</a> are posted.</p><p>{MORE}</p>"
    );
    assert_eq!(text_of(&body), format!("{PROSE} Timetable, fares and tides are posted.\n\n{MORE}"));
}

#[test]
fn a_headline_that_is_a_link_stays() {
    let body =
        format!("<article><header><h1><a href=x>The ferry</a></h1></header><p>{PROSE}</p><p>{MORE}</p></article>");
    assert_eq!(text_of(&body), format!("# The ferry\n\n{PROSE}\n\n{MORE}"));
}

#[test]
fn main_is_preferred_to_the_rest_of_the_body() {
    let body =
        format!("<div>Words beside the content</div><main><p>{PROSE}</p><p>{MORE}</p></main><div>More beside</div>");
    assert_eq!(text_of(&body), format!("{PROSE}\n\n{MORE}"));
}

#[test]
fn an_empty_main_is_not_believed() {
    let body = format!("<main></main><div><p>{PROSE}</p><p>{MORE}</p></div>");
    assert_eq!(text_of(&body), format!("{PROSE}\n\n{MORE}"));
}

#[test]
fn a_page_wrapped_in_a_misnamed_box_is_not_lost() {
    let body = format!("<div class='layout no-sidebar'><p>{PROSE}</p></div>");
    assert_eq!(text_of(&body), PROSE);
    let body = format!("<form action=x><p>{PROSE}</p></form>");
    assert_eq!(text_of(&body), PROSE);
}

#[test]
fn structure_is_written_as_plain_markdown() {
    let body = format!(
        "<main><h1>Getting <em>there</em></h1><p>{PROSE}<br>Tickets  are\n sold on <b>b</b>oard.</p>\
         <h2>By boat</h2><ol><li>Walk to the pier.</li><li>Wait:<ul><li>in the shed</li><li><p>or outside</p></li></ul></li></ol>\
         <h2>Fares</h2><table><tr><th>Who</th><th>Pence</th></tr><tr><td>Adult</td><td>90</td></tr></table>\
         <dl><dt>Dogs</dt><dd>free</dd><dt>Carts</dt><dd>ask</dd></dl><h2>Nothing here</h2></main>"
    );
    let expected = format!(
        "# Getting there\n\n{PROSE}\nTickets are sold on board.\n\n## By boat\n\n1. Walk to the pier.\n2. Wait:\n  - in the shed\n  \
         - or outside\n\n## Fares\n\nWho | Pence\nAdult | 90\n- Dogs: free\n- Carts: ask"
    );
    assert_eq!(text_of(&body), expected);
}

#[test]
fn code_is_kept_verbatim_between_fences() {
    let code = "fn main() {\n    let x = \"a  b\";\n\n    if x &lt; y {}\n}";
    let body = format!(
        "<p>{PROSE}</p><pre><code class=rust>\n{code}\n\n</code></pre><p>Call <code>main( )</code>. {MORE}</p>"
    );
    let code = code.replace("&lt;", "<");
    assert_eq!(text_of(&body), format!("{PROSE}\n\n```\n{code}\n```\n\nCall `main( )`. {MORE}"));
}

#[test]
fn code_that_contains_a_fence_gets_a_longer_one() {
    assert_eq!(text_of("<pre>```\nx\n```</pre>"), "````\n```\nx\n```\n````");
}

#[test]
fn code_highlighting_is_not_taken_for_boilerplate() {
    let body = format!("<p>{PROSE}</p><pre><span class='comments hidden'>// why</span>\n<span class=ad>x</span></pre>");
    assert_eq!(text_of(&body), format!("{PROSE}\n\n```\n// why\nx\n```"));
}

#[test]
fn numbers_beside_code_are_no_code() {
    let code = "<span class=lnt>1\n</span><span class=lnt>2\n</span>";
    let table = format!("<table><tr><td><pre>{code}</pre></td><td><pre>a\n  b</pre></td></tr></table>");
    assert_eq!(text_of(&format!("<p>{PROSE}</p>{table}")), format!("{PROSE}\n\n```\na\n  b\n```"));
}

#[test]
fn boxes_and_breaks_end_the_lines_of_code() {
    let code = "<code><div class=line>if x {</div><div class=line>    y</div>}<br>z</code>";
    assert_eq!(text_of(&format!("<pre>{code}</pre>")), "```\nif x {\n    y\n}\nz\n```");
}

#[test]
fn what_stands_beside_most_of_the_prose_goes_without_any_name() {
    let beside = "<div><p>The harbour has a café now.</p></div>";
    let content = format!("<div><div><p>{PROSE}</p><p>{MORE}</p><p>{PROSE} {MORE}</p></div></div>");
    assert_eq!(text_of(&format!("{beside}{content}{beside}")), format!("{PROSE}\n\n{MORE}\n\n{PROSE} {MORE}"));
}

#[test]
fn the_headline_comes_from_outside_of_the_content() {
    let standfirst = "<p>A crossing, a timetable and some seals.</p><p>By the editor</p>";
    let page = format!(
        "<title>The ferry to Aldmoor | Gazette</title><h1>Gazette</h1><header class=page-masthead>\
         <h2>The ferry to Aldmoor</h2>{standfirst}</header><div><p>{PROSE}</p><p>{MORE}</p><p>{PROSE} {MORE}</p></div>"
    );
    let lead = "# The ferry to Aldmoor\n\nA crossing, a timetable and some seals.";
    assert_eq!(extract(&page).text, format!("{lead}\n\n{PROSE}\n\n{MORE}\n\n{PROSE} {MORE}"));
    // Without a title to compare with, a first heading is believed even in the site's header.
    let untitled = format!("<header><h1>The ferry</h1></header><div><p>{PROSE}</p><p>{MORE}</p></div>");
    assert_eq!(extract(&untitled).text, format!("# The ferry\n\n{PROSE}\n\n{MORE}"));
}

#[test]
fn a_headline_that_holds_the_content_is_not_told_twice() {
    let sentence = "The keeper lights the lamp and waits, every evening of the year.";
    let page = format!("<h1>The lamp <div>by Ada</div><article><p>{sentence}</p><p>{sentence}</p></article>");
    assert_eq!(text_of(&page).matches("keeper").count(), 2);
}

#[test]
fn a_name_is_not_believed_against_most_of_the_prose() {
    for name in ["site-nav", "cookie-page", "comments"] {
        let body = format!("<div class={name}><p>{PROSE}</p><p>{MORE}</p></div><p>Nothing else is here.</p>");
        assert!(text_of(&body).contains(MORE), "{name}");
    }
    // More comments than text are still comments.
    let body = format!("<div><p>{PROSE}</p></div><div class=comments><p>{MORE}</p><p>{MORE}</p></div>");
    assert_eq!(text_of(&body), PROSE);
}

#[test]
fn a_list_of_links_is_content_where_the_text_introduces_it() {
    let titles = ["How the coast was measured", "The man who could not swim", "Where the lights went orange"];
    let list: String = titles.iter().map(|title| format!("<li><a href=x>{title}</a></li>")).collect();
    let items = titles.map(|title| format!("- {title}")).join("\n");
    let body = |before: &str, after: &str| format!("<main>{before}<ul>{list}</ul>{after}</main>");
    let introduced = body(&format!("<p>{PROSE}</p><h2>To read</h2>"), &format!("<p>{MORE}</p>"));
    assert_eq!(text_of(&introduced), format!("{PROSE}\n\n## To read\n\n{items}\n\n{MORE}"));
    let loose = body(&format!("<p>{PROSE}</p>"), &format!("<p>{MORE}</p>"));
    assert_eq!(text_of(&loose), format!("{PROSE}\n\n{MORE}"), "nothing introduces it");
    let at_the_end = body(&format!("<p>{PROSE}</p><p>{MORE}</p><h2>To read</h2>"), "");
    assert_eq!(text_of(&at_the_end), format!("{PROSE}\n\n{MORE}"), "after the text it leads elsewhere");
    let mainly_links = body("<p>Three things to read:</p>", "");
    assert_eq!(text_of(&mainly_links), format!("Three things to read:\n\n{items}"));
}

#[test]
fn a_small_box_that_calls_for_something_goes() {
    let call = "<div><h4>Dinner by post</h4><p>Five plain recipes a week.</p><button>x</button><p>Sign up</p></div>";
    let body = format!("<main><p>{PROSE}</p>{call}<p>{MORE}</p><p>412 views</p><p>© Aldmoor 2020</p></main>");
    assert_eq!(text_of(&body), format!("{PROSE}\n\n{MORE}"));
}

#[test]
fn a_link_that_was_never_closed_does_not_swallow_the_page() {
    let body = format!("<div><a href=a>Home<a href=b>Ferries</div><div><p>{PROSE}</p><p>{MORE}</p></div>");
    assert_eq!(text_of(&body), format!("{PROSE}\n\n{MORE}"));
}

#[test]
fn a_heading_that_was_never_closed_is_a_box() {
    assert_eq!(text_of(&format!("<h1>Minutes<h1><p>{PROSE}<p>{MORE}")), format!("# Minutes\n\n{PROSE}\n\n{MORE}"));
}

#[test]
fn broken_markup_is_repaired() {
    let text = extract(&format!("<p>{PROSE}<p><b>{MORE}<div><ul><li>a<li>b</p></i>")).text;
    assert_eq!(text, format!("{PROSE}\n\n{MORE}\n\n- a\n- b"));
}

#[test]
fn deep_nesting_costs_neither_the_stack_nor_the_day() {
    let n = 100_000;
    let attacks = [
        "<div>".repeat(n) + PROSE,
        "<b>".repeat(n) + &"<p>x".repeat(n) + PROSE,
        (0..n).map(|i| format!("<code id={i}><p>")).collect::<String>() + PROSE,
        "<svg>".repeat(n) + PROSE,
        "<svg><g>".repeat(n) + "</svg>" + PROSE,
        "<ul><li>".repeat(n) + PROSE,
        "<table><tr><td>".repeat(n) + PROSE,
        "<a href=x>".repeat(n) + "</a>" + PROSE,
        "<rt>".repeat(n) + PROSE,
        "<span/>".repeat(n) + PROSE,
        "<blockquote><!-- --!>".repeat(n) + PROSE,
        format!("<math><style>{}</style></math>", "<mi>".repeat(n)) + PROSE,
        "</p></div>".repeat(n) + PROSE,
    ];
    for attack in &attacks {
        let start = Instant::now();
        let text = extract(attack).text;
        let name = &attack[..30];
        assert!(text.contains("The ferry to Aldmoor"), "{name}: the text is kept");
        assert!(start.elapsed().as_secs() < 60, "{name}: took {:?}", start.elapsed());
    }
}

#[test]
fn depth_of_ordinary_pages_is_left_alone() {
    let body = format!("{}<p>{PROSE}</p>{}<ul><li>{MORE}</li></ul>", "<div>".repeat(400), "</div>".repeat(400));
    assert_eq!(text_of(&body), format!("{PROSE}\n\n- {MORE}"));
}

#[test]
fn a_flattened_page_keeps_what_follows_in_place() {
    let deep = format!("{}{PROSE}{}", "<div>".repeat(2_000), "</div>".repeat(2_000));
    let text = text_of(&format!("{deep}<h2>After</h2><p>{MORE}</p>"));
    assert_eq!(text, format!("{PROSE}\n\n## After\n\n{MORE}"));
}

fn markup() -> impl Strategy<Value = String> {
    let tag = prop::sample::select(vec![
        "<div>",
        "</div>",
        "<p>",
        "</p>",
        "<pre>",
        "</pre>",
        "<code>",
        "</code>",
        "<ul>",
        "<li>",
        "</ul>",
        "<table>",
        "<tr>",
        "<td>",
        "</table>",
        "<h1>",
        "</h1>",
        "<h2 class=code-header>",
        "</h2>",
        "<a href=x>",
        "</a>",
        "<dl><dt>",
        "<dd>",
        "</dl>",
        "<!--",
        "-->",
        "<script>",
        "</script>",
        "<svg>",
        "</svg>",
        "<title>",
        "<br>",
        "<main>",
        "<article>",
        "<template>",
        "<select>",
        "<form>",
        "<b>",
        "</b>",
        "<style",
        "<a b='",
        "\u{a0}",
        "&nbsp;",
        "&#x110000;",
        "é",
        "\u{0}",
        "<frameset>",
        "<math>",
        "<ol>",
        "</ol>",
        "<summary>",
        "<blockquote>",
    ])
    .prop_map(str::to_owned);
    prop::collection::vec(prop_oneof![6 => tag, 2 => "[a-z `|]{0,8}", 1 => any::<String>()], 0..60)
        .prop_map(|parts| parts.concat())
}

/// Found by the fuzz target `rustdoc`.
#[test]
fn an_inner_item_that_comes_first_is_not_indented() {
    assert_eq!(text_of("<ul><ul><li>the first item</li></ul></ul>"), "- the first item");
}

proptest! {
    #[test]
    fn any_string_is_extracted_without_panic(html in markup()) {
        let page = extract(&html);
        prop_assert!(!page.text.contains("\n\n\n") || page.text.contains("```"));
        prop_assert_eq!(page.text.trim(), page.text.as_str());
    }

    #[test]
    fn words_of_plain_paragraphs_all_come_back(words in prop::collection::vec("[a-z]{1,9}", 1..80)) {
        let body: String = words.chunks(7).map(|chunk| format!("<p>{}</p>\n", chunk.join(" "))).collect();
        let text = text_of(&body);
        prop_assert_eq!(text.split_whitespace().collect::<Vec<_>>(), words);
    }
}
