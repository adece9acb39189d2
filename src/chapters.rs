//! The chapters and their tours: `llm chapter N`.

use std::io::Write;

/// A chapter that runs.
#[derive(Debug, Clone, Copy)]
pub struct Chapter {
    /// Its number in the book.
    pub number: usize,
    /// Its name, as in `chapters/NN-name`.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// Its experiment.
    pub tour: fn(&mut dyn Write) -> anyhow::Result<()>,
}

impl Chapter {
    /// The folder under `chapters/`, which names its page and its snapshot too.
    pub fn folder(&self) -> String {
        format!("{:02}-{}", self.number, self.name)
    }
}

/// All chapters in reading order.
pub const CHAPTERS: [Chapter; 13] = [
    Chapter { number: 1, name: "tensors", about: "tensors, autograd, gradient checks", tour: tensors::tour },
    Chapter { number: 2, name: "corpus", about: "from web pages to clean text", tour: corpus::tour },
    Chapter { number: 3, name: "tokenizer", about: "byte-level BPE", tour: tokenizer::tour },
    Chapter { number: 4, name: "batches", about: "shards, packing, a loader that resumes", tour: batches::tour },
    Chapter { number: 5, name: "attention", about: "attention, causal masks, rotary positions", tour: attention::tour },
    Chapter { number: 6, name: "transformer", about: "the model and what it costs", tour: transformer::tour },
    Chapter { number: 7, name: "generation", about: "sampling and the KV cache", tour: generation::tour },
    Chapter { number: 8, name: "training", about: "loss, AdamW, schedule, checkpoints", tour: training::tour },
    Chapter { number: 9, name: "kernels", about: "fused operations, their gradients, bfloat16", tour: kernels::tour },
    Chapter { number: 10, name: "evaluation", about: "numbers that mean something", tour: evaluation::tour },
    Chapter { number: 11, name: "pretraining", about: "the whole run and its budget", tour: pretraining::tour },
    Chapter { number: 13, name: "finetuning", about: "from a text predictor to answers", tour: finetuning::tour },
    Chapter { number: 14, name: "preferences", about: "from imitation to choice", tour: preferences::tour },
];
