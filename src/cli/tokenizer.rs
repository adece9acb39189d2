//! `llm tokenizer train|encode|decode|report`.

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use llm_from_scratch::figures::lines::{Line, YAxis, lines};
use llm_from_scratch::request::WrongRequest;
use serde_json::json;
use tokenizer::report::{Comparison, compare, length_by_vocab_size};
use tokenizer::{PreTokenizer, Tokenizer, TrainConfig};

use super::files;
use super::ids::parse_ids;
use super::numbers::whole;
use super::texts::read_texts;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  llm tokenizer train --input notes.txt more/ --vocab-size 2048 --pretokenizer llama3 --out my-tokenizer\n  llm tokenizer encode --tokenizer my-tokenizer --json < notes.txt\n  llm tokenizer decode --tokenizer my-tokenizer 41 72\n  llm tokenizer report --tokenizer my-tokenizer --tokenizer model.gguf --corpus notes.txt --plot sizes.svg"
)]
pub(crate) struct TokenizerArgs {
    #[command(subcommand)]
    command: TokenizerCommand,
}

#[derive(Debug, Subcommand)]
enum TokenizerCommand {
    /// Learn a vocabulary from text
    Train(TrainArgs),
    /// Text to ids
    Encode(EncodeArgs),
    /// Ids to text
    Decode(DecodeArgs),
    /// How well vocabularies fit: languages, code, digits, a text of yours, and what they cost
    Report(ReportArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  llm tokenizer train --input notes.txt --vocab-size 2048 --pretokenizer llama3 --out my-tokenizer"
)]
struct TrainArgs {
    /// Files or folders of text
    #[arg(long, alias = "corpus", value_name = "PATH", required = true, num_args = 1..)]
    input: Vec<PathBuf>,
    /// Number of tokens
    #[arg(long, default_value_t = 4096)]
    vocab_size: usize,
    /// How text is cut: gpt2, cl100k, o200k, llama3 or qwen2; +digits or +digits3 cuts numbers first; digits is gpt2+digits
    #[arg(long, default_value_t)]
    pretokenizer: PreTokenizer,
    /// Pairs that occur less often are not merged
    #[arg(long, default_value_t = 2, value_parser = whole::<u64>)]
    min_frequency: u64,
    /// A folder for tokenizer.json, or a .json file
    #[arg(long, value_name = "PATH", default_value = "tokenizer.json")]
    out: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const TOKENIZER_HELP: &str = "A tokenizer.json, a folder with one, a .gguf file, or a published .tiktoken file";

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  llm tokenizer encode --tokenizer tokenizer.json --text \"Hello\"")]
struct EncodeArgs {
    #[arg(long, value_name = "PATH", help = TOKENIZER_HELP)]
    tokenizer: PathBuf,
    /// The text [default: what comes on standard input]
    #[arg(long)]
    text: Option<String>,
    /// Make ids of special tokens that the text writes, and add what the file puts around a text; not for text of strangers
    #[arg(long)]
    special: bool,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  llm tokenizer encode --tokenizer t.json --json < a.txt | llm tokenizer decode --tokenizer t.json"
)]
struct DecodeArgs {
    #[arg(long, value_name = "PATH", help = TOKENIZER_HELP)]
    tokenizer: PathBuf,
    /// The ids, as 41 72, 41,72 or a JSON array [default: what comes on standard input]
    #[arg(allow_hyphen_values = true)]
    ids: Vec<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  llm tokenizer report --tokenizer a.json --tokenizer model.gguf --corpus notes.txt --d-model 576 --plot sizes.svg"
)]
struct ReportArgs {
    /// A tokenizer; repeat it to compare
    #[arg(long, value_name = "PATH", required = true)]
    tokenizer: Vec<PathBuf>,
    /// A file or folder of text
    #[arg(long, value_name = "PATH")]
    corpus: Option<PathBuf>,
    /// The width of the model whose embedding table is counted
    #[arg(long, default_value_t = 768, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    d_model: u32,
    /// Draw the length of the corpus over the size of the vocabulary
    #[arg(long, value_name = "SVG", requires = "corpus")]
    plot: Option<PathBuf>,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &TokenizerArgs, out: &mut dyn Write) -> Result<()> {
    match &args.command {
        TokenizerCommand::Train(args) => train(args, out),
        TokenizerCommand::Encode(args) => encode(args, out),
        TokenizerCommand::Decode(args) => decode(args, out),
        TokenizerCommand::Report(args) => report(args, out),
    }
}

