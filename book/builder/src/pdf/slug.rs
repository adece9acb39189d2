//! The ids of headings, which links name after `#`.
//!
//! They must be mdBook's, so that one link works in both books: lower case, spaces as hyphens, other punctuation left
//! out, and `-1`, `-2` behind an id that is already used on the page.

use std::collections::HashSet;

/// The ids used on one page.
#[derive(Debug, Default)]
pub struct Slugs(HashSet<String>);

impl Slugs {
    /// A new id for a heading with the text `heading`.
    pub fn unique(&mut self, heading: &str) -> String {
        let slug = slug(heading);
        let numbered = (1..).map(|number| format!("{slug}-{number}"));
        let mut candidates = std::iter::once(slug.clone()).chain(numbered);
        candidates.find(|id| self.0.insert(id.clone())).unwrap_or(slug)
    }
}

fn slug(heading: &str) -> String {
    let keep = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' || c == '-' => Some(c),
        c if c.is_whitespace() => Some('-'),
        _ => None,
    };
    heading.trim().to_lowercase().chars().filter_map(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_mdbooks() {
        let mut slugs = Slugs::default();
        assert_eq!(slugs.unique("What goes wrong?"), "what-goes-wrong");
        assert_eq!(slugs.unique("What goes wrong"), "what-goes-wrong-1");
        assert_eq!(slugs.unique("`f_32` and bf16"), "f_32-and-bf16");
    }
}
