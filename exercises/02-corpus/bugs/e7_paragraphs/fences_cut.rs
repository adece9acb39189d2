//! Planted bug: cuts at every empty line, fences or not.

/// The paragraphs of `text`, in order.
pub fn paragraphs(text: &str) -> Vec<&str> {
    text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()).collect()
}
