//! Progress bars and warnings, on standard error; bars only if that is a terminal.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
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

/// Prints a warning, if this process has not printed it before: each stage of a run makes its own operations, and all would say the same.
pub fn warn_once(text: &str) {
    static PRINTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if PRINTED.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_string()) {
        eprintln!("warning: {text}");
    }
}
