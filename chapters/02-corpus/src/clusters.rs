//! From buckets to clusters, in a way that no order of work can change.
//!
//! In a bucket the documents stand in the order of the input. Each is compared with the bucket's *leaders*, earlier members
//! that were like no leader before them. A document that is like a leader gives an *edge* (document, leader); one like none
//! becomes a leader. So a thousand copies cost a thousand comparisons and not half a million.
//!
//! The edges of a bucket depend on its members alone. Therefore buckets can be worked on in any order, on any number of
//! threads or machines, and the union of all edges is the same. The clusters are the connected components of that graph,
//! and of each the first document stays. Both are properties of a set of edges, not of a history.
//!
//! Joining is transitive: on a long chain of edits the ends need not be alike. That is the usual price.

use std::iter;

/// A bucket compares with so many leaders at most. More of them means that the bucket gathers documents that are not alike,
/// such as pages of one template; there the others give no edge, and the bucket's cost stays linear.
pub const MAX_LEADERS: usize = 64;

// ANCHOR: bucket_edges
/// The pairs (document, leader) of one bucket, whose members are given in rising order.
pub fn bucket_edges(
    members: impl IntoIterator<Item = u32>,
    mut alike: impl FnMut(u32, u32) -> bool,
) -> impl Iterator<Item = (u32, u32)> {
    let mut leaders: Vec<u32> = Vec::new();
    members.into_iter().filter_map(move |document| {
        if let Some(&leader) = leaders.iter().find(|&&leader| alike(document, leader)) {
            return Some((document, leader));
        }
        if leaders.len() < MAX_LEADERS {
            leaders.push(document);
        }
        None
    })
}

/// A union-find forest in which the root of a cluster is its smallest member: 4 bytes a document.
#[derive(Debug, Clone)]
pub struct Clusters(Vec<u32>);

impl Clusters {
    /// Each of `n` documents is a cluster of its own.
    pub fn new(n: usize) -> Self {
        Self((0..n as u32).collect())
    }

    /// The smallest member of the document's cluster.
    pub fn first(&mut self, mut i: u32) -> u32 {
        while self.0[i as usize] != i {
            // Halving the path on the way keeps later searches short.
            self.0[i as usize] = self.0[self.0[i as usize] as usize];
            i = self.0[i as usize];
        }
        i
    }

    /// The smallest member, if that is another document.
    pub fn earlier(&mut self, i: u32) -> Option<u32> {
        Some(self.first(i)).filter(|&first| first != i)
    }

    /// Makes one cluster of two.
    pub fn join(&mut self, i: u32, j: u32) {
        let (a, b) = (self.first(i), self.first(j));
        self.0[a.max(b) as usize] = a.min(b);
    }
}
// ANCHOR_END: bucket_edges

impl Clusters {
    /// Every document that is not the first of its cluster, with that first one, in rising order.
    pub fn repeated(mut self) -> impl Iterator<Item = (u32, u32)> {
        let mut next = 0;
        iter::from_fn(move || {
            while (next as usize) < self.0.len() {
                let document = next;
                next += 1;
                if let Some(first) = self.earlier(document) {
                    return Some((document, first));
                }
            }
            None
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_document_meets_the_first_leader_that_it_is_like() {
        // Alike are numbers of one remainder.
        let found: Vec<_> = bucket_edges([1, 2, 4, 5, 6, 7], |a, b| a % 3 == b % 3).collect();
        assert_eq!(found, [(4, 1), (5, 2), (7, 1)]);
    }

    #[test]
    fn a_crowded_bucket_costs_no_more_than_its_leaders() {
        let n = 10_000;
        let mut n_comparisons = 0;
        let edges = bucket_edges(0..n, |_, _| {
            n_comparisons += 1;
            false
        })
        .count();
        assert_eq!(edges, 0);
        assert!(n_comparisons <= n as usize * MAX_LEADERS);
    }

    #[test]
    fn clusters_do_not_depend_on_the_order_of_edges() {
        let edges = [(5, 3), (7, 5), (2, 1), (9, 7), (8, 2)];
        let clusters = |edges: &mut dyn Iterator<Item = &(u32, u32)>| {
            let mut clusters = Clusters::new(10);
            edges.for_each(|&(a, b)| clusters.join(a, b));
            clusters.repeated().collect::<Vec<_>>()
        };
        let expected = [(2, 1), (5, 3), (7, 3), (8, 1), (9, 3)];
        assert_eq!(clusters(&mut edges.iter()), expected);
        assert_eq!(clusters(&mut edges.iter().rev()), expected);
    }
}
