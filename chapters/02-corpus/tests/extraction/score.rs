//! The score of an extraction against its label: the same arithmetic as `tests/reference/extraction_peers.py`.

use std::collections::HashMap;

const N_SHINGLE: usize = 4;

/// F1 over the multisets of 4-word shingles. Lines `? ...` of the truth may be in the text or not.
pub fn f1_by_shingles(text: &str, truth: &str) -> f64 {
    let (optional, wanted): (Vec<&str>, Vec<&str>) = truth.lines().partition(|line| line.starts_with("? "));
    let mut optional: Vec<Vec<String>> = optional.iter().map(|line| words(&line[2..])).collect();
    optional.sort_by_key(|words| std::cmp::Reverse(words.len()));
    let wanted = without(words(&wanted.join("\n")), &optional);
    let found = without(words(text), &optional);
    let (wanted, found) = (shingles(&wanted), shingles(&found));
    let n_both: usize = wanted.iter().map(|(shingle, n)| found.get(shingle).map_or(0, |m| *n.min(m))).sum();
    let n_all = wanted.values().sum::<usize>() + found.values().sum::<usize>();
    2.0 * n_both as f64 / n_all.max(1) as f64
}

/// F1 over snippets that must and must not be in a text.
pub fn f1_by_snippets(text: &str, wanted: &[String], unwanted: &[String]) -> f64 {
    let text = words(text);
    let n_in =
        |snippets: &[String]| snippets.iter().filter(|snippet| find(&words(snippet), &text, 0).is_some()).count();
    let (n_found, n_unwanted) = (n_in(wanted), n_in(unwanted));
    2.0 * n_found as f64 / (2 * n_found + wanted.len() - n_found + n_unwanted) as f64
}

/// The lines of code in a truth's fences.
pub fn code_lines(truth: &str) -> Vec<&str> {
    let mut is_code = false;
    let mut lines = Vec::new();
    for line in truth.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
        } else if is_code && !line.trim().is_empty() {
            lines.push(line.trim_end());
        }
    }
    lines
}

/// Runs of letters and digits; each character of Chinese, Japanese and Korean for itself.
pub fn words(text: &str) -> Vec<String> {
    let text: Vec<&str> = text.split('\n').map(without_marker).collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.join("\n").chars().chain([' ']) {
        if c.is_alphanumeric() && !is_cjk(c) {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if is_cjk(c) {
            words.push(c.to_string());
        }
    }
    words
}

fn is_cjk(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}')
}

fn without_marker(line: &str) -> &str {
    match line.trim_start().split_once(". ") {
        Some((number, rest)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => line,
    }
}

fn find(needle: &[String], words: &[String], start: usize) -> Option<usize> {
    (start..(words.len() + 1).saturating_sub(needle.len())).find(|&at| words[at..at + needle.len()] == *needle)
}

fn without(mut words: Vec<String>, optional: &[Vec<String>]) -> Vec<String> {
    for run in optional.iter().filter(|run| !run.is_empty()) {
        let mut at = 0;
        while let Some(found) = find(run, &words, at) {
            words.drain(found..found + run.len());
            at = found;
        }
    }
    words
}

fn shingles(words: &[String]) -> HashMap<&[String], usize> {
    let mut counts = HashMap::new();
    if words.len() < N_SHINGLE {
        if !words.is_empty() {
            counts.insert(words, 1);
        }
        return counts;
    }
    for shingle in words.windows(N_SHINGLE) {
        *counts.entry(shingle).or_default() += 1;
    }
    counts
}
