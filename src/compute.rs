//! On which operations a run's models compute, and in which precision.

use std::sync::Arc;

use candle_core::{Device, Result};
use clap::ValueEnum;
use kernels::activation_memory::Graph;
#[cfg(feature = "cuda")]
use kernels::cuda::Cuda;
use kernels::fallbacks::Fallbacks;
use kernels::training_memory::Stored;
use kernels::{Activations, Fused, Precision, Quantized};
use pretraining::Gpu;
use serde::{Deserialize, Serialize};
use training::{TrainConfig, Trainer};
#[cfg(feature = "cuda")]
use transformer::Ops;
use transformer::Transformer;
use transformer::gguf::Storage;

use crate::bench::profile::StepProfile;
use crate::progress::warn_once;

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
    /// f32 rounded to 11 bits by a GPU's tensor cores
    Tf32,
    /// bfloat16, with f32 master weights
    Bf16,
}

impl From<PrecisionKind> for Precision {
    fn from(kind: PrecisionKind) -> Self {
        match kind {
            PrecisionKind::F32 => Self::F32,
            PrecisionKind::Tf32 => Self::Tf32,
            PrecisionKind::Bf16 => Self::Bf16,
        }
    }
}

/// In which type a model's matrices are held while it generates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Quantize {
    /// 8 bits and a scale for 32 of them: 8.5 bits a weight
    #[value(name = "q8_0")]
    Q8_0,
    /// 4 bits and a scale for 32 of them: 4.5 bits a weight; the embedding and the head in q8_0
    #[value(name = "q4_0")]
    Q4_0,
}

