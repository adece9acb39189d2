//! The trained judge against scikit-learn's on the same pages, and against the best score there can be.
#![allow(clippy::unwrap_used)]

use corpus::classifier::{TrainingConfig, auc, brier, calibration, train};
use corpus::{Classifier, ClassifierConfig, Document, Filters, PipelineConfig, Stage};
use serde_json::Value;

/// The generator of `tests/reference/classifier.py`.
struct Generator(u64);

impl Generator {
    fn draw(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn page(&mut self, label: u64) -> String {
        let mut word = || match self.draw(100) {
            0..12 => 100 * label + self.draw(20),
            12..20 => 100 * (1 - label) + self.draw(20),
            _ => 200 + self.draw(400),
        };
        (0..20).map(|_| format!("w{}", word())).collect::<Vec<_>>().join(" ")
    }
}

struct Pages {
    positive: Vec<String>,
    negative: Vec<String>,
    held_out: Vec<(String, bool)>,
}

fn pages() -> Pages {
    let mut generator = Generator(42);
    let training: Vec<String> = (0..4000).map(|i| generator.page(i % 2)).collect();
    let held_out = (0..2000).map(|i| (generator.page(i % 2), i % 2 == 1)).collect();
    let of = |label: usize| training.iter().skip(label).step_by(2).cloned().collect();
    Pages { positive: of(1), negative: of(0), held_out }
}

fn scored(pages: &Pages, score: impl Fn(&str) -> f64) -> Vec<(f64, bool)> {
    pages.held_out.iter().map(|(text, label)| (score(text), *label)).collect()
}

fn golden() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference/classifier.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn as_good_as_scikit_learn_and_near_the_best_there_can_be() {
    let (pages, golden) = (pages(), golden());
    assert_eq!(pages.negative[0], golden["first_page"].as_str().unwrap(), "the generators must agree");
    // The likelihood ratio grows with the number of words of the one class minus that of the other.
    let best = auc(&scored(&pages, |text| {
        let classes = text.split(' ').map(|word| word[1..].parse::<u32>().unwrap() / 100);
        classes.map(|class| [-1.0, 1.0, 0.0][class.min(2) as usize]).sum()
    }));
    for (max_run, key) in [(1, "one_word"), (2, "two_words")] {
        let config = TrainingConfig { max_run, ..Default::default() };
        let model = train(&pages.positive, &pages.negative, &config).unwrap();
        let scored = scored(&pages, |text| model.score(text));
        let area = auc(&scored).unwrap();
        let theirs = |model: &str, what: &str| golden[key][model][what].as_f64().unwrap();
        let (logistic, sgd) = (theirs("logistic", "auc"), theirs("sgd", "auc"));
        println!(
            "{key}: ours {area:.4} (Brier {:.4}), scikit-learn {logistic:.4} ({:.4}) and {sgd:.4} ({:.4}), best {:.4}",
            brier(&scored),
            theirs("logistic", "brier"),
            theirs("sgd", "brier"),
            best.unwrap()
        );
        assert!(area > logistic.max(sgd) - 0.015, "ours {area}, theirs {logistic} and {sgd}");
        assert!(area > best.unwrap() - 0.06 && area < best.unwrap() + 0.01, "ours {area}, best {best:?}");
        for bin in calibration(&scored, 5) {
            println!("{bin}");
        }
        assert!(brier(&scored) < 0.25, "better than always one half");
    }
}

#[test]
fn the_same_pages_give_the_same_model() {
    let pages = pages();
    let config = TrainingConfig { log2_weights: 12, n_epochs: 2, ..Default::default() };
    let on = |n| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        pool.install(|| train(&pages.positive, &pages.negative, &config).unwrap())
    };
    assert_eq!(on(1), on(3));
    let other = train(&pages.positive, &pages.negative, &TrainingConfig { seed: 1, ..config.clone() }).unwrap();
    assert_ne!(on(1), other);
}

#[test]
fn few_positive_pages_weigh_as_much_as_many_negative_ones() {
    let pages = pages();
    let model = train(&pages.positive[..200], &pages.negative, &TrainingConfig::default()).unwrap();
    let scores: Vec<f64> = scored(&pages, |text| model.score(text)).into_iter().map(|(score, _)| score).collect();
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    assert!((0.25..0.75).contains(&mean), "half of the pages are positive, and the mean score is {mean}");
}

#[test]
fn as_a_filter_it_drops_low_scores() {
    let good = ["the river runs through the old town and the bridge is long"; 4];
    let bad = ["win prizes click casino bonus jackpot spin win bonus"; 4];
    let model = train(&good, &bad, &TrainingConfig { log2_weights: 10, ..Default::default() }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("quality.safetensors");
    model.save(&path).unwrap();
    assert_eq!(Classifier::load(&path).unwrap(), model);
    let mut config = PipelineConfig::default();
    config.quality.min_words = 1;
    config.quality.min_punctuated_lines = 0.0;
    config.quality.min_stop_words = 0;
    config.language.min_letters = 1000;
    config.quality.max_top_ngram_chars = [1.0; 3];
    config.classifier = Some(ClassifierConfig { model: path, min_score: 0.5 });
    let filters = Filters::new(&config).unwrap();
    assert!(filters.stages().contains(&Stage::Classifier));
    let judged = |text: &str| filters.judge(&mut Document::new("a", "", text));
    assert!(judged("an old bridge over the river").is_ok());
    let rejection = judged("casino prizes, spin and win a jackpot").unwrap_err();
    assert_eq!((rejection.stage, rejection.reason.as_str()), (Stage::Classifier, "low_score"));
    let mut broken = config.clone();
    broken.classifier = Some(ClassifierConfig { model: "no/such".into(), min_score: 0.5 });
    assert!(Filters::new(&broken).is_err());
}

#[test]
fn impossible_settings_are_named() {
    let said = |config: TrainingConfig| train(&["a"], &["b"], &config).unwrap_err().to_string();
    assert!(
        said(TrainingConfig { log2_weights: 40, ..Default::default() }).starts_with("classifier.log2_weights is 40")
    );
    assert!(said(TrainingConfig { max_run: 0, ..Default::default() }).starts_with("classifier.max_run is 0"));
    assert!(train::<&str>(&[], &["b"], &TrainingConfig::default()).is_err());
}
