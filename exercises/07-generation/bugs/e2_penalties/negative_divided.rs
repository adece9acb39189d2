//! Planted bug: divides negative logits too, as the paper writes it: they rise.

use std::collections::{HashMap, HashSet};

/// How strongly repetition is discouraged.
#[derive(Debug, Clone, Copy)]
pub struct Penalties {
    /// Above 1 discourages; 1 does nothing.
    pub repetition: f32,
    /// 0 does nothing.
    pub presence: f32,
    /// 0 does nothing.
    pub frequency: f32,
}

/// Changes `logits` by what `prompt` and `answer` already have.
pub fn penalise(logits: &mut [f32], prompt: &[u32], answer: &[u32], penalties: Penalties) {
    let mut counts: HashMap<u32, u32> = HashMap::new();
    for token in answer {
        *counts.entry(*token).or_default() += 1;
    }
    let seen: HashSet<u32> = prompt.iter().chain(answer).copied().collect();
    for token in seen {
        let Some(logit) = logits.get_mut(token as usize) else { continue };
        *logit = *logit / penalties.repetition;
        if let Some(n) = counts.get(&token) {
            *logit -= penalties.presence + *n as f32 * penalties.frequency;
        }
    }
}
