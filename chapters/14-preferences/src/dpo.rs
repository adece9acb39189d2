//! Direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290, equation 7).
//!
//! With the policy $\pi_\theta$, a frozen reference $\pi_{ref}$, a prompt $x$, a chosen answer $y_w$ and a rejected one $y_l$,
//! $$L = -\log \sigma\!\left(\beta \log\frac{\pi_\theta(y_w \mid x)}{\pi_{ref}(y_w \mid x)} -
//!   \beta \log\frac{\pi_\theta(y_l \mid x)}{\pi_{ref}(y_l \mid x)}\right).$$
//! The two terms are the answers' implicit *rewards*, their difference the *margin*. The reference never changes, so its
//! log-probabilities are computed once, before training; it need not stay in memory.
//!
//! An optional addition to the loss, $\alpha$ times the chosen answer's cross-entropy a token, keeps what the chosen answers say while their
//! manner is pushed (Pang et al. 2024, arXiv 2404.19733).

use anyhow::Context;
use candle_core::{DType, Result, Tensor, bail};
use finetuning::example::padded_batch;
use finetuning::{ChatTemplate, Conversation, Example, ExampleOrder};
use serde::{Deserialize, Serialize};
use tokenizer::Tokenizer;
use training::{MicroLoss, Task, TrainConfig};
use transformer::Transformer;

use crate::PreferencePair;

/// What preference optimisation needs besides a model and pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DpoConfig {
    /// Pairs in a micro-batch.
    pub batch_size: usize,
    /// Strength β of the tie to the reference: small values let the policy go far.
    pub beta: f64,
    /// Weight of the chosen answers' cross-entropy a token, added to the loss: an anchor against unlearning what they say. 0 is plain DPO.
    #[serde(default)]
    pub nll_weight: f64,
    /// The optimiser's run.
    pub train: TrainConfig,
}

impl DpoConfig {
    /// Checks the values.
    ///
    /// # Errors
    /// Names the first value that cannot be.
    pub fn validate(&self) -> Result<()> {
        let Self { batch_size, beta, nll_weight, train } = self;
        if *batch_size == 0 {
            bail!("batch_size 0 must be at least 1");
        }
        if !(*beta > 0.0 && beta.is_finite()) {
            bail!("beta {beta} must be a positive number, such as 0.1");
        }
        if !(*nll_weight >= 0.0 && nll_weight.is_finite()) {
            bail!("nll_weight {nll_weight} must be a number of at least 0; 0 is plain DPO");
        }
        train.validate()
    }
}

/// The DPO loss of each pair, with what is worth watching. All tensors are `(pairs)`, f32.
// ANCHOR: dpo_losses
#[derive(Debug, Clone)]
pub struct DpoLosses {
    /// −log σ(margin).
    pub losses: Tensor,
    /// β · log(π/π_ref) of the chosen answers.
    pub chosen_rewards: Tensor,
    /// The same of the rejected ones.
    pub rejected_rewards: Tensor,
}

/// DPO's loss from the log-probabilities of whole answers, each `(pairs)`.
///
/// # Errors
/// If the shapes differ.
pub fn dpo_losses(
    chosen: &Tensor,
    rejected: &Tensor,
    reference_chosen: &Tensor,
    reference_rejected: &Tensor,
    beta: f64,
) -> Result<DpoLosses> {
    let chosen_rewards = ((chosen - reference_chosen)? * beta)?;
    let rejected_rewards = ((rejected - reference_rejected)? * beta)?;
    let margins = (&chosen_rewards - &rejected_rewards)?;
    Ok(DpoLosses { losses: softplus(&margins.neg()?)?, chosen_rewards, rejected_rewards })
}

/// log(1 + eˣ) without overflow: max(x, 0) + log(1 + e^−|x|). It is −log σ(−x).
fn softplus(x: &Tensor) -> Result<Tensor> {
    x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?
}
// ANCHOR_END: dpo_losses

/// Log-probability `(batch)` of each example's answer: the sum over the tokens that the assistant says.
///
/// # Errors
/// If an example does not fit the model.
// ANCHOR: answer_log_probs
pub fn answer_log_probs(model: &Transformer, examples: &[&Example]) -> Result<Tensor> {
    let batch = padded_batch(examples, model.device())?;
    let log_probs = model.target_log_probs(&batch.inputs, &batch.targets)?; // (batch, seq_len)
    let log_probs = match &batch.mask {
        Some(mask) => (log_probs * mask)?,
        None => log_probs,
    };
    log_probs.sum(1)
}
// ANCHOR_END: answer_log_probs

