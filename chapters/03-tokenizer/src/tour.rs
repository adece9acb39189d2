//! The chapter's experiment: train on a small text, look at each step, and see what a larger vocabulary buys.
//!
//! The training text is made by going through lists of names, things and numbers in a fixed order, so that it needs no
//! file and no random numbers.

mod other_family;

use std::io::Write;

use crate::{
    PreTokenizer, Tokenizer, TrainConfig,
    bytes_to_unicode::{byte_to_char, to_visible},
    pretokenize,
    probes::by_kind,
    report,
};

/// The text of the first merges.
pub const FEW_LINES: [&str; 4] = [
    "the lamp lights the harbour",
    "the lamplight on the water",
    "lamps and lights and a lamplighter",
    "the lighter is in the harbour",
];

/// Prints the chapter's experiment.
///
/// # Errors
/// When `out` cannot be written.
pub fn tour(out: &mut dyn Write) -> anyhow::Result<()> {
    words(out)?;
    ways_to_cut(out)?;
    bytes(out)?;
    merges(out)?;
    let texts = generated_texts();
    let tokenizer = Tokenizer::train(&texts, &TrainConfig::with_vocab_size(512))?;
    sentence(out, &tokenizer)?;
    digits_and_spaces(out, &tokenizer)?;
    other_scripts(out, &tokenizer)?;
    streaming(out, &tokenizer)?;
    special_tokens(out, &tokenizer)?;
    other_family::other_family(out, &tokenizer)?;
    sizes(out, &texts)?;
    vocabulary(out, &tokenizer)?;
    who_pays(out, &tokenizer)?;
    too_little_text(out)
}

fn words(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== words ==")?;
    for text in ["It's 42 km,  really!", "fn main() {\n    run(1984);\n}"] {
        let words: Vec<String> = pretokenize(text).map(|word| format!("{word:?}")).collect();
        writeln!(out, "{text:?}\n  {}", words.join(" "))?;
    }
    writeln!(out)?;
    Ok(())
}

fn ways_to_cut(out: &mut dyn Write) -> anyhow::Result<()> {
    let text = "It'S 12345 in getURL()\n\n  x";
    writeln!(out, "== ways to cut ==")?;
    writeln!(out, "{text:?}")?;
    for name in ["gpt2", "gpt2+digits", "cl100k", "o200k", "llama3", "qwen2"] {
        let pretokenizer: PreTokenizer = name.parse()?;
        let words: Vec<String> =
            pretokenizer.words(text).map(|word| word.replace(' ', "·").replace('\n', "\\n")).collect();
        writeln!(out, "  {name:<12} {}", words.join("|"))?;
    }
    writeln!(out)?;
    Ok(())
}

fn bytes(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== bytes as characters ==")?;
    for byte in *b"a ~\n" {
        writeln!(out, "0x{byte:02X}  {:<5} is written {}", format!("{:?}", char::from(byte)), byte_to_char(byte))?;
    }
    for text in ["é", "€"] {
        writeln!(out, "{text:<2}  bytes {:02X?} are written {}", text.as_bytes(), to_visible(text.as_bytes()))?;
    }
    writeln!(out)?;
    Ok(())
}

fn merges(out: &mut dyn Write) -> anyhow::Result<()> {
    let n_merges = 16;
    writeln!(out, "== the first merges ==")?;
    for line in FEW_LINES {
        writeln!(out, "  {line}")?;
    }
    writeln!(out, "\n merge  joined        new token   \" lamplighter\" is now")?;
    for n in 1..=n_merges {
        // A vocabulary of n merges is the beginning of any longer one.
        let tokenizer = Tokenizer::train(&FEW_LINES, &TrainConfig::with_vocab_size(260 + n))?;
        let (left, right) = tokenizer.merges()[n - 1];
        let written = |id| format!("{:?}", tokenizer.token_of(id).unwrap_or_default());
        let joined = format!("{} {}", written(left), written(right));
        let new_token = written(259 + n as u32);
        writeln!(out, "{n:>6}  {joined:<12}  {new_token:<10}  {}", pieces(&tokenizer, " lamplighter"))?;
    }
    writeln!(out)?;
    Ok(())
}

