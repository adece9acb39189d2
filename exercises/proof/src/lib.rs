//! The proof that the exercises are worth solving: each can be failed, can be solved, and is not
//! fooled.
//!
//! `tests/proof.rs` shows for every exercise that the starter compiles and passes no test, that the
//! solution passes all, and that each planted bug turns some test red. A [`Variant`] is one state
//! of all exercises at once.

mod variant;
// One home for what an exercise is. Depending on the root package instead would build the whole
// model first.
#[path = "../../../src/cli/exercises/workshop.rs"]
pub mod workshop;

pub use variant::{Outcome, Variant};