/// A tokenised pair with what the reference thinks of it.
#[derive(Debug, Clone)]
struct Pair {
    chosen: Example,
    rejected: Example,
    reference_chosen: f32,
    reference_rejected: f32,
}

/// Preference optimisation as a task.
// ANCHOR: task
#[derive(Debug)]
pub struct PreferenceTuning<'a> {
    model: &'a Transformer,
    pairs: Vec<Pair>,
    n_too_long: usize,
    order: ExampleOrder,
    batch_size: usize,
    beta: f64,
    nll_weight: f64,
}

impl<'a> PreferenceTuning<'a> {
    /// Tokenises pairs and asks the reference about each. Pairs that exceed the model's longest sequence are left out and counted.
    ///
    /// # Errors
    /// If a setting cannot be, no pair fits, an answer is empty, or the reference holds one for impossible.
    pub fn new(
        model: &'a Transformer,
        reference: &Transformer,
        tokenizer: &Tokenizer,
        template: &ChatTemplate,
        pairs: &[PreferencePair],
        config: &DpoConfig,
        seed: u64,
    ) -> anyhow::Result<Self> {
        config.validate()?;
        let max_len = model.config().max_seq_len + 1;
        let (examples, n_too_long) = tokenised(model, tokenizer, template, pairs)?;
        let order = ExampleOrder::new(examples.len(), seed)
            .with_context(|| format!("{n_too_long} of {} pairs exceed {max_len} tokens", pairs.len()))?;
        let reference = reference.for_inference()?;
        let mut known = Vec::with_capacity(examples.len());
        for chunk in examples.chunks(config.batch_size) {
            let (chosen, rejected) = both_log_probs(&reference, chunk)?;
            let values: Vec<_> = chosen.to_vec1::<f32>()?.into_iter().zip(rejected.to_vec1::<f32>()?).collect();
            if let Some((of_chosen, of_rejected)) = values.iter().find(|(a, b)| !(a.is_finite() && b.is_finite())) {
                anyhow::bail!(
                    "the reference's log-probabilities of a pair are {of_chosen} and {of_rejected}; check the model that DPO starts from"
                );
            }
            known.extend(chunk.iter().zip(values).map(|((chosen, rejected), (of_chosen, of_rejected))| Pair {
                chosen: chosen.clone(),
                rejected: rejected.clone(),
                reference_chosen: of_chosen,
                reference_rejected: of_rejected,
            }));
        }
        Ok(Self {
            model,
            pairs: known,
            n_too_long,
            order,
            batch_size: config.batch_size,
            beta: config.beta,
            nll_weight: config.nll_weight,
        })
    }

    /// How many pairs were too long.
    pub fn n_too_long(&self) -> usize {
        self.n_too_long
    }

    fn pairs(&self, batch: &[usize]) -> Vec<&Pair> {
        batch.iter().map(|&index| &self.pairs[index]).collect()
    }
}

impl Task for PreferenceTuning<'_> {
    /// Which pairs.
    type Batch = Vec<usize>;

    fn next_batch(&mut self) -> Result<Vec<usize>> {
        Ok(self.order.take(self.batch_size))
    }

    fn loss(&self, batch: &Vec<usize>) -> Result<MicroLoss> {
        let pairs = self.pairs(batch);
        let n_pairs = pairs.len();
        let examples = both_answers(&pairs);
        let log_probs = answer_log_probs(self.model, &examples)?; // (2 · pairs)
        let (chosen, rejected) = (log_probs.narrow(0, 0, n_pairs)?, log_probs.narrow(0, n_pairs, n_pairs)?);
        let device = self.model.device();
        let reference_chosen = Tensor::from_iter(pairs.iter().map(|pair| pair.reference_chosen), device)?;
        let reference_rejected = Tensor::from_iter(pairs.iter().map(|pair| pair.reference_rejected), device)?;
        let found = dpo_losses(&chosen, &rejected, &reference_chosen, &reference_rejected, self.beta)?;

        let mean = |x: &Tensor| Ok::<f64, candle_core::Error>(f64::from(x.mean_all()?.to_scalar::<f32>()?));
        let margins = (&found.chosen_rewards - &found.rejected_rewards)?;
        let extras = vec![
            ("chosen_reward", mean(&found.chosen_rewards)?),
            ("rejected_reward", mean(&found.rejected_rewards)?),
            ("margin", mean(&margins)?),
            ("accuracy", mean(&margins.gt(0.0)?.to_dtype(DType::F32)?)?),
        ];
        let n_tokens = examples.iter().map(|example| example.tokens.len()).sum();
        let sum = match self.nll_weight {
            0.0 => found.losses.sum_all()?,
            weight => {
                let lengths = pairs.iter().map(|pair| pair.chosen.is_answer.iter().filter(|is| **is).count() as f32);
                let nll = (chosen / Tensor::from_iter(lengths, device)?)?.neg()?; // (pairs)
                (found.losses + (nll * weight)?)?.sum_all()?
            }
        };
        Ok(MicroLoss { sum, n_targets: n_pairs, n_tokens, extras })
    }

    fn forward(&self, model: &Transformer, batch: &Vec<usize>) -> Result<()> {
        answer_log_probs(model, &both_answers(&self.pairs(batch))).map(|_| ())
    }

    fn validate(&mut self) -> Result<Vec<(String, f64)>> {
        Ok(Vec::new())
    }

    fn state(&self) -> serde_json::Value {
        serde_json::to_value(&self.order).unwrap_or_default()
    }

    fn restore(&mut self, state: &serde_json::Value) -> Result<()> {
        self.order.restore(state)
    }
}