fn sentence(out: &mut dyn Write, tokenizer: &Tokenizer) -> anyhow::Result<()> {
    let text = "Every evening the harbour master of Marlow counts 42 lamps.";
    let ids = tokenizer.encode(text);
    writeln!(out, "== a sentence ==")?;
    writeln!(out, "{text}\n{}", pieces(tokenizer, text))?;
    for line in ids.chunks(12) {
        writeln!(out, "{}", line.iter().map(|id| format!("{id:>4}")).collect::<String>())?;
    }
    writeln!(out, "{} bytes, {} tokens; decoded: {}\n", text.len(), ids.len(), tokenizer.decode(&ids) == text)?;
    Ok(())
}

fn digits_and_spaces(out: &mut dyn Write, tokenizer: &Tokenizer) -> anyhow::Result<()> {
    writeln!(out, "== digits and spaces ==")?;
    for text in [" 42", " 142", " 1420", " 14200", "lamps", " lamps", " Lamps", "    lamps", "\n\n\tlamps"] {
        writeln!(out, "{:<14} {}", format!("{text:?}"), pieces(tokenizer, text))?;
    }
    writeln!(out)?;
    Ok(())
}

fn other_scripts(out: &mut dyn Write, tokenizer: &Tokenizer) -> anyhow::Result<()> {
    writeln!(out, "== scripts it has never seen ==")?;
    for text in ["Größe", "привет", "შუქურა", "𝚊"] {
        let ids = tokenizer.encode(text);
        let (n_chars, n_bytes) = (text.chars().count(), text.len());
        let back = tokenizer.decode(&ids) == text;
        let n_tokens = ids.len();
        writeln!(out, "chars {n_chars}  bytes {n_bytes:>2}  tokens {n_tokens:>2}  same text back: {back}  {text}")?;
    }
    writeln!(out)?;
    Ok(())
}

fn streaming(out: &mut dyn Write, tokenizer: &Tokenizer) -> anyhow::Result<()> {
    writeln!(out, "== one id at a time ==")?;
    let mut stream = tokenizer.decode_stream();
    for id in tokenizer.encode("a 𝚊!") {
        let token = tokenizer.token_of(id).unwrap_or_default();
        match stream.push(id) {
            Some(text) => writeln!(out, "{id:>4}  {token:<5} gives {text:?}")?,
            None => writeln!(out, "{id:>4}  {token:<5} waits")?,
        }
    }
    writeln!(out)?;
    Ok(())
}

fn special_tokens(out: &mut dyn Write, tokenizer: &Tokenizer) -> anyhow::Result<()> {
    let text = "hi<|end|>";
    writeln!(out, "== special tokens ==")?;
    let all = tokenizer.special_tokens().into_iter().map(|(token, id)| format!("{id} {token}"));
    writeln!(out, "{}", all.collect::<Vec<_>>().join("  "))?;
    writeln!(out, "{text:?} from a user      {:?}", tokenizer.encode(text))?;
    writeln!(out, "{text:?} from a template  {:?}\n", tokenizer.encode_with_special(text))?;
    Ok(())
}

