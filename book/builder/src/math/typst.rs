//! Walks the MathML of a formula into Typst's math markup.
//!
//! Only the elements that `math-core` writes are known; any other is an error, so that no formula is lost in silence.
//! The LaTeX source travels along as the formula's alternative text, which a PDF for screen readers (PDF/UA) needs.

use anyhow::{Context, Result, bail};
use roxmltree::{Document, Node};

use super::{Display, to_mathml};
use crate::pdf::quoted;

/// Characters of LaTeX fences that stretch with what they enclose; U+2063 stands for an invisible one.
const FENCES: &str = "()[]{}|‖⟨⟩⌊⌋⌈⌉\u{2063}";

/// A LaTeX formula as a Typst expression in markup mode.
///
/// # Errors
/// LaTeX that cannot be read, or MathML without a Typst form.
pub fn to_typst(latex: &str, display: Display) -> Result<String> {
    let mathml = to_mathml(latex, display)?;
    let document = Document::parse(&mathml).context("math-core wrote MathML that is not well-formed")?;
    let body = row(document.root_element(), Place::Outermost)
        .with_context(|| format!("the formula {} has no PDF form", latex.trim()))?;
    let block = display == Display::Block;
    Ok(format!("#math.equation(block: {block}, alt: {}, ${}$.body);", quoted(latex.trim()), body.trim()))
}

/// Whether a node is the whole formula: only there may a table become Typst's aligned lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Outermost,
    Inside,
}

fn children<'a>(node: Node<'a, 'a>) -> Vec<Node<'a, 'a>> {
    node.children().filter(Node::is_element).collect()
}

fn text(node: Node) -> String {
    node.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect()
}

fn row(node: Node, place: Place) -> Result<String> {
    let children = children(node);
    let place = if children.len() == 1 { place } else { Place::Inside };
    let mut parts = Vec::new();
    for child in &children {
        parts.push(element(*child, place)?);
    }
    let body = parts.join(" ");
    let fenced = node.tag_name().name() == "mrow"
        && children.len() > 2
        && is_fence(children[0])
        && is_fence(children[children.len() - 1]);
    Ok(if fenced { format!("lr({body})") } else { body })
}

fn is_fence(node: Node) -> bool {
    let stretches = node.attribute("stretchy").is_none() && node.attribute("minsize").is_none();
    let text = text(node);
    node.tag_name().name() == "mo" && stretches && text.chars().count() <= 1 && text.chars().all(|c| FENCES.contains(c))
}

fn element(node: Node, place: Place) -> Result<String> {
    Ok(match node.tag_name().name() {
        "mrow" | "mstyle" | "mpadded" | "mtd" => row(node, place)?,
        "mi" => identifier(node),
        "mn" | "mtext" => quoted(&text(node)),
        "mo" => operator(node),
        "mspace" => space(node),
        "msub" => format!("attach({}, b: {})", child(node, 0)?, child(node, 1)?),
        "msup" => format!("attach({}, t: {})", child(node, 0)?, child(node, 1)?),
        "msubsup" => format!("attach({}, b: {}, t: {})", child(node, 0)?, child(node, 1)?, child(node, 2)?),
        "munder" | "mover" => over_or_under(node)?,
        "munderover" => {
            format!("attach({}, b: {}, t: {})", limits(node)?, child(node, 1)?, child(node, 2)?)
        }
        "mfrac" => fraction(node)?,
        "msqrt" => format!("sqrt({})", row(node, Place::Inside)?),
        "mroot" => format!("root({}, {})", child(node, 1)?, child(node, 0)?),
        "mphantom" => format!("#hide[${}$]", row(node, Place::Inside)?),
        "mtable" => table(node, place)?,
        other => bail!("<{other}> of MathML is not known here"),
    })
}

/// The child at `index` as an argument of a function; an empty one as an empty text.
fn child(node: Node, index: usize) -> Result<String> {
    let Some(&child) = children(node).get(index) else {
        bail!("<{}> of MathML has fewer than {} children", node.tag_name().name(), index + 1);
    };
    let body = element(child, Place::Inside)?;
    Ok(if body.trim().is_empty() { quoted("") } else { body })
}

fn escaped(c: char) -> String {
    if c.is_ascii() && !c.is_ascii_alphanumeric() { format!("\\{c}") } else { c.to_string() }
}

fn identifier(node: Node) -> String {
    // Variation selectors choose between script alphabets, which our fonts do not tell apart.
    let name: String = text(node).chars().filter(|c| !('\u{fe00}'..='\u{fe0f}').contains(c)).collect();
    let mut chars = name.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) if node.attribute("mathvariant") == Some("normal") => format!("upright({})", escaped(c)),
        (Some(c), None) => escaped(c),
        _ => format!("upright({})", quoted(&name)),
    }
}

fn operator(node: Node) -> String {
    let sign = text(node);
    let mut chars = sign.chars();
    match (chars.next(), chars.next()) {
        // U+2061 is "function application", U+2063 an invisible fence.
        (None | Some('\u{2061}' | '\u{2063}'), None) => "zws".to_string(),
        (Some('∣'), None) => "divides".to_string(),
        (Some('′'), None) => "prime".to_string(),
        (Some(c), None) => one_sign(node, c),
        _ => {
            let limits = node.attribute("movablelimits").is_some();
            format!("op({}, limits: #{limits})", quoted(&sign.replace('\u{2009}', " ")))
        }
    }
}

