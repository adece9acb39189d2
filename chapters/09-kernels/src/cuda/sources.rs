//! The kernels' sources, within the program.

use candle_core::{Result, bail};

use super::machine::Module;
use super::memory::Element;

/// Each source by its name.
const SOURCES: [(&str, &str); 9] = [
    ("adamw", include_str!("adamw.cu")),
    ("attention", include_str!("attention.cu")),
    ("cast", include_str!("cast.cu")),
    ("cross_entropy", include_str!("cross_entropy.cu")),
    ("embedding", include_str!("embedding.cu")),
    ("flash_attention", include_str!("flash_attention.cu")),
    ("rms_norm", include_str!("rms_norm.cu")),
    ("rope", include_str!("rope.cu")),
    ("swiglu", include_str!("swiglu.cu")),
];

/// What sources include, by the names that they include it under.
pub(super) const HEADERS: [(&str, &str); 2] =
    [("prelude.cuh", include_str!("prelude.cuh")), ("attention_shape.cuh", include_str!("attention_shape.cuh"))];

/// The text of a module.
///
/// # Errors
/// If there is no such source.
pub(super) fn text(module: Module) -> Result<&'static str> {
    match SOURCES.iter().find(|(name, _)| *name == module.source) {
        Some((_, text)) => Ok(text),
        None => bail!("there is no CUDA source {}", module.source),
    }
}

/// The constants of a module as a compiler takes them.
pub(super) fn definitions(module: Module) -> Vec<String> {
    let element = match module.element {
        Element::Bf16 => "bf16",
        _ => "float",
    };
    let head_dim = module.head_dim.map(|head_dim| format!("-DHEAD_DIM={head_dim}"));
    std::iter::once(format!("-DElement={element}")).chain(head_dim).collect()
}
