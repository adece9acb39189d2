//! Stage 6: supervised finetuning, in `sft/`; the model goes to `finetuned/`.

use std::fmt;
use std::time::Instant;

use ::tokenizer::Tokenizer;
use anyhow::Result;
use evaluation::Score;
use finetuning::{ChatTemplate, Finetuning, chat};
use preferences::{MannerReport, manner};
use serde::{Deserialize, Serialize};
use training::{RunDir, Task};
use transformer::Transformer;

use super::evaluate::Answered;
use super::lessons::{Lessons, lessons};
use super::model_folder::{self, ModelKind};
use super::time_limit::{self, SFT_SHARE};
use super::watch::Watch;
use super::{evaluate, pretrain};
use crate::run::Run;

/// What finetuning came to. A corpus without lessons has nothing here.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SftReport {
    /// Conversations learned from.
    pub n_conversations: usize,
    /// Conversations left out because they were too long.
    pub n_too_long: usize,
    /// Loss on held-out answers before finetuning, in nats a token.
    pub val_loss_before: Option<f64>,
    /// The same after.
    pub val_loss_after: Option<f64>,
    /// Questions about held-out towns answered exactly.
    pub exact_match: Option<Score>,
    /// What sampled answers look like.
    pub manner: Option<MannerReport>,
    /// Each question about held-out towns as the model answered it.
    #[serde(default)]
    pub answers: Vec<Answered>,
}

/// Folder of metrics and checkpoints.
pub const TRAINING_FOLDER: &str = "sft";
/// Folder of the finetuned model.
pub const MODEL_FOLDER: &str = "finetuned";
/// Sampled answers to each question when the manner is measured.
pub const SAMPLES_PER_QUESTION: usize = 4;

/// Finetunes, or continues from the newest checkpoint.
///
/// # Errors
/// If the pretrained model cannot be read, or training fails.
pub fn finetune(run: &mut Run) -> Result<SftReport> {
    let started = Instant::now();
    let lessons = lessons(run)?;
    if lessons.conversations.is_empty() {
        return Ok(SftReport::default());
    }
    let compute = run.config().compute;
    let (model, tokenizer) = model_folder::load(&run.path(pretrain::MODEL_FOLDER), run.device())?;
    let model = compute.place(&model)?;
    let folder = RunDir::create(&run.path(TRAINING_FOLDER))?;
    let is_fresh = training::checkpoint::list(&folder.checkpoints())?.is_empty();
    let mut task = task(run, &model, &tokenizer, &lessons)?;
    let val_loss_before = val_loss(&mut task)?;
    if let (Some(budget_s), true) = (time_limit::training_budget(run, started, SFT_SHARE)?, is_fresh) {
        let fitted = time_limit::fit(compute, &model, &mut task, &run.config().sft.train, budget_s)?;
        run.resolve(|config| config.sft.train = fitted)?;
    }
    let config = run.config().sft.train.clone();
    let mut trainer = compute.trainer(&model, config.clone())?;
    trainer.resume(&mut task, &folder)?;
    let mut watch = Watch::new("sft", config.steps);
    trainer.run(&mut task, Some(&folder), &mut |metrics| watch.step(metrics))?;
    watch.finish();
    model_folder::save(&run.path(MODEL_FOLDER), &model, &tokenizer, ModelKind::Chat)?;
    let mut report = SftReport {
        n_conversations: lessons.conversations.len() - task.n_too_long(),
        n_too_long: task.n_too_long(),
        val_loss_before,
        val_loss_after: val_loss(&mut task)?,
        ..SftReport::default()
    };
    if !lessons.questions.is_empty() {
        let (score, answers) = evaluate::exact_match(&model, &tokenizer, &lessons.questions)?;
        (report.exact_match, report.answers) = (Some(score), answers);
        report.manner = Some(sampled_manner(run, &model, &lessons)?);
    }
    Ok(report)
}

fn task<'a>(run: &Run, model: &'a Transformer, tokenizer: &Tokenizer, lessons: &Lessons) -> Result<Finetuning<'a>> {
    let template = ChatTemplate::new(chat::TEMPLATE)?;
    let (learned, held_out) = (&lessons.conversations, &lessons.held_out_conversations);
    Finetuning::new(model, tokenizer, &template, learned, held_out, &run.config().sft, run.config().seed)
}

/// How held-out questions are answered when sampled.
///
/// # Errors
/// If the model fails.
pub fn sampled_manner(run: &Run, model: &Transformer, lessons: &Lessons) -> Result<MannerReport> {
    let tokenizer = super::tokenizer::load(run)?;
    let template = ChatTemplate::new(chat::TEMPLATE)?;
    manner(model, &tokenizer, &template, &lessons.questions, SAMPLES_PER_QUESTION, run.config().seed)
}

fn val_loss(task: &mut Finetuning) -> Result<Option<f64>> {
    Ok(task.validate()?.into_iter().find(|(name, _)| name == "val_loss").map(|(_, loss)| loss))
}

impl fmt::Display for SftReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (Some(before), Some(after)) = (self.val_loss_before, self.val_loss_after) else {
            return write!(f, "this corpus has no conversations to learn from");
        };
        write!(
            f,
            "{} conversations ({} too long); loss on held-out answers {before:.3} -> {after:.3}",
            self.n_conversations, self.n_too_long
        )?;
        if let Some(score) = &self.exact_match {
            write!(f, "\nquestions answered:      {score}")?;
        }
        if let Some(manner) = &self.manner {
            write!(f, "\nsampled full sentences:  {}", manner.full_sentences)?;
        }
        Ok(())
    }
}