fn train(args: &TrainArgs, out: &mut dyn Write) -> Result<()> {
    let TrainArgs { vocab_size, pretokenizer, min_frequency, .. } = *args;
    let config = TrainConfig { pretokenizer, min_frequency, ..TrainConfig::with_vocab_size(vocab_size) };
    config.validate().map_err(|error| WrongRequest::new(error.to_string()))?;
    let mut texts = Vec::new();
    for path in &args.input {
        texts.append(&mut read_texts(path)?);
    }
    let (trained, summary) = Tokenizer::train_with_summary(&texts, &config)?;
    let is_file = args.out.extension().is_some_and(|extension| extension == "json");
    let file = if is_file { args.out.clone() } else { args.out.join("tokenizer.json") };
    files::create_parent(&file)?;
    trained.save(&file).with_context(|| format!("cannot write {}", file.display()))?;
    if args.json {
        let said = json!({
            "file": file, "vocab_size": summary.vocab_size, "vocab_size_asked": summary.vocab_size_asked,
            "n_bytes": summary.n_bytes, "n_words": summary.n_words, "n_distinct_words": summary.n_distinct_words,
        });
        writeln!(out, "{said}")?;
    } else {
        writeln!(out, "{summary}\n{} tokens: {}", trained.vocab_size(), file.display())?;
    }
    Ok(())
}

fn encode(args: &EncodeArgs, out: &mut dyn Write) -> Result<()> {
    let tokenizer = open(&args.tokenizer)?;
    let text = match &args.text {
        Some(text) => text.clone(),
        None => read_input()?,
    };
    let ids =
        if args.special { tokenizer.wrap(&tokenizer.encode_with_special(&text)) } else { tokenizer.encode(&text) };
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&ids)?)?;
        return Ok(());
    }
    for id in &ids {
        writeln!(out, "{id:>6} {:?}", tokenizer.text_inside(*id))?;
    }
    Ok(())
}

fn decode(args: &DecodeArgs, out: &mut dyn Write) -> Result<()> {
    let tokenizer = open(&args.tokenizer)?;
    let text = if args.ids.is_empty() { read_input()? } else { args.ids.join(" ") };
    let ids = parse_ids(&text, tokenizer.vocab_size())?;
    let text = tokenizer.decode_with_special(&ids);
    // A terminal's next prompt wants a line of its own; a pipe wants the text and nothing else.
    if std::io::stdout().is_terminal() {
        writeln!(out, "{text}")?;
    } else {
        write!(out, "{text}")?;
    }
    Ok(())
}

fn read_input() -> Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
    let text = String::from_utf8(bytes);
    Ok(text.map_err(|error| WrongRequest::new(format!("standard input is not UTF-8: {error}; convert it first")))?)
}

fn report(args: &ReportArgs, out: &mut dyn Write) -> Result<()> {
    let texts = args.corpus.as_deref().map_or(Ok(Vec::new()), read_texts)?;
    let tokenizers: Vec<(String, Tokenizer)> =
        args.tokenizer.iter().map(|path| Ok((name_of(path), open(path)?))).collect::<Result<_>>()?;
    let compared: Vec<Comparison> =
        tokenizers.iter().map(|(name, tokenizer)| compare(name, tokenizer, &texts, args.d_model as usize)).collect();
    if let Some(file) = &args.plot {
        files::write(file, &plot(&tokenizers, &texts)?)?;
    }
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&compared)?)?;
        return Ok(());
    }
    write_table(&compared, args.d_model as usize, out)?;
    if let ([one], Some(corpus)) = (&compared[..], compared[0].corpus.as_ref()) {
        writeln!(out, "\n{}\n{corpus}", one.name)?;
    }
    Ok(())
}

