//! What `llm inspect` sees in a model at one text, and the page that shows it.

use anyhow::Result;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use tokenizer::Tokenizer;
use transformer::Transformer;
use transformer::inspect::{attention_maps, logit_lens, neighbours};

use crate::figures::attention_maps::{HeadMap, attention_maps as draw};
use crate::page::Page;

/// How many neighbours of each token are looked up.
const N_NEIGHBOURS: usize = 6;

/// What was seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Inspection {
    /// The text's token ids.
    pub ids: Vec<u32>,
    /// The tokens as text, with marks for what would not show.
    pub tokens: Vec<String>,
    /// Attention weights: `maps[layer][head][query][key]`.
    pub maps: Vec<Vec<Vec<Vec<f32>>>>,
    /// The likeliest next token and its probability at each position: before the first block, then after each.
    pub lens: Vec<Vec<(String, f32)>>,
    /// For each different token of the text, the tokens whose embeddings are nearest, with the cosine.
    pub neighbours: Vec<(String, Vec<(String, f32)>)>,
}

impl Inspection {
    /// Looks at `model` reading `ids`; `tokenizer` gives the tokens their names, their numbers stand for them without it.
    ///
    /// # Errors
    /// If the model cannot read them.
    pub fn of(model: &Transformer, tokenizer: Option<&Tokenizer>, ids: &[u32]) -> Result<Self> {
        let name = |id: u32| match tokenizer {
            Some(tokenizer) => shown(&tokenizer.text_inside(id)),
            None => id.to_string(),
        };
        let tokens = Tensor::from_slice(ids, (1, ids.len()), model.device())?;
        let maps = attention_maps(model, &tokens)?;
        let lens = logit_lens(model, &tokens)?;
        let mut different: Vec<u32> = Vec::new();
        ids.iter().for_each(|id| {
            if !different.contains(id) {
                different.push(*id)
            }
        });
        let near = |id: u32| -> Result<(String, Vec<(String, f32)>)> {
            let near = neighbours(model, id, N_NEIGHBOURS)?;
            Ok((name(id), near.into_iter().map(|(id, cosine)| (name(id), rounded(cosine))).collect()))
        };
        Ok(Self {
            ids: ids.to_vec(),
            tokens: ids.iter().map(|id| name(*id)).collect(),
            maps: maps.iter().map(weights).collect::<Result<_>>()?,
            lens: lens
                .into_iter()
                .map(|row| row.into_iter().map(|guess| (name(guess.token), rounded(guess.probability))).collect())
                .collect(),
            neighbours: different.into_iter().map(near).collect::<Result<_>>()?,
        })
    }

    /// Layer `layer`'s heads, to be drawn.
    pub fn heads(&self, layer: usize) -> Vec<HeadMap> {
        let heads = self.maps.get(layer).into_iter().flatten();
        heads
            .enumerate()
            .map(|(head, rows)| HeadMap { name: format!("layer {layer}, head {head}"), rows: rows.clone() })
            .collect()
    }

    /// The page.
    ///
    /// # Errors
    /// If a figure cannot be drawn.
    pub fn page(&self, title: &str) -> Result<String> {
        let mut page = Page::default();
        page.text(&format!("{} tokens: {}", self.tokens.len(), self.tokens.join(" | ")));
        page.heading("The logit lens");
        page.text("The likeliest next token if the model stopped before the first block (0) or after block 1, 2, ...; darker is likelier.");
        let rows: Vec<(String, Vec<(String, f32)>)> =
            self.lens.iter().enumerate().map(|(depth, row)| (depth.to_string(), row.clone())).collect();
        page.table(&self.tokens, &rows);
        page.heading("What attention looks at");
        page.text("A row is a position that looks, a column one that is looked at.");
        for layer in 0..self.maps.len() {
            page.figure(draw(&self.heads(layer), &self.tokens), &format!("Layer {layer}."))?;
        }
        page.heading("Neighbours");
        page.text("Tokens whose embeddings point most in the same direction, with the cosine.");
        let head: Vec<String> = (1..=N_NEIGHBOURS).map(|rank| rank.to_string()).collect();
        let cell = |(token, cosine): &(String, f32)| (format!("{token} {cosine:.2}"), cosine.max(0.0));
        let rows: Vec<(String, Vec<(String, f32)>)> =
            self.neighbours.iter().map(|(token, near)| (token.clone(), near.iter().map(cell).collect())).collect();
        page.table(&head, &rows);
        Ok(page.finish(title))
    }
}

/// A layer's weights, `[head][query][key]`.
fn weights(map: &Tensor) -> Result<Vec<Vec<Vec<f32>>>> {
    let mut weights = map.to_vec3::<f32>()?;
    weights.iter_mut().flatten().flatten().for_each(|weight| *weight = rounded(*weight));
    Ok(weights)
}

/// To four decimals: more would fill files and tell nothing.
fn rounded(x: f32) -> f32 {
    (x * 1e4).round() / 1e4
}

/// A token's text with marks for what would not show.
fn shown(text: &str) -> String {
    text.replace(' ', "\u{b7}").replace('\n', "\\n").replace('\t', "\\t")
}
