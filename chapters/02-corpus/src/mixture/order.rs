//! The order of the documents that follows from a plan: exact, seeded, and resumable at any document.
//!
//! Drawing each document's source by chance gives the right shares on average, and stretches of a thousand documents
//! that lean far to one side. Here the next document comes from the source that is furthest behind its plan, so every
//! prefix has the planned shares to within a document a source. Within an epoch a source is shuffled by the seed, its
//! name and the epoch's number.
//!
//! A document that would exceed the planned bytes is not begun: a source ends a stage with less than one document too
//! little, which the next stage makes up, and no source is ever read more often than its limit.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::Plan;

/// The next document to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draw {
    /// Stage of the plan.
    pub stage: usize,
    /// Source of the plan.
    pub source: usize,
    /// How often the source was read before.
    pub epoch: u64,
    /// Number of the document within its source.
    pub document: usize,
}

/// Where an order stands; saved with a checkpoint, it goes on at the next document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Stage of the plan.
    pub stage: usize,
    /// Documents drawn of each source in all stages.
    pub n_drawn: Vec<u64>,
    /// Bytes drawn of each source in all stages.
    pub n_bytes: Vec<u64>,
}

/// An iterator over the documents of a plan.
#[derive(Debug, Clone)]
pub struct Order<'a> {
    plan: &'a Plan,
    document_bytes: &'a [Vec<u64>],
    position: Position,
    /// The shuffled documents of each source, with the epoch for which they were shuffled.
    shuffled: Vec<Option<(u64, Vec<usize>)>>,
}

impl<'a> Order<'a> {
    /// The order of a plan for sources whose documents have these sizes in bytes, from `position` on
    /// ([`Position::default`] is the start).
    pub fn new(plan: &'a Plan, document_bytes: &'a [Vec<u64>], mut position: Position) -> Self {
        position.n_drawn.resize(plan.sources.len(), 0);
        position.n_bytes.resize(plan.sources.len(), 0);
        Self { plan, document_bytes, position, shuffled: vec![None; plan.sources.len()] }
    }

    /// Where the order stands.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Bytes of `source` that the stages so far, this one included, may take.
    fn planned_bytes(&self, source: usize) -> u64 {
        self.plan.stages[..=self.position.stage].iter().map(|stage| stage[source].n_bytes).sum()
    }

    /// The source's next document, its epoch and its size.
    fn peek(&mut self, source: usize) -> Option<(u64, usize, u64)> {
        let sizes = self.document_bytes.get(source).filter(|sizes| !sizes.is_empty())?;
        let n = sizes.len() as u64;
        let (epoch, at) = (self.position.n_drawn[source] / n, (self.position.n_drawn[source] % n) as usize);
        if self.shuffled[source].as_ref().is_none_or(|(shuffled_for, _)| *shuffled_for != epoch) {
            let seed = xxh3_64_with_seed(self.plan.sources[source].as_bytes(), self.plan.seed).wrapping_add(epoch);
            let mut documents: Vec<usize> = (0..sizes.len()).collect();
            documents.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
            self.shuffled[source] = Some((epoch, documents));
        }
        let document = self.shuffled[source].as_ref().and_then(|(_, documents)| documents.get(at)).copied()?;
        Some((epoch, document, sizes[document]))
    }

    // ANCHOR: furthest_behind
    /// The source that is furthest behind in this stage and whose next document still fits.
    fn furthest_behind(&mut self) -> Option<usize> {
        let stage = self.position.stage;
        let mut best: Option<(f64, usize)> = None;
        for source in 0..self.plan.sources.len() {
            let stage_bytes = self.plan.stages[stage][source].n_bytes;
            let left = self.planned_bytes(source) - self.position.n_bytes[source].min(self.planned_bytes(source));
            let fits = stage_bytes > 0 && self.peek(source).is_some_and(|(_, _, n_bytes)| n_bytes <= left && left > 0);
            let behind = left as f64 / stage_bytes.max(1) as f64;
            if fits && best.is_none_or(|(most, _)| behind > most) {
                best = Some((behind, source));
            }
        }
        best.map(|(_, source)| source)
    }
    // ANCHOR_END: furthest_behind
}

impl Iterator for Order<'_> {
    type Item = Draw;

    fn next(&mut self) -> Option<Draw> {
        while self.position.stage < self.plan.stages.len() {
            let Some(source) = self.furthest_behind() else {
                self.position.stage += 1;
                continue;
            };
            let (epoch, document, n_bytes) = self.peek(source)?;
            self.position.n_drawn[source] += 1;
            self.position.n_bytes[source] += n_bytes;
            return Some(Draw { stage: self.position.stage, source, epoch, document });
        }
        None
    }
}
