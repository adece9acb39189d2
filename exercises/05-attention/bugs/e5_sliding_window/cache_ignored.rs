//! Planted bug: counts queries from the first key.

/// Whether query `i` may see key `j`: `q_len` rows of `kv_len`.
///
/// # Errors
/// When there are more queries than keys, or the window is 0.
pub fn window_mask(q_len: usize, kv_len: usize, window: usize) -> Result<Vec<Vec<bool>>, String> {
    if q_len > kv_len {
        return Err(format!("{q_len} queries cannot be the last of {kv_len} positions"));
    }
    if window == 0 {
        return Err("a window of 0 positions hides every token from itself".to_string());
    }
    let row = |position: usize| (0..kv_len).map(|key| key <= position && key + window > position).collect();
    Ok((0..q_len).map(row).collect())
}

/// How many positions back an output can depend on, after `n_layers` layers with this window.
pub fn reach(n_layers: usize, window: usize) -> usize {
    n_layers * (window - 1)
}
