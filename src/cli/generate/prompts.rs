//! Several prompts from a file: a line each, or JSON Lines.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use llm_from_scratch::request::WrongRequest;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Line {
    prompt: String,
}

/// The prompts of a file, or of standard input (`-`): of `.jsonl` and `.ndjson` the field `prompt` of each line, of any other each line. Empty
/// lines are no prompts.
pub(crate) fn read_prompts(path: &Path) -> Result<Vec<String>> {
    let name = path.display();
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
        bytes
    } else if path.is_dir() {
        return Err(WrongRequest::new(format!("{name} is a folder; give a file with a prompt a line")).into());
    } else if !path.exists() {
        return Err(WrongRequest::new(format!("there is no file {name}")).into());
    } else {
        std::fs::read(path).with_context(|| format!("cannot read {name}"))?
    };
    let text = String::from_utf8(bytes);
    let text = text.map_err(|error| WrongRequest::new(format!("{name} is not UTF-8: {error}; convert it first")))?;
    let is_json =
        path.extension().is_some_and(|ending| ["jsonl", "ndjson"].contains(&&*ending.to_string_lossy().to_lowercase()));
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let prompts = lines.map(|(index, line)| {
        if !is_json {
            return Ok(line.to_string());
        }
        let parsed = serde_json::from_str::<Line>(line).map_err(|error| {
            let place = format!("{} line {}", path.display(), index + 1);
            WrongRequest::new(format!("{place} is no prompt ({error}); it must be {{\"prompt\": \"...\"}}"))
        })?;
        Ok(parsed.prompt)
    });
    let prompts = prompts.collect::<Result<Vec<String>>>()?;
    if prompts.is_empty() {
        return Err(WrongRequest::new(format!("{} has no prompt; write one a line", path.display())).into());
    }
    Ok(prompts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_json_lines_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            read_prompts(&folder.path().join(name)).map_err(|error| error.to_string())
        };
        assert_eq!(read("a.txt", "one\n\n two \n").unwrap(), ["one", " two "]);
        let json = "{\"prompt\": \"one\\ntwo\", \"id\": 3}\n{\"prompt\": \"\"}\n";
        assert_eq!(read("a.jsonl", json).unwrap(), ["one\ntwo", ""]);
        let message = read("b.jsonl", "{\"prompt\": \"a\"}\n{\"text\": \"b\"}\n").unwrap_err();
        assert!(message.contains("b.jsonl line 2") && message.contains("missing field `prompt`"), "{message}");
        assert_eq!(read("a.ndjson", json).unwrap().len(), 2);
        assert!(read_prompts(folder.path()).unwrap_err().to_string().contains("is a folder"));
        std::fs::write(folder.path().join("latin.txt"), b"caf\xE9").unwrap();
        assert!(read_prompts(&folder.path().join("latin.txt")).unwrap_err().to_string().contains("is not UTF-8"));
        assert!(read("empty.txt", "\n\n").unwrap_err().contains("has no prompt"));
        assert!(read_prompts(&folder.path().join("absent")).unwrap_err().to_string().contains("there is no file"));
    }
}
