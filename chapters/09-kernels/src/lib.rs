//! Chapter 09: fused operations with a forward and a backward, as fast as the machine allows.
//!
//! | module | what it holds |
//! |---|---|
//! | [`isa`] | one source compiled for several instruction sets, chosen when the program runs |
//! | [`lanes`] | sums and maxima in sixteen lanes, and an exponential that vectorises |
//! | [`matrix`] | windows on matrices, and disjoint ones for several threads |
//! | [`matmul`], [`bf16`] | products in f32 and in bfloat16 |
//! | [`rms_norm`] | root-mean-square norm |
//! | [`rope`], [`packed`], [`mask`], [`online_softmax`], [`attention`] | rotary causal grouped-query attention in blocks |
//! | [`matvec`], [`few_rows`], [`cached_attention`] | products and attention when a model generates |
//! | [`quantized`] | products with weights of eight or four bits |
//! | [`swiglu`] | SwiGLU's product |
//! | [`embedding`] | rows by token, and the scatter back |
//! | [`cross_entropy`] | head and log-probabilities in chunks, without all logits |
//! | [`adamw`] | gradient norm and AdamW in one pass each |
//! | [`scratch`], [`gradient_store`] | memory that is used again |
//! | [`fallbacks`] | what the kernels handed on, and why |
//! | [`ops`] | all of it behind the model's seam: [`Fused`] |
//! | `cuda` | the same seam on a GPU (feature `cuda`; feature `twin` for tests on the CPU) |
//! | [`roofline`], [`activation_memory`], [`training_memory`] | what a step asks of arithmetic and of memory, counted |
//!
//! Kernels work on slices and know nothing of tensors; [`ops`] makes candle's operations of them. `cargo run --release -- chapter 9` runs [`tour()`].

pub mod activation_memory;
pub mod adamw;
pub mod attention;
pub mod bf16;
pub mod cached_attention;
pub mod cross_entropy;
#[cfg(any(feature = "cuda", feature = "twin"))]
pub mod cuda;
pub mod embedding;
pub mod fallbacks;
pub mod few_rows;
pub mod gradient_store;
pub mod isa;
pub mod lanes;
pub mod mask;
pub mod matmul;
pub mod matrix;
pub mod matvec;
#[cfg(test)]
mod numbers;
pub mod online_softmax;
pub mod ops;
pub mod packed;
pub mod quantized;
pub mod rms_norm;
pub mod roofline;
pub mod rope;
pub mod scratch;
mod storage;
pub mod swiglu;
pub mod tour;
pub mod training_memory;

pub use isa::Isa;
pub use matmul::Precision;
pub use ops::{Activations, Fused, Quantized};
pub use tour::tour;
