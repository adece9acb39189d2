//! A run's folder: settings, one result a finished stage, and what the stages made.
//!
//! ```text
//! runs/NAME/
//!   run.toml              the settings, all resolved
//!   stages/STAGE.json     the result of each finished stage and its seconds
//!   corpus/               crawl.warc (world), training.jsonl, held_out.jsonl
//!   tokenizer.json
//!   shards/               training/ and validation/
//!   pretrain/ sft/ dpo/   metrics.jsonl, checkpoints/
//!   pretrained/ finetuned/ model/   Hugging Face folders
//!   report.html
//! ```
//! A stage is finished when its result is there, which is the last thing it writes: a killed run continues with the stage that was
//! interrupted, and training stages continue from their newest checkpoint.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use candle_core::Device;
use clap::ValueEnum;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use transformer::checkpoint::replace_file;

use crate::preset::RunConfig;
use crate::request::WrongRequest;

/// The stages in order.
// ANCHOR: stage
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Stage {
    /// Raw pages to clean documents.
    Corpus,
    /// Documents to a vocabulary.
    Tokenizer,
    /// Documents to token shards.
    Shards,
    /// Shards to a model that predicts text.
    Pretrain,
    /// What that model knows.
    Evaluate,
    /// To a model that answers.
    Sft,
    /// To a model that answers as we like it.
    Dpo,
    /// All of it on one page.
    Report,
}

impl Stage {
    /// All stages in order.
    pub const ALL: [Self; 8] = [
        Self::Corpus,
        Self::Tokenizer,
        Self::Shards,
        Self::Pretrain,
        Self::Evaluate,
        Self::Sft,
        Self::Dpo,
        Self::Report,
    ];

    /// The name, as in `stages/NAME.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Corpus => "corpus",
            Self::Tokenizer => "tokenizer",
            Self::Shards => "shards",
            Self::Pretrain => "pretrain",
            Self::Evaluate => "evaluate",
            Self::Sft => "sft",
            Self::Dpo => "dpo",
            Self::Report => "report",
        }
    }
}
// ANCHOR_END: stage

/// What to do with a run folder that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It is an error.
    Refuse,
    /// Delete it and start anew.
    Replace,
    /// Go on with it, under the settings it began with.
    Continue,
}

/// A run: its folder, its settings and where it computes.
#[derive(Debug, Clone)]
pub struct Run {
    folder: PathBuf,
    config: RunConfig,
    device: Device,
}

/// A stage's result, as `stages/NAME.json` holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finished<T> {
    /// Wall-clock seconds of the stage.
    pub seconds: f64,
    /// What it found.
    pub result: T,
}

const SETTINGS_FILE: &str = "run.toml";

impl Run {
    /// Opens or creates a run folder.
    ///
    /// # Errors
    /// If the folder exists and may not, does not hold a run, or cannot be written; or if a new run's corpus does not exist.
    pub fn open(folder: &Path, config: RunConfig, device: Device, existing: Existing) -> Result<Self> {
        let holds_run = folder.join(SETTINGS_FILE).is_file();
        let is_empty = fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
        if !holds_run && !is_empty {
            let message =
                format!("{} exists and holds no run (no {SETTINGS_FILE}); choose another --name", folder.display());
            return Err(WrongRequest::new(message).into());
        }
        if holds_run && existing == Existing::Continue {
            return Self::existing(folder, device);
        }
        if holds_run && existing == Existing::Refuse {
            let message = format!(
                "{} exists; --resume continues it, --force starts it anew, --name NAME makes another",
                folder.display()
            );
            return Err(WrongRequest::new(message).into());
        }
        // Nothing is deleted and nothing made for a run that could not begin.
        config.corpus.check_exists()?;
        if holds_run {
            fs::remove_dir_all(folder).with_context(|| format!("cannot delete {}", folder.display()))?;
        }
        let run = Self { folder: folder.to_path_buf(), config, device };
        fs::create_dir_all(run.path("stages"))
            .with_context(|| format!("cannot create {}; choose a folder that can be written", folder.display()))?;
        run.write_settings()?;
        Ok(run)
    }

    /// Opens a run that exists.
    ///
    /// # Errors
    /// If the folder holds no run.
    pub fn existing(folder: &Path, device: Device) -> Result<Self> {
        let settings = folder.join(SETTINGS_FILE);
        if !settings.is_file() {
            let message = format!("{} holds no run (no {SETTINGS_FILE}); llm run makes one", folder.display());
            return Err(WrongRequest::new(message).into());
        }
        let text = fs::read_to_string(&settings).with_context(|| format!("cannot read {}", settings.display()))?;
        let config = RunConfig::parse(&text).with_context(|| format!("cannot use {}", settings.display()))?;
        Ok(Self { folder: folder.to_path_buf(), config, device })
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A path within the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The settings.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// Where to compute.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Changes settings that only the machine or the data could decide, and writes them down.
    ///
    /// # Errors
    /// If `run.toml` cannot be written.
    pub fn resolve(&mut self, change: impl FnOnce(&mut RunConfig)) -> Result<()> {
        change(&mut self.config);
        self.write_settings()
    }

    /// The result of a stage, if it is finished.
    ///
    /// # Errors
    /// If its file is damaged.
    pub fn finished<T: DeserializeOwned>(&self, stage: Stage) -> Result<Option<Finished<T>>> {
        let path = self.result_file(stage);
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let finished = serde_json::from_str(&text)
            .with_context(|| format!("cannot understand {}; delete it to run the stage again", path.display()))?;
        Ok(Some(finished))
    }

    /// The result of a stage that must be finished.
    ///
    /// # Errors
    /// If it is not.
    pub fn result<T: DeserializeOwned>(&self, stage: Stage) -> Result<T> {
        match self.finished(stage)? {
            Some(finished) => Ok(finished.result),
            None => bail!("stage {} of {} is not finished", stage.name(), self.folder.display()),
        }
    }

    /// Runs a stage unless it is finished, and writes its result as the last thing.
    ///
    /// # Errors
    /// If the stage fails, or its result cannot be written.
    pub fn run_stage<T: Serialize + DeserializeOwned>(
        &mut self,
        stage: Stage,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<Finished<T>> {
        if let Some(finished) = self.finished(stage)? {
            return Ok(finished);
        }
        let started = Instant::now();
        let result = work(self).with_context(|| format!("stage {} failed", stage.name()))?;
        let finished = Finished { seconds: started.elapsed().as_secs_f64(), result };
        self.write(&format!("stages/{}.json", stage.name()), &serde_json::to_vec_pretty(&finished)?)?;
        Ok(finished)
    }

    /// Writes a file of the run in one piece.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path(name);
        replace_file(&path, |temporary| fs::write(temporary, bytes).map_err(candle_core::Error::wrap))?;
        Ok(())
    }

    fn result_file(&self, stage: Stage) -> PathBuf {
        self.path("stages").join(format!("{}.json", stage.name()))
    }

    fn write_settings(&self) -> Result<()> {
        self.write(SETTINGS_FILE, self.config.to_toml()?.as_bytes())
    }
}
