//! One word's merges, in order of rank.
//!
//! Rule: of all neighbouring pairs in the word that have a merge, join the one of lowest rank (the leftmost of equals);
//! repeat until no pair has one.
//!
//! Two ways, one result. A short word keeps its symbols and the ranks of their pairs in two small arrays and looks for the
//! lowest by reading them: n² steps, but of a few nanoseconds, and nearly all words have fewer than ten symbols. A "word"
//! may also be a megabyte of letters without a space. There the pairs wait in a queue, ordered by (rank, place): each place is
//! looked at a few times, and the queue's buckets keep the time a byte nearly the same at any length.
//!
//! Source: Sennrich et al., arXiv 1508.07909; a queue of pairs is `Word::merge_all` of the `tokenizers` crate in idea.

use crate::{
    rank_queue::RankQueue,
    tokenizer::{Merge, Pair},
};

/// Up to here reading all ranks beats a queue.
const LONGEST_SHORT_WORD: usize = 48;
/// Places in a queue have 32 bits. A word of four gigabytes is merged in parts.
const LONGEST_WORD: usize = u32::MAX as usize - 1;

// ANCHOR: merge
/// Joins the pairs of `symbols` for which `merge_of` has a merge, lowest rank first.
pub(crate) fn merge_symbols(symbols: &mut Vec<u32>, merge_of: impl Fn(Pair) -> Option<Merge>) {
    if symbols.len() <= LONGEST_SHORT_WORD {
        merge_by_reading(symbols, merge_of)
    } else if symbols.len() <= LONGEST_WORD {
        merge_by_queue(symbols, merge_of)
    } else {
        let parts = symbols.chunks(LONGEST_WORD).map(|part| {
            let mut part = part.to_vec();
            merge_by_queue(&mut part, &merge_of);
            part
        });
        *symbols = parts.collect::<Vec<_>>().concat();
    }
}

fn merge_by_reading(symbols: &mut Vec<u32>, merge_of: impl Fn(Pair) -> Option<Merge>) {
    // Merges of the pair that begins at each place; behind the last symbol there is none.
    let mut merges = [Merge::NONE; LONGEST_SHORT_WORD + 1];
    let lookup = |left, right| merge_of((left, right)).unwrap_or(Merge::NONE);
    for (merge, pair) in merges.iter_mut().zip(symbols.windows(2)) {
        *merge = lookup(pair[0], pair[1]);
    }
    loop {
        let n = symbols.len();
        let candidates = merges[..n.saturating_sub(1)].iter().enumerate();
        let Some((at, merge)) = candidates.min_by_key(|(_, merge)| merge.rank) else { return };
        if merge.rank == Merge::NONE.rank {
            return;
        }
        symbols[at] = merge.new_id;
        symbols.remove(at + 1);
        merges.copy_within(at + 1..n, at);
        if let Some(&right) = symbols.get(at + 1) {
            merges[at] = lookup(symbols[at], right);
        }
        if at > 0 {
            merges[at - 1] = lookup(symbols[at - 1], symbols[at]);
        }
    }
}

fn merge_by_queue(symbols: &mut Vec<u32>, merge_of: impl Fn(Pair) -> Option<Merge>) {
    let mut list = LinkedSymbols::new(symbols);
    let mut waiting = RankQueue::new();
    let offer = |waiting: &mut RankQueue, list: &LinkedSymbols, at: u32| {
        if let Some(merge) = list.pair_at(at).and_then(&merge_of) {
            waiting.push(merge.rank, at);
        }
    };
    (0..symbols.len() as u32).for_each(|at| offer(&mut waiting, &list, at));
    while let Some((rank, at)) = waiting.pop() {
        // An earlier merge may have changed the pair that waited here.
        let now = list.pair_at(at).and_then(&merge_of).filter(|merge| merge.rank == rank);
        let Some(Merge { new_id, .. }) = now else { continue };
        list.join(at, new_id);
        if let Some(before) = list.before(at) {
            offer(&mut waiting, &list, before);
        }
        offer(&mut waiting, &list, at);
    }
    symbols.clear();
    symbols.extend(list.ids());
}
// ANCHOR_END: merge

