//! Chapter 09's operations on a GPU: kernels in CUDA C++, compiled when the program runs, and the code that launches them.
//!
//! | file | what it holds |
//! |---|---|
//! | `*.cu`, `prelude.cuh` | the kernels, and what they take from the machine |
//! | `memory`, `tensors` | buffers and windows on the device's memory |
//! | `machine` | what a device must do: a GPU by its driver (`driver`), or the CPU that plays one (`twin`) |
//! | `gpu` | products of matrices and launches, checked |
//! | `rms_norm`, `rope`, `swiglu`, `attention`, `cross_entropy`, `embedding`, `adamw`, `cast` | one launch each, beside its source |
//! | `libraries` | NVIDIA's libraries, found when a GPU is first asked for |
//! | `sources`, `compiler`, `cublas_lt` | the kernels' text, NVRTC and its cache, NVIDIA's products |
//! | `profile` | what each kernel takes |
//! | `copies` | weights in the products' type, where they stay |
//! | `ops` | all of it behind the model's seam: [`Cuda`] |

// A launch hands addresses to code that no compiler of ours has seen. Each stands in a function that checks lengths and elements first.
#![allow(unsafe_code)]

mod adamw;
mod attention;
mod cast;
#[cfg(feature = "cuda")]
mod compiler;
mod copies;
mod cross_entropy;
#[cfg(feature = "cuda")]
mod cublas_lt;
mod device_op;
#[cfg(feature = "cuda")]
mod driver;
mod embedding;
mod gpu;
#[cfg(feature = "cuda")]
mod libraries;
mod machine;
mod memory;
mod ops;
mod profile;
mod rms_norm;
mod rope;
#[cfg(feature = "cuda")]
mod sources;
mod swiglu;
mod tensors;
#[cfg(feature = "twin")]
mod twin;

#[cfg(feature = "cuda")]
pub use compiler::cache_folder;
#[cfg(feature = "cuda")]
pub use driver::{open, peak_memory_bytes};
pub use ops::Cuda;
pub use profile::{KernelTime, Profile};

use crate::{Activations, Precision};

#[cfg(feature = "twin")]
impl Cuda {
    /// The operations on the CPU twin, whose threads run in an order drawn from `seed`. Tensors are on the CPU.
    pub fn twin(precision: Precision, activations: Activations, seed: u64) -> Self {
        Self::on(std::sync::Arc::new(twin::Twin::new(seed)), precision, activations)
    }
}

#[cfg(feature = "cuda")]
impl Cuda {
    /// The operations on a GPU that [`open`] has opened.
    ///
    /// # Errors
    /// If the device is none, is too old, or fails.
    pub fn new(
        device: &candle_core::Device,
        precision: Precision,
        activations: Activations,
    ) -> candle_core::Result<Self> {
        Ok(Self::on(std::sync::Arc::new(driver::Driver::new(device)?), precision, activations))
    }
}
