//! Builds a small book and reads back what readers get: the web page, and the PDF through a parser of its own.

#![allow(clippy::unwrap_used)]

mod sample;

use std::collections::BTreeSet;
use std::fs;

use hayro_syntax::Pdf;
use hayro_syntax::object::{Dict, Object};

#[test]
fn the_web_page_shows_code_output_formulas_and_figures() {
    let repository = sample::repository();
    let built = book::build(repository.path(), &repository.path().join("out")).unwrap();
    let page = fs::read_to_string(built.web.with_file_name("05-attention.html")).unwrap();
    for part in [
        "<div class=\"listing-name\">chapters/05-attention/src/mask.rs</div>",
        "Hides later positions.",
        "<div class=\"listing-name\">cargo run --release -- chapter 5</div>",
        "    0  1.000",
        "<math display=\"block\">",
        "<mfrac>",
        "<svg role=\"img\" aria-label=\"The loss falls.\"",
        "id=\"loss-frame\"",
        "<figcaption>The loss falls.</figcaption>",
        "blockquote-tag-warning",
        "href=\"glossary.html#score\"",
        "<summary>Hint</summary>",
    ] {
        assert!(page.contains(part), "the page lacks {part}");
    }
    for leftover in ["{{#", "ANCHOR", "== weights ==", "expression: out", "\\frac", "$$"] {
        assert!(!page.contains(leftover), "the page still has {leftover}");
    }
    let glossary = fs::read_to_string(built.web.with_file_name("glossary.html")).unwrap();
    assert!(glossary.contains("id=\"score\""), "the link to a term leads nowhere");
    assert!(built.web.is_file());
    let files = fs::read_dir(built.web.with_file_name("")).unwrap().map(|file| file.unwrap().file_name());
    assert!(
        files.into_iter().any(|name| name.to_string_lossy().starts_with("searchindex")),
        "there is no search index"
    );
    assert!(built.web.with_file_name("fonts").join("NewCMMath-Regular.otf").is_file());
}

#[test]
fn the_pdf_has_outline_pages_links_and_every_font_inside() {
    let repository = sample::repository();
    let built = book::build(repository.path(), &repository.path().join("out")).unwrap();
    let pdf = Pdf::new(fs::read(&built.pdf).unwrap()).unwrap();
    // Title, contents, introduction, part, chapter, glossary.
    assert_eq!(pdf.pages().len(), 6);
    assert_eq!(built.n_pages, 6);

    let dicts = dictionaries(&pdf);
    let of_type = |name: &str| dicts.iter().filter(|dict| is(dict, "Type", name)).collect::<Vec<_>>();
    let catalog = of_type("Catalog")[0];
    let outline: Dict = catalog.get("Outlines").unwrap();
    assert!(outline.contains_key("First"), "the outline is empty");
    let fonts = of_type("FontDescriptor");
    assert!(fonts.len() >= 3, "text, code and formulas have {} fonts", fonts.len());
    for font in fonts {
        assert!(font.contains_key("FontFile2") || font.contains_key("FontFile3"), "a font is not embedded: {font:?}");
    }
    let links = dicts.iter().filter(|dict| is(dict, "Subtype", "Link")).count();
    assert!(links >= 8, "contents and pages have {links} links");
}

#[test]
fn the_same_pages_give_the_same_bytes() {
    let repository = sample::repository();
    let files = |out: &str| {
        let built = book::build(repository.path(), &repository.path().join(out)).unwrap();
        let page = fs::read(built.web.with_file_name("05-attention.html")).unwrap();
        (fs::read(&built.pdf).unwrap(), page)
    };
    assert_eq!(files("first"), files("second"));
}

#[test]
fn the_repository_is_found_from_below() {
    let repository = sample::repository();
    assert_eq!(book::repository(&repository.path().join("chapters/05-attention/src")).unwrap(), repository.path());
    assert!(book::repository(std::path::Path::new("/")).is_err());
}

#[test]
fn headings_have_the_same_ids_on_the_web_and_in_links() {
    let repository = sample::repository();
    let headings = "\n## `f32`, bf16 & co.\n\n## It's here\n\n## It's here\n\n## Über_x-y\n";
    let links = "\n[a](#f32-bf16--co) [b](#its-here-1) [c](#über_x-y)\n";
    sample::write(repository.path(), "book/src/introduction.md", &format!("# Introduction\n{links}{headings}"));
    // The PDF refuses a link whose target it does not know; the web page must know the same ones.
    let built = book::build(repository.path(), &repository.path().join("out")).unwrap();
    let page = fs::read_to_string(built.web.with_file_name("introduction.html")).unwrap();
    let ids: BTreeSet<&str> = page.split("id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    for id in ["f32-bf16--co", "its-here", "its-here-1", "über_x-y"] {
        assert!(ids.contains(id), "{id} is not among {ids:?}");
    }
}

fn dictionaries(pdf: &Pdf) -> Vec<Dict<'_>> {
    let as_dict = |object| match object {
        Object::Dict(dict) => Some(dict),
        Object::Stream(stream) => Some(stream.dict().clone()),
        _ => None,
    };
    pdf.objects().into_iter().filter_map(as_dict).collect()
}

fn is(dict: &Dict, key: &str, wanted: &str) -> bool {
    matches!(dict.get::<Object>(key), Some(Object::Name(name)) if name.as_str() == wanted)
}
