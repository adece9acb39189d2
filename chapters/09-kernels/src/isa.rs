//! One source, several instruction sets, chosen when the program runs.
//!
//! A program that is compiled for every x86-64 may use 128-bit registers alone; the machine it runs on has registers of 256 bits (AVX2) or 512
//! (AVX-512), and an instruction that multiplies and adds at once. [`per_isa!`] compiles the body of a function once for each level, as plain Rust
//! that LLVM vectorises, and the function picks the level at run time. On AArch64 the portable level already is NEON, which every such CPU has.
//!
//! An [`Isa`] can only be had from [`Isa::best`] and [`Isa::available`], which ask the CPU: to have one is the proof that its instructions exist.

use std::fmt;
use std::sync::OnceLock;

// ANCHOR: isa
/// A level of instructions that this machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(pub(crate) Level);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// What every CPU of the target has: SSE2 on x86-64, NEON on AArch64.
    Portable,
    /// 256-bit registers and fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 512-bit registers.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// The instructions that every CPU of this target has.
    pub const PORTABLE: Self = Self(Level::Portable);

    /// All levels of this machine, the portable one first, the widest last.
    pub fn available() -> &'static [Self] {
        static AVAILABLE: OnceLock<Vec<Isa>> = OnceLock::new();
        AVAILABLE.get_or_init(detect)
    }

    /// The widest level of this machine.
    pub fn best() -> Self {
        Self::available().last().copied().unwrap_or(Self::PORTABLE)
    }
}

fn detect() -> Vec<Isa> {
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut))]
    let mut found = vec![Isa::PORTABLE];
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        found.push(Isa(Level::Avx2));
        let has_avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        if has_avx512 {
            found.push(Isa(Level::Avx512));
        }
    }
    found
}
// ANCHOR_END: isa

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self.0 {
            Level::Portable if cfg!(target_arch = "aarch64") => "NEON",
            Level::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "AVX-512",
        })
    }
}

// ANCHOR: arithmetic
/// How a level multiplies and adds. Without a fused instruction, `f32::mul_add` is a call into the C library and a hundred times slower.
pub trait Arithmetic {
    /// `a · b + c`.
    fn mul_add(a: f32, b: f32, c: f32) -> f32;
}

/// One rounding, by an instruction that the CPU has.
#[derive(Debug, Clone, Copy)]
pub struct FusedMultiplyAdd;

/// Two roundings.
#[derive(Debug, Clone, Copy)]
pub struct MultiplyThenAdd;

impl Arithmetic for FusedMultiplyAdd {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

impl Arithmetic for MultiplyThenAdd {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
}

/// The arithmetic of the portable level: every AArch64 CPU fuses, not every x86-64 does.
#[cfg(target_arch = "aarch64")]
pub type PortableArithmetic = FusedMultiplyAdd;
/// The arithmetic of the portable level: every AArch64 CPU fuses, not every x86-64 does.
#[cfg(not(target_arch = "aarch64"))]
pub type PortableArithmetic = MultiplyThenAdd;
// ANCHOR_END: arithmetic

// ANCHOR: per_isa
/// Defines a function whose body is compiled for each level; the first argument of the result is the [`Isa`].
///
/// The body must be inlined into each version to be compiled with its instructions, and so must everything it calls: mark helpers
/// `#[inline(always)]`.
macro_rules! per_isa {
    ($(#[$attribute:meta])* $vis:vis fn $name:ident<$arithmetic:ident>($($argument:ident: $type:ty),* $(,)?) $(-> $output:ty)? $body:block) => {
        $(#[$attribute])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name(isa: $crate::Isa, $($argument: $type),*) $(-> $output)? {
            #[inline(always)]
            #[allow(clippy::extra_unused_type_parameters)]
            fn body<$arithmetic: $crate::isa::Arithmetic>($($argument: $type),*) $(-> $output)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            fn avx512($($argument: $type),*) $(-> $output)? {
                body::<$crate::isa::FusedMultiplyAdd>($($argument),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($argument: $type),*) $(-> $output)? {
                body::<$crate::isa::FusedMultiplyAdd>($($argument),*)
            }

            match isa.0 {
                $crate::isa::Level::Portable => body::<$crate::isa::PortableArithmetic>($($argument),*),
                // SAFETY: an `Isa` of this level exists only where the CPU was seen to have these instructions.
                #[cfg(target_arch = "x86_64")]
                #[allow(unsafe_code)]
                $crate::isa::Level::Avx2 => unsafe { avx2($($argument),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                #[allow(unsafe_code)]
                $crate::isa::Level::Avx512 => unsafe { avx512($($argument),*) },
            }
        }
    };
}
// ANCHOR_END: per_isa
pub(crate) use per_isa;

// ANCHOR: prefetch
/// How far ahead a loop asks for the memory of one long stream, in bytes: on the processors that were tried a quarter of it does less, and no more
/// comes of twice as much.
pub(crate) const AHEAD: usize = 4096;

/// Asks for the memory that a loop will reach, `bytes` after where it is now. Nothing is read: if there is no such memory, nothing happens.
///
/// A processor fetches ahead of a stream by itself, but not far. Where a loop does little with each byte, asking is what keeps the memory busy. Only on
/// x86-64: elsewhere Rust has no stable way to ask.
#[inline(always)]
pub(crate) fn prefetch<T>(now: &[T], bytes: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let line = now.as_ptr().cast::<i8>().wrapping_add(bytes);
        // SAFETY: a prefetch accesses nothing and may be of any address; every x86-64 has the instruction.
        #[allow(unsafe_code)]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(line);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (now, bytes);
}
// ANCHOR_END: prefetch

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_has_the_portable_level_first_and_names_it_for_its_instructions() {
        let names: Vec<String> = Isa::available().iter().map(Isa::to_string).collect();
        let expected: &[&str] = match (cfg!(target_arch = "x86_64"), cfg!(target_arch = "aarch64")) {
            (true, _) => &["portable", "AVX2", "AVX-512"],
            (_, true) => &["NEON"],
            _ => &["portable"],
        };
        assert_eq!(names, expected[..names.len()]);
        assert_eq!(Isa::best().to_string(), expected[names.len() - 1]);
    }

    per_isa! {
        fn mul_add_of<A>(a: f32, b: f32, c: f32) -> f32 {
            A::mul_add(a, b, c)
        }
    }

    #[test]
    fn only_a_level_without_the_instruction_rounds_twice() {
        // a² = 1 + 2⁻¹¹ + 2⁻²⁴; a product on its own loses the last bit.
        let a = 1.0 + 1.0 / 4096.0;
        for &isa in Isa::available() {
            let lost = if isa.to_string() == "portable" { 0.0 } else { 2.0_f32.powi(-24) };
            assert_eq!(mul_add_of(isa, a, a, -(1.0 + 1.0 / 2048.0)), lost, "{isa}");
        }
    }
}
