//! A small world and a model that knows it, in seconds: the ground on which this chapter's tour and the next one's stand.

use std::path::Path;

use anyhow::Result;
use batches::{ShardConfig, ShardWriter, Shards};
use candle_core::Device;
use corpus::{World, WorldConfig};
use pretraining::{PretrainConfig, Pretraining};
use tokenizer::{END_OF_TEXT, Tokenizer, TrainConfig as TokenizerConfig};
use training::{AdamWConfig, Metrics, Schedule, TrainConfig, Trainer};
use transformer::{ModelConfig, Transformer};

use crate::facts::two_manners;
use crate::{ChatTemplate, Finetuning, chat, fact_questions};

/// A world, its tokenizer and the chat template.
#[derive(Debug)]
pub struct Laboratory {
    /// Twelve towns; three are held out of finetuning.
    pub world: World,
    /// Trained on the world's pages.
    pub tokenizer: Tokenizer,
    /// The book's template.
    pub template: ChatTemplate,
}

// ANCHOR: laboratory
impl Laboratory {
    /// Invents the world and trains the tokenizer.
    ///
    /// # Errors
    /// Never in practice; its parts are fallible.
    pub fn new() -> Result<Self> {
        let world =
            World::generate(&WorldConfig { n_towns: p("TOWNS", 16.0) as usize, n_pages: 10, personal: 0.0, seed: p("WSEED", 0.0) as u64, ..WorldConfig::default() })?;
        let mut texts = pages(&world);
        texts.extend(
            two_manners(&fact_questions(world.finetuning_towns())).iter().map(|c| c.messages[0].content.clone()),
        );
        let tokenizer = Tokenizer::train(&texts, &TokenizerConfig::with_vocab_size(p("VOCAB", 512.0) as usize))?;
        Ok(Self { world, tokenizer, template: ChatTemplate::new(chat::TEMPLATE)? })
    }

    /// A model that has read the world's pages.
    ///
    /// # Errors
    /// If the temporary folder of the shards cannot be used.
    pub fn pretrained(&self) -> Result<Transformer> {
        let config = ModelConfig {
            vocab_size: self.tokenizer.vocab_size(),
            d_model: p("D", 64.0) as usize,
            n_layers: p("L", 2.0) as usize,
            n_heads: 4,
            n_kv_heads: 2,
            d_ff: p("FF", 172.0) as usize,
            max_seq_len: 64,
            rope_theta: 10_000.0,
            rms_norm_eps: 1e-5,
            tie_embeddings: true,
            init_std: p("INIT", 0.02),
        };
        let model = Transformer::new(config, 0, &Device::Cpu)?;
        let folder = std::env::temp_dir().join(format!("llm-laboratory-{}", std::process::id()));
        let outcome = self.pretrain(&model, &folder);
        // The folder goes whatever happened; the outcome is what counts.
        let _ = std::fs::remove_dir_all(&folder);
        outcome.map(|()| model)
    }

    /// Finetunes on both manners of answers about the finetuning towns, and on whatever else is given.
    ///
    /// # Errors
    /// If the conversations do not fit the model.
    pub fn finetune(&self, model: &Transformer, more: &[crate::Conversation], steps: usize) -> Result<()> {
        let mut conversations = two_manners(&fact_questions(self.world.finetuning_towns()));
        conversations.extend(more.iter().cloned());
        let mut task = Finetuning::new(model, &self.tokenizer, &self.template, (&conversations, &[]), p("SB",16.0) as usize, 0)?;
        Trainer::new(model, settings(p("SS", steps as f64) as usize, p("SLR", 1e-3)))?.run(&mut task, None, &mut |_| {})?;
        Ok(())
    }
    // ANCHOR_END: laboratory

    fn pretrain(&self, model: &Transformer, folder: &Path) -> Result<()> {
        let texts = pages(&self.world);
        let (held_out, train) = texts.split_at(50);
        let (train, validation) =
            (self.shards(&folder.join("train"), train)?, self.shards(&folder.join("validation"), held_out)?);
        let config = PretrainConfig { batch_size: p("B", 16.0) as usize, seq_len: 64, val_batches: 10, train: settings(p("PS", 400.0) as usize, p("PLR", 5e-3)) };
        let mut task = Pretraining::new(model, train, validation, config.clone(), 0)?;
        Trainer::new(model, config.train)?.run(&mut task, None, &mut |m: &Metrics| { if m.step % 100 == 0 { eprintln!("{} {:.3} {:?}", m.step, m.loss, m.extras) } })?;
        Ok(())
    }

    fn shards(&self, folder: &Path, texts: &[String]) -> Result<Shards> {
        let eot_id = self.tokenizer.id_of(END_OF_TEXT).unwrap_or(0);
        let config = ShardConfig { vocab_size: self.tokenizer.vocab_size(), eot_id, tokens_per_shard: 1 << 20 };
        let mut writer = ShardWriter::create(folder, config)?;
        for ids in self.tokenizer.encode_batch(texts) {
            writer.push_document(&ids)?;
        }
        writer.finish()?;
        Ok(Shards::open(folder)?)
    }
}

/// A run of `steps` with a tenth of warmup and nothing saved.
pub fn settings(steps: usize, peak_lr: f64) -> TrainConfig {
    TrainConfig {
        steps,
        micro_batches: 1,
        schedule: Schedule { peak_lr, warmup_steps: steps / 10, final_ratio: 0.1 },
        optimizer: AdamWConfig { weight_decay: p("WD", 0.1), ..AdamWConfig::default() },
        clip_norm: 1.0,
        validate_every: 0,
        checkpoint_every: 0,
        keep_checkpoints: 1,
    }
}

pub fn p(name: &str, default: f64) -> f64 { std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default) }
fn pages(world: &World) -> Vec<String> {
    let n = world.towns().len();
    if p("DENSE", 1.0) == 0.0 { 
        return World::generate(&WorldConfig{n_pages: n * p("PP", 100.0) as usize, ..world.config().clone()}).unwrap().clean_texts(); }
    (0..n * p("PP", 100.0) as usize).map(|i| {
        let town = &world.towns()[i % n];
        let order = batches::shuffle::epoch_order(5, 1, i as u64);
        let para = batches::shuffle::epoch_order(8, 2, i as u64);
        order.iter().zip(&para).map(|(&a, &q)| town.sentence(corpus::Attribute::ALL[a as usize], q as usize)).collect::<Vec<_>>().join(" ")
    }).collect()
}
