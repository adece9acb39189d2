//! The reader of rustup's documentation, on an invented crate in rustdoc's structure and an invented error index.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use corpus::rustdoc::{
    ROOT_VARIABLE, RustDocs, RustDocsError, error_code_preferences, extract_page, extract_rustdoc, qa_pairs,
};
use tempfile::TempDir;

/// A page of an item, with the clutter that rustdoc puts around what its author wrote.
fn item_page(title: &str, declaration: &str, summary: &str, methods: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta name=\"generator\" content=\"rustdoc\"><title>{title}</title></head>\
         <body class=\"rustdoc\"><nav class=\"sidebar\"><h2>Sidebar</h2></nav><main><section id=\"main-content\" class=\"content\">\
         <div class=\"main-heading\"><div class=\"rustdoc-breadcrumbs\"><a href=x>kitchen</a>::pots</div><h1>{title}&nbsp;\
         <button id=\"copy-path\">Copy item path</button></h1><rustdoc-toolbar></rustdoc-toolbar><span class=\"sub-heading\">\
         <span class=\"since\">1.0.0</span> · <a class=\"src\" href=x>Source</a></span></div>\
         <pre class=\"rust item-decl\"><code>{declaration}</code></pre>\
         <details class=\"toggle top-doc\" open><summary class=\"hideme\"><span>Expand description</span></summary>\
         <div class=\"docblock\"><p>{summary}</p><h2 id=\"examples\"><a class=\"doc-anchor\" href=\"#examples\">§</a>Examples</h2>\
         <div class=\"example-wrap\"><a href=\"#\" class=\"tooltip\">ⓘ</a><pre class=\"rust rust-example-rendered\"><code>\
         <span class=\"kw\">let </span>pot = Pot::new();\npot.fill(<span class=\"number\">2</span>);</code></pre>\
         <a class=\"test-arrow\" href=x>Run</a></div></div></details>{methods}\
         <h2 id=\"synthetic-implementations\" class=\"section-header\">Auto Trait Implementations</h2>\
         <div id=\"synthetic-implementations-list\"><section class=\"impl\"><h3 class=\"code-header\">impl Send for Pot</h3></section></div>\
         <h2 id=\"blanket-implementations\">Blanket Implementations</h2><p>T can be borrowed.</p></section></main></body></html>"
    )
}

fn method(kind: &str, name: &str, signature: &str, docs: &str) -> String {
    format!(
        "<details class=\"toggle method-toggle\" open><summary><section id=\"{kind}.{name}\" class=\"method\">\
         <span class=\"rightside\"><span class=\"since\">1.2.0</span> · <a class=\"src\" href=x>Source</a></span>\
         <h4 class=\"code-header\">{signature}</h4></section></summary><div class=\"docblock\">{docs}</div></details>"
    )
}

fn trait_impl(header: &str, signature: &str, docblock: &str) -> String {
    format!(
        "<details class=\"toggle implementors-toggle\" open><summary><section id=\"impl-X\" class=\"impl\">\
         <a href=\"#\" class=\"anchor\">§</a><h3 class=\"code-header\">{header}</h3></section></summary><div class=\"impl-items\">\
         <details class=\"toggle method-toggle\" open><summary><section id=\"method.other\" class=\"method trait-impl\">\
         <h4 class=\"code-header\">{signature}</h4></section></summary><div class='docblock'>{docblock}</div></details></div></details>"
    )
}

fn pot_page() -> String {
    let methods = [
        "<h2 id=\"implementations\" class=\"section-header\">Implementations<a href=\"#x\" class=\"anchor\">§</a></h2>"
            .to_owned(),
        method(
            "method",
            "fill",
            "pub fn <a href=\"#method.fill\" class=\"fn\">fill</a>(&amp;mut self, litres: <a href=x>u32</a>)<div class=\"where\">where\n    Self: Sized,</div>",
            "<p>Pours water into the pot. It never overflows.</p><h5><a class=\"doc-anchor\">§</a>Panics</h5><p>If the pot has a hole.</p>",
        ),
        method("method", "fill-1", "pub fn fill(self)", "<p>Another method of that name.</p>"),
        "<div id=\"deref-methods-Lid\"><p>Methods of the lid.</p></div>".to_owned(),
        "<h2 id=\"trait-implementations\">Trait Implementations</h2><div id=\"trait-implementations-list\">".to_owned(),
        trait_impl(
            "impl Clone for Pot",
            "fn clone(&amp;self) -&gt; Pot",
            "Returns a duplicate of the value. <a href=x>Read more</a>",
        ),
        trait_impl("impl From&lt;Pan&gt; for Pot", "fn from(pan: Pan) -&gt; Pot", "<p>Raises the rim of the pan.</p>"),
        "<section class=\"impl\"><h3 class=\"code-header\">impl Eq for Pot</h3></section></div>".to_owned(),
    ];
    item_page(
        "Struct Pot",
        "pub struct Pot { <span class=\"comment\">/* private fields */</span> }",
        "Holds <code>water</code> over a fire. Made of iron.",
        &methods.concat(),
    )
}

