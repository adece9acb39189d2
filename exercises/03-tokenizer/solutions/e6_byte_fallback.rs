//! Solution 03.6: a character, or all of its bytes, or the unknown token.
//!
//! `collect` into an `Option` answers "are all of its bytes tokens?" and gives them in one step: half a character in
//! bytes would decode to `�`. The last id tells whether an unknown character has one in front of it.

use std::collections::HashMap;

/// The ids that merging `text` begins with.
pub fn first_symbols(text: &str, vocab: &HashMap<String, u32>) -> Vec<u32> {
    let unknown = vocab["<unk>"];
    let mut ids = Vec::new();
    for c in text.chars() {
        let mut buffer = [0; 4];
        let written: &str = if c == ' ' { "▁" } else { c.encode_utf8(&mut buffer) };
        let as_bytes = || written.bytes().map(|byte| vocab.get(&format!("<0x{byte:02X}>")).copied()).collect();
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
