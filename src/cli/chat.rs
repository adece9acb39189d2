//! `llm chat`: talk to a model.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use finetuning::chat::Ending;
use finetuning::{ChatTemplate, Message};
use generation::{Generator, Limits, Sampler, Sampling};
use llm_from_scratch::request::WrongRequest;
use llm_from_scratch::stages::model_folder;
use tokenizer::{END, END_OF_TEXT, Tokenizer};
use transformer::Transformer;

use crate::device::DeviceKind;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  llm chat --model runs/world/model\n  llm chat --model runs/world/model --message \"What does Banunu sell?\""
)]
pub(crate) struct ChatArgs {
    /// A model folder
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Answer this and leave; without it, a conversation until the end of input
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// Answer with at most so many tokens
    #[arg(long, value_name = "N", default_value_t = 128)]
    max_tokens: usize,
    /// 0 takes the most likely token; 1 samples from the model's own distribution
    #[arg(long, value_name = "T", default_value_t = 0.0, allow_negative_numbers = true)]
    temperature: f64,
    /// Decides what is sampled
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Where to compute
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceKind,
}

/// A model that can chat.
struct Speaker {
    model: Transformer,
    tokenizer: Tokenizer,
    template: ChatTemplate,
}

pub(crate) fn run(args: &ChatArgs, out: &mut dyn Write) -> Result<()> {
    let sampling = Sampling::at_temperature(args.temperature);
    sampling.validate().map_err(|error| WrongRequest::new(error.to_string()))?;
    let (model, tokenizer) = model_folder::load_for_inference(&args.model, &args.device.open()?)?;
    let template = ChatTemplate::load(&args.model)?;
    let speaker = Speaker { model, tokenizer, template };
    if let Some(message) = &args.message {
        speaker.answer(args, sampling, &[Message::user(message)], out)?;
        return Ok(());
    }
    let is_terminal = std::io::stdin().is_terminal();
    if is_terminal {
        writeln!(out, "Ask something; an empty line starts a new conversation, Ctrl-D leaves.")?;
    }
    let mut messages = Vec::new();
    let mut lines = std::io::stdin().lock().lines();
    loop {
        if is_terminal {
            write!(out, "> ")?;
            out.flush()?;
        }
        let Some(line) = lines.next().transpose()? else { return Ok(()) };
        if line.trim().is_empty() {
            messages.clear();
            continue;
        }
        messages.push(Message::user(line.trim()));
        match speaker.answer(args, sampling, &messages, out) {
            Ok(answer) => messages.push(Message::assistant(answer)),
            // What was asked cannot be answered; what was said before stays.
            Err(error) if error.is::<WrongRequest>() => {
                messages.pop();
                eprintln!("{error}");
            }
            Err(error) => return Err(error),
        }
    }
}

impl Speaker {
    /// Prints the answer as it is generated, and returns it. What does not fit the model's longest sequence is forgotten, oldest first; a
    /// last message that does not fit alone is a wrong request.
    fn answer(&self, args: &ChatArgs, sampling: Sampling, messages: &[Message], out: &mut dyn Write) -> Result<String> {
        let max_seq_len = self.model.config().max_seq_len;
        let mut remembered = messages;
        let mut prompt = self.template.encode(&self.tokenizer, remembered, Ending::Prompt)?;
        while prompt.len() + args.max_tokens.min(max_seq_len / 4) > max_seq_len && remembered.len() > 2 {
            remembered = &remembered[2..];
            prompt = self.template.encode(&self.tokenizer, remembered, Ending::Prompt)?;
        }
        if prompt.len() >= max_seq_len {
            let message = format!(
                "this message takes {} tokens, and the model reads {max_seq_len} with its answer; say it shorter",
                prompt.len()
            );
            return Err(WrongRequest::new(message).into());
        }
        let ends = [END_OF_TEXT, END].into_iter().chain(self.template.eos_token());
        let stop_tokens = ends.filter_map(|token| self.tokenizer.id_of(token)).collect();
        let limits = Limits { max_tokens: args.max_tokens, stop_tokens };
        let mut stream = self.tokenizer.decode_stream();
        let mut answer = String::new();
        for token in Generator::new(&self.model, &prompt, Sampler::new(sampling, args.seed)?, limits)? {
            let Some(text) = stream.push(token?) else { continue };
            // The template's space before the answer belongs to the format, not to the answer.
            let text = if answer.is_empty() { text.trim_start().to_string() } else { text };
            write!(out, "{text}")?;
            out.flush()?;
            answer.push_str(&text);
        }
        let rest = stream.finish().unwrap_or_default();
        writeln!(out, "{rest}")?;
        Ok(answer + &rest)
    }
}
