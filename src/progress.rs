//! Progress bars: on standard error, and only if that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of `len` units with a label before it and room for a message after it.
pub fn bar(label: &str, len: u64) -> ProgressBar {
    let bar = ProgressBar::new(len).with_prefix(label.to_string());
    let template = "{prefix:>12} [{bar:30}] {pos}/{len} {elapsed} eta {eta} {msg}";
    // The template is a constant; if a later indicatif refused it, its default bar would do.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
