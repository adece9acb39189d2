//! What waits to be merged in a long word, lowest (rank, place) first.
//!
//! A heap does this in n log n, but each step jumps through all of its memory: at ten megabytes a byte cost thirty times what it
//! cost at a kilobyte. Ranks come out in nearly rising order, because a merge makes pairs that are merged later. So what
//! waits is laid into buckets by rank, and a bucket is sorted when its turn comes: its places are then visited from left to right, as
//! they lie in memory. What comes too late for its bucket, which tables of others allow, goes to a small heap. The order is exact.
//!
//! ```text
//! bucket(rank) = rank below 16; above, its highest bit and the four bits after it, as in a float
//! ```

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

/// A rank and, below it, the place of the pair that has it: one number that orders as the two do, and sorts faster.
type Waiting = u64;

fn waiting(rank: u32, place: u32) -> Waiting {
    u64::from(rank) << 32 | u64::from(place)
}

fn rank_of(waiting: Waiting) -> u32 {
    (waiting >> 32) as u32
}

fn place_of(waiting: Waiting) -> u32 {
    waiting as u32
}

// ANCHOR: rank_queue
/// A queue of pairs by rank, of equals the leftmost first.
pub(crate) struct RankQueue {
    buckets: Vec<Vec<Waiting>>,
    /// The bucket that is being emptied, sorted, and its number.
    open: VecDeque<Waiting>,
    n_open: usize,
    /// What came after its bucket was opened.
    late: BinaryHeap<Reverse<Waiting>>,
}

impl RankQueue {
    pub(crate) fn new() -> Self {
        Self { buckets: vec![Vec::new(); N_BUCKETS], open: VecDeque::new(), n_open: 0, late: BinaryHeap::new() }
    }

    pub(crate) fn push(&mut self, rank: u32, place: u32) {
        match self.buckets.get_mut(bucket(rank)).filter(|_| bucket(rank) >= self.n_open) {
            Some(bucket) => bucket.push(waiting(rank, place)),
            None => self.late.push(Reverse(waiting(rank, place))),
        }
    }

    pub(crate) fn pop(&mut self) -> Option<(u32, u32)> {
        self.pop_waiting().map(|waiting| (rank_of(waiting), place_of(waiting)))
    }

    fn pop_waiting(&mut self) -> Option<Waiting> {
        while self.open.is_empty() && self.late.is_empty() {
            let mut bucket = std::mem::take(self.buckets.get_mut(self.n_open)?);
            self.n_open += 1;
            bucket.sort_unstable();
            self.open = bucket.into();
        }
        match (self.open.front(), self.late.peek()) {
            (Some(open), Some(Reverse(late))) if late < open => self.late.pop().map(|Reverse(late)| late),
            (None, _) => self.late.pop().map(|Reverse(late)| late),
            _ => self.open.pop_front(),
        }
    }
}

fn bucket(rank: u32) -> usize {
    let n_shifted = rank.checked_ilog2().unwrap_or(0).saturating_sub(MANTISSA_BITS);
    (n_shifted << MANTISSA_BITS) as usize + (rank >> n_shifted) as usize
}
// ANCHOR_END: rank_queue

const MANTISSA_BITS: u32 = 4;
/// One more than the bucket of the highest rank.
const N_BUCKETS: usize = ((u32::BITS - 1 - MANTISSA_BITS + 2) << MANTISSA_BITS) as usize;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_are_in_the_order_of_ranks() {
        let ranks: Vec<u32> = (0..5000).chain((13..32).flat_map(|bit| [(1 << bit) - 1, 1 << bit])).collect();
        assert!(ranks.is_sorted_by_key(|&rank| bucket(rank)));
        assert_eq!((bucket(0), bucket(31), bucket(32), bucket(33)), (0, 31, 32, 32));
        assert_eq!(bucket(u32::MAX), N_BUCKETS - 1);
    }

    proptest! {
        /// Pushes and pops in any order give what a heap gives.
        #[test]
        fn the_order_is_a_heaps(steps in prop::collection::vec(prop::option::of((0..200_u32, 0..9_u32)), 0..200)) {
            let (mut queue, mut heap) = (RankQueue::new(), BinaryHeap::new());
            for step in steps {
                match step {
                    Some((rank, place)) => {
                        queue.push(rank, place);
                        heap.push(Reverse((rank, place)));
                    }
                    None => prop_assert_eq!(queue.pop(), heap.pop().map(|Reverse(waiting)| waiting)),
                }
            }
            while let Some(Reverse(waiting)) = heap.pop() {
                prop_assert_eq!(queue.pop(), Some(waiting));
            }
            prop_assert_eq!(queue.pop(), None);
        }
    }
}
