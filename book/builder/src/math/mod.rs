//! Mathematics: one LaTeX reader, two outputs.
//!
//! `math-core` turns `$…$` and `$$…$$` into MathML Core, which browsers set themselves. The PDF takes the same MathML and
//! walks it into Typst ([`typst`]), so both show the same formula and both refuse the same mistakes. A command that
//! `math-core` does not know fails the build.

use anyhow::{Context, Result, bail};
use math_core::{LatexToMathML, MathCoreConfig, MathDisplay};
use mdbook_preprocessor::book::Book;
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};
use pulldown_cmark::{Event, Parser};

use crate::expand::for_each_page;
use crate::pdf::markdown_options;

mod typst;

pub use typst::to_typst;

/// How a formula stands on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Display {
    /// Inside a line: `$…$`.
    Inline,
    /// On lines of its own: `$$…$$`.
    Block,
}

/// A LaTeX formula as a `<math>` element.
///
/// # Errors
/// LaTeX that `math-core` cannot read; the message quotes the formula.
pub fn to_mathml(latex: &str, display: Display) -> Result<String> {
    let Ok(converter) = LatexToMathML::new(MathCoreConfig::default()) else {
        bail!("math-core refuses its own default settings");
    };
    let style = match display {
        Display::Inline => MathDisplay::Inline,
        Display::Block => MathDisplay::Block,
    };
    match converter.convert_with_local_state(latex, style) {
        Ok(result) => Ok(result.mathml),
        Err(error) => bail!("the formula {} cannot be read: {}", latex.trim(), error.error_message()),
    }
}

/// The preprocessor `math`: formulas of web pages become MathML. The PDF renderer reads formulas itself.
pub struct MathForWeb;

impl Preprocessor for MathForWeb {
    fn name(&self) -> &str {
        "math"
    }

    fn supports_renderer(&self, renderer: &str) -> Result<bool> {
        Ok(renderer == "html")
    }

    fn run(&self, _: &PreprocessorContext, mut book: Book) -> Result<Book> {
        for_each_page(&mut book, |page, text| with_mathml(text).with_context(|| page.to_string()))?;
        Ok(book)
    }
}

fn with_mathml(markdown: &str) -> Result<String> {
    let mut out = String::new();
    let mut done = 0;
    for (event, range) in Parser::new_ext(markdown, markdown_options()).into_offset_iter() {
        let (latex, display) = match event {
            Event::InlineMath(latex) => (latex, Display::Inline),
            Event::DisplayMath(latex) => (latex, Display::Block),
            _ => continue,
        };
        out.push_str(&markdown[done..range.start]);
        out.push_str(&hide_from_markdown(&to_mathml(&latex, display)?));
        done = range.end;
    }
    out.push_str(&markdown[done..]);
    Ok(out)
}

/// Writes the punctuation between tags as character references, so that Markdown does not read `*` or `_` again.
fn hide_from_markdown(mathml: &str) -> String {
    let mut hidden = String::new();
    let mut in_tag = false;
    let mut in_reference = false;
    for c in mathml.chars() {
        match c {
            '<' => in_tag = true,
            '>' => in_tag = false,
            '&' => in_reference = true,
            ';' if in_reference => in_reference = false,
            c if c.is_ascii_punctuation() && !in_tag && !in_reference => {
                hidden.push_str(&format!("&#{};", u32::from(c)));
                continue;
            }
            _ => {}
        }
        hidden.push(c);
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_mathml_that_markdown_leaves_alone() {
        let page = with_mathml("a $x_i * y_j$ b `$code$`\n\n$$\\sum_i x_i$$\n").unwrap();
        assert!(page.contains("<msub>") && page.contains("<math display=\"block\">"), "{page}");
        assert!(!page.contains('*') && page.contains("`$code$`"), "{page}");
    }

    #[test]
    fn references_survive() {
        assert_eq!(hide_from_markdown("<mo>&lt;</mo><mo>*</mo>"), "<mo>&lt;</mo><mo>&#42;</mo>");
    }

    #[test]
    fn unknown_commands_are_refused() {
        let error = to_mathml("\\softmx(x)", Display::Inline).unwrap_err().to_string();
        assert!(error.contains("softmx"), "{error}");
    }
}
