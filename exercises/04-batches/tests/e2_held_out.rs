//! Tests of exercise 04.2.

use std::collections::HashSet;

use ex_batches::e2_held_out::{Document, split};

/// 1,000 clusters: three near copies, two documents alone, and so on, the copies far apart.
fn documents() -> Vec<Document> {
    let copy = |copy: usize| (0..1000).filter(move |i| i % 3 >= copy).map(move |i| document(i, copy));
    (0..3).flat_map(copy).collect()
}

fn document(cluster: usize, copy: usize) -> Document {
    Document { id: format!("page-{cluster}-{copy}"), cluster: format!("page-{cluster}-0") }
}

fn clusters(documents: &[Document]) -> HashSet<&str> {
    documents.iter().map(|document| document.cluster.as_str()).collect()
}

#[test]
fn near_copies_stay_together() {
    let (training, held_out) = split(&documents(), 0.2, 1);
    let leaked = clusters(&training).intersection(&clusters(&held_out)).count();
    assert_eq!(leaked, 0, "{leaked} clusters are on both sides: the model is measured on what it has read");
}

#[test]
fn nothing_is_lost_and_the_order_stays() {
    let all = documents();
    let (training, held_out) = split(&all, 0.2, 1);
    assert_eq!(training.len() + held_out.len(), all.len());
    let place = |document: &Document| all.iter().position(|other| other == document);
    assert!(training.iter().map(place).is_sorted() && held_out.iter().map(place).is_sorted());
}

#[test]
fn the_share_is_about_right() {
    for share in [0.02, 0.2, 0.7] {
        let all = documents();
        let (_, held_out) = split(&all, share, 3);
        let n = clusters(&held_out).len() as f64 / 1000.0;
        assert!((n - share).abs() < 0.05, "{n} of the clusters instead of {share}");
    }
}

#[test]
fn the_ends_of_the_range() {
    let all = documents();
    assert_eq!(split(&all, 0.0, 1).1, []);
    assert_eq!(split(&all, 1.0, 1).0, []);
    assert_eq!(split(&[], 0.5, 1), (vec![], vec![]));
}

#[test]
fn a_document_stays_on_its_side_when_others_come_and_go() {
    let all = documents();
    let some: Vec<Document> = all.iter().skip(500).step_by(2).cloned().collect();
    let (_, of_all) = split(&all, 0.2, 1);
    let (_, of_some) = split(&some, 0.2, 1);
    assert!(!of_some.is_empty());
    for document in &some {
        let sides = (of_all.contains(document), of_some.contains(document));
        assert_eq!(sides.0, sides.1, "{} changed sides because other documents left", document.id);
    }
}

#[test]
fn another_seed_is_another_choice() {
    let all = documents();
    let (_, first) = split(&all, 0.2, 1);
    let (_, second) = split(&all, 0.2, 2);
    assert_ne!(first, second, "the seed must enter the hash");
    assert_eq!(first, split(&all, 0.2, 1).1, "the same seed gives the same choice");
}
