//! Names: ours on the left, Hugging Face's on the right, one table for each way in which families name their weights.
//!
//! GPT-2 keeps a matrix as `(d_in, d_out)`, where all later families keep `(d_out, d_in)`, and has queries, keys and values in one matrix,
//! side by side.

use std::collections::HashMap;

use candle_core::{Result, Tensor, bail};

use super::Family;
use crate::safetensors_file::MappedWeights;

// ANCHOR: names
/// How a file keeps one of our parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// As it is.
    Whole,
    /// As `(d_in, d_out)`.
    Transposed,
    /// As this third of the last dimension of queries, keys and values in one; a matrix transposed besides.
    Third(usize),
}

use Kept::{Third, Transposed, Whole};

/// Our name, theirs, and how it is kept; what belongs to a layer has a `*` for its number.
type Row = (&'static str, &'static str, Kept);

/// Llama, Mistral, Qwen2 and Qwen3; each has some of these.
const LLAMA: [Row; 17] = [
    ("embedding", "model.embed_tokens.weight", Whole),
    ("final_norm", "model.norm.weight", Whole),
    ("head", "lm_head.weight", Whole),
    ("layers.*.attention_norm", "model.layers.*.input_layernorm.weight", Whole),
    ("layers.*.attention.q", "model.layers.*.self_attn.q_proj.weight", Whole),
    ("layers.*.attention.k", "model.layers.*.self_attn.k_proj.weight", Whole),
    ("layers.*.attention.v", "model.layers.*.self_attn.v_proj.weight", Whole),
    ("layers.*.attention.o", "model.layers.*.self_attn.o_proj.weight", Whole),
    ("layers.*.attention.q.bias", "model.layers.*.self_attn.q_proj.bias", Whole),
    ("layers.*.attention.k.bias", "model.layers.*.self_attn.k_proj.bias", Whole),
    ("layers.*.attention.v.bias", "model.layers.*.self_attn.v_proj.bias", Whole),
    ("layers.*.attention.q_norm", "model.layers.*.self_attn.q_norm.weight", Whole),
    ("layers.*.attention.k_norm", "model.layers.*.self_attn.k_norm.weight", Whole),
    ("layers.*.mlp_norm", "model.layers.*.post_attention_layernorm.weight", Whole),
    ("layers.*.mlp.gate", "model.layers.*.mlp.gate_proj.weight", Whole),
    ("layers.*.mlp.up", "model.layers.*.mlp.up_proj.weight", Whole),
    ("layers.*.mlp.down", "model.layers.*.mlp.down_proj.weight", Whole),
];

const GPT2: [Row; 21] = [
    ("embedding", "transformer.wte.weight", Whole),
    ("position_embedding", "transformer.wpe.weight", Whole),
    ("final_norm", "transformer.ln_f.weight", Whole),
    ("final_norm.bias", "transformer.ln_f.bias", Whole),
    ("head", "lm_head.weight", Whole),
    ("layers.*.attention_norm", "transformer.h.*.ln_1.weight", Whole),
    ("layers.*.attention_norm.bias", "transformer.h.*.ln_1.bias", Whole),
    ("layers.*.attention.q", "transformer.h.*.attn.c_attn.weight", Third(0)),
    ("layers.*.attention.k", "transformer.h.*.attn.c_attn.weight", Third(1)),
    ("layers.*.attention.v", "transformer.h.*.attn.c_attn.weight", Third(2)),
    ("layers.*.attention.q.bias", "transformer.h.*.attn.c_attn.bias", Third(0)),
    ("layers.*.attention.k.bias", "transformer.h.*.attn.c_attn.bias", Third(1)),
    ("layers.*.attention.v.bias", "transformer.h.*.attn.c_attn.bias", Third(2)),
    ("layers.*.attention.o", "transformer.h.*.attn.c_proj.weight", Transposed),
    ("layers.*.attention.o.bias", "transformer.h.*.attn.c_proj.bias", Whole),
    ("layers.*.mlp_norm", "transformer.h.*.ln_2.weight", Whole),
    ("layers.*.mlp_norm.bias", "transformer.h.*.ln_2.bias", Whole),
    ("layers.*.mlp.up", "transformer.h.*.mlp.c_fc.weight", Transposed),
    ("layers.*.mlp.up.bias", "transformer.h.*.mlp.c_fc.bias", Whole),
    ("layers.*.mlp.down", "transformer.h.*.mlp.c_proj.weight", Transposed),
    ("layers.*.mlp.down.bias", "transformer.h.*.mlp.c_proj.bias", Whole),
];
// ANCHOR_END: names

