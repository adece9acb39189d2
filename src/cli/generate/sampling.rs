//! What `llm generate` and `llm chat` share: how tokens are chosen and when they end.

use anyhow::Result;
use clap::Args;
use generation::{Cuts, Limits, Penalties, Request, Sampler, Sampling};
use llm_from_scratch::request::WrongRequest;
use tokenizer::{END, END_OF_TEXT, Tokenizer};

use crate::cli::numbers::whole;

#[derive(Debug, Args)]
pub(crate) struct SamplingArgs {
    /// 0 takes the most likely token; 1 samples from the model's own distribution
    #[arg(long, value_name = "T", default_value_t = 0.0)]
    temperature: f64,
    /// Sample among so many of the most likely tokens
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    top_k: Option<u32>,
    /// Sample among the most likely tokens that reach this probability, above 0 and at most 1
    #[arg(long, value_name = "P")]
    top_p: Option<f64>,
    /// Sample among tokens with at least this share of the most likely one's probability, 0 to 1
    #[arg(long, value_name = "P")]
    min_p: Option<f64>,
    /// Divide the positive logits of tokens that the text has by this, multiply negative ones; above 0, 1 does nothing
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    repetition_penalty: f64,
    /// Subtract this from the logits of tokens that the answer has, -2 to 2
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    presence_penalty: f64,
    /// Subtract this from a token's logit for each time that the answer has it, -2 to 2
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    frequency_penalty: f64,
    /// End the text before this string; several may follow
    #[arg(long, value_name = "TEXT", num_args = 1..)]
    stop: Vec<String>,
    /// Decides what is sampled
    #[arg(long, value_name = "S", default_value_t = 0, value_parser = whole::<u64>)]
    seed: u64,
    /// Report each token's log-probability by the model itself, and this many alternatives
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=20))]
    logprobs: Option<u32>,
}

/// The same, checked.
#[derive(Debug)]
pub(crate) struct Settings {
    sampler: Sampler,
    pub(crate) stops: Vec<String>,
    pub(crate) n_log_probs: Option<usize>,
}

impl SamplingArgs {
    /// Checks the values before a model is read.
    pub(crate) fn settings(&self) -> Result<Settings, WrongRequest> {
        let wrong = |error: candle_core::Error| WrongRequest::new(error.to_string());
        let penalties = Penalties {
            repetition: self.repetition_penalty,
            presence: self.presence_penalty,
            frequency: self.frequency_penalty,
        };
        let sampler = Sampler::new(self.sampling()?, self.seed).map_err(wrong)?.with_penalties(penalties);
        if self.stop.iter().any(String::is_empty) {
            return Err(WrongRequest::new(
                "--stop is empty, and every text has that at once; give at least one character",
            ));
        }
        let n_log_probs = self.logprobs.map(|n| n as usize);
        Ok(Settings { sampler: sampler.map_err(wrong)?, stops: self.stop.clone(), n_log_probs })
    }

    fn sampling(&self) -> Result<Sampling, WrongRequest> {
        match Sampling::at_temperature(self.temperature) {
            Sampling::Random { temperature, .. } => {
                let top_k = self.top_k.map(|k| k as usize);
                let cuts = Cuts { top_k, top_p: self.top_p.unwrap_or(1.0), min_p: self.min_p.unwrap_or(0.0) };
                Ok(Sampling::Random { temperature, cuts })
            }
            Sampling::Greedy if self.top_k.is_some() || self.top_p.is_some() || self.min_p.is_some() => {
                let message = "--top-k, --top-p and --min-p choose among samples: they need a --temperature above 0";
                Err(WrongRequest::new(message))
            }
            Sampling::Greedy => Ok(Sampling::Greedy),
        }
    }
}

impl Settings {
    /// A prompt with a sampler of its own, so that its text does not depend on what is generated beside it.
    pub(crate) fn request(&self, prompt: Vec<u32>, max_tokens: usize, ends: &[&str], tokenizer: &Tokenizer) -> Request {
        let ends = [END_OF_TEXT, END].iter().chain(ends);
        let stop_tokens = ends.filter_map(|token| tokenizer.id_of(token)).collect();
        Request { prompt, sampler: self.sampler.clone(), limits: Limits { max_tokens, stop_tokens } }
    }
}
