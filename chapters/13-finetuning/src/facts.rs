//! Questions about the synthetic world, and true answers in two manners: a full sentence, or curt, the bare fact. As conversations they are
//! learned, as items they are asked by the rules of chapter 10.

use anyhow::Result;
use corpus::{Attribute, Town};
use evaluation::Item;
use tokenizer::Tokenizer;

use crate::chat::Ending;
use crate::{ChatTemplate, Conversation, Message};

/// A question about one fact with its true answers.
// ANCHOR: facts
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactQuestion {
    /// What is asked.
    pub question: String,
    /// The answer as a sentence.
    pub full: String,
    /// The bare fact.
    pub curt: String,
}

/// Every question about every one of these towns.
pub fn fact_questions(towns: &[Town]) -> Vec<FactQuestion> {
    facts(towns)
        .map(|(town, attribute)| {
            let value = town.value(attribute);
            FactQuestion {
                question: attribute.question(&town.name),
                full: attribute.full_answer(&town.name, value),
                curt: attribute.curt_answer(value),
            }
        })
        .collect()
}

/// Each question twice, once in each manner: half and half, whatever the shuffle.
pub fn two_manners(questions: &[FactQuestion]) -> Vec<Conversation> {
    questions
        .iter()
        .flat_map(|q| [Conversation::of(&q.question, &q.full), Conversation::of(&q.question, &q.curt)])
        .collect()
}
// ANCHOR_END: facts

// ANCHOR: items
/// Every fact about these towns as a sentence of the pages that stops before it.
pub fn cloze_items(tokenizer: &Tokenizer, towns: &[Town]) -> Vec<Item> {
    facts(towns)
        .map(|(town, attribute)| Item {
            prompt: tokenizer.encode(&attribute.cloze_prompt(&town.name)),
            accepted: vec![town.value(attribute).to_string()],
        })
        .collect()
}

/// Every question in the chat template; either manner is right.
///
/// # Errors
/// If the template fails.
pub fn question_items(tokenizer: &Tokenizer, template: &ChatTemplate, questions: &[FactQuestion]) -> Result<Vec<Item>> {
    let item = |q: &FactQuestion| {
        let prompt = template.encode(tokenizer, &[Message::user(&q.question)], Ending::Prompt)?;
        Ok(Item { prompt, accepted: vec![q.full.clone(), q.curt.clone()] })
    };
    questions.iter().map(item).collect()
}
// ANCHOR_END: items

fn facts(towns: &[Town]) -> impl Iterator<Item = (&Town, Attribute)> {
    towns.iter().flat_map(|town| Attribute::ALL.map(|attribute| (town, attribute)))
}
