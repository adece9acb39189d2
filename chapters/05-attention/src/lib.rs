//! Chapter 5: attention, from one weighted average to grouped heads with rotary positions.
//!
//! | file | concept |
//! |---|---|
//! | [`softmax`](mod@softmax) | scores to weights that sum to one, without overflow |
//! | [`mask`] | who may look at whom: the causal mask, windows, padding |
//! | [`scaled_dot_product`] | softmax(QKᵀ/√d)·V, for many heads and for grouped queries |
//! | [`heads`] | one wide vector as several heads, and back |
//! | [`rope`] | rotary positions: rotate queries and keys by their position |
//! | [`store`] | where keys and values of earlier tokens are kept |
//!
//! This is the reference that every faster attention in the book must equal in value and in gradient.
//! `cargo run --release -- chapter 5` runs [`tour()`].

pub mod heads;
pub mod mask;
pub mod rope;
pub mod scaled_dot_product;
pub mod softmax;
pub mod store;
pub mod tour;

pub use heads::{merge_heads, split_heads};
pub use mask::{causal_mask, visible_mask};
pub use rope::{Rope, RopeScaling};
pub use scaled_dot_product::{Masking, attention_weights, scaled_dot_product_attention};
pub use softmax::softmax;
pub use store::{KeyValueStore, NoStore};
pub use tour::tour;
