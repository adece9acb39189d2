//! Chat templates: how a list of messages becomes the text that a model was trained on.
//!
//! A template is a Jinja program in `tokenizer_config.json` (`chat_template`), so that every tool renders a model's format alike. Ours is
//! ```text
//! <|user|> Which river is Tovi on?<|end|><|assistant|> The river of Tovi is the Elm.<|end|>
//! ```
//! The space matters: in running text a word follows a space, and byte-level BPE makes the space part of the word's token. Without it the
//! model would have to answer in tokens that it hardly met in pretraining.
//!
//! A user may type `<|end|>`. If the rendered text were simply tokenised, this would end the turn: an injection. Here the template's own special
//! tokens become ids, and a message's content is encoded as plain text, whatever it says.

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use anyhow::{Context, Error, Result, anyhow};
use minijinja::{Environment, ErrorKind, context};
use serde::{Deserialize, Serialize};
use tokenizer::Tokenizer;
use transformer::checkpoint::replace_file;

/// The template that this book trains with.
// ANCHOR: template
pub const TEMPLATE: &str = "{% for message in messages %}\
{{ '<|' + message['role'] + '|> ' + message['content'] + '<|end|>' }}\
{% endfor %}\
{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";
// ANCHOR_END: template

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Who sets the rules, before anything else is said.
    System,
    /// Who asks.
    User,
    /// Who answers.
    Assistant,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

impl Message {
    /// What holds for the whole conversation.
    pub fn system(content: impl Into<String>) -> Self {
        Self { role: Role::System, content: content.into() }
    }

    /// What a user says.
    pub fn user(content: impl Into<String>) -> Self {
        Self { role: Role::User, content: content.into() }
    }

    /// What the model says.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self { role: Role::Assistant, content: content.into() }
    }
}

/// A template that renders messages to tokens.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    source: String,
    /// What the template can write as `bos_token` and `eos_token`. Ours writes neither.
    bos_token: Option<String>,
    eos_token: Option<String>,
}

/// Characters of Unicode's private use area that stand around the number of a message while the template runs.
const CONTENT_START: char = '\u{E000}';
const CONTENT_END: char = '\u{E001}';

/// Instructions that a template may use up for one conversation. It comes from a file of another's, and a loop in it must not hang a server.
const MAX_STEPS: u64 = 10_000_000;

// ANCHOR: encode
impl ChatTemplate {
    /// Compiles a Jinja template.
    ///
    /// # Errors
    /// If it is not valid Jinja, or has a statement that we do not know; the error names it and its line.
    pub fn new(source: &str) -> Result<Self> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_fuel(Some(MAX_STEPS));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", raise_exception);
        let compiled = environment.add_template_owned("chat", source.to_string());
        compiled.map_err(|error| in_words(&error, source)).context("chat_template is not valid Jinja")?;
        Ok(Self { environment, source: source.to_string(), bos_token: None, eos_token: None })
    }

    /// The tokens of a conversation. With `Ending::Prompt` the assistant's turn is opened, for the model to fill.
    ///
    /// Special tokens come from the template alone; content is plain text.
    ///
    /// # Errors
    /// If the template fails, or does not show a message as it is; the error names the message.
    pub fn encode(&self, tokenizer: &Tokenizer, messages: &[Message], ending: Ending) -> Result<Vec<u32>> {
        let placeholder = |index: usize| format!("{CONTENT_START}{index}{CONTENT_END}");
        let hidden: Vec<Message> = messages
            .iter()
            .enumerate()
            .map(|(index, message)| Message { role: message.role, content: placeholder(index) })
            .collect();
        let rendered = self.render(&hidden, ending)?;
        let mut ids = Vec::new();
        // What the tokens stand for: decoding would not say it, since some tokenizers put spaces in front of text.
        let mut written = String::new();
        let mut plain = String::new();
        let mut rest = rendered.as_str();
        while !rest.is_empty() {
            if let Some((index, after)) = leading_placeholder(rest) {
                let message = messages.get(index).context("the template invents messages")?;
                plain.push_str(&message.content);
                rest = after;
            } else if let Some((id, after)) = leading_special(tokenizer, rest) {
                ids.extend(encode_behind(tokenizer, &plain, &ids));
                written = written + &plain + &rest[..rest.len() - after.len()];
                plain.clear();
                ids.push(id);
                rest = after;
            } else {
                let mut characters = rest.chars();
                plain.extend(characters.next());
                rest = characters.as_str();
            }
        }
        ids.extend(encode_behind(tokenizer, &plain, &ids));
        written.push_str(&plain);
        // A template that trims or cuts contents does not touch placeholders: our tokens would spell another text than everyone else's.
        if written != self.render(messages, ending)? {
            return Err(self.changed_content(messages, &hidden, ending)?);
        }
        Ok(ids)
    }

    /// The text of a conversation, as the template writes it.
    ///
    /// # Errors
    /// If the template fails, or uses what we do not know (a filter, a function, a method); the error names it and its line.
    pub fn render(&self, messages: &[Message], ending: Ending) -> Result<String> {
        let template = self.environment.get_template("chat")?;
        let add_generation_prompt = ending == Ending::Prompt;
        let bos_token = self.bos_token.as_deref().unwrap_or_default();
        let eos_token = self.eos_token.as_deref().unwrap_or_default();
        let context = context! { messages, add_generation_prompt, bos_token, eos_token };
        template.render(context).map_err(|error| in_words(&error, &self.source))
    }
}
// ANCHOR_END: encode