const POT_TEXT: &str = "\
# Struct Pot

```
pub struct Pot { /* private fields */ }
```

Holds `water` over a fire. Made of iron.

## Examples

```
let pot = Pot::new();
pot.fill(2);
```

## Implementations

`pub fn fill(&mut self, litres: u32) where Self: Sized,`

Pours water into the pot. It never overflows.

##### Panics

If the pot has a hole.

`pub fn fill(self)`

Another method of that name.

## Trait Implementations

`impl From<Pan> for Pot`

`fn from(pan: Pan) -> Pot`

Raises the rim of the pan.";

fn book_page(main: &str) -> String {
    format!(
        "<!DOCTYPE HTML><html lang=\"en\"><head><!-- Book generated using mdBook --><title>A chapter</title></head><body>\
         <nav id=\"mdbook-sidebar\">Contents</nav><div id=\"mdbook-content\" class=\"content\"><main>{main}</main>\
         <nav class=\"nav-wrapper\">Next</nav></div></body></html>"
    )
}

fn error_page(code: &str, blocks: &str) -> String {
    book_page(&format!(
        "<h1>Error code {code}</h1><h4>Note: an aside</h4><p>A pot was used after it broke.</p><p>Erroneous code example:</p>{blocks}"
    ))
}

fn example(classes: &str, code: &str) -> String {
    format!(
        "<pre class=\"playground\"><code class=\"language-rust {classes}\"><span class=\"boring\">fn main() {{\n</span>{code}<span class=\"boring\">\n}}</span></code></pre>"
    )
}

fn docs() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let redirect =
        "<html><head><meta http-equiv=\"refresh\" content=\"0;URL=x.html\"></head><body>Redirecting</body></html>";
    let jug = |summary: &str| {
        item_page(
            "Struct Jug",
            "pub struct Jug;",
            summary,
            &method("tymethod", "pour", "fn pour(&amp;self)", "<p>Empties it.</p>"),
        )
    };
    write("std/pots/struct.Pot.html", &pot_page());
    write("std/pots/struct.Jug.html", &jug("A jug of clay."));
    write("std/glass/struct.Jug.html", &jug("A jug of glass."));
    write("std/old.html", redirect);
    write("std/all.html", &item_page("List of all items", "", "Pot, Jug", ""));
    write("core/pots/struct.Pot.html", &pot_page());
    write("alloc/index.html", &item_page("Crate alloc", "", "Shelves.", ""));
    write("book/ch01.html", &book_page("<h1>Soup</h1><p>Heat the water.</p>"));
    write("book/print.html", &book_page("<h1>Everything</h1>"));
    write("src/std/pots.rs.html", &book_page("source"));
    write(
        "error_codes/E0001.html",
        &error_page(
            "E0001",
            &[example("compile_fail E0001", "broken();"), example("", "whole();"), example("", "other();")].concat(),
        ),
    );
    write(
        "error_codes/E0002.html",
        &error_page("E0002", &[example("compile_fail E0009", "wrong();"), example("", "right();")].concat()),
    );
    write(
        "error_codes/E0003.html",
        &error_page(
            "E0003",
            &[
                example("compile_fail E0003", "bad();"),
                example("ignore (why)", "unknown();"),
                example("edition2021", "good();"),
            ]
            .concat(),
        ),
    );
    folder
}

#[test]
fn an_item_page_gives_what_its_author_wrote() {
    let page = extract_rustdoc(&pot_page());
    assert_eq!(page.text, POT_TEXT);
    assert_eq!(page.title.as_deref(), Some("Struct Pot"));
    assert_eq!(page.lang.as_deref(), Some("en"));
}

#[test]
fn a_book_page_gives_its_main_part_without_hidden_lines() {
    let page = extract_page(&book_page(&format!("<h1>Soup</h1><p>Heat it.</p>{}", example("", "boil(&amp;water);"))));
    assert_eq!(page.text, "# Soup\n\nHeat it.\n\n```\nboil(&water);\n```");
}

