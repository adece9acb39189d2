//! The causal mask: position $i$ may look at positions $0 \dots i$, never ahead.
//!
//! The mask is added to the scores: 0 where looking is allowed and $-\infty$ where it is not, so that softmax gives those weight
//! exactly zero. With a cache, the queries are the last `q_len` of `kv_len` positions, which shifts the diagonal.

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
}