/// A word's symbols as a linked list over their first place, so that a join moves nothing. What belongs to a place lies together and is small: of
/// a word of megabytes, this is what is read again and again.
struct LinkedSymbols(Vec<LinkedSymbol>);

#[derive(Clone, Copy)]
struct LinkedSymbol {
    /// The id that starts here; [`NOWHERE`] once it was joined to the one on its left.
    id: u32,
    next: u32,
    previous: u32,
}

/// No id and no place.
const NOWHERE: u32 = u32::MAX;

impl LinkedSymbols {
    fn new(symbols: &[u32]) -> Self {
        let link = |(&id, at): (&u32, u32)| LinkedSymbol { id, next: at + 1, previous: at.wrapping_sub(1) };
        Self(symbols.iter().zip(0..).map(link).collect())
    }

    fn pair_at(&self, at: u32) -> Option<Pair> {
        let left = self.0[at as usize];
        let right = self.0.get(left.next as usize)?;
        (left.id != NOWHERE).then_some((left.id, right.id))
    }

    fn before(&self, at: u32) -> Option<u32> {
        Some(self.0[at as usize].previous).filter(|&before| before != NOWHERE)
    }

    /// Puts `new_id` in the place of the symbol at `at` and its right neighbour.
    fn join(&mut self, at: u32, new_id: u32) {
        let right = self.0[at as usize].next;
        let next = self.0[right as usize].next;
        self.0[right as usize].id = NOWHERE;
        self.0[at as usize].id = new_id;
        self.0[at as usize].next = next;
        if let Some(next) = self.0.get_mut(next as usize) {
            next.previous = at;
        }
    }

    fn ids(self) -> impl Iterator<Item = u32> {
        self.0.into_iter().map(|symbol| symbol.id).filter(|&id| id != NOWHERE)
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, collections::HashMap};

    use proptest::prelude::*;

    use super::*;

    /// The rule as it is stated, without any care for time.
    fn merge_by_rule(mut symbols: Vec<u32>, merges: &HashMap<Pair, Merge>) -> Vec<u32> {
        loop {
            let pairs = symbols.windows(2).enumerate();
            let ranked = pairs.filter_map(|(at, pair)| Some((merges.get(&(pair[0], pair[1]))?, at)));
            let Some((merge, at)) = ranked.min_by_key(|(merge, at)| (merge.rank, *at)) else { return symbols };
            symbols.splice(at..at + 2, [merge.new_id]);
        }
    }

    /// Merges of most pairs over six symbols, so that nearly every join changes which pairs its neighbours have. Ranks may be shared, as in a
    /// table made from tiktoken's ranks.
    fn merges() -> impl Strategy<Value = HashMap<Pair, Merge>> {
        let merge = (0..20_u32, 0..6_u32).prop_map(|(rank, new_id)| Merge { rank, new_id });
        prop::collection::hash_map((0..6_u32, 0..6_u32), merge, 0..36)
    }

    proptest! {
        #[test]
        fn both_ways_follow_the_rule(symbols in prop::collection::vec(0..4_u32, 0..LONGEST_SHORT_WORD), merges in merges()) {
            let merge_of = |pair| merges.get(&pair).copied();
            let (mut read, mut queued) = (symbols.clone(), symbols.clone());
            merge_by_reading(&mut read, merge_of);
            merge_by_queue(&mut queued, merge_of);
            let expected = merge_by_rule(symbols, &merges);
            prop_assert_eq!(&read, &expected);
            prop_assert_eq!(queued, expected);
        }
    }

    #[test]
    fn a_megabyte_of_one_letter_takes_a_few_look_ups_a_byte() {
        // a a → 1, 1 1 → 2 …: every symbol is joined twenty times over.
        let n = 1 << 20;
        let n_lookups = Cell::new(0);
        let merge_of = |(left, right): Pair| {
            n_lookups.set(n_lookups.get() + 1);
            (left == right).then_some(Merge { rank: left, new_id: left + 1 })
        };
        let mut symbols = vec![0; n];
        merge_symbols(&mut symbols, merge_of);
        assert_eq!(symbols, [20]);
        // One look-up a place at first; each of at most n joins makes two offers, and each of at most 3 n offers is checked.
        assert!(n_lookups.get() <= 6 * n, "{} look-ups for {n} bytes", n_lookups.get());
    }
}
