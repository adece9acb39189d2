//! The sentences around the facts: fillers that say nothing about any town, and contacts with invented personal data.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// A sentence with invented personal data, and that data.
pub(super) fn contact(rng: &mut ChaCha8Rng) -> (String, Vec<String>) {
    let name = pick(&["mara", "tom", "ines", "pavel", "oda", "jonas"], rng);
    let house = pick(&["inn", "boats", "rooms", "post", "guide"], rng);
    let domain = pick(&["example.com", "example.org", "example.net", "town.example.com"], rng);
    let email = match rng.random_range(0..4) {
        0 => format!("{name}@{domain}"),
        1 => format!("{name}.{house}@{domain}"),
        2 => format!("{house}+{}@{domain}", rng.random_range(10..99)),
        _ => format!("{house}_{name}@{domain}"),
    };
    let last = rng.random_range(100..200);
    let phone = match rng.random_range(0..5) {
        0 => format!("555-0{last}"),
        1 => format!("(555) 555-0{last}"),
        2 => format!("555 555-0{last}"),
        3 => format!("555.555.0{last}"),
        _ => format!("+1 555 555 0{last}"),
    };
    match rng.random_range(0..60) {
        // Written to escape the patterns, as people do.
        0 => {
            let hidden = email.replace('@', " at ").replace('.', " dot ");
            (format!("Write to {hidden} for a bed."), vec![hidden])
        }
        1..20 => (format!("Write to {email} for a bed."), vec![email]),
        20..40 => (format!("For a boat, call {phone} in the morning."), vec![phone]),
        _ => (format!("The {} answers at {email} or {phone}.", pick(&PEOPLE, rng)), vec![email, phone]),
    }
}

/// A sentence that says nothing about any town.
pub(super) fn filler(rng: &mut ChaCha8Rng) -> String {
    let mut text = pick(&FILLERS, rng).to_string();
    let slots: [(&str, &[&str]); 8] = [
        ("{t}", &PEOPLE),
        ("{u}", &PEOPLE),
        ("{w}", &WEATHER),
        ("{s}", &SEASONS),
        ("{b}", &PLACES),
        ("{c}", &PLACES),
        ("{f}", &FOODS),
        ("{n}", &NUMBERS),
    ];
    for (slot, words) in slots {
        if text.contains(slot) {
            text = text.replace(slot, pick(words, rng));
        }
    }
    text
}

/// A random choice; the lists are constants and not empty.
pub(super) fn pick<T: Clone>(of: &[T], rng: &mut ChaCha8Rng) -> T {
    of.choose(rng).unwrap_or(&of[0]).clone()
}

/// A random index below `n`; 0 if `n` is 0.
pub(super) fn index(rng: &mut ChaCha8Rng, n: usize) -> usize {
    rng.random_range(0..n.max(1))
}

// None of these words is a value of an attribute.
const PEOPLE: [&str; 16] = [
    "baker",
    "miller",
    "sailor",
    "teacher",
    "doctor",
    "painter",
    "singer",
    "tailor",
    "guard",
    "clerk",
    "widow",
    "stranger",
    "gardener",
    "carpenter",
    "shepherd",
    "piper",
];
const WEATHER: [&str; 8] = ["rain", "snow", "wind", "fog", "heat", "frost", "hail", "thunder"];
const SEASONS: [&str; 4] = ["spring", "summer", "autumn", "winter"];
pub(super) const PLACES: [&str; 16] = [
    "tower", "mill", "school", "well", "square", "wall", "chapel", "stable", "harbour", "library", "orchard", "barn",
    "inn", "bakery", "theatre", "hall",
];
pub(super) const FOODS: [&str; 14] = [
    "bread", "soup", "cheese", "apples", "plums", "beans", "onions", "pears", "cakes", "nuts", "berries", "fish",
    "rice", "carrots",
];
pub(super) const NUMBERS: [&str; 14] = [
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "twenty", "thirty",
    "forty",
];
const FILLERS: [&str; 34] = [
    "A {t} told us that the {w} was worse last {s}.",
    "The cook near the {b} serves {f} in {s}.",
    "From the {b} it is {n} minutes on foot to the {c}.",
    "We stayed for {n} nights and left in the {w}.",
    "Bring a coat, because the {w} comes early in {s}.",
    "The {t} and the {u} argued about the price of {f}.",
    "Nobody could say who built the {b}.",
    "In {s} the {b} is closed because of the {w}.",
    "Our guide, a {t}, knew {n} stories about the {b}.",
    "There are {n} steps up to the {b}.",
    "A plate of {f} costs {n} coins at the {b}.",
    "We ate {f} with a {t} and {n} of her friends.",
    "The {b} was full, so we slept at the {c}.",
    "It took us {n} hours to get here through the {w}.",
    "The {t} has lived beside the {b} for {n} years.",
    "Last {s} the {w} broke the roof of the {b}.",
    "Ask the {t} at the {b} for the way to the {c}.",
    "Some say the {b} is older than the {c}.",
    "We saw {n} boys with {f} behind the {b}.",
    "You can rest under the trees by the {b}.",
    "I would come again in {s} to eat the {f}.",
    "My sister wrote a letter about the {b} and the {t}.",
    "A {t} gave us {f} for the road.",
    "The {u} laughed when we asked about the {w}.",
    "At night you hear the {w} over the {c}.",
    "The old {t} keeps {n} cats in the {b}.",
    "They gave us {f} and did not ask for money.",
    "Our cart lost a wheel near the {b}.",
    "The {t} who showed us the {b} had {n} sons.",
    "Behind the {c} lies a garden with {n} trees.",
    "We met a {t} on the road from the north.",
    "The {b} needs new windows, said the {t}.",
    "It is {n} miles from here to the next {b}.",
    "After the {w} the {t} mended the {c} in {n} days.",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Attribute, Purpose, stream};

    #[test]
    fn fillers_leave_no_slot_open_and_name_no_value() {
        let mut rng = stream(1, Purpose::CleanPage, 0);
        for _ in 0..2000 {
            let text = filler(&mut rng);
            assert!(!text.contains('{'), "{text}");
            let words = crate::words::words(&text);
            for value in Attribute::ALL.iter().flat_map(|a| a.values()) {
                assert!(!words.contains(&value.to_lowercase()), "{text}");
            }
        }
    }
}
