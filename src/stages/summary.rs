//! All results of a run as one JSON object: what `--json` prints. What a corpus does not have is absent.

use std::collections::BTreeMap;

use anyhow::Result;
use evaluation::Score;
use serde_json::{Map, Value, json};

use super::corpus::CorpusReport;
use super::dpo::{self, DpoReport};
use super::evaluate::EvaluationReport;
use super::pretrain::PretrainReport;
use super::sft::SftReport;
use crate::run::{Run, Stage};

/// The summary of the stages that are finished. Shares are from 0 to 1.
///
/// # Errors
/// If a result is damaged.
pub fn summary(run: &Run) -> Result<Value> {
    let mut summary = Map::new();
    summary.insert("run_dir".into(), json!(run.folder()));
    let model = run.path(dpo::MODEL_FOLDER);
    if model.exists() {
        summary.insert("model_dir".into(), json!(model));
    }
    summary.insert("seconds".into(), json!(seconds(run)?));
    if let Some(corpus) = run.finished::<CorpusReport>(Stage::Corpus)?
        && let Some(scores) = corpus.result.scores
    {
        let shares = scores
            .0
            .iter()
            .map(|(stage, score)| (stage.name(), json!({ "precision": score.precision, "recall": score.recall })));
        summary.insert("corpus".into(), Value::Object(shares.map(|(name, value)| (name.to_string(), value)).collect()));
    }
    if let Some(pretrain) = run.finished::<PretrainReport>(Stage::Pretrain)? {
        let PretrainReport { before, after, tokens_per_s, .. } = pretrain.result;
        summary.insert("bits_per_byte".into(), json!({ "before": before.value(), "after": after.value() }));
        summary.insert("tokens_per_s".into(), json!(tokens_per_s));
    }
    let base = run.finished::<EvaluationReport>(Stage::Evaluate)?.map(|finished| finished.result).unwrap_or_default();
    let sft = run.finished::<SftReport>(Stage::Sft)?.map(|finished| finished.result).unwrap_or_default();
    let dpo = run.finished::<DpoReport>(Stage::Dpo)?.map(|finished| finished.result).unwrap_or_default();
    insert_shares(&mut summary, "cloze", [("before", base.cloze_before), ("after", base.cloze_after)]);
    insert_shares(
        &mut summary,
        "exact_match",
        [("base", base.exact_match), ("sft", sft.exact_match), ("dpo", dpo.exact_match)],
    );
    let sentences = |manner: Option<preferences::MannerReport>| manner.map(|manner| manner.full_sentences);
    insert_shares(&mut summary, "manner", [("sft", sentences(sft.manner)), ("dpo", sentences(dpo.manner))]);
    insert_shares(&mut summary, "preference_accuracy", [("held_out", dpo.held_out_accuracy)]);
    if let (Some(before), Some(after)) = (sft.val_loss_before, sft.val_loss_after) {
        summary.insert("sft_loss".into(), json!({ "before": before, "after": after }));
    }
    Ok(Value::Object(summary))
}

/// Wall-clock seconds of each finished stage.
///
/// # Errors
/// If a result is damaged.
pub fn seconds(run: &Run) -> Result<BTreeMap<&'static str, f64>> {
    let mut seconds = BTreeMap::new();
    for stage in Stage::ALL {
        if let Some(finished) = run.finished::<Value>(stage)? {
            seconds.insert(stage.name(), finished.seconds);
        }
    }
    Ok(seconds)
}

fn insert_shares<const N: usize>(summary: &mut Map<String, Value>, name: &str, scores: [(&str, Option<Score>); N]) {
    let shares: Map<String, Value> =
        scores.into_iter().filter_map(|(key, score)| Some((key.to_string(), json!(score?.share())))).collect();
    if !shares.is_empty() {
        summary.insert(name.into(), Value::Object(shares));
    }
}
