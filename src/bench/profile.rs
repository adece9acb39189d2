//! Where the time of a training step on a GPU goes: a row for each kernel and for each shape of product, the longest first.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One step's time on the device, by kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepProfile {
    /// From the first launch of a step to its last: the sum of all rows.
    pub step_ms: f64,
    /// What it is made of. The row [`BETWEEN`] is what ran, or waited, between launches.
    pub kernels: Vec<KernelShare>,
}

/// A kernel's part in a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KernelShare {
    /// Its name; of a product, its shapes.
    pub name: String,
    /// Launches in a step.
    pub calls: f64,
    /// Milliseconds of a step.
    pub ms: f64,
    /// The same as a share of the step.
    pub share: f64,
    /// Arithmetic of products, in 10¹² operations a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tflops: Option<f64>,
}

/// The name of what is no kernel of ours.
pub const BETWEEN: &str = "between kernels";

impl StepProfile {
    /// What a step had of the profile of `n_steps`.
    #[cfg(feature = "cuda")]
    pub(crate) fn new(found: &kernels::cuda::Profile, n_steps: usize) -> Self {
        let of_kernels =
            found.kernels.iter().map(|kernel| (kernel.name.as_str(), kernel.n_calls, kernel.ms, kernel.flops));
        let mut times: Vec<(&str, usize, f64, f64)> = of_kernels.collect();
        times.push((BETWEEN, 0, found.between_ms, 0.0));
        Self::of_times(&times, n_steps)
    }

    /// Of names, calls, milliseconds and operations.
    #[cfg(any(feature = "cuda", test))]
    fn of_times(times: &[(&str, usize, f64, f64)], n_steps: usize) -> Self {
        let n_steps = n_steps.max(1) as f64;
        let total_ms: f64 = times.iter().map(|(_, _, ms, _)| ms).sum();
        let share = |&(name, n_calls, ms, flops): &(&str, usize, f64, f64)| KernelShare {
            name: name.to_string(),
            calls: n_calls as f64 / n_steps,
            ms: ms / n_steps,
            share: ms / total_ms.max(f64::MIN_POSITIVE),
            tflops: (flops > 0.0 && ms > 0.0).then(|| flops / (ms * 1e-3) / 1e12),
        };
        Self { step_ms: total_ms / n_steps, kernels: times.iter().map(share).collect() }
    }
}

impl fmt::Display for StepProfile {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let width = self.kernels.iter().map(|kernel| kernel.name.len()).max().unwrap_or(0).max("kernel".len());
        writeln!(f, "{:<width$} {:>7} {:>9} {:>6} {:>8}", "kernel", "calls", "ms", "share", "TFLOP/s")?;
        for KernelShare { name, calls, ms, share, tflops } in &self.kernels {
            let tflops = tflops.map_or(String::new(), |tflops| format!("{tflops:.1}"));
            let line = format!("{name:<width$} {calls:>7.0} {ms:>9.3} {:>5.1}% {tflops:>8}", 100.0 * share);
            writeln!(f, "{}", line.trim_end())?;
        }
        writeln!(f, "{:<width$} {:>7} {:>9.3} {:>5.1}%", "a step", "", self.step_ms, 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_the_sum_of_its_rows() {
        let times = [("product (2, 3) (3, 4)", 8, 6.0, 1.2e10), ("cast", 4, 1.0, 0.0), (BETWEEN, 0, 1.0, 0.0)];
        let profile = StepProfile::of_times(&times, 4);
        assert_eq!(profile.step_ms, 2.0);
        assert_eq!(profile.kernels.iter().map(|kernel| kernel.share).sum::<f64>(), 1.0);
        let product = &profile.kernels[0];
        assert_eq!((product.calls, product.ms, product.share, product.tflops), (2.0, 1.5, 0.75, Some(2.0)));
        let printed = profile.to_string();
        let rows: Vec<&str> = printed.lines().collect();
        assert_eq!(
            rows,
            [
                "kernel                  calls        ms  share  TFLOP/s",
                "product (2, 3) (3, 4)       2     1.500  75.0%      2.0",
                "cast                        1     0.250  12.5%",
                "between kernels             0     0.250  12.5%",
                "a step                            2.000 100.0%",
            ]
        );
    }
}
