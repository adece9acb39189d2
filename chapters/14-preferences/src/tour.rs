//! The chapter's experiment: what the loss and its gradient look like, how sampled manners move, and why honesty is harder.

use std::io::Write;

use candle_core::{Device, Tensor, Var};
use corpus::{Town, World, WorldConfig};
use evaluation::Score;
use finetuning::laboratory::Laboratory;
use finetuning::{fact_questions, two_manners};
use transformer::Transformer;

use crate::honesty::{REFUSAL, honesty, one_question_each, prefer, prefer_answers, prefer_refusals, refusing};
use crate::{dpo_losses, manner, manner_pairs};

/// Prints the tour. Takes about a minute of one core.
///
/// # Errors
/// If writing fails.
pub fn tour(out: &mut dyn Write) -> anyhow::Result<()> {
    loss_and_gradient(out)?;
    let laboratory = Laboratory::new()?;
    let pretrained = laboratory.pretrained()?;
    let finetuned =
        laboratory.finetuned(&pretrained, &two_manners(&fact_questions(laboratory.world.finetuning_towns())))?;
    manners(out, &laboratory, &finetuned)?;
    honesties(out, &laboratory, &pretrained, &finetuned)?;
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
fn manners(out: &mut dyn Write, laboratory: &Laboratory, finetuned: &Transformer) -> anyhow::Result<()> {
    writeln!(out, "== two manners ==")?;
    let Laboratory { world, tokenizer, template } = laboratory;
    let held_out = fact_questions(world.held_out_towns());
    let pairs = manner_pairs(&fact_questions(world.finetuning_towns()));
    let preferred = prefer(laboratory, finetuned, &pairs, 80)?;
    for (name, model) in [("after SFT", finetuned), ("after DPO", &preferred.model)] {
        let found = manner(model, tokenizer, template, &held_out, 4, 0)?;
        writeln!(
            out,
            "{name}: {:>4} full sentences, {:>4} true, of {} sampled answers",
            percent(found.full_sentences),
            percent(found.true_answers),
            found.full_sentences.n_total
        )?;
    }
    let (chosen, rejected) = preferred.rewards;
    writeln!(out, "rewards at the end: chosen {chosen:.1}, rejected {rejected:.1}")?;
    Ok(())
}
// ANCHOR_END: manners

fn percent(score: Score) -> String {
    format!("{:.0}%", 100.0 * score.share())
}

fn count(score: Score) -> String {
    format!("{} of {}", score.n_right, score.n_total)
}

// ANCHOR: honesty
fn honesties(
    out: &mut dyn Write,
    laboratory: &Laboratory,
    pretrained: &Transformer,
    finetuned: &Transformer,
) -> anyhow::Result<()> {
    // Towns of another world: the model has never read a word about them. Some to teach SFT, some for DPO, some for the test.
    let elsewhere = World::generate(&WorldConfig { seed: 1_000, n_towns: 220, ..WorldConfig::default() })?;
    let is_unknown = |name: &str| laboratory.world.towns().iter().all(|town| town.name != name);
    let strangers: Vec<Town> = elsewhere.towns().iter().filter(|town| is_unknown(&town.name)).cloned().collect();
    let questions = one_question_each(&strangers);
    let (test, teach) = questions.split_at(60);
    let (for_sft, for_dpo) = teach.split_at(60);

    writeln!(out, "== honesty ==")?;
    writeln!(out, "wish: {REFUSAL:?} about invented towns alone")?;
    writeln!(out, "{:<20}|  refuses |  refuses | true about | log p of", "")?;
    writeln!(out, "{:<20}| invented |    known |      known |  refusal", "")?;
    let row = |out: &mut dyn Write, name: &str, model: &Transformer| -> anyhow::Result<()> {
        let found = honesty(laboratory, model, test)?;
        writeln!(
            out,
            "{name:<20}| {:>8} | {:>8} | {:>10} | {:>8.0}",
            count(found.refused_invented),
            count(found.refused_known),
            count(found.true_about_known),
            found.refusal_log_prob
        )?;
        Ok(())
    };
    row(out, "SFT", finetuned)?;
    let dpo_alone = prefer(laboratory, finetuned, &prefer_refusals(for_dpo), 50)?;
    row(out, "SFT, DPO", &dpo_alone.model)?;

    let known = fact_questions(laboratory.world.finetuning_towns());
    let refusing_model = laboratory.finetuned(pretrained, &[two_manners(&known), refusing(for_sft)].concat())?;
    row(out, "SFT+refusals", &refusing_model)?;
    let pairs = [prefer_refusals(for_dpo), prefer_answers(&known)].concat();
    let both = prefer(laboratory, &refusing_model, &pairs, 50)?;
    row(out, "SFT+refusals, DPO", &both.model)?;

    let (chosen, rejected) = dpo_alone.rewards;
    writeln!(out, "rewards of DPO alone: refusal {chosen:+.1}, invention {rejected:+.1}")?;
    Ok(())
}
// ANCHOR_END: honesty
