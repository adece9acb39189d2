//! The KV cache. A token's keys and values never change once computed, since later tokens cannot influence earlier ones. Keeping them
//! turns the work for each new token from a pass over the whole text into a pass over one token, at the price of
//! $2 \cdot n_{layers} \cdot n_{kv\,heads} \cdot head\_dim$ numbers a token.
//!
//! Texts of different lengths lie side by side with their ends aligned: shorter ones begin with padding, which takes up positions, and which
//! no query looks at. So every text's newest token stands in the same column.

use attention::KeyValueStore;
use candle_core::{DType, Device, Result, Tensor, bail};
use transformer::{ModelConfig, Transformer};

// ANCHOR: cache
/// Keys and values of every layer, in buffers that are as long as the longest sequence from the start.
#[derive(Debug)]
pub struct KvCache {
    keys: Vec<Tensor>,   // n_layers × (batch, n_kv_heads, capacity, head_dim)
    values: Vec<Tensor>, // likewise
    padding: Vec<usize>, // for each sequence, how many of its first positions are padding
    len: usize,
    capacity: usize,
}

impl KvCache {
    /// An empty cache for `batch` sequences of `capacity` tokens at most.
    ///
    /// # Errors
    /// If the device has no room for it, or `capacity` exceeds the model's longest sequence.
    pub fn new(model: &Transformer, batch: usize, capacity: usize) -> Result<Self> {
        Self::with_padding(model, vec![0; batch], capacity)
    }

    /// An empty cache for sequences of which the first positions are padding: as many as `padding` says of each. They count in `capacity`.
    ///
    /// # Errors
    /// As [`KvCache::new`], or if there is no sequence.
    pub fn with_padding(model: &Transformer, padding: Vec<usize>, capacity: usize) -> Result<Self> {
        let (config, batch) = (model.config(), padding.len());
        if batch == 0 {
            bail!("a cache needs at least one sequence");
        }
        if capacity > config.max_seq_len {
            bail!("a cache for {capacity} tokens exceeds max_seq_len {}", config.max_seq_len);
        }
        let (dtype, device) = model.parameters().placement();
        let buffers = || -> Result<Vec<Tensor>> {
            (0..config.n_layers).map(|_| buffer(config, batch, capacity, dtype, &device)).collect()
        };
        Ok(Self { keys: buffers()?, values: buffers()?, padding, len: 0, capacity })
    }

    /// Forgets everything and keeps the buffers.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Forgets all sequences but those of these numbers, which become 0, 1 and so on. The others no longer cost anything.
    ///
    /// # Errors
    /// If there is no sequence of such a number, or none is left.
    pub fn keep_sequences(&mut self, kept: &[usize]) -> Result<()> {
        let n_sequences = self.padding.len();
        if let Some(unknown) = kept.iter().find(|number| **number >= n_sequences) {
            bail!("there is no sequence {unknown} among the cache's {n_sequences}");
        }
        if kept.is_empty() {
            bail!("a cache needs at least one sequence");
        }
        let rows: Vec<u32> = kept.iter().map(|number| *number as u32).collect();
        for buffer in self.keys.iter_mut().chain(&mut self.values) {
            let rows = Tensor::from_slice(&rows, rows.len(), buffer.device())?;
            *buffer = buffer.index_select(&rows, 0)?;
        }
        self.padding = kept.iter().map(|number| self.padding[*number]).collect();
        Ok(())
    }

    /// For each sequence, how many of its first positions are padding.
    pub fn n_padding(&self) -> &[usize] {
        &self.padding
    }

    /// How many positions it has room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes of the buffers.
    pub fn n_bytes(&self) -> usize {
        self.keys.iter().chain(&self.values).map(|t| t.elem_count() * t.dtype().size_in_bytes()).sum()
    }
}

impl KeyValueStore for KvCache {
    fn len(&self) -> usize {
        self.len
    }

    fn append(&mut self, layer: usize, k: Tensor, v: Tensor) -> Result<(Tensor, Tensor)> {
        let (_batch, _n_kv_heads, n_new, _head_dim) = k.dims4()?;
        let end = self.len + n_new;
        if end > self.capacity {
            bail!("{end} tokens exceed the cache's capacity of {}", self.capacity);
        }
        self.keys[layer].slice_set(&k.contiguous()?, 2, self.len)?;
        self.values[layer].slice_set(&v.contiguous()?, 2, self.len)?;
        Ok((self.keys[layer].narrow(2, 0, end)?, self.values[layer].narrow(2, 0, end)?))
    }

    fn advance(&mut self, n_tokens: usize) {
        self.len += n_tokens;
    }

    fn padding(&self) -> Option<&[usize]> {
        self.padding.iter().any(|n_padding| *n_padding > 0).then_some(&self.padding)
    }
}
// ANCHOR_END: cache

fn buffer(config: &ModelConfig, batch: usize, capacity: usize, dtype: DType, device: &Device) -> Result<Tensor> {
    Tensor::zeros((batch, config.n_kv_heads, capacity, config.head_dim()), dtype, device)
}
