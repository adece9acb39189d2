//! Can a preference teach a model to say that it does not know?
//!
//! The world has towns that the model has read about. Asked about an *invented* town it makes something up, in a fluent sentence. We would rather hear
//! "I don't know that town." Two ways to teach it, each with its price, measured on invented towns (a refusal is right) and on known,
//! held-out towns (a refusal is wrong):
//!
//! 1. **DPO alone**: the refusal is chosen and an invented answer rejected. DPO moves probability between answers that the model gives. If
//!    the refusal starts at a probability of $e^{-60}$, the margin can grow by tens of nats, mostly by pushing the rejected answer down,
//!    and the refusal is still never sampled.
//! 2. **Refusals in SFT**: the model learns to refuse, but what it learns is "names that finetuning did not show", not "names that I know
//!    nothing about": both look alike from the prompt.
//! 3. **Refusals in SFT, then DPO on both**: now refusals are within reach, and pairs about known towns prefer the answer to the refusal.

use corpus::Town;
use evaluation::{Score, complete};
use finetuning::chat::Ending;
use finetuning::laboratory::{Laboratory, settings};
use finetuning::{Conversation, FactQuestion, Message, fact_questions};
use generation::{Limits, Sampler, Sampling};
use tokenizer::END;
use training::Trainer;
use transformer::Transformer;

use crate::{DpoConfig, PreferencePair, PreferenceTuning};

/// What an honest model says about a town that it has never read about.
pub const REFUSAL: &str = "I don't know that town.";

/// Refusals on towns that do not exist, and on towns that do.
// ANCHOR: refusals
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusals {
    /// On invented towns: right.
    pub invented: Score,
    /// On known towns that finetuning did not ask about: wrong.
    pub known: Score,
    /// True answers about those known towns.
    pub true_answers: Score,
}

/// Asks greedily about invented towns and about held-out ones.
///
/// # Errors
/// If the model fails.
pub fn refusals(laboratory: &Laboratory, model: &Transformer, invented: &[Town]) -> anyhow::Result<Refusals> {
    let Laboratory { world, tokenizer, template } = laboratory;
    let model = model.for_inference()?;
    let limits = Limits { max_tokens: 24, stop_tokens: tokenizer.id_of(END).into_iter().collect() };
    let ask = |questions: &[FactQuestion]| -> anyhow::Result<Vec<String>> {
        let answer = |question: &FactQuestion| {
            let prompt = template.encode(tokenizer, &[Message::user(&question.question)], Ending::Prompt)?;
            Ok(complete(&model, tokenizer, &prompt, Sampler::new(Sampling::Greedy, 0)?, &limits)?)
        };
        questions.iter().map(answer).collect()
    };
    let known_questions = fact_questions(world.held_out_towns());
    let known = ask(&known_questions)?;
    let is_true = known.iter().zip(&known_questions).map(|(answer, q)| *answer == q.full || *answer == q.curt);
    Ok(Refusals {
        invented: Score::count(ask(&fact_questions(invented))?.iter().map(|answer| answer == REFUSAL)),
        known: Score::count(known.iter().map(|answer| answer == REFUSAL)),
        true_answers: Score::count(is_true),
    })
}
// ANCHOR_END: refusals

/// The three ways of teaching it, from one pretrained model.
// ANCHOR: experiment
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Plain SFT, for comparison.
    Nothing,
    /// Plain SFT, then DPO that prefers refusals on invented towns.
    DpoAlone,
    /// SFT with refusals about invented towns.
    RefusalsInSft,
    /// SFT with refusals, then DPO on invented and known towns.
    RefusalsInSftThenDpo,
}

/// Teaches one way, starting from `pretrained`, which stays as it is. Returns the model and the last mean margin of its DPO, if any.
///
/// # Errors
/// If training fails.
pub fn teach(
    laboratory: &Laboratory,
    pretrained: &Transformer,
    way: Way,
    unknown: &[Town],
) -> anyhow::Result<(Transformer, Option<f64>)> {
    let model = trainable_copy(pretrained)?;
    let about_unknown = fact_questions(unknown);
    let refusals: Vec<Conversation> = match way {
        Way::Nothing | Way::DpoAlone => Vec::new(),
        Way::RefusalsInSft | Way::RefusalsInSftThenDpo => {
            about_unknown.iter().map(|q| Conversation::of(&q.question, REFUSAL)).collect()
        }
    };
    laboratory.finetune(&model, &refusals, 200)?;
    let known = fact_questions(laboratory.world.finetuning_towns());
    // What is rejected on an invented town is an answer as the model would make it up: fluent and false.
    let mut pairs: Vec<PreferencePair> =
        about_unknown.iter().map(|q| PreferencePair::of(&q.question, REFUSAL, &q.full)).collect();
    match way {
        Way::Nothing | Way::RefusalsInSft => return Ok((model, None)),
        Way::DpoAlone => {}
        Way::RefusalsInSftThenDpo => {
            pairs.extend(known.iter().map(|q| PreferencePair::of(&q.question, &q.full, REFUSAL)));
        }
    }
    let margin = prefer(laboratory, &model, &pairs)?;
    Ok((model, Some(margin)))
}
// ANCHOR_END: experiment

/// DPO on `pairs`; the mean margin of the last step.
pub fn prefer(laboratory: &Laboratory, model: &Transformer, pairs: &[PreferencePair]) -> anyhow::Result<f64> {
    let config = DpoConfig { batch_size: 16, beta: 0.1, train: settings(60, 3e-4) };
    let reference = model.frozen_copy()?;
    let Laboratory { tokenizer, template, .. } = laboratory;
    let mut task = PreferenceTuning::new(model, &reference, tokenizer, template, pairs, &config, 0)?;
    let mut margin = 0.0;
    Trainer::new(model, config.train.clone())?.run(&mut task, None, &mut |metrics| {
        margin = metrics.extras.get("margin").copied().unwrap_or_default();
    })?;
    Ok(margin)
}

/// A model with the same weights and variables of its own.
fn trainable_copy(model: &Transformer) -> candle_core::Result<Transformer> {
    let copy = Transformer::new(model.config().clone(), 0, model.device())?;
    copy.parameters().assign(&model.parameters().tensors().collect())?;
    Ok(copy)
}
