//! Stage 5: what the pretrained model knows about held-out towns, before and after, and that it cannot answer yet.

use std::fmt;

use ::tokenizer::{END, Tokenizer};
use anyhow::Result;
use corpus::Town;
use evaluation::{Rule, Score, score_completions};
use finetuning::{ChatTemplate, FactQuestion, chat, cloze_items, question_items};
use generation::Limits;
use serde::{Deserialize, Serialize};
use transformer::{ModelConfig, Transformer};

use super::lessons::lessons;
use super::{model_folder, pretrain};
use crate::corpus_source::CorpusSource;
use crate::run::Run;

/// What the base model knows. A corpus without questions has nothing here.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct EvaluationReport {
    /// Facts about held-out towns completed by the untrained model.
    pub cloze_before: Option<Score>,
    /// The same by the pretrained model.
    pub cloze_after: Option<Score>,
    /// Questions about held-out towns answered by the pretrained model.
    pub exact_match: Option<Score>,
}

/// Scores the pretrained model.
///
/// # Errors
/// If the model cannot be read or fails.
pub fn evaluate(run: &mut Run) -> Result<EvaluationReport> {
    if run.config().corpus != CorpusSource::World {
        return Ok(EvaluationReport::default());
    }
    let (model, tokenizer) = model_folder::load(&run.path(pretrain::MODEL_FOLDER), run.device())?;
    let untrained = Transformer::new(ModelConfig::clone(model.config()), run.config().seed, run.device())?;
    let world = super::corpus::world(run)?;
    let questions = lessons(run)?.questions;
    Ok(EvaluationReport {
        cloze_before: Some(cloze(&untrained, &tokenizer, world.held_out_towns())?),
        cloze_after: Some(cloze(&model, &tokenizer, world.held_out_towns())?),
        exact_match: Some(exact_match(&model, &tokenizer, &questions)?.0),
    })
}

/// Facts about towns, completed from the first paraphrase cut before its value.
///
/// # Errors
/// If the model fails.
pub fn cloze(model: &Transformer, tokenizer: &Tokenizer, towns: &[Town]) -> Result<Score> {
    const MAX_TOKENS: usize = 8;
    let items = cloze_items(tokenizer, towns);
    let limits = Limits { max_tokens: MAX_TOKENS, stop_tokens: Vec::new() };
    Ok(score_completions(&model.for_inference()?, tokenizer, &items, Rule::BeginsWith, &limits)?.0)
}

/// Questions in the chat format, answered greedily; either manner is right.
///
/// # Errors
/// If the model fails.
pub fn exact_match(
    model: &Transformer,
    tokenizer: &Tokenizer,
    questions: &[FactQuestion],
) -> Result<(Score, Vec<Answered>)> {
    const MAX_TOKENS: usize = 32;
    let template = ChatTemplate::new(chat::TEMPLATE)?;
    let items = question_items(tokenizer, &template, questions)?;
    let limits = Limits { max_tokens: MAX_TOKENS, stop_tokens: tokenizer.id_of(END).into_iter().collect() };
    let (score, said) = score_completions(&model.for_inference()?, tokenizer, &items, Rule::Equals, &limits)?;
    let answered = questions.iter().zip(said).map(|(question, said)| Answered {
        question: question.question.clone(),
        answer: said.text,
        is_right: said.is_right,
    });
    Ok((score, answered.collect()))
}

/// A question as the model answered it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// What was asked.
    pub question: String,
    /// What the model said.
    pub answer: String,
    /// Whether it was right.
    pub is_right: bool,
}

impl fmt::Display for EvaluationReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match (&self.cloze_before, &self.cloze_after, &self.exact_match) {
            (Some(before), Some(after), Some(exact_match)) => {
                writeln!(f, "facts completed, untrained:  {before}")?;
                writeln!(f, "facts completed, pretrained: {after}")?;
                write!(f, "questions answered:          {exact_match}")
            }
            _ => write!(f, "no questions are known about this corpus"),
        }
    }
}
