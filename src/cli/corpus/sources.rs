//! What `--input` names: files, folders, and data sets of Hugging Face (`hf:OWNER/NAME`), which are fetched first.

use std::path::PathBuf;

use anyhow::Result;
#[cfg(feature = "hub")]
use corpus::hub::{Dataset, DatasetName, Hub, HubError};
use llm_from_scratch::request::WrongRequest;

/// What a data set's name begins with.
const HUB: &str = "hf:";

/// The inputs as paths. A data set is named with its size and its folder before its files come.
///
/// # Errors
/// If a data set is asked for that this build cannot fetch, that does not exist, or that cannot be fetched.
pub(super) fn on_disk(inputs: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for input in inputs {
        match input.to_str().filter(|name| name.starts_with(HUB)) {
            None => paths.push(input.clone()),
            Some(name) => paths.extend(fetch(name)?),
        }
    }
    Ok(paths)
}

/// The data sets among the inputs, in words, without fetching them.
///
/// # Errors
/// As [`on_disk`].
pub(super) fn remote(inputs: &[PathBuf]) -> Result<Vec<String>> {
    let names = inputs.iter().filter_map(|input| input.to_str()).filter(|name| name.starts_with(HUB));
    names.map(describe).collect()
}

#[cfg(feature = "hub")]
fn describe(name: &str) -> Result<String> {
    Ok(dataset(name)?.to_string())
}

#[cfg(feature = "hub")]
fn fetch(name: &str) -> Result<Vec<PathBuf>> {
    let dataset = dataset(name)?;
    eprintln!("{dataset}");
    let bar = llm_from_scratch::progress::bar("download", dataset.n_bytes());
    let mut n_before = 0;
    let mut paths = Vec::new();
    for shard in &dataset.shards {
        bar.set_message(shard.file.path.clone());
        paths.push(dataset.fetch(shard, &|n_bytes| bar.set_position(n_before + n_bytes))?.path);
        n_before += shard.file.n_bytes;
    }
    bar.finish_and_clear();
    Ok(paths)
}

#[cfg(feature = "hub")]
fn dataset(name: &str) -> Result<Dataset> {
    let wrong = |error: HubError| match error {
        HubError::Name { .. } | HubError::NoFiles { .. } => WrongRequest::new(error.to_string()).into(),
        other => anyhow::Error::from(other),
    };
    Hub::from_env().list(&name.parse::<DatasetName>().map_err(wrong)?).map_err(wrong)
}

#[cfg(not(feature = "hub"))]
fn describe(name: &str) -> Result<String> {
    Err(not_built(name))
}

#[cfg(not(feature = "hub"))]
fn fetch(name: &str) -> Result<Vec<PathBuf>> {
    Err(not_built(name))
}

#[cfg(not(feature = "hub"))]
fn not_built(name: &str) -> anyhow::Error {
    let way_out = "build it with `cargo build --release --features hub` (Parquet files need `hub,parquet`), or download the files and name their folder";
    WrongRequest::new(format!("{name} is a data set of Hugging Face, which this program was built without: {way_out}"))
        .into()
}