/// Their name of one of our parameters, and how they keep it.
pub(crate) fn theirs(family: Family, ours: &str) -> (String, Kept) {
    let table: &[Row] = if family == Family::Gpt2 { &GPT2 } else { &LLAMA };
    let (layer, general) = match ours.strip_prefix("layers.").and_then(|rest| rest.split_once('.')) {
        Some((layer, part)) => (layer, format!("layers.*.{part}")),
        None => ("", ours.to_string()),
    };
    match table.iter().find(|(name, ..)| *name == general) {
        Some((_, theirs, kept)) => (theirs.replace('*', layer), *kept),
        None => (ours.to_string(), Whole),
    }
}

/// The name under which a file has it: models that were saved without their head lack the first part of every name.
pub(crate) fn in_file<'a>(family: Family, theirs: &'a str, weights: &MappedWeights) -> &'a str {
    let prefix = if family == Family::Gpt2 { "transformer." } else { "model." };
    match theirs.strip_prefix(prefix) {
        Some(rest) if !weights.names().any(|name| name.starts_with(prefix)) => rest,
        _ => theirs,
    }
}

/// The shape that a file keeps one of our shapes in.
pub(crate) fn kept_shape(kept: Kept, ours: &[usize]) -> Vec<usize> {
    let mut shape = ours.to_vec();
    if kept != Whole {
        shape.reverse();
    }
    if let (Third(_), Some(last)) = (kept, shape.last_mut()) {
        *last *= 3;
    }
    shape
}

/// Our tensor out of what a file keeps; a view where it can be one.
///
/// # Errors
/// If a tensor of thirds does not divide into three.
pub(crate) fn unpack(kept: Kept, theirs: &Tensor) -> Result<Tensor> {
    match kept {
        Whole => Ok(theirs.clone()),
        Transposed => theirs.t(),
        Third(number) => {
            let last = theirs.rank().saturating_sub(1);
            let width = theirs.dims().last().copied().unwrap_or(0);
            if !width.is_multiple_of(3) {
                bail!("its shape {:?} does not divide into queries, keys and values", theirs.dims());
            }
            let third = theirs.narrow(last, number * width / 3, width / 3)?;
            if last == 0 { Ok(third) } else { third.t() }
        }
    }
}

/// What a file of this family keeps, out of our parameters.
///
/// # Errors
/// If shapes do not fit each other.
pub(crate) fn pack(
    family: Family,
    parameters: impl Iterator<Item = (String, Tensor)>,
) -> Result<HashMap<String, Tensor>> {
    let mut packed = HashMap::new();
    let mut thirds: HashMap<String, [Option<Tensor>; 3]> = HashMap::new();
    for (ours, tensor) in parameters {
        match theirs(family, &ours) {
            (name, Whole) => {
                packed.insert(name, tensor);
            }
            (name, Transposed) => {
                packed.insert(name, tensor.t()?.contiguous()?);
            }
            (name, Third(number)) => {
                let third = if tensor.rank() > 1 { tensor.t()? } else { tensor };
                thirds.entry(name).or_default()[number] = Some(third);
            }
        }
    }
    for (name, thirds) in thirds {
        let [Some(q), Some(k), Some(v)] = thirds else { bail!("{name} lacks queries, keys or values") };
        let last = q.rank() - 1;
        packed.insert(name, Tensor::cat(&[q, k, v], last)?.contiguous()?);
    }
    Ok(packed)
}
