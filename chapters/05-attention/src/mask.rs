//! The causal mask: position $i$ may look at positions $0 \dots i$, never ahead.
//!
//! The mask is added to the scores: 0 where looking is allowed and $-\infty$ where it is not, so that softmax gives those weight
//! exactly zero. With a cache, the queries are the last `q_len` of `kv_len` positions, which shifts the diagonal.

//!
//! Two restrictions exist in the field. A *sliding window* (Mistral; Jiang et al. 2023, arXiv 2310.06825, section 2) lets a query see
//! the last `window` positions only, its own among them. And sequences of different lengths that are computed side by side are made equally long
//! by *padding* in front, which no query may look at.

use candle_core::{Device, Result, Tensor, bail};

// ANCHOR: causal_mask
/// The additive mask of shape `(q_len, kv_len)`, f32: 0 or −∞.
///
/// Row `i` is the query at position `kv_len - q_len + i`.
///
/// # Errors
/// If there are more queries than positions.
pub fn causal_mask(q_len: usize, kv_len: usize, device: &Device) -> Result<Tensor> {
    if q_len > kv_len {
        bail!("{q_len} queries cannot be the last of {kv_len} positions");
    }
    let offset = kv_len - q_len;
    let may_see = |query: usize, key: usize| key <= offset + query;
    let values: Vec<f32> = (0..q_len)
        .flat_map(|query| (0..kv_len).map(move |key| if may_see(query, key) { 0.0 } else { f32::NEG_INFINITY }))
        .collect();
    Tensor::from_vec(values, (q_len, kv_len), device)
}
// ANCHOR_END: causal_mask

// ANCHOR: visible_mask
/// The additive mask of causal attention with a sliding window, padding, or both: `(sequences, 1, q_len, kv_len)`, f32, 0 or −∞, where
/// `sequences` is one for each entry of `padding`, or 1 without it.
///
/// `padding` counts, for each sequence, how many of its first positions are no tokens. A position always sees itself, padding too: a row of
/// nothing but −∞ would have no softmax.
///
/// # Errors
/// If there are more queries than positions, or the window is empty.
pub fn visible_mask(
    q_len: usize,
    kv_len: usize,
    window: Option<usize>,
    padding: Option<&[usize]>,
    device: &Device,
) -> Result<Tensor> {
    if q_len > kv_len {
        bail!("{q_len} queries cannot be the last of {kv_len} positions");
    }
    if window == Some(0) {
        bail!("a window of 0 positions hides every token from itself; it must be at least 1");
    }
    let padding = padding.unwrap_or(&[0]);
    let may_see = |n_padding: usize, at: usize, key: usize| {
        let in_window = window.is_none_or(|window| key + window > at);
        key == at || key < at && in_window && key >= n_padding
    };
    let mut values = Vec::with_capacity(padding.len() * q_len * kv_len);
    for &n_padding in padding {
        for at in kv_len - q_len..kv_len {
            values.extend((0..kv_len).map(|key| if may_see(n_padding, at, key) { 0.0 } else { f32::NEG_INFINITY }));
        }
    }
    Tensor::from_vec(values, (padding.len(), 1, q_len, kv_len), device)
}
// ANCHOR_END: visible_mask

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_sees_itself_and_everything_before() {
        let inf = f32::NEG_INFINITY;
        let square = causal_mask(3, 3, &Device::Cpu).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(square, [[0.0, inf, inf], [0.0, 0.0, inf], [0.0, 0.0, 0.0]]);
        let last_two_of_four = causal_mask(2, 4, &Device::Cpu).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(last_two_of_four, [[0.0, 0.0, 0.0, inf], [0.0, 0.0, 0.0, 0.0]]);
        assert!(causal_mask(3, 2, &Device::Cpu).is_err());
    }
    /// Which keys each query sees, as text: one line a sequence, rows apart.
    fn seen(q_len: usize, kv_len: usize, window: Option<usize>, padding: Option<&[usize]>) -> Vec<String> {
        let mask = visible_mask(q_len, kv_len, window, padding, &Device::Cpu).unwrap();
        let rows = mask.flatten(1, 2).unwrap().to_vec3::<f32>().unwrap();
        let row = |row: &Vec<f32>| row.iter().map(|x| if *x == 0.0 { 'x' } else { '.' }).collect::<String>();
        rows.iter().map(|rows| rows.iter().map(row).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn a_window_and_padding_take_keys_away() {
        assert_eq!(seen(4, 4, None, None), ["x... xx.. xxx. xxxx"]);
        assert_eq!(seen(4, 4, Some(2), None), ["x... xx.. .xx. ..xx"]);
        assert_eq!(seen(2, 5, Some(3), None), [".xxx. ..xxx"]);
        assert_eq!(seen(4, 4, None, Some(&[0, 2])), ["x... xx.. xxx. xxxx", "x... .x.. ..x. ..xx"]);
        assert_eq!(seen(1, 4, Some(3), Some(&[2])), ["..xx"]);
        assert!(visible_mask(3, 2, None, None, &Device::Cpu).is_err());
        let error = visible_mask(2, 2, Some(0), None, &Device::Cpu).unwrap_err().to_string();
        assert!(error.contains("a window of 0 positions"), "{error}");
    }
}
