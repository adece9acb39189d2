//! Instruction data from documentation: an item and its one-sentence summary, an error code and its explanation.
//!
//! Rust's authors begin the documentation of every item with a sentence that says what it is or does, by convention
//! (RFC 505). So "What does Vec::push do?" has an answer on disk. Names that several items share (there are dozens of
//! `Iter`) are asked for by their whole path.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use ego_tree::NodeRef;
use rayon::prelude::*;
use scraper::node::{Element, Node};

use super::page::{drops_from_book, find};
use super::{RustDocsError, is_redirect, list_pages};
use crate::html::{Links, parse, render};

/// A question, its answer, and the page that answers it.
// ANCHOR: question_answer
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionAnswer {
    /// "What does Vec::push do?"
    pub question: String,
    /// "Appends an element to the back of a collection."
    pub answer: String,
    /// Path of the page, relative to the documentation's folder.
    pub source: String,
}
// ANCHOR_END: question_answer

/// Answers shorter or longer than this say too little, or are no summary.
const ANSWER_CHARS: std::ops::RangeInclusive<usize> = 12..=300;

/// Questions about `std`'s items and about the compiler's error codes, each asked once, in the order of the pages.
///
/// # Errors
/// When the folders cannot be listed, or hold no pages.
pub fn qa_pairs(root: &Path) -> Result<Vec<QuestionAnswer>, RustDocsError> {
    let mut files = Vec::new();
    for section in ["std", "error_codes"] {
        list_pages(root, section, &mut files)?;
    }
    if files.is_empty() {
        return Err(RustDocsError::Missing { path: root.to_owned() });
    }
    let pages: Vec<Vec<Fact>> = files.par_iter().map(|file| facts(root, file)).collect();

    let mut paths: HashMap<&str, BTreeSet<&str>> = HashMap::new();
    for fact in pages.iter().flatten() {
        paths.entry(&fact.short).or_default().insert(&fact.answer);
    }
    let mut asked = BTreeSet::new();
    let mut pairs = Vec::new();
    for (page, source) in pages.iter().zip(&files) {
        for fact in page {
            let is_shared = paths.get(fact.short.as_str()).is_some_and(|answers| answers.len() > 1);
            let question = fact.ask.replace("{}", if is_shared { &fact.long } else { &fact.short });
            if asked.insert(question.clone()) {
                pairs.push(QuestionAnswer { question, answer: fact.answer.clone(), source: source.clone() });
            }
        }
    }
    Ok(pairs)
}

/// What a page says about one item.
struct Fact {
    /// The question, with `{}` for the name.
    ask: &'static str,
    /// `Vec::push`
    short: String,
    /// `std::vec::Vec::push`
    long: String,
    answer: String,
}

fn facts(root: &Path, file: &str) -> Vec<Fact> {
    let Ok(bytes) = fs::read(root.join(file)) else { return Vec::new() };
    let html = String::from_utf8_lossy(&bytes);
    if is_redirect(&html) {
        return Vec::new();
    }
    if let Some(code) = error_code(file) {
        return error_fact(&html, code).into_iter().collect();
    }
    let Some(item) = Item::of(file) else { return Vec::new() };
    item_facts(&html, &item)
}

/// `error_codes/E0382.html` is about `E0382`.
pub(super) fn error_code(file: &str) -> Option<&str> {
    let code = file.strip_prefix("error_codes/")?.strip_suffix(".html")?;
    let digits = code.strip_prefix('E')?;
    (digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(code)
}

fn error_fact(html: &str, code: &str) -> Option<Fact> {
    let answer = error_summary(html)?;
    Some(Fact { ask: "Explain compiler error {}.", short: code.to_owned(), long: code.to_owned(), answer })
}

/// The first paragraph about an error code that is a sentence.
pub(super) fn error_summary(html: &str) -> Option<String> {
    let page = parse(html);
    let main = find(page.tree.root(), |element| element.name() == "main")?;
    let paragraphs = main.children().filter(|node| node.value().as_element().is_some_and(|e| e.name() == "p"));
    paragraphs.map(one_line).find(|text| is_sentence(text))
}

/// The item that a page of the API describes, from its file name: `std/vec/struct.Vec.html`.
struct Item {
    kind: String,
    name: String,
    path: String,
}

impl Item {
    fn of(file: &str) -> Option<Item> {
        let (folder, page) = file.rsplit_once('/')?;
        let (kind, name) = page.strip_suffix(".html")?.split_once('.')?;
        let module = folder.replace('/', "::");
        let path = if kind == "primitive" { name.to_owned() } else { format!("{module}::{name}") };
        Some(Item { kind: kind.to_owned(), name: name.to_owned(), path })
    }

    fn question(&self) -> Option<&'static str> {
        match self.kind.as_str() {
            "fn" => Some("What does {} do?"),
            "macro" => Some("What does the macro {} do?"),
            "keyword" => Some("What is the keyword {} for?"),
            "constant" | "static" => Some("What is the constant {}?"),
            "derive" | "attr" => Some("What is the attribute {} for?"),
            "primitive" | "struct" | "enum" | "union" | "trait" | "type" | "traitalias" => Some("What is {}?"),
            _ => None,
        }
    }
}

