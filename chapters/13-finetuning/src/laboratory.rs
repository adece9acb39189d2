//! A small world and a model that knows it, in seconds: the ground on which this chapter's tour and the next one's stand.
//!
//! The world is chapter 2's, with fewer towns. Its pages are written here without filler: five facts about a town, in random order and wording,
//! so that a model of a third of a million parameters finds them in a few hundred steps. The vocabulary is small on purpose: the towns' names
//! stay in pieces, as rare names do in a real vocabulary, and a town that exists looks like one that was made up.

use std::path::Path;

use anyhow::Result;
use batches::shuffle::epoch_order;
use batches::{ShardConfig, ShardWriter, Shards};
use candle_core::Device;
use corpus::world::N_PARAPHRASES;
use corpus::{Attribute, World, WorldConfig};
use pretraining::{PretrainConfig, Pretraining};
use tokenizer::{END_OF_TEXT, Tokenizer, TrainConfig as TokenizerConfig};
use training::{AdamWConfig, Schedule, TrainConfig, Trainer};
use transformer::{Architecture, ModelConfig, Transformer};

use crate::facts::two_manners;
use crate::{ChatTemplate, Conversation, FinetuneConfig, Finetuning, chat, fact_questions};

const N_TOWNS: usize = 24;
const PAGES_PER_TOWN: usize = 100;

/// A world, its tokenizer and the chat template.
#[derive(Debug)]
pub struct Laboratory {
    /// The towns; a quarter is held out of finetuning.
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
        let world = World::generate(&WorldConfig { n_towns: N_TOWNS, ..WorldConfig::default() })?;
        let mut texts = pages(&world);
        let conversations = two_manners(&fact_questions(world.finetuning_towns()));
        texts.extend(conversations.iter().map(|conversation| conversation.messages[0].content.clone()));
        let tokenizer = Tokenizer::train(&texts, &TokenizerConfig::with_vocab_size(380))?;
        Ok(Self { world, tokenizer, template: ChatTemplate::new(chat::TEMPLATE)? })
    }

    /// A model that has read the world's pages.
    ///
    /// # Errors
    /// If the temporary folder of the shards cannot be used.
    pub fn pretrained(&self) -> Result<Transformer> {
        let config = ModelConfig {
            vocab_size: self.tokenizer.vocab_size(),
            d_model: 96,
            n_layers: 3,
            n_heads: 4,
            n_kv_heads: 2,
            d_ff: 256,
            max_seq_len: 64,
            rope_theta: 10_000.0,
            norm_eps: 1e-5,
            architecture: Architecture::LLAMA,
            tie_embeddings: true,
            init_std: 0.08,
        };
        let model = Transformer::new(config, 0, &Device::Cpu)?;
        let folder = tempfile::tempdir()?;
        self.pretrain(&model, folder.path())?;
        Ok(model)
    }

    /// A copy of `pretrained`, finetuned on `conversations`.
    ///
    /// # Errors
    /// If the conversations do not fit the model.
    pub fn finetuned(&self, pretrained: &Transformer, conversations: &[Conversation]) -> Result<Transformer> {
        let model = trainable_copy(pretrained)?;
        let config = FinetuneConfig { batch_size: 16, train: settings(100, 5e-4) };
        let mut task = Finetuning::new(&model, &self.tokenizer, &self.template, conversations, &[], &config, 0)?;
        Trainer::new(&model, config.train)?.run(&mut task, None, &mut |_| {})?;
        Ok(model)
    }
    // ANCHOR_END: laboratory

    fn pretrain(&self, model: &Transformer, folder: &Path) -> Result<()> {
        let texts = pages(&self.world);
        let (held_out, train) = texts.split_at(N_TOWNS);
        let (train, validation) =
            (self.shards(&folder.join("train"), train)?, self.shards(&folder.join("validation"), held_out)?);
        let config = PretrainConfig { batch_size: 16, seq_len: 64, val_batches: 1, train: settings(350, 1e-2) };
        let mut task = Pretraining::new(model, train, validation, config.clone(), 0)?;
        Trainer::new(model, config.train)?.run(&mut task, None, &mut |_| {})?;
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

/// Pages of five sentences: every fact about one town, in another order and other wordings on each page.
fn pages(world: &World) -> Vec<String> {
    let page = |index: usize| {
        let town = &world.towns()[index % N_TOWNS];
        // Two seeds, so that order and wordings are independent.
        let order = epoch_order(Attribute::ALL.len() as u32, 1, index as u64);
        let wordings = epoch_order(N_PARAPHRASES as u32, 2, index as u64);
        let sentence =
            |(&attribute, &wording): (&u32, &u32)| town.sentence(Attribute::ALL[attribute as usize], wording as usize);
        order.iter().zip(&wordings).map(sentence).collect::<Vec<_>>().join(" ")
    };
    (0..N_TOWNS * PAGES_PER_TOWN).map(page).collect()
}

/// A run of `steps` with a tenth of warmup and nothing saved.
pub fn settings(steps: usize, peak_lr: f64) -> TrainConfig {
    TrainConfig {
        steps,
        micro_batches: 1,
        schedule: Schedule { peak_lr, warmup_steps: steps / 10, final_ratio: 0.1 },
        optimizer: AdamWConfig::default(),
        clip_norm: 1.0,
        validate_every: 0,
        checkpoint_every: 0,
        keep_checkpoints: 1,
    }
}

/// A model with the same weights and variables of its own, to train on from there.
///
/// # Errors
/// If the device cannot hold it.
pub fn trainable_copy(model: &Transformer) -> candle_core::Result<Transformer> {
    let copy = Transformer::new(model.config().clone(), 0, model.device())?;
    copy.assign(&model.parameters().tensors().collect())?;
    Ok(copy)
}
