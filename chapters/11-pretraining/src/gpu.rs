//! What GPUs can do: peak FLOP/s of matrix products, and memory, from their vendor's papers.
//!
//! All products are *dense* and sum in f32. Data sheets like to print twice as much, "with sparsity": half of each matrix would have to be zero, in a
//! pattern. The GeForce cards sum in f32 at half the rate at which they sum in f16; the half is what training gets.
//!
//! Sources are NVIDIA's, by architecture: *A100 Tensor Core GPU Architecture* (2020), *Ampere GA102 GPU Architecture* (2020, also for the RTX A6000 with its data
//! sheet), *H100 Tensor Core GPU Architecture* (2022), *Ada GPU Architecture* (2022), and the data sheets of L4, L40S, H200 and HGX B200. Clocks are the boost clocks of
//! those papers; under a low power limit a card does not hold them.

use kernels::Precision;

// ANCHOR: gpu
/// A GPU by its data sheet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gpu {
    /// What people call it.
    pub name: &'static str,
    /// What its driver calls it, without "NVIDIA".
    device_names: &'static [&'static str],
    /// Memory in GB of 10⁹ bytes, as sold.
    pub memory_gb: f64,
    /// Dense TFLOP/s in bf16, TF32 and f32.
    tflops: [f64; 3],
}

/// The GPUs that we know.
pub const GPUS: [Gpu; 12] = [
    gpu("B200", &["B200"], 180.0, [2250.0, 1125.0, 75.0]),
    gpu("H200 SXM", &["H200"], 141.0, [989.4, 494.7, 66.9]),
    gpu("H100 SXM", &["H100 80GB HBM3"], 80.0, [989.4, 494.7, 66.9]),
    gpu("H100 PCIe", &["H100 PCIe"], 80.0, [756.0, 378.0, 51.2]),
    gpu("A100 80GB", &["A100-SXM4-80GB", "A100 80GB PCIe"], 80.0, [312.0, 156.0, 19.5]),
    gpu("A100 40GB", &["A100-SXM4-40GB", "A100-PCIE-40GB"], 40.0, [312.0, 156.0, 19.5]),
    gpu("L40S", &["L40S"], 48.0, [362.0, 183.0, 91.6]),
    gpu("RTX A6000", &["RTX A6000"], 48.0, [154.8, 77.4, 38.7]),
    gpu("L4", &["L4"], 24.0, [121.0, 60.0, 30.3]),
    gpu("RTX 4090", &["GeForce RTX 4090"], 24.0, [165.2, 82.6, 82.6]),
    gpu("RTX 3090", &["GeForce RTX 3090"], 24.0, [71.0, 35.6, 35.6]),
    gpu("RTX 3070", &["GeForce RTX 3070"], 8.0, [40.6, 20.3, 20.3]),
];
// ANCHOR_END: gpu

const fn gpu(name: &'static str, device_names: &'static [&'static str], memory_gb: f64, tflops: [f64; 3]) -> Gpu {
    Gpu { name, device_names, memory_gb, tflops }
}

impl Gpu {
    /// The GPU whose driver calls it that, such as `NVIDIA H100 80GB HBM3`. The whole name must be right: a laptop's RTX 4090 is another chip.
    pub fn of_device(device_name: &str) -> Option<Self> {
        let name = device_name.strip_prefix("NVIDIA ").unwrap_or(device_name).trim();
        GPUS.into_iter().find(|gpu| gpu.device_names.contains(&name))
    }

    /// The GPU of that name, whatever its case, spaces and hyphens.
    pub fn named(name: &str) -> Option<Self> {
        let plain = |name: &str| name.to_lowercase().replace([' ', '-', '_'], "");
        GPUS.into_iter().find(|gpu| plain(gpu.name) == plain(name))
    }

    /// The most FLOP/s of matrix products.
    pub fn peak_flops_per_s(&self, precision: Precision) -> f64 {
        let [bf16, tf32, f32] = self.tflops;
        1e12 * match precision {
            Precision::Bf16 => bf16,
            Precision::Tf32 => tf32,
            Precision::F32 => f32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_known_by_its_whole_name() {
        let found = |device_name| Gpu::of_device(device_name).map(|gpu| gpu.name);
        assert_eq!(found("NVIDIA H100 80GB HBM3"), Some("H100 SXM"));
        assert_eq!(found("NVIDIA A100-PCIE-40GB"), Some("A100 40GB"));
        assert_eq!(found("NVIDIA GeForce RTX 4090"), Some("RTX 4090"));
        for other in ["NVIDIA GeForce RTX 4090 Laptop GPU", "NVIDIA L40", "NVIDIA H200 NVL", "Tesla T4", ""] {
            assert_eq!(found(other), None, "{other}");
        }
        assert_eq!(Gpu::named("rtx-4090"), Gpu::named("RTX 4090"));
        assert!(Gpu::named("RTX 4091").is_none());
    }

    /// What the papers have in common: the tensor units are at least as fast as the others, bf16 is twice TF32 (to the rounding of the
    /// sheets), and no two entries answer to one name.
    #[test]
    fn the_table_is_plausible() {
        let mut names: Vec<&str> = GPUS.iter().flat_map(|gpu| gpu.device_names).copied().collect();
        for gpu in GPUS {
            let peak = |arithmetic| gpu.peak_flops_per_s(arithmetic);
            assert!(peak(Precision::F32) <= peak(Precision::Tf32), "{}", gpu.name);
            assert!((peak(Precision::Bf16) / peak(Precision::Tf32) / 2.0 - 1.0).abs() < 0.02, "{}", gpu.name);
            assert!(gpu.memory_gb >= 8.0 && peak(Precision::Bf16) >= 4e13, "{}", gpu.name);
        }
        let n_names = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), n_names);
    }
}