/// By this function a template refuses messages that it has no form for.
fn raise_exception(message: String) -> Result<String, minijinja::Error> {
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, format!("the template refuses these messages: {message}")))
}

/// What is wrong with a template, the number of the line, and the line itself.
fn in_words(error: &minijinja::Error, source: &str) -> Error {
    let what = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    let Some(number) = error.line() else { return anyhow!("chat_template: {what}") };
    let line = source.lines().nth(number.saturating_sub(1)).unwrap_or_default().trim();
    let line: String = line.chars().take(200).collect();
    anyhow!("chat_template line {number}: {what}, in {line:?}")
}

/// A model folder without a chat template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoChatTemplate {
    file: PathBuf,
}

impl fmt::Display for NoChatTemplate {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let file = self.file.display();
        write!(f, "{file} has no chat_template: this model was not trained to chat; use llm generate")
    }
}

impl std::error::Error for NoChatTemplate {}

impl ChatTemplate {
    /// Names the first message whose content comes out otherwise than its placeholder.
    fn changed_content(&self, messages: &[Message], hidden: &[Message], ending: Ending) -> Result<Error> {
        let rendered = self.render(hidden, ending)?;
        for (index, message) in messages.iter().enumerate() {
            let mut shown = hidden.to_vec();
            shown[index] = message.clone();
            if self.render(&shown, ending)? != rendered.replace(&hidden[index].content, &message.content) {
                return Ok(anyhow!("the chat template does not show message {index} as it is: {:?}", message.content));
            }
        }
        Ok(anyhow!("the chat template does not show all {} messages as they are", messages.len()))
    }

    /// The token that ends what the model says, if the model's folder names one.
    pub fn eos_token(&self) -> Option<&str> {
        self.eos_token.as_deref()
    }
}

/// How a rendered conversation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With the last message.
    Complete,
    /// With the opening of the assistant's turn.
    Prompt,
}

/// The number in a placeholder at the start of `text`, and what follows it.
fn leading_placeholder(text: &str) -> Option<(usize, &str)> {
    let (number, after) = text.strip_prefix(CONTENT_START)?.split_once(CONTENT_END)?;
    Some((number.parse().ok()?, after))
}

/// The ids of plain text behind `before`: some tokenizers treat the first word of a text differently.
fn encode_behind(tokenizer: &Tokenizer, text: &str, before: &[u32]) -> Vec<u32> {
    if before.is_empty() { tokenizer.encode(text) } else { tokenizer.encode_continuation(text) }
}

/// The special token at the start of `text`, the longest if several fit, and what follows it.
fn leading_special<'a>(tokenizer: &Tokenizer, text: &'a str) -> Option<(u32, &'a str)> {
    let special = tokenizer.special_tokens().into_iter().filter(|(token, _)| text.starts_with(token));
    let (token, id) = special.max_by_key(|(token, _)| token.len())?;
    Some((id, &text[token.len()..]))
}

/// What our `tokenizer_config.json` tells other tools.
#[derive(Debug, Serialize)]
struct TokenizerConfig<'a> {
    tokenizer_class: &'a str,
    model_max_length: usize,
    bos_token: Option<&'a str>,
    eos_token: Option<&'a str>,
    clean_up_tokenization_spaces: bool,
    chat_template: Option<&'a str>,
}

/// What we need of anyone's `tokenizer_config.json`.
#[derive(Debug, Deserialize)]
struct TemplateConfig {
    bos_token: Option<SpecialToken>,
    eos_token: Option<SpecialToken>,
    chat_template: Option<String>,
}

/// A special token as transformers writes it: its text, or an object that holds the text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum SpecialToken {
    Text(String),
    Object { content: String },
}

impl SpecialToken {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) | Self::Object { content: text } => text,
        }
    }
}

const CONFIG_FILE: &str = "tokenizer_config.json";

impl ChatTemplate {
    /// Writes `tokenizer_config.json` into a model folder.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, folder: &Path, eos_token: &str, model_max_length: usize) -> Result<()> {
        let config = TokenizerConfig {
            tokenizer_class: "PreTrainedTokenizerFast",
            model_max_length,
            bos_token: None,
            eos_token: Some(eos_token),
            clean_up_tokenization_spaces: false,
            chat_template: Some(&self.source),
        };
        let json = serde_json::to_string_pretty(&config)?;
        replace_file(&folder.join(CONFIG_FILE), |path| fs::write(path, json).map_err(candle_core::Error::wrap))?;
        Ok(())
    }

    /// Reads the template of a model folder.
    ///
    /// # Errors
    /// [`NoChatTemplate`] if there is none: the model was not trained to chat. Else if a file cannot be read, or the template has what we do not know.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(CONFIG_FILE);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let config: TemplateConfig =
            serde_json::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))?;
        let Some(source) = config.chat_template else {
            return Err(NoChatTemplate { file: path }.into());
        };
        let template = Self::new(&source).with_context(|| format!("cannot use {}", path.display()))?;
        let [bos_token, eos_token] =
            [config.bos_token, config.eos_token].map(|token| token.map(SpecialToken::into_text));
        Ok(Self { bos_token, eos_token, ..template })
    }
}
