//! The little HTML that pages may contain, as Typst markup.
//!
//! Markdown has no collapsible block, no key and no name above a listing; pages write those as HTML. A tag that is not
//! in the list below is refused: it would show on the web and vanish from the PDF.

use anyhow::{Context, Result, bail};

use super::quoted;

/// Converts a fragment, which may open elements that a later fragment closes.
///
/// # Errors
/// A tag that never ends, or that has no form in the PDF.
pub fn to_typst(html: &str) -> Result<String> {
    let mut out = String::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        put_text(&rest[..start], &mut out);
        rest = &rest[start..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->").context("an HTML comment never ends")?.1;
            continue;
        }
        let (tag, after) = rest[1..].split_once('>').with_context(|| format!("the HTML tag {rest} never ends"))?;
        out.push_str(element(tag)?);
        rest = after;
    }
    put_text(rest, &mut out);
    Ok(out)
}

fn put_text(text: &str, out: &mut String) {
    if !text.trim().is_empty() {
        let text = text.trim_matches('\n').replace('\n', " ");
        out.push_str(&format!("#{};", quoted(&unescaped(&text))));
    }
}

fn element(tag: &str) -> Result<&'static str> {
    let name: String = tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
    let closes = tag.starts_with('/');
    Ok(match name.as_str() {
        "br" => "#linebreak();",
        "hr" => "#rule();",
        "summary" if closes => "];#parbreak();",
        "details" | "div" | "kbd" | "sub" | "sup" | "b" | "strong" | "em" | "i" | "code" | "span" | "p" if closes => {
            "];"
        }
        "details" => "#details[",
        "summary" => "#summary[",
        "div" if tag.contains("class=\"listing-name\"") => "#listing-name[",
        "kbd" => "#kbd[",
        "sub" => "#sub[",
        "sup" => "#super[",
        "b" | "strong" => "#strong[",
        "em" | "i" => "#emph[",
        "code" => "#code[",
        "div" | "span" | "p" => "#block[",
        _ => bail!("the HTML tag <{tag}> has no form in the PDF"),
    })
}

fn unescaped(text: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", "\u{a0}"), ("&amp;", "&")];
    pairs.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_what_pages_use() {
        let typst = to_typst("<details>\n<summary>A &lt; b</summary>\n").unwrap();
        assert_eq!(typst, "#details[#summary[#\"A < b\";];#parbreak();");
        assert_eq!(to_typst("</details><!-- <blink> -->").unwrap(), "];");
    }

    #[test]
    fn refuses_what_would_be_lost() {
        assert!(to_typst("<video src=\"a\">").is_err());
        assert!(to_typst("<details").is_err());
        assert!(to_typst("<!-- open").is_err());
    }
}