#[test]
fn pages_come_std_first_without_repeats_and_redirects() {
    let folder = docs();
    let docs = RustDocs::open(folder.path()).unwrap();
    let mut pages = docs.pages();
    let documents: Vec<_> = pages.by_ref().collect();
    let ids: Vec<&str> = documents.iter().map(|document| document.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "std/glass/struct.Jug.html",
            "std/pots/struct.Jug.html",
            "std/pots/struct.Pot.html",
            "alloc/index.html",
            "core/pots/struct.Pot.html",
            "book/ch01.html",
            "error_codes/E0001.html",
            "error_codes/E0002.html",
            "error_codes/E0003.html",
        ]
    );
    assert_eq!(documents[2].text, documents[4].text, "core repeats std");
    let census = pages.census();
    assert_eq!((census.n_files, census.n_redirects, census.n_empty, census.n_documents), (10, 1, 0, 9));
    assert_eq!(docs.n_files(), census.n_files);
    assert_eq!(census.text_bytes, documents.iter().map(|document| document.text.len() as u64).sum::<u64>());
}

#[test]
fn the_order_does_not_depend_on_the_threads() {
    let folder = docs();
    let docs = RustDocs::open(folder.path()).unwrap();
    let read = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| docs.pages().collect::<Vec<_>>())
    };
    assert_eq!(read(1), read(4));
}

#[test]
fn items_become_questions_and_shared_names_are_told_apart() {
    let pairs = qa_pairs(docs().path()).unwrap();
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|pair| (pair.question.as_str(), pair.answer.as_str())).collect();
    assert_eq!(
        pairs,
        [
            ("What is std::glass::Jug?", "A jug of glass."),
            // "Empties it." is too short for an answer, so nobody asks about Jug::pour.
            ("What is std::pots::Jug?", "A jug of clay."),
            ("What is Pot?", "Holds `water` over a fire."),
            ("What does Pot::fill do?", "Pours water into the pot."),
            ("Explain compiler error E0001.", "A pot was used after it broke."),
            ("Explain compiler error E0002.", "A pot was used after it broke."),
            ("Explain compiler error E0003.", "A pot was used after it broke."),
        ]
    );
}

#[test]
fn an_erroneous_example_is_rejected_for_the_next_correct_one() {
    let pairs = error_code_preferences(docs().path()).unwrap();
    let found: Vec<(&str, &str)> = pairs.iter().map(|pair| (pair.rejected.as_str(), pair.chosen.as_str())).collect();
    // E0002's example shows another error; E0003's ignored example may not compile.
    assert_eq!(found, [("```\nbroken();\n```", "```\nwhole();\n```"), ("```\nbad();\n```", "```\ngood();\n```")]);
    assert_eq!(
        pairs[0].prompt,
        "Write Rust code that does not have compiler error E0001. A pot was used after it broke."
    );
}

#[test]
fn missing_documentation_says_how_to_install_it() {
    let folder = tempfile::tempdir().unwrap();
    let errors = [
        RustDocs::open(folder.path()).unwrap_err(),
        qa_pairs(folder.path()).unwrap_err(),
        error_code_preferences(folder.path()).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, RustDocsError::Missing { .. }));
        assert!(error.to_string().contains("rustup component add rust-docs"), "{error}");
    }
}

/// `locate` reads the environment, which a test must not change under the others: it runs itself again with the
/// variable set, and the second process prints what it found.
#[test]
fn locate_honours_the_variable() {
    const IS_CHILD: &str = "CORPUS_TEST_LOCATE";
    if std::env::var_os(IS_CHILD).is_some() {
        match RustDocs::locate() {
            Ok(path) => println!("found {}", path.display()),
            Err(error) => println!("error {error}"),
        }
        return;
    }
    let run = |root: &Path| {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "locate_honours_the_variable", "--nocapture"])
            .env(IS_CHILD, "1")
            .env(ROOT_VARIABLE, root)
            .output()
            .unwrap();
        String::from_utf8(child.stdout).unwrap()
    };
    let folder = docs();
    assert!(run(folder.path()).contains(&format!("found {}", folder.path().display())));
    let empty = tempfile::tempdir().unwrap();
    let said = run(empty.path());
    assert!(
        said.contains("rustup component add rust-docs") && said.contains(&empty.path().display().to_string()),
        "{said}"
    );
}