impl From<Quantize> for Storage {
    fn from(quantize: Quantize) -> Self {
        match quantize {
            Quantize::Q8_0 => Self::Q8_0,
            Quantize::Q4_0 => Self::Q4_0,
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
    /// If its device has no such kernels.
    pub fn place(self, model: &Transformer) -> Result<Transformer> {
        match self.kernels(model.device())? {
            None => Ok(model.clone()),
            Some(Kernels::Cpu(fused)) => model.with_ops(Arc::new(fused)),
            #[cfg(feature = "cuda")]
            Some(Kernels::Gpu(cuda)) => {
                cuda.weights_changed();
                model.with_ops(Arc::new(cuda))
            }
        }
    }

    /// Operations that hold the model's matrices quantised; [`Transformer::with_kept_weights`] makes the model for them.
    ///
    /// # Errors
    /// If the model is not on the CPU, the reference operations were asked for, or a weight cannot be quantised.
    pub fn quantize(self, model: &Transformer, quantize: Quantize) -> Result<Quantized> {
        match self.kernels(model.device())? {
            Some(Kernels::Cpu(fused)) if model.device().is_cpu() => Quantized::new(fused, model, quantize.into()),
            _ => candle_core::bail!("quantised weights need the kernels of the CPU: --device cpu and --ops fused"),
        }
    }

    /// A trainer whose optimiser runs on these operations.
    ///
    /// # Errors
    /// If the settings are not valid, or the model's device has no such kernels.
    pub fn trainer(self, model: &Transformer, config: TrainConfig) -> Result<Trainer<'_>> {
        let trainer = Trainer::new(model, config)?;
        Ok(match self.kernels(model.device())? {
            None => trainer,
            Some(Kernels::Cpu(fused)) => trainer.with_optimizer_ops(Arc::new(fused)),
            #[cfg(feature = "cuda")]
            Some(Kernels::Gpu(cuda)) => trainer.with_optimizer_ops(Arc::new(cuda)),
        })
    }

    /// The most FLOP/s that the device reaches in this precision, if its data sheet is known. A CPU has none: its clock follows its heat.
    pub fn peak_flops_per_s(self, device: &Device) -> Option<f64> {
        let precision = match (self.ops, self.precision.into()) {
            // What candle's own products do is a switch of candle's.
            (OpsKind::Reference, _) if candle_core::cuda::gemm_reduced_precision_f32() => Precision::Tf32,
            (_, precision) => precision,
        };
        Some(Gpu::of_device(&device_name(device)?)?.peak_flops_per_s(precision))
    }

    /// How blocks are computed on that device, which decides what they keep.
    pub fn graph(self, device: &Device) -> Graph {
        match (self.ops, self.recompute) {
            // On Metal the kernels hand on to the reference operations.
            _ if device.is_metal() => Graph::Stock,
            (OpsKind::Reference, _) => Graph::Stock,
            (OpsKind::Fused, false) => Graph::Branches,
            (OpsKind::Fused, true) => Graph::Recompute,
        }
    }

    /// As what a device keeps activations.
    pub fn stored(self, device: &Device) -> Stored {
        match self.ops {
            OpsKind::Fused if device.is_cuda() => Stored::OnGpu(self.precision.into()),
            _ => Stored::OnCpu,
        }
    }

    /// Times the GPU's kernels one by one from now on.
    ///
    /// # Errors
    /// If it does not compute on a GPU's kernels.
    pub fn start_profile(self, device: &Device) -> anyhow::Result<()> {
        match self.kernels(device)? {
            #[cfg(feature = "cuda")]
            Some(Kernels::Gpu(cuda)) => Ok(cuda.start_profile()?),
            _ => anyhow::bail!("a profile is of a GPU's kernels; it needs --device cuda and --ops fused"),
        }
    }

    /// What they took in `n_steps` since then.
    ///
    /// # Errors
    /// If none was started, or the device fails.
    pub fn stop_profile(self, device: &Device, n_steps: usize) -> anyhow::Result<StepProfile> {
        match self.kernels(device)? {
            #[cfg(feature = "cuda")]
            Some(Kernels::Gpu(cuda)) => Ok(StepProfile::new(&cuda.stop_profile()?, n_steps)),
            _ => anyhow::bail!("no profile of {n_steps} steps was started"),
        }
    }

    fn activations(self) -> Activations {
        if self.recompute { Activations::Recompute } else { Activations::Keep }
    }

    /// The kernels of a device; none for the reference operations.
    fn kernels(self, device: &Device) -> Result<Option<Kernels>> {
        match (self.ops, device) {
            (OpsKind::Reference, _) => Ok(None),
            #[cfg(feature = "cuda")]
            (OpsKind::Fused, Device::Cuda(_)) => Ok(Some(Kernels::Gpu(self.cuda(device)?))),
            // What these cannot do, on Metal say, they hand on to the reference operations.
            (OpsKind::Fused, _) => {
                let fused = Fused::new(self.precision.into(), self.activations());
                Ok(Some(Kernels::Cpu(fused.with_fallbacks(Fallbacks::telling(warn_once)))))
            }
        }
    }

    /// The GPU's kernels: one instance for model and optimiser, since the one works on copies of weights that the other writes.
    #[cfg(feature = "cuda")]
    fn cuda(self, device: &Device) -> Result<Cuda> {
        use std::sync::{Mutex, PoisonError};
        static OPEN: Mutex<Vec<(String, ComputeConfig, Cuda)>> = Mutex::new(Vec::new());
        let name = format!("{device:?}");
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, _, cuda)) = open.iter().find(|(of, config, _)| *of == name && *config == self) {
            return Ok(cuda.clone());
        }
        let cuda = Cuda::new(device, self.precision.into(), self.activations())?;
        let cuda = cuda.with_fallbacks(Fallbacks::telling(warn_once));
        open.push((name, self, cuda.clone()));
        Ok(cuda)
    }

    /// Checks that the settings fit each other.
    ///
    /// # Errors
    /// If the reference operations are asked for what only the kernels can do.
    pub fn validate(self) -> anyhow::Result<()> {
        if self.ops == OpsKind::Reference && self.needs_kernels() {
            anyhow::bail!(
                "the reference operations compute in f32 and keep activations; bf16, tf32 and recompute need ops = \"fused\""
            );
        }
        Ok(())
    }

    /// Checks that a device can do it.
    ///
    /// # Errors
    /// If it would compute in another precision, or keep activations, without a word.
    pub fn validate_on(self, device: &Device) -> anyhow::Result<()> {
        self.validate()?;
        let problem = match device {
            Device::Cpu if self.precision == PrecisionKind::Tf32 => {
                "tf32 is what a GPU's tensor cores compute in; a CPU computes in f32 or bf16"
            }
            Device::Metal(_) if self.needs_kernels() => {
                "bf16, tf32 and recompute need the kernels of a CPU or of a CUDA device"
            }
            _ => return Ok(()),
        };
        anyhow::bail!("{problem}; choose another precision or --device")
    }

    fn needs_kernels(self) -> bool {
        self.precision != PrecisionKind::F32 || self.recompute
    }
}
// ANCHOR_END: compute

/// Kernels for a kind of device.
enum Kernels {
    Cpu(Fused),
    #[cfg(feature = "cuda")]
    Gpu(Cuda),
}

/// What the driver calls a GPU; `None` for another device.
pub(crate) fn device_name(device: &Device) -> Option<String> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(cuda) => cuda.cuda_stream().context().name().ok(),
        _ => None,
    }
}
