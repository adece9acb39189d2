//! What finetuning and preference optimisation learn from, for each corpus that has lessons.
//!
//! | corpus | SFT | preferences |
//! |---|---|---|
//! | `world` | questions about three quarters of the towns, each answered in two manners | the full sentence over the curt answer |
//! | `rust-docs` | items and their one-line summaries, error codes and their explanations | an error's corrected example over the erroneous one |
//! | a path | none | none |

use anyhow::Result;
use corpus::rustdoc::{RustDocs, error_code_preferences, qa_pairs};
use finetuning::{Conversation, FactQuestion, fact_questions, two_manners};
use preferences::{PreferencePair, manner_pairs};

use crate::corpus_source::CorpusSource;
use crate::run::Run;

/// What a run's post-training learns from and is measured on.
#[derive(Debug, Clone, Default)]
pub struct Lessons {
    /// Conversations to learn.
    pub conversations: Vec<Conversation>,
    /// Conversations to measure on.
    pub held_out_conversations: Vec<Conversation>,
    /// Preferences to learn.
    pub pairs: Vec<PreferencePair>,
    /// Preferences to measure on.
    pub held_out_pairs: Vec<PreferencePair>,
    /// Questions about held-out towns with their true answers; the world alone has them.
    pub questions: Vec<FactQuestion>,
}

/// The lessons of a run's corpus; empty ones for a corpus of plain text.
///
/// # Errors
/// If the corpus cannot be read again.
pub fn lessons(run: &Run) -> Result<Lessons> {
    match run.config().corpus {
        CorpusSource::World => {
            let world = super::corpus::world(run)?;
            let learned = fact_questions(world.finetuning_towns());
            let questions = fact_questions(world.held_out_towns());
            Ok(Lessons {
                conversations: two_manners(&learned),
                held_out_conversations: two_manners(&questions),
                pairs: manner_pairs(&learned),
                held_out_pairs: manner_pairs(&questions),
                questions,
            })
        }
        CorpusSource::RustDocs => from_rust_docs(),
        CorpusSource::Path(_) => Ok(Lessons::default()),
    }
}

/// Every so many-th lesson is held out.
const HELD_OUT_EVERY: usize = 20;

fn from_rust_docs() -> Result<Lessons> {
    let root = RustDocs::locate()?;
    let conversations = qa_pairs(&root)?.into_iter().map(|pair| Conversation::of(&pair.question, &pair.answer));
    let pairs = error_code_preferences(&root)?;
    let pairs = pairs.into_iter().map(|pair| PreferencePair::of(&pair.prompt, &pair.chosen, &pair.rejected));
    let (conversations, held_out_conversations) = hold_out(conversations);
    let (pairs, held_out_pairs) = hold_out(pairs);
    Ok(Lessons { conversations, held_out_conversations, pairs, held_out_pairs, questions: Vec::new() })
}

fn hold_out<T>(lessons: impl Iterator<Item = T>) -> (Vec<T>, Vec<T>) {
    let (mut learned, mut held_out) = (Vec::new(), Vec::new());
    for (index, lesson) in lessons.enumerate() {
        if index % HELD_OUT_EVERY == HELD_OUT_EVERY - 1 { held_out.push(lesson) } else { learned.push(lesson) }
    }
    (learned, held_out)
}
