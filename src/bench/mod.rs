//! Benchmarks that anyone can repeat: a training step, single operations, generation, a corpus, the tokenizer. They print medians of many repetitions, beside what the
//! machine could do at best.

pub mod architectures;
pub mod corpus;
pub mod decode;
pub mod ops;
pub mod peak;
pub mod profile;
pub mod tokenizer;
pub mod train;

use std::time::Instant;

use candle_core::Device;

/// A megabyte as Linux counts.
const BYTES_PER_MB: f64 = 1024.0 * 1024.0;

/// Seconds that `work` takes.
///
/// # Errors
/// If `work` fails.
pub fn seconds<R>(work: impl FnOnce() -> anyhow::Result<R>) -> anyhow::Result<(f64, R)> {
    let started = Instant::now();
    let result = work()?;
    Ok((started.elapsed().as_secs_f64(), result))
}

/// The most memory that this process has held so far, in megabytes. Known on Linux alone.
pub fn peak_resident_mb() -> Option<f64> {
    status_mb("VmHWM:")
}

/// The memory that this process holds, in megabytes. Known on Linux alone.
pub fn resident_mb() -> Option<f64> {
    status_mb("VmRSS:")
}

fn status_mb(key: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(key))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024.0 / BYTES_PER_MB)
}

/// The most memory of a device that this process has held so far, in megabytes, where it is known.
///
/// # Errors
/// If the device fails.
pub fn peak_memory_mb(device: &Device) -> anyhow::Result<Option<f64>> {
    match device {
        Device::Cpu => Ok(peak_resident_mb()),
        #[cfg(feature = "cuda")]
        Device::Cuda(_) => Ok(Some(kernels::cuda::peak_memory_bytes(device)? as f64 / 1e6)),
        _ => Ok(None),
    }
}
