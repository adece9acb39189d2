//! Questions about the synthetic world, and true answers in two manners: a full sentence, or curt, the bare fact.

use corpus::{Attribute, Town};

use crate::Conversation;

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
    let facts = towns.iter().flat_map(|town| Attribute::ALL.map(|attribute| (town, attribute)));
    facts
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