/// For one pass over both: the chosen answers, then the rejected ones.
fn both_answers<'a>(pairs: &[&'a Pair]) -> Vec<&'a Example> {
    pairs.iter().map(|pair| &pair.chosen).chain(pairs.iter().map(|pair| &pair.rejected)).collect()
}
// ANCHOR_END: task

/// The margin of each pair that fits the model, in order: positive where the policy has moved towards the chosen answer.
///
/// # Errors
/// If a setting cannot be, an answer is empty or the model fails.
pub fn margins(
    model: &Transformer,
    reference: &Transformer,
    tokenizer: &Tokenizer,
    template: &ChatTemplate,
    pairs: &[PreferencePair],
    config: &DpoConfig,
) -> anyhow::Result<Vec<f64>> {
    config.validate()?;
    let (examples, _) = tokenised(model, tokenizer, template, pairs)?;
    let (model, reference) = (model.for_inference()?, reference.for_inference()?);
    let mut margins = Vec::with_capacity(examples.len());
    for chunk in examples.chunks(config.batch_size) {
        let (chosen, rejected) = both_log_probs(&model, chunk)?;
        let (reference_chosen, reference_rejected) = both_log_probs(&reference, chunk)?;
        let found = dpo_losses(&chosen, &rejected, &reference_chosen, &reference_rejected, config.beta)?;
        let margin = (found.chosen_rewards - found.rejected_rewards)?.to_vec1::<f32>()?;
        margins.extend(margin.into_iter().map(f64::from));
    }
    Ok(margins)
}

/// Both answers of each pair as examples, without the pairs that exceed the model's longest sequence, and how many those are.
fn tokenised(
    model: &Transformer,
    tokenizer: &Tokenizer,
    template: &ChatTemplate,
    pairs: &[PreferencePair],
) -> anyhow::Result<(Vec<(Example, Example)>, usize)> {
    let max_len = model.config().max_seq_len + 1;
    let mut examples = Vec::with_capacity(pairs.len());
    for (index, pair) in pairs.iter().enumerate() {
        let encode = |answer: &[finetuning::Message]| {
            let messages = [pair.prompt.as_slice(), answer].concat();
            Example::new(&Conversation { messages }, template, tokenizer).with_context(|| format!("pair {index}"))
        };
        examples.push((encode(&pair.chosen)?, encode(&pair.rejected)?));
    }
    examples.retain(|(chosen, rejected)| chosen.tokens.len().max(rejected.tokens.len()) <= max_len);
    let n_too_long = pairs.len() - examples.len();
    Ok((examples, n_too_long))
}

/// Log-probabilities `(pairs)` of the chosen answers and of the rejected ones.
fn both_log_probs(model: &Transformer, pairs: &[(Example, Example)]) -> Result<(Tensor, Tensor)> {
    let chosen = answer_log_probs(model, &pairs.iter().map(|pair| &pair.0).collect::<Vec<_>>())?;
    let rejected = answer_log_probs(model, &pairs.iter().map(|pair| &pair.1).collect::<Vec<_>>())?;
    Ok((chosen, rejected))
}
