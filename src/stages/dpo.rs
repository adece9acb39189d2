//! Stage 7: preference optimisation, in `dpo/`; the final model goes to `model/`.
//!
//! A corpus without lessons ends here too: its `model/` is then the pretrained one.

use std::fmt;
use std::time::Instant;

use ::tokenizer::Tokenizer;
use anyhow::Result;
use evaluation::Score;
use finetuning::{ChatTemplate, chat};
use preferences::{DpoConfig, MannerReport, PreferencePair, PreferenceTuning};
use serde::{Deserialize, Serialize};
use training::RunDir;
use transformer::Transformer;

use super::evaluate::Answered;
use super::lessons::lessons;
use super::model_folder::{self, ModelKind};
use super::time_limit::{self, DPO_SHARE};
use super::watch::Watch;
use super::{evaluate, pretrain, sft};
use crate::run::Run;

/// What preference optimisation came to. A corpus without preferences has nothing here.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DpoReport {
    /// Pairs learned from.
    pub n_pairs: usize,
    /// Pairs left out because they were too long.
    pub n_too_long: usize,
    /// Values of the last step: loss, rewards, margin, accuracy.
    pub last: Option<DpoValues>,
    /// Held-out pairs whose chosen answer has the higher reward.
    pub held_out_accuracy: Option<Score>,
    /// Questions about held-out towns answered exactly.
    pub exact_match: Option<Score>,
    /// What sampled answers look like.
    pub manner: Option<MannerReport>,
    /// Each question about held-out towns as the model answered it.
    #[serde(default)]
    pub answers: Vec<Answered>,
}

/// What a step of DPO shows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DpoValues {
    /// Mean loss.
    pub loss: f64,
    /// Mean reward of the chosen answers.
    pub chosen_reward: f64,
    /// Mean reward of the rejected answers.
    pub rejected_reward: f64,
    /// Mean difference of the two.
    pub margin: f64,
    /// Share of pairs with a positive margin.
    pub accuracy: f64,
}

/// Folder of metrics and checkpoints.
pub const TRAINING_FOLDER: &str = "dpo";
/// Folder of the final model.
pub const MODEL_FOLDER: &str = "model";

/// Optimises preferences, or continues from the newest checkpoint.
///
/// # Errors
/// If the finetuned model cannot be read, or training fails.
pub fn prefer(run: &mut Run) -> Result<DpoReport> {
    let started = Instant::now();
    let lessons = lessons(run)?;
    if lessons.pairs.is_empty() {
        let (model, tokenizer) = model_folder::load(&run.path(pretrain::MODEL_FOLDER), run.device())?;
        model_folder::save(&run.path(MODEL_FOLDER), &model, &tokenizer, ModelKind::Base)?;
        return Ok(DpoReport::default());
    }
    let compute = run.config().compute;
    let (model, tokenizer) = model_folder::load(&run.path(sft::MODEL_FOLDER), run.device())?;
    let model = compute.place(&model)?;
    let reference = model.frozen_copy()?;
    let folder = RunDir::create(&run.path(TRAINING_FOLDER))?;
    let is_fresh = training::checkpoint::list(&folder.checkpoints())?.is_empty();
    let template = ChatTemplate::new(chat::TEMPLATE)?;
    let (dpo, seed) = (run.config().dpo.clone(), run.config().seed);
    let mut task = PreferenceTuning::new(&model, &reference, &tokenizer, &template, &lessons.pairs, &dpo, seed)?;
    let n_too_long = task.n_too_long();
    if let (Some(budget_s), true) = (time_limit::training_budget(run, started, DPO_SHARE)?, is_fresh) {
        let fitted = time_limit::fit(compute, &model, &mut task, &dpo.train, budget_s)?;
        run.resolve(|config| config.dpo.train = fitted)?;
    }
    let config = run.config().dpo.train.clone();
    let mut trainer = compute.trainer(&model, config.clone())?;
    trainer.resume(&mut task, &folder)?;
    let mut watch = Watch::new("dpo", config.steps);
    trainer.run(&mut task, Some(&folder), &mut |metrics| watch.step(metrics))?;
    watch.finish();
    model_folder::save(&run.path(MODEL_FOLDER), &model, &tokenizer, ModelKind::Chat)?;
    let mut report = DpoReport {
        n_pairs: lessons.pairs.len() - n_too_long,
        n_too_long,
        last: folder.metrics()?.last().map(values),
        held_out_accuracy: held_out_accuracy(&model, &reference, &tokenizer, &lessons.held_out_pairs, &dpo)?,
        ..DpoReport::default()
    };
    if !lessons.questions.is_empty() {
        let (score, answers) = evaluate::exact_match(&model, &tokenizer, &lessons.questions)?;
        (report.exact_match, report.answers) = (Some(score), answers);
        report.manner = Some(sft::sampled_manner(run, &model, &lessons)?);
    }
    Ok(report)
}

fn values(metrics: &training::Metrics) -> DpoValues {
    let extra = |name: &str| metrics.extras.get(name).copied().unwrap_or(f64::NAN);
    DpoValues {
        loss: metrics.loss,
        chosen_reward: extra("chosen_reward"),
        rejected_reward: extra("rejected_reward"),
        margin: extra("margin"),
        accuracy: extra("accuracy"),
    }
}

/// Whether the policy prefers the chosen answer of held-out pairs more than the reference does; `None` if no pair fits the model.
fn held_out_accuracy(
    model: &Transformer,
    reference: &Transformer,
    tokenizer: &Tokenizer,
    pairs: &[PreferencePair],
    config: &DpoConfig,
) -> Result<Option<Score>> {
    let template = ChatTemplate::new(chat::TEMPLATE)?;
    let margins = preferences::dpo::margins(model, reference, tokenizer, &template, pairs, config)?;
    Ok((!margins.is_empty()).then(|| Score::count(margins.into_iter().map(|margin| margin > 0.0))))
}

impl fmt::Display for DpoReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Some(last) = &self.last else {
            return write!(f, "this corpus has no preferences to learn from");
        };
        write!(f, "{} pairs ({} too long); loss {:.3}, ", self.n_pairs, self.n_too_long, last.loss)?;
        write!(
            f,
            "rewards chosen {:.2} rejected {:.2}, margin {:.2}, accuracy {:.0}%",
            last.chosen_reward,
            last.rejected_reward,
            last.margin,
            100.0 * last.accuracy
        )?;
        if let Some(score) = &self.held_out_accuracy {
            write!(f, "\nheld-out pairs preferred: {score}")?;
        }
        if let Some(score) = &self.exact_match {
            write!(f, "\nquestions answered:       {score}")?;
        }
        if let Some(manner) = &self.manner {
            write!(f, "\nsampled full sentences:   {}", manner.full_sentences)?;
        }
        Ok(())
    }
}