fn sizes(out: &mut dyn Write, texts: &[String]) -> anyhow::Result<()> {
    let prose = ["A ship that nobody had seen before came in with the tide, and the watchman wrote down her name."];
    let code = ["pub fn main() {\n    let n: u32 = 42;\n    println!(\"{n}\");\n}\n"];
    writeln!(out, "== vocabulary sizes ==")?;
    writeln!(out, "{:>16}  {:>20}  {:>20}", "vocabulary", "own text", "bytes per token")?;
    writeln!(
        out,
        "{:>8}{:>8}{:>10}{:>12}{:>11}{:>7}{:>7}",
        "asked", "got", "tokens", "unused", "own", "prose", "code"
    )?;
    for vocab_size in [260, 300, 512, 1024] {
        let tokenizer = Tokenizer::train(texts, &TrainConfig::with_vocab_size(vocab_size))?;
        let own = report(&tokenizer, texts);
        let [prose, code] = [&prose, &code].map(|text| report(&tokenizer, text).bytes_per_token());
        let (got, n_tokens, n_unused) = (tokenizer.vocab_size(), own.n_tokens, own.unused.len());
        let own = own.bytes_per_token();
        writeln!(out, "{vocab_size:>8}{got:>8}{n_tokens:>10}{n_unused:>12}{own:>11.2}{prose:>7.2}{code:>7.2}")?;
    }
    writeln!(out)?;
    Ok(())
}

fn vocabulary(out: &mut dyn Write, tokenizer: &Tokenizer) -> anyhow::Result<()> {
    writeln!(out, "== the longest tokens ==")?;
    let texts = generated_texts();
    for line in report(tokenizer, &texts).longest.chunks(4) {
        writeln!(out, "{}", line.iter().map(|token| format!("{token:?}")).collect::<Vec<_>>().join("  "))?;
    }
    writeln!(out)?;
    Ok(())
}

fn who_pays(out: &mut dyn Write, tokenizer: &Tokenizer) -> anyhow::Result<()> {
    writeln!(out, "== who pays ==")?;
    writeln!(out, "{:<12} {:>6} {:>7} {:>16}", "", "bytes", "tokens", "bytes per token")?;
    for kind in by_kind(tokenizer) {
        writeln!(out, "{:<12} {:>6} {:>7} {:>16.2}", kind.kind, kind.n_bytes, kind.n_tokens, kind.bytes_per_token())?;
    }
    writeln!(out)?;
    Ok(())
}

fn too_little_text(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== too little text ==")?;
    let (_, summary) = Tokenizer::train_with_summary(&FEW_LINES, &TrainConfig::with_vocab_size(1000))?;
    for part in summary.to_string().split_inclusive([',', ';', ':']) {
        writeln!(out, "{}", part.trim())?;
    }
    Ok(())
}

/// The text with a bar at each border between tokens and a dot for each space.
fn pieces(tokenizer: &Tokenizer, text: &str) -> String {
    let written =
        |id| tokenizer.token_of(id).unwrap_or_default().replace(' ', "·").replace('\n', "\\n").replace('\t', "\\t");
    tokenizer.encode(text).into_iter().map(written).collect::<Vec<_>>().join("|")
}

/// A few hundred sentences about invented towns.
fn generated_texts() -> Vec<String> {
    const TOWNS: [&str; 11] = [
        "Marlow",
        "Tarnwick",
        "Ostrey",
        "Hallen",
        "Brackmouth",
        "Sandvale",
        "Quernholm",
        "Pellow",
        "Dunmere",
        "Elling",
        "Fairhaven",
    ];
    const THINGS: [&str; 9] =
        ["lamps", "fishing boats", "lanterns", "ships", "market stalls", "bells", "ropes", "sailmakers", "lighthouses"];
    const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    (0..320)
        .map(|n: usize| {
            let (town, other) = (TOWNS[n % TOWNS.len()], TOWNS[(n * 3 + 1) % TOWNS.len()]);
            let (thing, day) = (THINGS[n % THINGS.len()], DAYS[n % DAYS.len()]);
            let count = n * n % 977;
            match n % 5 {
                0 => format!("The harbour master of {town} counts {count} {thing} every evening."),
                1 => format!("On {day} the market in {town} opens early, and {other}'s {thing} are sold there."),
                2 => format!("Nobody in {town} remembers when the {count} {thing} were brought from {other}."),
                3 => format!("{town} lies {count} km from {other}; the road follows the river to the water mill."),
                _ => format!("They don't light the lamps of {town} before {}:{:02}.", n % 24, count % 60),
            }
        })
        .collect()
}