fn one_sign(node: Node, c: char) -> String {
    let sign = escaped(c);
    if let Some(size) = node.attribute("minsize") {
        return format!("lr(size: #{size}, {sign})");
    }
    match (node.attribute("form"), c) {
        _ if node.attribute("stretchy") == Some("true") && "|‖/".contains(c) => format!("mid({sign})"),
        (Some("prefix"), _) => format!("class(\"opening\", {sign})"),
        (Some("postfix"), _) => format!("class(\"closing\", {sign})"),
        (_, '|' | '‖') => format!("class(\"normal\", {sign})"),
        _ => sign,
    }
}

fn space(node: Node) -> String {
    let from_style =
        || node.attribute("style")?.strip_prefix("margin-left:").map(|rest| rest.trim_end_matches(';').trim());
    match node.attribute("width").or_else(from_style) {
        Some(width) => format!("#h({width})"),
        None => String::new(),
    }
}

fn over_or_under(node: Node) -> Result<String> {
    let over = node.tag_name().name() == "mover";
    let Some(&mark) = children(node).get(1) else {
        bail!("<{}> of MathML has no second child", node.tag_name().name());
    };
    if node.attribute("accent").is_some() || node.attribute("accentunder").is_some() {
        return accent(node, &text(mark), over);
    }
    let base = children(node)[0];
    if let [braced, brace] = children(base).as_slice()
        && matches!(text(*brace).as_str(), "⏞" | "⏟")
    {
        let function = if over { "overbrace" } else { "underbrace" };
        return Ok(format!("{function}({}, {})", element(*braced, Place::Inside)?, child(node, 1)?));
    }
    let side = if over { "t" } else { "b" };
    Ok(format!("attach({}, {side}: {})", limits(node)?, child(node, 1)?))
}

/// The base of limits. An operator such as ∑ moves them to its side within a line; anything else keeps them above and below.
fn limits(node: Node) -> Result<String> {
    let moves = children(node)
        .first()
        .is_some_and(|base| base.tag_name().name() == "mo" && base.attribute("movablelimits") != Some("false"));
    let base = child(node, 0)?;
    Ok(if moves { base } else { format!("limits({base})") })
}

fn accent(node: Node, mark: &str, over: bool) -> Result<String> {
    let base = child(node, 0)?;
    let stretchy = children(node)[1].attribute("stretchy") == Some("true");
    let combining = match mark {
        "⏞" => return Ok(format!("overbrace({base})")),
        "⏟" => return Ok(format!("underbrace({base})")),
        "\u{332}" | "¯" | "‾" | "_" if stretchy && over => return Ok(format!("overline({base})")),
        "\u{332}" | "¯" | "‾" | "_" if stretchy => return Ok(format!("underline({base})")),
        _ if !over => bail!("the accent {mark} below is not known here"),
        "ˆ" | "^" => "\u{302}",
        "˜" | "~" => "\u{303}",
        "˙" => "\u{307}",
        "¨" => "\u{308}",
        "→" => "\u{20d7}",
        "¯" | "‾" | "\u{332}" => "\u{304}",
        other => other,
    };
    Ok(format!("accent({base}, {})", quoted(combining)))
}

fn fraction(node: Node) -> Result<String> {
    let (above, below) = (child(node, 0)?, child(node, 1)?);
    let fraction = if node.attribute("linethickness") == Some("0") {
        format!("mat(delim: #none, {above}; {below})")
    } else {
        format!("frac({above}, {below})")
    };
    Ok(match node.attribute("displaystyle") {
        Some("false") => format!("inline({fraction})"),
        Some("true") => format!("display({fraction})"),
        _ => fraction,
    })
}

fn table(node: Node, place: Place) -> Result<String> {
    let mut rows = Vec::new();
    for line in children(node) {
        let mut cells = Vec::new();
        for cell in children(line) {
            // math-core centres a numbered formula with two cells of half the width.
            if !cell.attribute("style").unwrap_or_default().starts_with("width: 50%") {
                cells.push(row(cell, Place::Inside)?);
            }
        }
        rows.push(cells);
    }
    if place == Place::Outermost {
        return Ok(rows.iter().map(|cells| cells.join(" & ")).collect::<Vec<_>>().join(" \\ "));
    }
    let left = children(node)
        .first()
        .and_then(|line| children(*line).first().and_then(|cell| cell.attribute("style")))
        .is_some_and(|style| style.contains("left"));
    let align = if left { "align: #left, " } else { "" };
    let filled = |cell: &String| if cell.trim().is_empty() { "zws".to_string() } else { cell.clone() };
    let rows: Vec<String> = rows.iter().map(|cells| cells.iter().map(filled).collect::<Vec<_>>().join(", ")).collect();
    Ok(format!("mat(delim: #none, {align}{})", rows.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carries_structure_and_source() {
        let typst = to_typst("\\frac{QK^\\top}{\\sqrt{d_k}}", Display::Inline).unwrap();
        for part in ["frac(", "sqrt(", "attach(d, b: k)", "alt: \"\\\\frac{QK", "block: false"] {
            assert!(typst.contains(part), "{part} is not in {typst}");
        }
    }

    #[test]
    fn fences_stretch_and_names_are_upright() {
        let typst = to_typst("\\operatorname{softmax}\\left(\\frac{x}{y}\\right)", Display::Block).unwrap();
        assert!(typst.contains("lr(") && typst.contains("\"softmax\""), "{typst}");
    }
}
