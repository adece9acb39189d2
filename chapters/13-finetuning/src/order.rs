//! A seeded walk over examples: every epoch in another order, resumed at any point.

use batches::shuffle::epoch_order;
use candle_core::{Result, bail};
use serde::{Deserialize, Serialize};

/// Which examples come next. As a state, it is all that a resumed run needs.
// ANCHOR: order
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExampleOrder {
    n_examples: usize,
    seed: u64,
    epoch: u64,
    position: usize,
}

impl ExampleOrder {
    /// A walk over `n_examples`.
    ///
    /// # Errors
    /// If there is no example.
    pub fn new(n_examples: usize, seed: u64) -> Result<Self> {
        if n_examples == 0 {
            bail!("there is no example to learn from");
        }
        Ok(Self { n_examples, seed, epoch: 0, position: 0 })
    }

    /// The next `n` examples; a batch may reach over the end of an epoch.
    pub fn take(&mut self, n: usize) -> Vec<usize> {
        let mut taken = Vec::with_capacity(n);
        while taken.len() < n {
            let order = epoch_order(self.n_examples as u32, self.seed, self.epoch);
            let n_here = (n - taken.len()).min(self.n_examples - self.position);
            taken.extend(order[self.position..self.position + n_here].iter().map(|&index| index as usize));
            self.position += n_here;
            if self.position == self.n_examples {
                (self.epoch, self.position) = (self.epoch + 1, 0);
            }
        }
        taken
    }

    /// Continues where `state` was.
    ///
    /// # Errors
    /// If it walked over other examples.
    pub fn restore(&mut self, state: &serde_json::Value) -> Result<()> {
        let state: Self = serde_json::from_value(state.clone()).map_err(candle_core::Error::wrap)?;
        if (state.n_examples, state.seed) != (self.n_examples, self.seed) || state.position >= state.n_examples {
            bail!(
                "the saved walk was over {} examples with seed {}, this one is over {} with seed {}",
                state.n_examples,
                state.seed,
                self.n_examples,
                self.seed
            );
        }
        *self = state;
        Ok(())
    }
}
// ANCHOR_END: order
