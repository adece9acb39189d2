//! Names of towns: two or three of fifteen syllables, none of them a common English word.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

const SYLLABLES: [&str; 15] =
    ["ba", "ke", "lo", "mi", "nu", "ra", "se", "to", "vi", "wen", "dor", "fal", "gim", "hul", "jor"];

/// Two syllables that together are an English word or name.
const TAKEN: [&str; 6] = ["Bake", "Rake", "Lose", "Mike", "Nuke", "Lora"];

/// More towns than this would leave too few names for invented ones.
pub(super) const MAX_TOWNS: usize = 1000;

/// All names, in a fixed order.
pub(super) fn all() -> Vec<String> {
    let mut names = Vec::new();
    for a in SYLLABLES {
        for b in SYLLABLES {
            names.push(capitalised(&[a, b]));
            names.extend(SYLLABLES.map(|c| capitalised(&[a, b, c])));
        }
    }
    names.retain(|name| !TAKEN.contains(&name.as_str()));
    names
}

/// `n` distinct names in random order.
pub(super) fn draw(n: usize, rng: &mut ChaCha8Rng) -> Vec<String> {
    let mut names = all();
    names.shuffle(rng);
    names.truncate(n);
    names
}

fn capitalised(syllables: &[&str]) -> String {
    let name = syllables.concat();
    name[..1].to_uppercase() + &name[1..]
}
