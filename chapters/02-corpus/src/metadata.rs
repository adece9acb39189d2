//! Drops pages that do not want to be read by machines, or that say nothing of a licence.
//!
//! What a page says of itself is kept by extraction in the document's metadata: `robots` (the content of
//! `<meta name="robots">` and of the `X-Robots-Tag` header) and `licence` (a name or an address). Both rules are off
//! unless set. That a page names a licence does not make it so, and most pages of the web name none.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::document::Document;

/// What the metadata must say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetadataConfig {
    /// Drop pages whose robots metadata say `noindex`, `none` or `noai`.
    pub respect_noindex: bool,
    /// Drop pages that name no licence.
    pub require_licence: bool,
    /// If there are any: drop pages whose licence holds none of these, compared in lower case (`creativecommons.org`).
    pub licences: Vec<String>,
}

impl MetadataConfig {
    /// Does any rule look at the metadata?
    pub fn is_on(&self) -> bool {
        *self != Self::default()
    }
}

/// The rule that the document's metadata break, if they break one.
pub fn broken_rule(document: &Document, config: &MetadataConfig) -> Option<&'static str> {
    let robots = texts(document, "robots");
    let tokens = robots.split([',', ';', ' ', ':']).map(str::trim);
    if config.respect_noindex && tokens.into_iter().any(|token| matches!(token, "noindex" | "none" | "noai")) {
        return Some("noindex");
    }
    let licence = texts(document, "licence");
    if config.require_licence && licence.trim().is_empty() {
        return Some("no_licence");
    }
    let is_listed = config.licences.iter().any(|part| licence.contains(&part.to_lowercase()));
    (!config.licences.is_empty() && !licence.trim().is_empty() && !is_listed).then_some("other_licence")
}

/// The text of a field in lower case: a string, or the strings of a list.
fn texts(document: &Document, key: &str) -> String {
    match document.metadata.get(key) {
        Some(Value::String(text)) => text.to_lowercase(),
        Some(Value::Array(texts)) => {
            texts.iter().filter_map(Value::as_str).map(str::to_lowercase).collect::<Vec<_>>().join(",")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rule(key: &str, value: Value, config: &MetadataConfig) -> Option<&'static str> {
        let mut document = Document::new("a", "", "text");
        document.metadata.insert(key.into(), value);
        broken_rule(&document, config)
    }

    #[test]
    fn robots_are_obeyed_in_any_form() {
        let config = MetadataConfig { respect_noindex: true, ..Default::default() };
        for said in [json!("NOINDEX, nofollow"), json!(["index", "noai"]), json!("googlebot: noindex"), json!("none")] {
            assert_eq!(rule("robots", said.clone(), &config), Some("noindex"), "{said}");
        }
        for said in [json!("index, follow"), json!("max-snippet:-1"), json!(7), json!("noindexing")] {
            assert_eq!(rule("robots", said.clone(), &config), None, "{said}");
        }
        assert_eq!(rule("robots", json!("noindex"), &MetadataConfig::default()), None);
    }

    #[test]
    fn a_licence_is_required_or_must_be_one_of_some() {
        let required = MetadataConfig { require_licence: true, ..Default::default() };
        assert_eq!(rule("licence", json!(" "), &required), Some("no_licence"));
        assert_eq!(rule("title", json!("A page"), &required), Some("no_licence"));
        assert_eq!(rule("licence", json!("all rights reserved"), &required), None);
        let listed = MetadataConfig { licences: vec!["creativecommons.org".into(), "MIT".into()], ..required };
        assert_eq!(rule("licence", json!("https://creativecommons.org/licenses/by/4.0/"), &listed), None);
        assert_eq!(rule("licence", json!("MIT"), &listed), None);
        assert_eq!(rule("licence", json!("all rights reserved"), &listed), Some("other_licence"));
    }
}
