//! What a page takes from elsewhere: listings from the code, outputs from the tests' snapshots, figures from their SVG.
//!
//! The book contains no code and no output that was typed. A page asks for them with a *directive* on a line of its own:
//!
//! | directive | what replaces the line |
//! |---|---|
//! | `{{#include ../../chapters/05-attention/src/causal.rs:mask}}` | the lines between `ANCHOR: mask` and `ANCHOR_END: mask` |
//! | `{{#output 05-attention#the mask}}` | the section `== the mask ==` of the tour's snapshot |
//! | `{{#output 05-attention}}` | the whole snapshot |
//! | `{{#figure funnel "Caption"}}` | `tests/snapshots/figures/funnel.svg`, or `book/src/figures/funnel.svg` drawn by hand |
//!
//! Everything here is strict: what is missing or empty is an error that names the page and the line (mdBook prints an
//! empty listing and succeeds). The module needs the standard library and `anyhow` alone, so that `tests/listings.rs`
//! of the root package can run [`problems`] without building the book.

mod check;
mod directive;
mod listing;
mod snapshot;
mod sources;

pub use check::problems;
pub use directive::Directive;
pub use sources::{Content, Sources};