fn write_table(compared: &[Comparison], d_model: usize, out: &mut dyn Write) -> Result<()> {
    let mut row = |name: &str, cell: &dyn Fn(&Comparison) -> String| -> Result<()> {
        write!(out, "{name:<26}")?;
        for one in compared {
            write!(out, " {:>18}", cell(one))?;
        }
        Ok(writeln!(out)?)
    };
    row("", &|one| one.name.chars().take(18).collect())?;
    row("ids", &|one| one.vocab_size.to_string())?;
    row("words cut as", &|one| one.pretokenizer.clone())?;
    row(&format!("embedding, d_model {d_model}"), &|one| format!("{:.2} M", one.n_embedding_parameters as f64 / 1e6))?;
    row("  in bf16", &|one| format!("{:.1} MB", one.n_embedding_parameters as f64 * 2.0 / 1e6))?;
    row("bytes per token", &|_| String::new())?;
    for (place, kind) in compared[0].kinds.iter().enumerate() {
        row(&format!("  {}", kind.kind), &|one| format!("{:.2}", one.kinds[place].bytes_per_token()))?;
    }
    if compared[0].corpus.is_some() {
        let of_corpus = |one: &Comparison, value: &dyn Fn(&tokenizer::VocabReport) -> String| {
            one.corpus.as_ref().map_or(String::new(), value)
        };
        row("  the corpus", &|one| of_corpus(one, &|corpus| format!("{:.2}", corpus.bytes_per_token())))?;
        let unused = |corpus: &tokenizer::VocabReport| {
            format!("{:.1}%", 100.0 * corpus.unused.len() as f64 / corpus.vocab_size as f64)
        };
        row("unused in the corpus", &|one| of_corpus(one, &unused))?;
    }
    Ok(())
}

/// The length of `texts` over the size of the vocabulary, each a power of two below a tokenizer's own.
fn plot(tokenizers: &[(String, Tokenizer)], texts: &[String]) -> Result<String> {
    let n_bytes = texts.iter().map(String::len).sum::<usize>().max(1) as f64;
    let line = |(name, tokenizer): &(String, Tokenizer)| {
        let point = |(size, n_tokens)| ((size as f64).log2(), n_tokens as f64 * 1000.0 / n_bytes);
        Line::new(name.clone(), length_by_vocab_size(tokenizer, texts).into_iter().map(point))
    };
    let drawn: Vec<Line> = tokenizers.iter().map(line).collect();
    lines("log2 of the vocabulary's size", "tokens per 1000 bytes", &drawn, YAxis::FromZero)
        .map_err(|error| anyhow::anyhow!(error))
}

fn name_of(path: &Path) -> String {
    let of = |path: &Path| path.file_stem().map(|name| name.to_string_lossy().into_owned());
    let folder = || path.parent().and_then(of);
    match of(path) {
        // Of many a folder/tokenizer.json the folder is the name.
        Some(name) if name == "tokenizer" => folder().unwrap_or(name),
        name => name.unwrap_or_else(|| path.display().to_string()),
    }
}

fn open(path: &Path) -> Result<Tokenizer> {
    let file = if path.is_dir() { path.join("tokenizer.json") } else { path.to_path_buf() };
    if !file.is_file() {
        return Err(WrongRequest::new(format!(
            "there is no tokenizer {}; train one with llm tokenizer train",
            file.display()
        ))
        .into());
    }
    Ok(Tokenizer::open(file)?)
}
