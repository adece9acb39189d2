//! No text makes a stage panic, and what the stages promise holds for any text.
#![allow(clippy::unwrap_used)]

use corpus::pii::{PiiConfig, mask};
use corpus::{Document, PipelineConfig, TestItem, clean};
use proptest::prelude::*;

fn document(id: usize, text: String) -> Document {
    Document::new(id.to_string(), "", text)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn documents_are_conserved(texts in prop::collection::vec("(?s).{0,200}|[ a-z.#\n`]{0,300}|(the red fox ){0,40}", 0..12)) {
        let n = texts.len();
        let documents = texts.into_iter().enumerate().map(|(i, text)| document(i, text)).collect();
        let exam = [TestItem { question: "the red".into(), answer: "fox".into() }];
        let cleaned = clean(documents, &PipelineConfig::default(), &exam, &|_, _, _| {}).unwrap();
        prop_assert_eq!(cleaned.documents.len() + cleaned.removed.len(), n);
        let mut ids: Vec<usize> = cleaned.documents.iter().map(|d| d.id.parse().unwrap()).collect();
        prop_assert!(ids.is_sorted());
        ids.extend(cleaned.removed.iter().map(|r| r.id.parse::<usize>().unwrap()));
        ids.sort_unstable();
        prop_assert_eq!(ids, (0..n).collect::<Vec<_>>());
    }

    #[test]
    fn a_clean_corpus_stays_as_it_is(texts in prop::collection::vec("([a-z]{2,8} ){0,60}(the and of to){1}( [a-z]{2,8}){30,60}[.]", 0..6)) {
        let documents = texts.into_iter().enumerate().map(|(i, text)| document(i, text)).collect();
        let config = PipelineConfig::default();
        let once = clean(documents, &config, &[], &|_, _, _| {}).unwrap().documents;
        let twice = clean(once.clone(), &config, &[], &|_, _, _| {}).unwrap().documents;
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn masked_spans_are_parts_of_the_text(text in "(?s)([a-z@.0-9+() -]{0,80}|.{0,80})") {
        let masked = mask(&text, &PiiConfig::default());
        for span in &masked.spans {
            prop_assert!(text.contains(span.as_str()));
        }
        prop_assert!(masked.spans.is_empty() == (masked.text == text));
    }
}
