//! Stage 8: `report.html`, one page that needs no other file.

use std::fmt;

use anyhow::Result;
use evaluation::Score;
use serde::{Deserialize, Serialize};
use training::{Metrics, RunDir};

use super::corpus::CorpusReport;
use super::dpo::DpoReport;
use super::evaluate::{Answered, EvaluationReport};
use super::pretrain::PretrainReport;
use super::sft::SftReport;
use super::summary::seconds;
use super::{dpo, pretrain, sft};
use crate::figures::bars::{Group, bars};
use crate::figures::funnel::funnel;
use crate::figures::lines::{Line, YAxis, lines};
use crate::page::Page;
use crate::run::{Run, Stage};

/// Where the report is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportFile {
    /// Within the run folder.
    pub file: String,
    /// How many figures it has.
    pub n_figures: usize,
}

const REPORT_FILE: &str = "report.html";

/// Writes the report from the results of the stages.
///
/// # Errors
/// If a stage is not finished or the file cannot be written.
pub fn write(run: &mut Run) -> Result<ReportFile> {
    let mut page = Page::default();
    let corpus: CorpusReport = run.result(Stage::Corpus)?;
    let pretrained: PretrainReport = run.result(Stage::Pretrain)?;
    let base: EvaluationReport = run.result(Stage::Evaluate)?;
    let finetuned: SftReport = run.result(Stage::Sft)?;
    let preferred: DpoReport = run.result(Stage::Dpo)?;

    page.heading("Before and after");
    let groups = shares(&base, &finetuned, &preferred);
    if !groups.is_empty() {
        page.figure(
            bars(&groups),
            "Shares of right answers and of full sentences, on towns that finetuning did not ask about.",
        )?;
    }
    page.text(&format!(
        "Bits per byte on held-out documents: {:.3} before pretraining, {:.3} after.",
        pretrained.before.value(),
        pretrained.after.value()
    ));
    page.heading("Corpus");
    if !corpus.funnel.stages.is_empty() {
        page.figure(funnel(&corpus.funnel), "Pages left after each stage.")?;
    }
    page.preformatted(&corpus.to_string());
    for (title, folder, words) in [
        ("Pretraining", pretrain::TRAINING_FOLDER, pretrained.to_string()),
        ("Supervised finetuning", sft::TRAINING_FOLDER, finetuned.to_string()),
        ("Preference optimisation", dpo::TRAINING_FOLDER, preferred.to_string()),
    ] {
        page.heading(title);
        page.preformatted(&words);
        curves(&mut page, &RunDir::create(&run.path(folder))?.metrics()?)?;
    }
    if !preferred.answers.is_empty() {
        page.heading("Answers of the final model about held-out towns");
        let line =
            |a: &Answered| format!("{} {} {}\n", if a.is_right { "right" } else { "WRONG" }, a.question, a.answer);
        page.preformatted(&preferred.answers.iter().map(line).collect::<String>());
    }
    page.heading("What the base model knew");
    page.preformatted(&base.to_string());
    page.heading("Time");
    page.preformatted(&seconds(run)?.iter().map(|(stage, s)| format!("{stage:<10} {s:>8.1} s\n")).collect::<String>());
    page.heading("Settings");
    page.preformatted(&run.config().to_toml()?);
    let title = format!("Run {}", run.folder().file_name().unwrap_or_default().to_string_lossy());
    run.write(REPORT_FILE, page.finish(&title).as_bytes())?;
    Ok(ReportFile { file: REPORT_FILE.to_string(), n_figures: page.n_figures() })
}

/// Loss, learning rate and gradient norm of a training stage, and the rewards of DPO.
fn curves(page: &mut Page, metrics: &[Metrics]) -> Result<()> {
    if metrics.is_empty() {
        return Ok(());
    }
    let line = |name: &str, value: &dyn Fn(&Metrics) -> Option<f64>| {
        Line::new(name, metrics.iter().filter_map(|m| Some((m.step as f64, value(m)?))))
    };
    let extra = |name: &'static str| move |m: &Metrics| m.extras.get(name).copied();
    let mut losses = vec![line("training", &|m| Some(m.loss))];
    let validation = line("validation", &extra("val_loss"));
    if !validation.points.is_empty() {
        losses.push(validation);
    }
    page.figure(lines("step", "loss", &losses, YAxis::FromSmallest), "Loss.")?;
    let rewards: Vec<Line> = ["chosen_reward", "rejected_reward", "margin"]
        .into_iter()
        .map(|name| line(&name.replace('_', " "), &extra(name)))
        .filter(|line| !line.points.is_empty())
        .collect();
    if !rewards.is_empty() {
        page.figure(lines("step", "reward", &rewards, YAxis::FromSmallest), "Rewards and their margin.")?;
    }
    page.figure(
        lines("step", "learning rate", &[line("learning rate", &|m| Some(m.lr))], YAxis::FromZero),
        "Learning rate.",
    )?;
    page.figure(
        lines("step", "gradient norm", &[line("gradient norm", &|m| Some(m.grad_norm))], YAxis::FromZero),
        "Gradient norm before clipping.",
    )
}

/// The shares that the run measured, as groups of bars.
fn shares(base: &EvaluationReport, finetuned: &SftReport, preferred: &DpoReport) -> Vec<Group> {
    let group = |name: &str, scores: Vec<(&str, Option<Score>)>| Group {
        name: name.to_string(),
        bars: scores.into_iter().filter_map(|(name, score)| Some((name.to_string(), score?.share()))).collect(),
    };
    let groups = vec![
        group("facts completed", vec![("untrained", base.cloze_before), ("pretrained", base.cloze_after)]),
        group(
            "questions answered",
            vec![("pretrained", base.exact_match), ("SFT", finetuned.exact_match), ("DPO", preferred.exact_match)],
        ),
        group(
            "full sentences",
            vec![
                ("SFT", finetuned.manner.map(|manner| manner.full_sentences)),
                ("DPO", preferred.manner.map(|manner| manner.full_sentences)),
            ],
        ),
        group("preferences", vec![("held out", preferred.held_out_accuracy)]),
    ];
    groups.into_iter().filter(|group| !group.bars.is_empty()).collect()
}

impl fmt::Display for ReportFile {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} with {} figures", self.file, self.n_figures)
    }
}
