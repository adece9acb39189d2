//! The chapter's experiment: what the loss and its gradient look like, how sampled manners move, and why honesty is harder.

use std::io::Write;

use candle_core::{Device, Tensor, Var};
use corpus::{World, WorldConfig};
use finetuning::fact_questions;
use finetuning::laboratory::Laboratory;
use transformer::Transformer;

use crate::honesty::{REFUSAL, Way, prefer, refusals, teach};
use crate::{dpo_losses, manner, manner_pairs};

/// Prints the tour. Takes about a minute.
///
/// # Errors
/// If writing fails.
pub fn tour(out: &mut dyn Write) -> anyhow::Result<()> {
    loss_and_gradient(out)?;
    let laboratory = Laboratory::new()?;
    let pretrained = laboratory.pretrained()?;
    manners(out, &laboratory, &pretrained)?;
    honesty(out, &laboratory, &pretrained)?;
    Ok(())
}

// ANCHOR: loss
fn loss_and_gradient(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== the loss and its gradient ==")?;
    writeln!(out, "margin | loss  | d loss / d log p of chosen | of rejected")?;
    let zero = Tensor::zeros(1, candle_core::DType::F32, &Device::Cpu)?;
    const BETA: f64 = 0.1;
    for margin in [-4.0, -1.0, 0.0, 1.0, 4.0] {
        let chosen = Var::new(&[(margin / BETA) as f32], &Device::Cpu)?;
        let rejected = Var::new(&[0f32], &Device::Cpu)?;
        let found = dpo_losses(&chosen, &rejected, &zero, &zero, BETA)?;
        let gradients = found.losses.sum_all()?.backward()?;
        let of =
            |var: &Var| gradients.get(var).map(|g| g.to_vec1::<f32>()).transpose().map(|g| g.unwrap_or_default()[0]);
        let loss = found.losses.to_vec1::<f32>()?[0];
        writeln!(out, "{margin:>6} | {loss:.3} | {:>26.4} | {:>11.4}", of(&chosen)?, of(&rejected)?)?;
    }
    Ok(())
}
// ANCHOR_END: loss

// ANCHOR: manners
fn manners(out: &mut dyn Write, laboratory: &Laboratory, pretrained: &Transformer) -> anyhow::Result<()> {
    writeln!(out, "== two manners ==")?;
    let (model, _) = teach(laboratory, pretrained, Way::Nothing, &[])?;
    let Laboratory { world, tokenizer, template } = laboratory;
    let held_out = fact_questions(world.held_out_towns());
    let report = |out: &mut dyn Write, name: &str| -> anyhow::Result<()> {
        let found = manner(&model, tokenizer, template, &held_out, 4, 0)?;
        let percent = |score: evaluation::Score| (100.0 * score.share()).round();
        writeln!(
            out,
            "{name}: {:>3}% full sentences, {:>3}% true, of {} sampled answers",
            percent(found.full_sentences),
            percent(found.true_answers),
            found.full_sentences.n_total
        )?;
        Ok(())
    };
    report(out, "after SFT")?;
    let pairs = manner_pairs(&fact_questions(world.finetuning_towns()));
    let margin = prefer(laboratory, &model, &pairs)?;
    report(out, "after DPO")?;
    writeln!(out, "mean margin of the last step: {margin:.1}")?;
    Ok(())
}
// ANCHOR_END: manners

// ANCHOR: honesty
fn honesty(out: &mut dyn Write, laboratory: &Laboratory, pretrained: &Transformer) -> anyhow::Result<()> {
    writeln!(out, "== honesty ==")?;
    writeln!(out, "The wish: {REFUSAL:?} about towns that do not exist.")?;
    // Towns of another world: the model has never read a word about them. Half are for teaching, half for the test.
    let elsewhere = World::generate(&WorldConfig { seed: 1_000, n_towns: 48, ..WorldConfig::default() })?;
    let is_unknown = |name: &str| laboratory.world.towns().iter().all(|town| town.name != name);
    let strangers: Vec<_> = elsewhere.towns().iter().filter(|town| is_unknown(&town.name)).cloned().collect();
    let (to_teach, to_test) = strangers.split_at(strangers.len() / 2);
    writeln!(out, "{:<26} | refuses invented | refuses known | true about known | margin", "")?;
    for (name, way) in [
        ("SFT", Way::Nothing),
        ("SFT, then DPO", Way::DpoAlone),
        ("SFT with refusals", Way::RefusalsInSft),
        ("SFT with refusals, then DPO", Way::RefusalsInSftThenDpo),
    ] {
        let (model, margin) = teach(laboratory, pretrained, way, to_teach)?;
        let found = refusals(laboratory, &model, to_test)?;
        let percent = |score: evaluation::Score| format!("{:.0}%", 100.0 * score.share());
        writeln!(
            out,
            "{name:<27}| {:>16} | {:>13} | {:>16} | {}",
            percent(found.invented),
            percent(found.known),
            percent(found.true_answers),
            margin.map_or("-".to_string(), |margin| format!("{margin:.1}"))
        )?;
    }
    Ok(())
}
// ANCHOR_END: honesty
