//! Rotary position embedding (Su et al. 2021, arXiv 2104.09864, section 3.2) of one head's rows, there and back.
//!
//! Element $i$ of a head and element $i + d/2$ are a pair, as in chapter 5; at position $m$ the pair is rotated by $m\,\theta_i$:
//! $$x'_i = x_i \cos m\theta_i - x_{i+d/2} \sin m\theta_i, \qquad x'_{i+d/2} = x_{i+d/2} \cos m\theta_i + x_i \sin m\theta_i.$$
//! A rotation is orthogonal, so its transpose, which the gradient needs, is the rotation by $-m\,\theta_i$.

use std::ops::Range;

use crate::isa::per_isa;
use crate::matrix::{Matrix, MatrixMut};

// ANCHOR: tables
/// Cosines and sines of the positions of a sequence, each `(seq_len, head_dim / 2)`.
#[derive(Debug, Clone, Copy)]
pub struct Tables<'a> {
    /// cos mθᵢ of position m and pair i.
    pub cos: &'a [f32],
    /// sin mθᵢ.
    pub sin: &'a [f32],
}

impl<'a> Tables<'a> {
    /// The tables of some positions of heads of `head_dim`.
    ///
    /// # Panics
    /// If there are fewer positions.
    pub fn positions(self, positions: Range<usize>, head_dim: usize) -> Self {
        let half = head_dim / 2;
        let range = positions.start * half..positions.end * half;
        Self { cos: &self.cos[range.clone()], sin: &self.sin[range] }
    }
}
// ANCHOR_END: tables

// ANCHOR: rotate
per_isa! {
    /// `rotated` = `scale` · `x`, each row rotated by its position; both `(rows, head_dim)`, `tables` of as many positions.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn rotate<A>(x: Matrix<'_>, tables: Tables<'_>, scale: f32, rotated: &mut [f32]) {
        let head_dim = x.n_cols();
        let half = head_dim / 2;
        assert!(head_dim == 2 * half && rotated.len() == x.n_rows() * head_dim, "rows of {head_dim}");
        assert!(tables.cos.len() == x.n_rows() * half && tables.sin.len() == tables.cos.len(), "{} rows", x.n_rows());
        for (m, rotated) in rotated.chunks_exact_mut(head_dim).enumerate() {
            let (cos, sin) = (&tables.cos[m * half..][..half], &tables.sin[m * half..][..half]);
            // Slices of one length that the compiler sees: otherwise it checks each index and leaves the last lanes to a loop without vectors.
            let (first, second) = (&x.row(m)[..half], &x.row(m)[half..][..half]);
            let (rotated_first, rotated_second) = rotated.split_at_mut(half);
            let rotated_second = &mut rotated_second[..half];
            for i in 0..half {
                rotated_first[i] = scale * (first[i] * cos[i] - second[i] * sin[i]);
                rotated_second[i] = scale * (second[i] * cos[i] + first[i] * sin[i]);
            }
        }
    }
}

per_isa! {
    /// Rotates each row of `x` back in place and multiplies it by `scale`: the gradient of what [`rotate`] was given, from that of its result.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn rotate_back<A>(x: MatrixMut<'_>, tables: Tables<'_>, scale: f32) {
        let mut x = x;
        let half = x.n_cols() / 2;
        assert!(x.n_cols() == 2 * half, "head_dim {} is odd; rotary positions rotate pairs", x.n_cols());
        assert!(tables.cos.len() == x.n_rows() * half && tables.sin.len() == tables.cos.len(), "{} rows", x.n_rows());
        for m in 0..x.n_rows() {
            let (cos, sin) = (&tables.cos[m * half..][..half], &tables.sin[m * half..][..half]);
            let (first, second) = x.row_mut(m).split_at_mut(half);
            let second = &mut second[..half];
            for i in 0..half {
                let (a, b) = (first[i], second[i]);
                first[i] = scale * (a * cos[i] + b * sin[i]);
                second[i] = scale * (b * cos[i] - a * sin[i]);
            }
        }
    }
}
// ANCHOR_END: rotate

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;

    #[test]
    fn there_and_back_of_every_size() {
        for (n_rows, half) in [(1, 1), (3, 3), (5, 10), (2, 32), (7, 64)] {
            let head_dim = 2 * half;
            let angles: Vec<f64> = (0..n_rows * half).map(|i| (i * i % 63) as f64 / 10.0).collect();
            let cos: Vec<f32> = angles.iter().map(|a| a.cos() as f32).collect();
            let sin: Vec<f32> = angles.iter().map(|a| a.sin() as f32).collect();
            let tables = Tables { cos: &cos, sin: &sin };
            let data: Vec<f32> =
                (0..n_rows * (head_dim + 3)).map(|i| ((i * 37 + 11) % 101) as f32 / 50.0 - 1.0).collect();
            let x = Matrix::new(&data, head_dim + 3).columns(2..2 + head_dim);
            for &isa in Isa::available() {
                let mut y = vec![f32::NAN; n_rows * head_dim];
                rotate(isa, x, tables, 3.0, &mut y);
                for m in 0..n_rows {
                    for i in 0..half {
                        let (a, b) = (f64::from(x.row(m)[i]), f64::from(x.row(m)[i + half]));
                        let (sin, cos) = angles[m * half + i].sin_cos();
                        // Numbers up to 6 and four roundings of 6·10⁻⁸ each.
                        let close = |y: f32, truth: f64| (f64::from(y) - 3.0 * truth).abs() < 2e-6;
                        assert!(close(y[m * head_dim + i], a * cos - b * sin), "{isa} {n_rows} {half}");
                        assert!(close(y[m * head_dim + half + i], b * cos + a * sin), "{isa} {n_rows} {half}");
                    }
                }
                rotate_back(isa, MatrixMut::new(&mut y, head_dim), tables, 1.0 / 3.0);
                for m in 0..n_rows {
                    let row = &y[m * head_dim..][..head_dim];
                    assert!(row.iter().zip(x.row(m)).all(|(y, x)| (y - x).abs() < 2e-6), "{isa} {n_rows} {half}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "rows")]
    fn tables_of_other_positions_are_refused() {
        let tables = Tables { cos: &[1.0; 6], sin: &[0.0; 6] }.positions(0..1, 4);
        rotate(Isa::PORTABLE, Matrix::new(&[0.0; 8], 4), tables, 1.0, &mut [0.0; 8]);
    }
}
