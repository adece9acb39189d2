//! The stages of a run, one file each. Every stage reads what the ones before it left in the run folder, and leaves files and a
//! result: none passes anything to the next in memory, so each can be run, looked at and repeated alone.

pub mod corpus;
pub mod dpo;
pub mod evaluate;
pub mod exchange;
pub mod lessons;
pub mod model_folder;
pub mod pretrain;
pub mod report;
pub mod sft;
pub mod shards;
pub mod summary;
pub mod time_limit;
pub mod tokenizer;
pub mod watch;

use anyhow::Result;

use crate::run::{Run, Stage};

/// Runs every stage up to `last` that is not finished, and tells `announce` about each result in words.
///
/// # Errors
/// If a stage or `announce` fails; what is finished stays.
// ANCHOR: run_until
pub fn run_until(run: &mut Run, last: Stage, announce: &mut dyn FnMut(Stage, f64, String) -> Result<()>) -> Result<()> {
    for stage in Stage::ALL.into_iter().filter(|stage| *stage <= last) {
        let (seconds, words) = match stage {
            Stage::Corpus => told(run.run_stage(stage, corpus::build)?),
            Stage::Tokenizer => told(run.run_stage(stage, tokenizer::train)?),
            Stage::Shards => told(run.run_stage(stage, shards::write)?),
            Stage::Pretrain => told(run.run_stage(stage, pretrain::pretrain)?),
            Stage::Evaluate => told(run.run_stage(stage, evaluate::evaluate)?),
            Stage::Sft => told(run.run_stage(stage, sft::finetune)?),
            Stage::Dpo => told(run.run_stage(stage, dpo::prefer)?),
            Stage::Report => told(run.run_stage(stage, report::write)?),
        };
        announce(stage, seconds, words)?;
    }
    Ok(())
}
// ANCHOR_END: run_until

fn told<T: std::fmt::Display>(finished: crate::run::Finished<T>) -> (f64, String) {
    (finished.seconds, finished.result.to_string())
}
