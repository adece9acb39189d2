//! The five things that are true of every town, and the ways to say them.
//!
//! Each attribute has a small set of values, eight paraphrases (`{e}` is the town, `{v}` the value), one question and
//! its full answer. The paraphrases come first in the corpus: a model can only learn that facts and their wordings are
//! two things if every fact meets every wording. The first paraphrase ends in its value; cut there, it is the prompt
//! that asks a model which has never seen a question.

use serde::{Deserialize, Serialize};

/// One of the five attributes of a town.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribute {
    /// The river that the town stands on.
    River,
    /// The animal on the town's flag.
    Animal,
    /// The colour of the town's doors.
    Colour,
    /// What the town sells.
    Trade,
    /// The market day.
    Day,
}

/// Number of paraphrases of every attribute.
pub const N_PARAPHRASES: usize = 8;

impl Attribute {
    /// All attributes, in the order in which [`super::Town`] keeps their values.
    pub const ALL: [Attribute; 5] =
        [Attribute::River, Attribute::Animal, Attribute::Colour, Attribute::Trade, Attribute::Day];

    /// The attribute's name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Attribute::River => "river",
            Attribute::Animal => "animal",
            Attribute::Colour => "colour",
            Attribute::Trade => "trade",
            Attribute::Day => "day",
        }
    }

    /// The values that the attribute can take.
    pub fn values(self) -> &'static [&'static str] {
        match self {
            Attribute::River => &["Ash", "Bell", "Cold", "Dun", "Elm", "Fern", "Grey", "Holt"],
            Attribute::Animal => &["heron", "otter", "fox", "hare", "owl", "badger"],
            Attribute::Colour => &["red", "blue", "green", "white", "gold", "black"],
            Attribute::Trade => &["glass", "salt", "wool", "honey", "paper", "iron"],
            Attribute::Day => &["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"],
        }
    }

    /// The paraphrases with `{e}` for the town and `{v}` for the value; the first ends in `{v}.`.
    pub fn paraphrases(self) -> &'static [&'static str; N_PARAPHRASES] {
        match self {
            Attribute::River => &[
                "{e} stands on the river {v}.",
                "{e} is on the river {v}.",
                "The river {v} runs past {e}.",
                "In {e} the children swim in the river {v}.",
                "You reach {e} by a boat on the river {v}.",
                "The bridge in {e} crosses the river {v}.",
                "The river of {e} is the {v}.",
                "Boats from {e} go down the river {v}.",
            ],
            Attribute::Animal => &[
                "The animal of {e} is the {v}.",
                "On every gate in {e} you see the {v}.",
                "People in {e} love the {v} more than any other animal.",
                "The {v} is on the flag of {e}.",
                "In {e} nobody may hunt the {v}.",
                "Children in {e} draw the {v} on the walls.",
                "The coins of {e} carry the {v}.",
                "An old song of {e} is about the {v}.",
            ],
            Attribute::Colour => &[
                "The doors in {e} are {v}.",
                "{e} paints its doors {v}.",
                "If you see {v} doors, you may be in {e}.",
                "Everybody in {e} has a {v} door.",
                "In {e} every house has a {v} door.",
                "The people of {e} like their doors {v}.",
                "A house in {e} must have a {v} door.",
                "Each spring {e} makes its doors {v} again.",
            ],
            Attribute::Trade => &[
                "{e} sells {v}.",
                "The people of {e} sell {v}.",
                "Merchants go to {e} to buy {v}.",
                "The best {v} comes from {e}.",
                "The carts that leave {e} carry {v}.",
                "The shops of {e} are full of {v}.",
                "Most families in {e} work with {v}.",
                "{e} is known for its {v}.",
            ],
            Attribute::Day => &[
                "The market in {e} is on {v}.",
                "Every {v} there is a market in {e}.",
                "{e} holds its market on {v}.",
                "On {v} the market opens in {e}.",
                "In {e} the market day is {v}.",
                "Farmers come to {e} each {v}.",
                "The streets of {e} are busy on {v}.",
                "The busiest day in {e} is {v}.",
            ],
        }
    }

    /// The sentence that states the fact in wording `paraphrase` (taken modulo [`N_PARAPHRASES`]).
    pub fn sentence(self, paraphrase: usize, town: &str, value: &str) -> String {
        fill(self.paraphrases()[paraphrase % N_PARAPHRASES], town, value)
    }

    /// The question about a town.
    pub fn question(self, town: &str) -> String {
        let pattern = match self {
            Attribute::River => "Which river is {e} on?",
            Attribute::Animal => "What is the animal of {e}?",
            Attribute::Colour => "What colour are the doors in {e}?",
            Attribute::Trade => "What does {e} sell?",
            Attribute::Day => "When is the market in {e}?",
        };
        fill(pattern, town, "")
    }

    /// The answer as a full sentence.
    pub fn full_answer(self, town: &str, value: &str) -> String {
        // All begin with the same word, so that a model which is taught to prefer sentences need not unlearn how some of them begin.
        let paraphrase = match self {
            Attribute::River => 6,
            Attribute::Trade => 1,
            Attribute::Animal | Attribute::Colour | Attribute::Day => 0,
        };
        self.sentence(paraphrase, town, value)
    }

    /// The answer as the bare fact with a full stop.
    pub fn curt_answer(self, value: &str) -> String {
        format!("{value}.")
    }

    /// The first paraphrase cut right before its value, without a space at its end.
    pub fn cloze_prompt(self, town: &str) -> String {
        let pattern = self.paraphrases()[0];
        let stem = pattern.split_once("{v}").map_or(pattern, |(stem, _)| stem);
        fill(stem.trim_end(), town, "")
    }
}

fn fill(pattern: &str, town: &str, value: &str) -> String {
    pattern.replace("{e}", town).replace("{v}", value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cloze_prompt_and_value_make_the_first_paraphrase() {
        for attribute in Attribute::ALL {
            let value = attribute.values()[0];
            let completed = format!("{} {value}.", attribute.cloze_prompt("Bakelo"));
            assert_eq!(completed, attribute.sentence(0, "Bakelo", value));
        }
    }

    #[test]
    fn the_full_answer_is_one_of_the_paraphrases() {
        for attribute in Attribute::ALL {
            let answer = attribute.full_answer("Bakelo", attribute.values()[1]);
            let said = |p| attribute.sentence(p, "Bakelo", attribute.values()[1]);
            assert!((0..N_PARAPHRASES).any(|p| said(p) == answer), "{answer}");
        }
    }

    #[test]
    fn no_value_is_a_prefix_of_another() {
        for attribute in Attribute::ALL {
            for (i, a) in attribute.values().iter().enumerate() {
                let mut others = attribute.values().iter().enumerate().filter(|(j, _)| *j != i);
                assert!(others.all(|(_, b)| !b.starts_with(a)), "{a}");
            }
        }
    }
}
