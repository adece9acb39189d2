//! Where the device's time goes, kernel by kernel.
//!
//! The host is far ahead of the device: its clock says when a kernel was asked for, not when it ran. So the device itself notes the moment
//! before and after each launch and each product, in its stream ([`Machine::mark`]; on a GPU an event, exact to about half a microsecond). What
//! passes from the end of one launch to the start of the next belongs to none: candle's own operations, copies, and waiting for the host.
//!
//! Marks cost time themselves, most where kernels are short: steps are slower while a profile is taken.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{Result, bail};

use super::machine::{Machine, Product};

// ANCHOR: profile
/// Where the time between the first mark and the last went.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// The longest first.
    pub kernels: Vec<KernelTime>,
    /// Milliseconds between the end of a launch and the start of the next, all together.
    pub between_ms: f64,
}

/// All launches of a kernel, or all products of one shape.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelTime {
    /// As in the source; products by their shapes.
    pub name: String,
    /// Launches.
    pub n_calls: usize,
    /// Milliseconds, all together.
    pub ms: f64,
    /// Floating-point operations of products, all together; 0 for kernels, which are not counted.
    pub flops: f64,
}
// ANCHOR_END: profile

/// What was launched, in order, while a profile is taken. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recording(Arc<Mutex<Option<Vec<Label>>>>);

/// A kernel by its name, a product by (m, k, n).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Label {
    Kernel(&'static str),
    Product([usize; 3]),
}

impl Recording {
    /// From now on launches are timed; what was recorded before is forgotten.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn start(&self, machine: &dyn Machine) -> Result<()> {
        let mut labels = self.labels();
        machine.take_marks()?;
        *labels = Some(Vec::new());
        Ok(())
    }

    /// Runs `start_work`, timed if a profile is taken.
    ///
    /// # Errors
    /// Those of `start_work`, and if the device fails.
    pub(crate) fn timed(
        &self,
        machine: &dyn Machine,
        label: Label,
        start_work: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        // Held while launching, so that the marks of two threads do not mix.
        let mut labels = self.labels();
        let Some(labels) = labels.as_mut() else { return start_work() };
        machine.mark()?;
        start_work()?;
        machine.mark()?;
        labels.push(label);
        Ok(())
    }

    /// Ends the recording, once the device is done, and sums it up.
    ///
    /// # Errors
    /// If none was started, or the device fails.
    pub(crate) fn stop(&self, machine: &dyn Machine) -> Result<Profile> {
        let Some(labels) = self.labels().take() else { bail!("no profile was started") };
        sum_up(&labels, &machine.take_marks()?)
    }

    fn labels(&self) -> MutexGuard<'_, Option<Vec<Label>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// ANCHOR: sum_up
/// Two marks for each label; `gaps_ms` are the times from each mark to the next.
fn sum_up(labels: &[Label], gaps_ms: &[f64]) -> Result<Profile> {
    if gaps_ms.len() != (2 * labels.len()).saturating_sub(1) {
        bail!("{} launches and {} times between marks do not fit: one of them failed", labels.len(), gaps_ms.len());
    }
    let mut of_label: BTreeMap<Label, (usize, f64)> = BTreeMap::new();
    for (&label, ms) in labels.iter().zip(gaps_ms.iter().step_by(2)) {
        let (n_calls, total_ms) = of_label.entry(label).or_default();
        *n_calls += 1;
        *total_ms += ms;
    }
    let time = |(label, (n_calls, ms)): (Label, (usize, f64))| KernelTime {
        name: label.name(),
        n_calls,
        ms,
        flops: label.flops() * n_calls as f64,
    };
    let mut kernels: Vec<KernelTime> = of_label.into_iter().map(time).collect();
    kernels.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    Ok(Profile { kernels, between_ms: gaps_ms.iter().skip(1).step_by(2).sum() })
}
// ANCHOR_END: sum_up

impl Label {
    pub(crate) fn of_product(product: &Product) -> Self {
        Self::Product([product.a.1.n_rows, product.a.1.n_cols, product.b.1.n_cols])
    }

    fn name(self) -> String {
        match self {
            Self::Kernel(name) => name.to_string(),
            Self::Product([m, k, n]) => format!("product ({m}, {k}) ({k}, {n})"),
        }
    }

    /// Of one call.
    fn flops(self) -> f64 {
        match self {
            Self::Kernel(_) => 0.0,
            Self::Product(sizes) => 2.0 * sizes.iter().map(|&size| size as f64).product::<f64>(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_belong_to_what_ran_between_their_marks() {
        let product = Label::Product([2, 3, 4]);
        let labels = [product, Label::Kernel("cast"), product];
        // Six marks have five gaps.
        let profile = sum_up(&labels, &[5.0, 0.5, 1.0, 0.25, 6.0]).unwrap();
        let expected = [("product (2, 3) (3, 4)", 2, 11.0, 96.0), ("cast", 1, 1.0, 0.0)];
        let expected =
            expected.map(|(name, n_calls, ms, flops)| KernelTime { name: name.to_string(), n_calls, ms, flops });
        assert_eq!(profile, Profile { kernels: expected.to_vec(), between_ms: 0.75 });
        assert!(sum_up(&labels, &[5.0, 0.5]).is_err(), "a launch that failed has one mark");
        assert!(sum_up(&[], &[]).unwrap().kernels.is_empty());
    }
}
