//! Chapter 1: tensors, automatic differentiation, and the checks that keep both honest.
//!
//! | file | concept |
//! |---|---|
//! | [`init`] | random tensors that depend on a seed and a name, and on nothing else |
//! | [`parameters`] | the trainable variables of a model, by name and in a fixed order |
//! | [`gradient_check`] | autograd against central finite differences |
//! | [`coverage`] | does every variable receive a finite, non-zero gradient? |
//! | [`compare`] | how far two tensors are apart |
//!
//! [`tour()`] is the chapter's experiment: `cargo run --release -- chapter 1`.

pub mod compare;
pub mod coverage;
pub mod gradient_check;
pub mod init;
pub mod parameters;
pub mod tour;

pub use compare::{Difference, difference};
pub use coverage::{Coverage, gradient_coverage};
pub use gradient_check::{GradientCheck, check_gradients};
pub use init::normal;
pub use parameters::Parameters;
pub use tour::tour;
