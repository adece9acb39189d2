//! Planted bug: keeps the bytes that have a token and drops the others.

use std::collections::HashMap;

/// The ids that merging `text` begins with.
pub fn first_symbols(text: &str, vocab: &HashMap<String, u32>) -> Vec<u32> {
    let unknown = vocab["<unk>"];
    let mut ids = Vec::new();
    for c in text.chars() {
        let mut buffer = [0; 4];
        let written: &str = if c == ' ' { "▁" } else { c.encode_utf8(&mut buffer) };
        let as_bytes = || {
            written.bytes().map(|byte| vocab.get(&format!("<0x{byte:02X}>")).copied()).filter(Option::is_some).collect()
        };
        if let Some(&id) = vocab.get(written) {
            ids.push(id);
        } else if let Option::<Vec<u32>>::Some(bytes) = as_bytes() {
            ids.extend(bytes);
        } else if ids.last() != Some(&unknown) {
            ids.push(unknown);
        }
    }
    ids
}
