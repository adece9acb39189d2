//! The book's figures are what the code draws. `UPDATE_FIGURES=1 cargo test --test figures` writes them anew.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use llm_from_scratch::bench::architectures::Ablations;
use llm_from_scratch::figures::{
    FigureError, architectures::architectures, attention_maps::attention_maps, bpe_merges::bpe_merges,
    causal_blocks::causal_blocks, dpo_loss::dpo_loss, logit_lens::logit_lens, roofline::roofline, s_curve::s_curve,
    schedule::schedule,
};
use llm_from_scratch::inspection::Inspection;

fn check(name: &str, svg: Result<String, FigureError>) {
    let svg = svg.unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/snapshots/figures/{name}.svg"));
    if std::env::var_os("UPDATE_FIGURES").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &svg).unwrap();
    }
    let stored = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(stored == svg, "{} differs from what the code draws; see this file's first line", file.display());
}

#[test]
fn architectures_of_chapter_6() {
    check("architectures", architectures(&measured::<Ablations>("architectures.json")));
}

#[test]
fn schedule_of_chapter_8() {
    check("schedule", schedule());
}

/// What was measured once, and is drawn from its numbers.
fn measured<T: serde::de::DeserializeOwned>(file: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/measured").join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_look_inside_of_chapter_6() {
    let seen: Inspection = measured("inspection.json");
    check("logit-lens", logit_lens(&seen.tokens, &seen.lens));
    check("attention-maps", attention_maps(&seen.heads(1), &seen.tokens));
}

#[test]
fn s_curve_of_chapter_2() {
    check("s-curve", s_curve());
}

#[test]
fn bpe_merges_of_chapter_3() {
    check("bpe-merges", bpe_merges());
}

#[test]
fn dpo_loss_of_chapter_14() {
    check("dpo-loss", dpo_loss());
}

#[test]
fn causal_blocks_of_chapter_9() {
    check("causal-blocks", causal_blocks());
}

#[test]
fn roofline_of_chapter_9() {
    check("roofline", roofline());
}