fn item_facts(html: &str, item: &Item) -> Vec<Fact> {
    let Some(ask) = item.question() else { return Vec::new() };
    let end = html.find("<h2 id=\"trait-implementations\"").unwrap_or(html.len());
    let page = parse(&html[..end]);
    let Some(main) = find(page.tree.root(), |element| element.id() == Some("main-content")) else { return Vec::new() };

    let mut facts = Vec::new();
    for details in main.descendants() {
        let Some(element) = details.value().as_element().filter(|element| element.name() == "details") else {
            continue;
        };
        let Some(answer) = summary(details) else { continue };
        if has_class(element, "top-doc") {
            facts.push(Fact { ask, short: item.name.clone(), long: item.path.clone(), answer });
        } else if let Some(method) = method_name(details).filter(|_| has_class(element, "method-toggle")) {
            let short = format!("{}::{method}", item.name);
            let long = format!("{}::{method}", item.path);
            facts.push(Fact { ask: "What does {} do?", short, long, answer });
        }
    }
    facts
}

fn has_class(element: &Element, name: &str) -> bool {
    element.classes().any(|class| class == name)
}

/// `push` from `<section id="method.push">`. A number at the end marks a second method of that name on the page, which
/// comes from another implementation: those are left out.
fn method_name(details: NodeRef<'_, Node>) -> Option<String> {
    let is_section = |element: &Element| {
        element.name() == "section"
            && element.id().is_some_and(|id| id.starts_with("method.") || id.starts_with("tymethod."))
    };
    let section = find(details, is_section)?.value().as_element()?;
    if has_class(section, "trait-impl") {
        return None;
    }
    let (_, name) = section.id()?.split_once('.')?;
    (!name.contains('-')).then(|| name.to_owned())
}

/// First sentence of the documentation that stands directly in this `<details>`.
fn summary(details: NodeRef<'_, Node>) -> Option<String> {
    let is =
        |node: &NodeRef<'_, Node>, wanted: &dyn Fn(&Element) -> bool| node.value().as_element().is_some_and(wanted);
    let docblock = details.children().find(|node| is(node, &|element| has_class(element, "docblock")))?;
    let paragraph = docblock.children().find(|node| is(node, &|_| true))?;
    if !is(&paragraph, &|element| element.name() == "p") {
        return None;
    }
    let text = one_line(paragraph);
    let sentence = first_sentence(&text);
    is_sentence(sentence).then(|| sentence.to_owned())
}

pub(super) fn one_line(node: NodeRef<'_, Node>) -> String {
    render(node, Links::Keep, drops_from_book).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_sentence(text: &str) -> bool {
    ANSWER_CHARS.contains(&text.chars().count()) && text.ends_with(['.', '!', ')'])
}

/// Up to the first full stop that is followed by a capital letter, a digit or a backtick and is not an abbreviation's.
fn first_sentence(text: &str) -> &str {
    let is_abbreviation =
        |before: &str| ["e.g", "i.e", "etc", "vs", "cf", "a.k.a"].iter().any(|word| before.ends_with(word));
    let stop = text.match_indices(". ").find(|(at, _)| {
        let next = text[at + 2..].chars().next();
        next.is_some_and(|c| c.is_uppercase() || c == '`') && !is_abbreviation(&text[..*at])
    });
    stop.map_or(text, |(at, _)| &text[..=at])
}
