//! `llm chat`: talk to a model.

use std::io::{BufRead, ErrorKind, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use finetuning::chat::{Ending, NoChatTemplate};
use finetuning::{ChatTemplate, Message, Role};
use generation::{Completion, Completions};
use llm_from_scratch::compute::Quantize;
use llm_from_scratch::request::WrongRequest;
use llm_from_scratch::stages::model_folder;
use tokenizer::Tokenizer;
use transformer::Transformer;

use super::generate::sampling::{SamplingArgs, Settings};
use super::generate::{longest_prompt, report};
use crate::device::DeviceKind;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  llm chat --model runs/world/model
  llm chat --model runs/world/model --message \"What does Banunu sell?\" --json
  llm chat --model runs/world/model --temperature 0.7 --top-p 0.9 --truncate")]
pub(crate) struct ChatArgs {
    /// A model folder
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Answer this and leave; without it, a conversation until the end of input
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// What holds for the whole conversation, for models that were trained with such a message
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// Answer with at most so many tokens
    #[arg(long, value_name = "N", default_value_t = 128)]
    max_tokens: usize,
    /// Forget the oldest turns of a conversation that is too long for the model; the system message stays
    #[arg(long)]
    truncate: bool,
    #[command(flatten)]
    sampling: SamplingArgs,
    /// Hold the model's matrices in this type: less memory, faster tokens, a slightly different model
    #[arg(long, value_enum, value_name = "TYPE")]
    quantize: Option<Quantize>,
    /// Where to compute
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceKind,
    /// Print one JSON object an answer, a line each
    #[arg(long)]
    json: bool,
}

/// A model that can chat.
struct Speaker {
    model: Transformer,
    tokenizer: Tokenizer,
    template: ChatTemplate,
    settings: Settings,
}

pub(crate) fn run(args: &ChatArgs, out: &mut dyn Write) -> Result<()> {
    let settings = args.sampling.settings()?;
    let (model, tokenizer) = model_folder::load_for_inference(&args.model, &args.device.open()?, args.quantize)?;
    let template = ChatTemplate::load(&args.model).map_err(|error| match error.downcast_ref::<NoChatTemplate>() {
        Some(no_template) => WrongRequest::new(no_template.to_string()).into(),
        None => error,
    })?;
    let speaker = Speaker { model, tokenizer, template, settings };
    let system: Vec<Message> = args.system.iter().map(Message::system).collect();
    if let Some(message) = &args.message {
        if message.trim().is_empty() {
            return Err(WrongRequest::new("--message is empty; ask something").into());
        }
        speaker.answer(args, &[system, vec![Message::user(message)]].concat(), out)?;
        return Ok(());
    }
    let is_terminal = std::io::stdin().is_terminal();
    if is_terminal {
        writeln!(out, "Ask something; an empty line starts a new conversation, Ctrl-D leaves.")?;
    }
    let mut messages = system.clone();
    let mut n_refused = 0;
    let mut lines = std::io::stdin().lock().lines();
    for number in 1.. {
        if is_terminal {
            write!(out, "> ")?;
            out.flush()?;
        }
        let line = match lines.next() {
            None => break,
            Some(Err(error)) if error.kind() == ErrorKind::InvalidData => {
                return Err(WrongRequest::new(format!("line {number} is not UTF-8; convert it first")).into());
            }
            Some(line) => line.context("cannot read standard input")?,
        };
        if line.trim().is_empty() {
            messages.clone_from(&system);
            continue;
        }
        messages.push(Message::user(line.trim()));
        match speaker.answer(args, &messages, out) {
            Ok(answer) => messages.push(Message::assistant(answer)),
            // What was asked cannot be answered; what was said before stays, and the next line may fit.
            Err(error) if error.is::<WrongRequest>() => {
                messages.pop();
                if args.json {
                    writeln!(out, "{}", serde_json::json!({ "error": error.to_string() }))?;
                }
                if is_terminal {
                    eprintln!("{error}");
                } else {
                    eprintln!("line {number}: {error}");
                    n_refused += 1;
                }
            }
            Err(error) => return Err(error),
        }
    }
    match n_refused {
        0 => Ok(()),
        n => Err(WrongRequest::new(format!("{n} of the messages could not be answered; see above")).into()),
    }
}

impl Speaker {
    /// Prints the answer as it is generated, and returns it.
    fn answer(&self, args: &ChatArgs, messages: &[Message], out: &mut dyn Write) -> Result<String> {
        let prompt = self.fitting_prompt(args, messages)?;
        let eos_token: Vec<&str> = self.template.eos_token().into_iter().collect();
        let request = self.settings.request(prompt, args.max_tokens, &eos_token, &self.tokenizer);
        let Settings { stops, n_log_probs, .. } = &self.settings;
        let mut completions = Completions::new(&self.model, &self.tokenizer, vec![request], stops, *n_log_probs)?;
        if args.json {
            let mut completion = completions.finish()?.pop().unwrap_or_default();
            completion.text = completion.text.trim_start().to_string();
            writeln!(out, "{}", report::json(None, &completion, &self.tokenizer))?;
            out.flush()?;
            return Ok(completion.text);
        }
        let mut answer = String::new();
        while let Some(pieces) = completions.step()? {
            for (_, piece) in pieces {
                // The template's space before the answer belongs to the format, not to the answer.
                let piece = if answer.is_empty() { piece.trim_start() } else { &piece };
                write!(out, "{piece}")?;
                answer.push_str(piece);
            }
            out.flush()?;
        }
        writeln!(out)?;
        let completion: Completion = completions.finish()?.pop().unwrap_or_default();
        report::table(&completion, &self.tokenizer, out)?;
        Ok(answer)
    }

    /// The tokens of the conversation, or of its newest turns if the oldest may be forgotten.
    fn fitting_prompt(&self, args: &ChatArgs, messages: &[Message]) -> Result<Vec<u32>> {
        let encode = |messages: &[Message]| self.template.encode(&self.tokenizer, messages, Ending::Prompt);
        let max_seq_len = self.model.config().max_seq_len;
        let whole = encode(messages)?;
        if args.truncate {
            let longest = longest_prompt(max_seq_len, args.max_tokens);
            let mut remembered = messages.to_vec();
            let mut prompt = whole;
            while prompt.len() > longest && forget_oldest_turn(&mut remembered) {
                prompt = encode(&remembered)?;
            }
            return checked_length(prompt, &remembered, max_seq_len);
        }
        checked_length(whole, messages, max_seq_len)
    }
}

/// Takes the first question and its answer out, unless it is the last question. Whether it could.
fn forget_oldest_turn(messages: &mut Vec<Message>) -> bool {
    let questions = messages.iter().enumerate().filter(|(_, message)| message.role == Role::User);
    let questions: Vec<usize> = questions.map(|(index, _)| index).take(2).collect();
    let [oldest, next] = questions[..] else { return false };
    messages.drain(oldest..next);
    true
}

/// The prompt, if the model has room for it and at least one token more.
fn checked_length(prompt: Vec<u32>, messages: &[Message], max_seq_len: usize) -> Result<Vec<u32>> {
    if prompt.len() < max_seq_len {
        return Ok(prompt);
    }
    let n_turns = messages.iter().filter(|message| message.role == Role::User).count();
    let (subject, way_out) = match n_turns {
        0 | 1 => ("this message takes".to_string(), "say it shorter"),
        _ => (
            format!("the conversation of {n_turns} turns takes"),
            "start a new one with an empty line, or let --truncate forget the oldest turns",
        ),
    };
    let message = format!(
        "{subject} {} tokens, and the model reads {max_seq_len} with its answer, so {} at most; {way_out}",
        prompt.len(),
        max_seq_len - 1
    );
    Err(WrongRequest::new(message).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk(n_turns: usize) -> Vec<Message> {
        let turns = (0..n_turns).flat_map(|i| [Message::user(format!("q{i}")), Message::assistant(format!("a{i}"))]);
        let mut messages: Vec<Message> = std::iter::once(Message::system("s")).chain(turns).collect();
        messages.pop();
        messages
    }

    fn words(messages: &[Message]) -> String {
        messages.iter().map(|message| message.content.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_oldest_turns_are_forgotten_and_the_system_message_stays() {
        let mut messages = talk(3);
        assert_eq!(words(&messages), "s q0 a0 q1 a1 q2");
        assert!(forget_oldest_turn(&mut messages));
        assert_eq!(words(&messages), "s q1 a1 q2");
        assert!(forget_oldest_turn(&mut messages));
        assert_eq!(words(&messages), "s q2");
        assert!(!forget_oldest_turn(&mut messages));
        assert_eq!(words(&messages), "s q2");
    }

    #[test]
    fn what_is_too_long_is_said_with_both_lengths() {
        let message = |n_turns| checked_length(vec![0; 40], &talk(n_turns), 32).unwrap_err().to_string();
        assert!(
            message(1).contains("this message takes 40 tokens") && message(1).contains("31 at most; say it shorter")
        );
        assert!(message(3).contains("conversation of 3 turns takes 40 tokens") && message(3).contains("--truncate"));
        assert_eq!(checked_length(vec![0; 31], &talk(3), 32).unwrap().len(), 31);
        assert!(checked_length(vec![0; 32], &talk(3), 32).is_err());
    }
}
