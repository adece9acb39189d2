//! SHA-1 of many short messages side by side (FIPS 180-4, section 6.1.2), of which MinHash wants the first word.
//!
//! A shingle is one block of 64 bytes, and 80 rounds that each wait for the one before. One message leaves most of a
//! processor idle. Sixteen messages, one in each lane of plain arrays, are the same operations on vectors: the compiler sees that,
//! and no intrinsics are needed. A message that does not fit into one block goes to the crate `sha1`, which is also the oracle.

use sha1::{Digest, Sha1};

/// Messages at once: a register of AVX-512, two of AVX2.
const LANES: usize = 16;

/// The longest message that leaves room in a block for its end mark and its length.
const MAX_BYTES: usize = 55;

type Lanes = [u32; LANES];

/// The first four bytes of each message's SHA-1 as a little-endian number, in order.
pub(crate) fn first_words<'a>(messages: impl Iterator<Item = &'a str>) -> Vec<u32> {
    let mut words = Vec::with_capacity(messages.size_hint().0);
    let mut blocks = [[0; 64]; LANES];
    let mut places = [0; LANES];
    let mut n = 0;
    for message in messages {
        let message = message.as_bytes();
        if message.len() > MAX_BYTES {
            let [b0, b1, b2, b3, ..]: [u8; 20] = Sha1::digest(message).into();
            words.push(u32::from_le_bytes([b0, b1, b2, b3]));
            continue;
        }
        fill(&mut blocks[n], message);
        places[n] = words.len();
        words.push(0);
        n += 1;
        if n == LANES {
            flush(&blocks, &places, &mut words);
            n = 0;
        }
    }
    flush(&blocks, &places[..n], &mut words);
    words
}

fn fill(block: &mut [u8; 64], message: &[u8]) {
    *block = [0; 64];
    block[..message.len()].copy_from_slice(message);
    block[message.len()] = 0x80;
    block[56..].copy_from_slice(&(8 * message.len() as u64).to_be_bytes());
}

fn flush(blocks: &[[u8; 64]; LANES], places: &[usize], words: &mut [u32]) {
    if !places.is_empty() {
        let found = hash(blocks);
        places.iter().zip(found).for_each(|(&place, word)| words[place] = word.swap_bytes());
    }
}

// ANCHOR: sha1_lanes
#[inline(always)]
fn hash_on_any(blocks: &[[u8; 64]; LANES]) -> Lanes {
    let mut schedule = [[0; LANES]; 16];
    for (lane, block) in blocks.iter().enumerate() {
        for (t, bytes) in block.chunks_exact(4).enumerate() {
            schedule[t][lane] = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
    }
    const START: [u32; 5] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];
    let mut state = START.map(|word| [word; LANES]);
    rounds::<0>(&mut state, &mut schedule, 0x5A82_7999, |b, c, d| d ^ (b & (c ^ d)));
    rounds::<20>(&mut state, &mut schedule, 0x6ED9_EBA1, |b, c, d| b ^ c ^ d);
    rounds::<40>(&mut state, &mut schedule, 0x8F1B_BCDC, |b, c, d| (b & c) | (d & (b | c)));
    rounds::<60>(&mut state, &mut schedule, 0xCA62_C1D6, |b, c, d| b ^ c ^ d);
    state[0].map(|a| a.wrapping_add(START[0]))
}

/// Twenty rounds from `FROM` on with one function and one constant.
#[inline(always)]
fn rounds<const FROM: usize>(
    [a, b, c, d, e]: &mut [Lanes; 5],
    schedule: &mut [Lanes; 16],
    constant: u32,
    mix: impl Fn(u32, u32, u32) -> u32,
) {
    for t in FROM..FROM + 20 {
        let word = &mut [0; LANES];
        for lane in 0..LANES {
            let earlier = |back: usize| schedule[(t + 16 - back) % 16][lane];
            word[lane] = if t < 16 {
                schedule[t][lane]
            } else {
                (earlier(3) ^ earlier(8) ^ earlier(14) ^ earlier(16)).rotate_left(1)
            };
        }
        schedule[t % 16] = *word;
        for lane in 0..LANES {
            let next = a[lane].rotate_left(5).wrapping_add(mix(b[lane], c[lane], d[lane])).wrapping_add(e[lane]);
            e[lane] = d[lane];
            d[lane] = c[lane];
            c[lane] = b[lane].rotate_left(30);
            b[lane] = a[lane];
            a[lane] = next.wrapping_add(constant).wrapping_add(word[lane]);
        }
    }
}
// ANCHOR_END: sha1_lanes

/// [`hash_on_any`] in the widest vectors that this CPU has; the same result.
fn hash(blocks: &[[u8; 64]; LANES]) -> Lanes {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512f") {
        // SAFETY: the line above has found the feature that the function is compiled for.
        #[allow(unsafe_code)]
        return unsafe { x86::hash_avx512(blocks) };
    } else if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: as above.
        #[allow(unsafe_code)]
        return unsafe { x86::hash_avx2(blocks) };
    }
    hash_on_any(blocks)
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{LANES, Lanes, hash_on_any};

    #[target_feature(enable = "avx512f")]
    pub(super) fn hash_avx512(blocks: &[[u8; 64]; LANES]) -> Lanes {
        hash_on_any(blocks)
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn hash_avx2(blocks: &[[u8; 64]; LANES]) -> Lanes {
        hash_on_any(blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oracle(message: &str) -> u32 {
        let digest: [u8; 20] = Sha1::digest(message).into();
        u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]])
    }

    #[test]
    fn every_length_in_every_lane_is_as_the_crate_says() {
        let text: String = ('a'..='z').cycle().take(200).collect();
        for n in [0, 1, 15, 16, 17, 40] {
            let messages: Vec<&str> = (0..n).map(|i| &text[i..i + (i * 29 + n) % 130]).collect();
            let expected: Vec<u32> = messages.iter().map(|message| oracle(message)).collect();
            assert_eq!(first_words(messages.iter().copied()), expected, "{n} messages");
        }
        let messages: Vec<&str> = (0..=130).map(|length| &text[..length]).collect();
        let expected: Vec<u32> = messages.iter().map(|message| oracle(message)).collect();
        assert_eq!(first_words(messages.into_iter()), expected);
    }

    /// The path of other processors, which the test above does not take on this one.
    #[test]
    fn all_instruction_sets_agree() {
        let mut blocks = [[0; 64]; LANES];
        for (i, block) in blocks.iter_mut().enumerate() {
            fill(block, &b"the quick brown fox jumps over the lazy dog"[i..]);
        }
        assert_eq!(hash(&blocks), hash_on_any(&blocks));
    }
}
