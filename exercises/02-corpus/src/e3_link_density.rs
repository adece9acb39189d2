//! Exercise 02.3: is this block a menu?
//!
//! A block of a page is a list of runs of text, some of which are links. In prose few letters are
//! links, in a menu nearly all. Write [`is_menu`]:
//!
//! - only letters and digits count, so neither spaces nor the bars between links make a menu prose;
//!   count characters, not bytes: the rule must not depend on the script;
//! - a block with at least 3 links is a menu if more than half of its characters are in links;
//! - a block with fewer links is a menu only if at least 90% are: a paragraph that is one link leads
//!   elsewhere, and one that contains a long link is prose;
//! - a block without any letter or digit is no menu; other rules drop it.
//!
//! Example: `Home | Ferries | Contact`, each a link, is a menu. `Read the <a>timetable</a> first.`
//! is none: 9 of 21 characters are a link.
//!
//! Book: `book/src/02-corpus.md`, page `02-extraction.md`. Source: Kohlschütter et al., WSDM 2010, section 4.

/// Text between two borders of links.
#[derive(Debug, Clone, Copy)]
pub enum Run<'a> {
    /// Outside of links.
    Text(&'a str),
    /// One link's text.
    Link(&'a str),
}

/// Whether a block that consists of `runs` is mostly links.
pub fn is_menu(runs: &[Run]) -> bool {
    todo!("judge a block of {} runs", runs.len())
}
