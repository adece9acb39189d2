//! Chapter 3: one word, merge by merge.

use plotters::prelude::*;
use tokenizer::tour::FEW_LINES;
use tokenizer::{Tokenizer, TrainConfig};

use super::{FONT, FONT_SIZE, FigureError, INK, PALETTE, svg};

const WORD: &str = " lamplighter";
/// The merges of the tour.
const N_MERGES: usize = 16;

/// A row of the figure: which merge, of what, and the word's tokens after it.
struct Step {
    label: String,
    tokens: Vec<String>,
    /// What the merge made, where it occurs in the word.
    made: Option<String>,
}

/// Draws the word's tokens after each merge that changes it.
///
/// # Errors
/// If training or drawing fails.
pub fn bpe_merges() -> Result<String, FigureError> {
    const ROW: i32 = 30;
    const HEIGHT: i32 = 22;
    const LEFT: i32 = 200;
    const BYTE: i32 = 40;
    let steps = steps()?;
    svg((720, (steps.len() as i32 * ROW + 16) as u32), |area| {
        let font = || (FONT, FONT_SIZE).into_font().color(&INK);
        for (step, top) in steps.iter().zip((10..).step_by(ROW as usize)) {
            area.draw(&Text::new(step.label.clone(), (10, top + 4), font()))?;
            let mut left = LEFT;
            for token in &step.tokens {
                let right = left + token.chars().count() as i32 * BYTE;
                let corners = [(left + 2, top), (right - 2, top + HEIGHT)];
                let is_new = step.made.as_ref() == Some(token);
                let fill = if is_new { PALETTE[1].mix(0.45) } else { PALETTE[0].mix(0.18) };
                area.draw(&Rectangle::new(corners, fill.filled()))?;
                area.draw(&Rectangle::new(corners, INK.mix(0.5).stroke_width(1)))?;
                // A character is about eight units wide.
                let text_left = (left + right) / 2 - token.chars().count() as i32 * 4;
                area.draw(&Text::new(token.clone(), (text_left, top + 4), font()))?;
                left = right;
            }
        }
        Ok(())
    })
}

/// The bytes, and each merge that changes the word.
fn steps() -> Result<Vec<Step>, FigureError> {
    let n_base = 256 + tokenizer::SPECIAL_TOKENS.len();
    let trained = Tokenizer::train(&FEW_LINES, &TrainConfig::with_vocab_size(n_base + N_MERGES))?;
    let written = |id: u32| trained.token_of(id).unwrap_or_default().replace(' ', "·");
    let tokens_with = |n_merges: usize| -> Vec<String> {
        let smaller = trained.with_first_ids(n_base + n_merges);
        smaller.map_or(Vec::new(), |smaller| smaller.encode(WORD).into_iter().map(written).collect())
    };
    let mut steps = vec![Step { label: "bytes".to_owned(), tokens: tokens_with(0), made: None }];
    for (n, &(left, right)) in (1..).zip(trained.merges()) {
        let tokens = tokens_with(n);
        if steps.last().is_some_and(|before| before.tokens != tokens) {
            let label = format!("merge {n}: {} {}", written(left), written(right));
            steps.push(Step { label, tokens, made: Some(written((n_base + n - 1) as u32)) });
        }
    }
    Ok(steps)
}
