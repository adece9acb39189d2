//! On which operations a run's models compute, and in which precision.

use std::sync::Arc;

use candle_core::{Device, Result};
use clap::ValueEnum;
use kernels::{Activations, Fused, Precision};
use pretraining::{Arithmetic, Gpu};
use serde::{Deserialize, Serialize};
use training::{TrainConfig, Trainer};
use transformer::Transformer;

/// Which implementation of the model's operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum OpsKind {
    /// Chapter 09's kernels
    #[default]
    Fused,
    /// Chapter 06's, in stock tensor operations
    Reference,
}

/// In which precision matrices are multiplied; weights, sums and everything else are f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum PrecisionKind {
    /// 32-bit floats
    #[default]
    F32,
    /// bfloat16, with f32 master weights
    Bf16,
}

impl From<PrecisionKind> for Precision {
    fn from(kind: PrecisionKind) -> Self {
        match kind {
            PrecisionKind::F32 => Self::F32,
            PrecisionKind::Bf16 => Self::Bf16,
        }
    }
}

/// How a run computes.
// ANCHOR: compute
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ComputeConfig {
    /// Kernels or reference operations.
    pub ops: OpsKind,
    /// Of matrix products.
    pub precision: PrecisionKind,
    /// Whether the backward pass computes activations again, to save their memory.
    pub recompute: bool,
}

impl ComputeConfig {
    /// The model on these operations; it shares its variables with `model`.
    ///
    /// # Errors
    /// Never in practice; assembling is fallible.
    pub fn place(self, model: &Transformer) -> Result<Transformer> {
        match self.ops {
            OpsKind::Reference => Ok(model.clone()),
            OpsKind::Fused => model.with_ops(Arc::new(self.kernels())),
        }
    }

    /// A trainer whose optimiser runs on these operations.
    ///
    /// # Errors
    /// If the settings are not valid.
    pub fn trainer(self, model: &Transformer, config: TrainConfig) -> Result<Trainer<'_>> {
        let trainer = Trainer::new(model, config)?;
        match self.ops {
            OpsKind::Reference => Ok(trainer),
            OpsKind::Fused => Ok(trainer.with_optimizer_ops(Arc::new(self.kernels()))),
        }
    }

    /// The most FLOP/s that the device reaches in this precision, if its data sheet is known. A CPU has none: its clock follows its heat.
    pub fn peak_flops_per_s(self, device: &Device) -> Option<f64> {
        let arithmetic = match self.precision {
            PrecisionKind::Bf16 => Arithmetic::Bf16,
            PrecisionKind::F32 if candle_core::cuda::gemm_reduced_precision_f32() => Arithmetic::Tf32,
            PrecisionKind::F32 => Arithmetic::F32,
        };
        Some(Gpu::of_device(&device_name(device)?)?.peak_flops_per_s(arithmetic))
    }

    fn kernels(self) -> Fused {
        Fused::new(self.precision.into(), if self.recompute { Activations::Recompute } else { Activations::Keep })
    }

    /// Checks that the settings fit each other.
    ///
    /// # Errors
    /// If the reference operations are asked for what only the kernels can do.
    pub fn validate(self) -> anyhow::Result<()> {
        let is_plain = self.precision == PrecisionKind::F32 && !self.recompute;
        if self.ops == OpsKind::Reference && !is_plain {
            anyhow::bail!(
                "the reference operations compute in f32 and keep activations; bf16 and recompute need ops = \"fused\""
            );
        }
        Ok(())
    }
}
// ANCHOR_END: compute

/// What the driver calls a GPU; `None` for another device.
fn device_name(device: &Device) -> Option<String> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(cuda) => cuda.cuda_stream().context().name().ok(),
        _ => None,
    }
}
