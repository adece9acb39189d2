//! Whether the weights of a file are those of a configuration, before any is read: all that do not fit are named in one error.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{Result, bail};

use crate::ModelConfig;
use crate::hugging_face::{Family, names};
use crate::model::parameter_shapes;
use crate::safetensors_file::MappedWeights;

/// Checks names and shapes.
///
/// # Errors
/// Names weights that are missing, with the nearest name that the file has in its place, those of another shape with both shapes, and those
/// that the model has no use for.
pub(crate) fn check_fit(family: Family, config: &ModelConfig, weights: &MappedWeights) -> Result<()> {
    let wanted: BTreeMap<String, Vec<usize>> = parameter_shapes(config)
        .iter()
        .map(|(name, shape)| {
            let (theirs, kept) = names::theirs(family, name);
            (names::in_file(family, &theirs, weights).to_string(), names::kept_shape(kept, shape))
        })
        .collect();
    let unknown: BTreeSet<&str> =
        weights.names().filter(|name| !wanted.contains_key(*name) && !is_redundant(name, family, config)).collect();
    let mut problems = Vec::new();
    for (name, shape) in &wanted {
        match weights.shape(name) {
            None => problems.push(format!("{name} is missing{}", nearest(name, &unknown))),
            Some(found) if found != shape => {
                problems.push(format!("{name} has shape {found:?}, the model wants {shape:?}"));
            }
            Some(_) => {}
        }
    }
    problems.extend(unknown.iter().map(|name| format!("{name} is not a parameter of the model")));
    if problems.is_empty() {
        return Ok(());
    }
    const SHOWN: usize = 4;
    let more = problems.len().saturating_sub(SHOWN);
    problems.truncate(SHOWN);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    bail!("weights do not fit the model: {}{more}", problems.join("; "))
}

/// Whether a file may hold this tensor although the model needs it not: a tied head may be stored although it is the embedding, and older
/// versions of transformers stored rotary frequencies and causal masks, which follow from the configuration.
fn is_redundant(name: &str, family: Family, config: &ModelConfig) -> bool {
    name == "lm_head.weight" && config.tie_embeddings
        || name.ends_with(".rotary_emb.inv_freq")
        || family == Family::Gpt2 && (name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias"))
}

/// The name in the file that is most like one that is missing, as words, if one is like it at all.
fn nearest(missing: &str, unknown: &BTreeSet<&str>) -> String {
    const LIKE: f64 = 0.7;
    let likeness = |name: &&&str| strsim::normalized_damerau_levenshtein(missing, name);
    let best = unknown.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match best.filter(|name| likeness(name) >= LIKE) {
        Some(name) => format!(" (the file has {name})"),
        None => String::new(),
    }
}
