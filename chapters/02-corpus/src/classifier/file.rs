//! The classifier's file: safetensors, so that any tool can open it, and bounded when it is read.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use thiserror::Error;

use super::{Classifier, ClassifierConfig};
use crate::atomic_file::AtomicFile;
use crate::setting::InvalidSetting;

/// More weights than anyone needs; a larger file is refused unread.
pub(super) const MAX_LOG2_WEIGHTS: u32 = 24;
const MAX_FILE_BYTES: u64 = (4 << MAX_LOG2_WEIGHTS) + (1 << 16);
/// What the file says that it is.
const FORMAT: &str = "hashed-words-logistic-1";

/// Why a file is no classifier.
#[derive(Debug, Error)]
pub enum ClassifierError {
    /// The file cannot be read or written.
    #[error("cannot use the classifier's file: {0}")]
    Io(#[from] std::io::Error),
    /// The file is something else, or damaged.
    #[error("no classifier of ours: {0}; train one and save it")]
    Format(String),
}

impl Classifier {
    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), ClassifierError> {
        let bytes: Vec<u8> = self.weights.iter().chain([&self.bias]).flat_map(|weight| weight.to_le_bytes()).collect();
        let format = |e: safetensors::SafeTensorError| ClassifierError::Format(e.to_string());
        let tensor = TensorView::new(Dtype::F32, vec![self.weights.len() + 1], &bytes).map_err(format)?;
        let metadata = [("format", FORMAT.to_string()), ("max_run", self.max_run.to_string())];
        let metadata: HashMap<String, String> = metadata.map(|(key, value)| (key.into(), value)).into();
        let file = safetensors::serialize([("weights", tensor)], Some(metadata)).map_err(format)?;
        let mut whole = AtomicFile::create(path)?;
        whole.write_all(&file)?;
        Ok(whole.finish()?)
    }

    /// Reads what [`Classifier::save`] wrote.
    ///
    /// # Errors
    /// The file cannot be read or is no classifier.
    pub fn load(path: &Path) -> Result<Self, ClassifierError> {
        let n_bytes = std::fs::metadata(path)?.len();
        if n_bytes > MAX_FILE_BYTES {
            return Err(ClassifierError::Format(format!("{n_bytes} bytes, the largest has {MAX_FILE_BYTES}")));
        }
        Self::from_bytes(&std::fs::read(path)?)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, ClassifierError> {
        let other = |what: String| ClassifierError::Format(what);
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| other(e.to_string()))?;
        let noted = |key: &str| header.metadata().as_ref().and_then(|noted| noted.get(key)).cloned();
        let format = noted("format").unwrap_or_default();
        if format != FORMAT {
            return Err(other(format!("its format is {format:?}, not {FORMAT:?}")));
        }
        let max_run = noted("max_run").and_then(|n| n.parse().ok()).filter(|n| (1..=5).contains(n));
        let max_run = max_run.ok_or_else(|| other("max_run is not a number from 1 to 5".into()))?;
        let file = SafeTensors::deserialize(bytes).map_err(|e| other(e.to_string()))?;
        let tensor = file.tensor("weights").map_err(|e| other(e.to_string()))?;
        let numbers = tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        let mut weights: Vec<f32> = numbers.collect();
        let bias = weights.pop().filter(|_| tensor.dtype() == Dtype::F32 && weights.len().is_power_of_two());
        let bias = bias.ok_or_else(|| other(format!("weights are {:?} {:?}", tensor.dtype(), tensor.shape())))?;
        if weights.iter().chain([&bias]).any(|weight| !weight.is_finite()) {
            return Err(other("a weight is not a finite number".into()));
        }
        Ok(Self { max_run, weights, bias })
    }
}

impl ClassifierConfig {
    /// Reads the model that the settings name.
    pub(crate) fn load(&self) -> Result<Classifier, InvalidSetting> {
        Classifier::load(&self.model).map_err(|e| InvalidSetting {
            name: "classifier.model",
            value: self.model.display().to_string(),
            rule: e.to_string().into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Classifier {
        Classifier { max_run: 2, weights: (0..256).map(|i| i as f32 / 10.0 - 12.0).collect(), bias: 0.25 }
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quality.safetensors");
        model().save(&path).unwrap();
        assert_eq!(Classifier::load(&path).unwrap(), model());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn damaged_files_are_refused_and_never_panic() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m");
        model().save(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for end in (0..bytes.len()).step_by(7) {
            assert!(Classifier::from_bytes(&bytes[..end]).is_err(), "cut at {end}");
        }
        for at in 0..bytes.len().min(300) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x55;
            // Most damage is seen; what hits a weight alone is another weight.
            let _ = Classifier::from_bytes(&damaged);
        }
        let mut not_a_number = bytes.clone();
        let n = bytes.len();
        not_a_number[n - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        assert!(Classifier::from_bytes(&not_a_number).unwrap_err().to_string().contains("finite"));
        let config = ClassifierConfig { model: "no/such".into(), min_score: 0.5 };
        assert!(config.load().unwrap_err().to_string().starts_with("classifier.model is no/such; cannot use"));
    }
}
