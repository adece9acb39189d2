//! Where to compute: `--device cpu|cuda|metal`.

use anyhow::{Context, Result};
use candle_core::Device;
use clap::ValueEnum;

use llm_from_scratch::request::WrongRequest;

/// A kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DeviceKind {
    /// The processor; always there.
    Cpu,
    /// The first NVIDIA GPU; needs a build with `--features cuda`.
    Cuda,
    /// Apple's GPU; needs a build with `--features metal`.
    Metal,
}

impl DeviceKind {
    /// Opens the device.
    ///
    /// # Errors
    /// If the program was built without it (the message says how to build it), or it does not start.
    pub fn open(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda if !cfg!(feature = "cuda") => Err(not_built("cuda", "a CUDA toolkit and an NVIDIA driver")),
            Self::Cuda => open_cuda().context("cannot start the CUDA device"),
            Self::Metal if !cfg!(feature = "metal") => Err(not_built("metal", "macOS")),
            Self::Metal => Device::new_metal(0).context("cannot start the Metal device"),
        }
    }
}

#[cfg(feature = "cuda")]
fn open_cuda() -> candle_core::Result<Device> {
    kernels::cuda::open(0)
}

#[cfg(not(feature = "cuda"))]
fn open_cuda() -> candle_core::Result<Device> {
    Device::new_cuda(0)
}

fn not_built(feature: &str, needs: &str) -> anyhow::Error {
    let message = format!(
        "this program was built without {feature}; build it with `cargo build --release --features {feature}` (needs {needs}), or use --device cpu"
    );
    WrongRequest::new(message).into()
}
