//! Windows on matrices in memory: rows, columns and transposes without a copy, and disjoint columns for several threads.
//!
//! The queries of one head are every few hundredth number of a larger matrix. A window says so by its two strides; the bounds are checked once,
//! when it is made.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ops::Range;

// ANCHOR: matrix
/// A window that is read: `n_rows` × `n_cols` numbers, element (i, j) at `i · row_stride + j · col_stride`.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    start: *const f32,
    n_rows: usize,
    n_cols: usize,
    row_stride: usize,
    col_stride: usize,
    data: PhantomData<&'a [f32]>,
}

/// A window that is written. Its rows are contiguous and `row_stride` apart.
#[derive(Debug)]
pub struct MatrixMut<'a> {
    start: *mut f32,
    n_rows: usize,
    n_cols: usize,
    row_stride: usize,
    data: PhantomData<&'a mut [f32]>,
}
// ANCHOR_END: matrix

// SAFETY: a window is a shared or an exclusive borrow of `f32`s, as `&[f32]` and `&mut [f32]` are.
unsafe impl Send for Matrix<'_> {}
// SAFETY: as above.
unsafe impl Sync for Matrix<'_> {}
// SAFETY: as above.
unsafe impl Send for MatrixMut<'_> {}

impl<'a> Matrix<'a> {
    /// All of `data` as rows of `n_cols`.
    ///
    /// # Panics
    /// If `n_cols` does not divide the length.
    pub fn new(data: &'a [f32], n_cols: usize) -> Self {
        assert!(n_cols > 0 && data.len().is_multiple_of(n_cols), "{} numbers in rows of {n_cols}", data.len());
        let n_rows = data.len() / n_cols;
        Self { start: data.as_ptr(), n_rows, n_cols, row_stride: n_cols, col_stride: 1, data: PhantomData }
    }

    /// Some rows.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn rows(self, rows: Range<usize>) -> Self {
        assert!(rows.start <= rows.end && rows.end <= self.n_rows, "rows {rows:?} of {}", self.n_rows);
        let start = self.start.wrapping_add(rows.start * self.row_stride);
        Self { start, n_rows: rows.len(), ..self }
    }

    /// Some columns.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn columns(self, columns: Range<usize>) -> Self {
        assert!(columns.start <= columns.end && columns.end <= self.n_cols, "columns {columns:?} of {}", self.n_cols);
        let start = self.start.wrapping_add(columns.start * self.col_stride);
        Self { start, n_cols: columns.len(), ..self }
    }

    /// Rows as columns.
    pub fn transposed(self) -> Self {
        let Self { n_rows, n_cols, row_stride, col_stride, .. } = self;
        Self { n_rows: n_cols, n_cols: n_rows, row_stride: col_stride, col_stride: row_stride, ..self }
    }

    /// One row.
    ///
    /// # Panics
    /// If there is no such row, or the window is transposed.
    pub fn row(self, i: usize) -> &'a [f32] {
        assert!(i < self.n_rows && self.col_stride == 1, "row {i} of {}", self.n_rows);
        // SAFETY: the rows of an untransposed window lie in the borrowed data.
        unsafe { std::slice::from_raw_parts(self.start.add(i * self.row_stride), self.n_cols) }
    }

    /// Number of rows.
    pub fn n_rows(self) -> usize {
        self.n_rows
    }

    /// Number of columns.
    pub fn n_cols(self) -> usize {
        self.n_cols
    }

    /// Distance between an element and the one below it.
    pub fn row_stride(self) -> usize {
        self.row_stride
    }

    /// Distance between an element and the one right of it.
    pub fn col_stride(self) -> usize {
        self.col_stride
    }

    /// Where element (0, 0) is.
    pub fn as_ptr(self) -> *const f32 {
        self.start
    }
}

impl<'a> MatrixMut<'a> {
    /// All of `data` as rows of `n_cols`.
    ///
    /// # Panics
    /// If `n_cols` does not divide the length.
    pub fn new(data: &'a mut [f32], n_cols: usize) -> Self {
        assert!(n_cols > 0 && data.len().is_multiple_of(n_cols), "{} numbers in rows of {n_cols}", data.len());
        let n_rows = data.len() / n_cols;
        Self { start: data.as_mut_ptr(), n_rows, n_cols, row_stride: n_cols, data: PhantomData }
    }

    /// The same window for a shorter time.
    pub fn reborrow(&mut self) -> MatrixMut<'_> {
        MatrixMut { data: PhantomData, ..*self }
    }

    /// Some rows, for as long as this borrow lasts.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn rows_mut(&mut self, rows: Range<usize>) -> MatrixMut<'_> {
        assert!(rows.start <= rows.end && rows.end <= self.n_rows, "rows {rows:?} of {}", self.n_rows);
        MatrixMut {
            start: self.start.wrapping_add(rows.start * self.row_stride),
            n_rows: rows.len(),
            data: PhantomData,
            ..*self
        }
    }

    /// Some columns, for as long as this borrow lasts.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn columns_mut(&mut self, columns: Range<usize>) -> MatrixMut<'_> {
        assert!(columns.start <= columns.end && columns.end <= self.n_cols, "columns {columns:?} of {}", self.n_cols);
        MatrixMut { start: self.start.wrapping_add(columns.start), n_cols: columns.len(), data: PhantomData, ..*self }
    }

    /// One row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row_mut(&mut self, i: usize) -> &mut [f32] {
        assert!(i < self.n_rows, "row {i} of {}", self.n_rows);
        // SAFETY: the window's rows lie in the data that it borrows exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(i * self.row_stride), self.n_cols) }
    }

    // ANCHOR: split
    /// Blocks of rows × bands of columns, each a window of its own: bands first, then blocks. Different threads may write them at the same time.
    ///
    /// # Panics
    /// If the sizes do not divide the window.
    pub fn split(self, n_rows: usize, n_cols: usize) -> Vec<Self> {
        assert!(n_rows > 0 && self.n_rows.is_multiple_of(n_rows), "blocks of {n_rows} of {} rows", self.n_rows);
        assert!(n_cols > 0 && self.n_cols.is_multiple_of(n_cols), "bands of {n_cols} of {} columns", self.n_cols);
        let mut parts = Vec::with_capacity(self.n_rows / n_rows * (self.n_cols / n_cols));
        for row in (0..self.n_rows).step_by(n_rows) {
            for column in (0..self.n_cols).step_by(n_cols) {
                // No two parts share an element, and the window itself is consumed.
                let start = self.start.wrapping_add(row * self.row_stride + column);
                parts.push(Self { start, n_rows, n_cols, row_stride: self.row_stride, data: PhantomData });
            }
        }
        parts
    }
    // ANCHOR_END: split

    /// Bands of `n_cols` columns, the last as wide as it comes, each a window of its own: different threads may write them at the same time.
    ///
    /// # Panics
    /// If `n_cols` is zero.
    pub fn bands(self, n_cols: usize) -> impl Iterator<Item = Self> {
        assert!(n_cols > 0, "bands of no column");
        (0..self.n_cols).step_by(n_cols).map(move |column| {
            // No two bands share an element, and the window itself is consumed.
            let start = self.start.wrapping_add(column);
            Self { start, n_cols: n_cols.min(self.n_cols - column), ..self }
        })
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Number of columns.
    pub fn n_cols(&self) -> usize {
        self.n_cols
    }

    /// Distance between the starts of two rows.
    pub fn row_stride(&self) -> usize {
        self.row_stride
    }

    /// Where element (0, 0) is.
    pub fn as_mut_ptr(&mut self) -> *mut f32 {
        self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_see_what_they_name() {
        let data: Vec<f32> = (0..24).map(|i| i as f32).collect();
        let m = Matrix::new(&data, 6).rows(1..4).columns(2..5); // 8 9 10 / 14 15 16 / 20 21 22
        assert_eq!((m.n_rows(), m.n_cols()), (3, 3));
        assert_eq!(m.row(1), [14.0, 15.0, 16.0]);
        let t = m.transposed().rows(1..2).transposed(); // the middle column
        assert_eq!((t.n_rows(), t.n_cols()), (3, 1));
        assert_eq!((t.row(0), t.row(2)), (&[9.0][..], &[21.0][..]));
    }

    #[test]
    fn parts_cover_the_window_once() {
        let mut data = vec![0.0; 4 * 6];
        let parts = MatrixMut::new(&mut data, 6).split(2, 3);
        assert_eq!(parts.len(), 4);
        std::thread::scope(|scope| {
            for (number, mut part) in parts.into_iter().enumerate() {
                scope.spawn(move || {
                    for i in 0..2 {
                        part.row_mut(i).iter_mut().for_each(|x| *x += 1.0 + number as f32);
                    }
                });
            }
        });
        assert_eq!(data[..6], [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
        assert_eq!(data[18..], [3.0, 3.0, 3.0, 4.0, 4.0, 4.0]);
    }

    #[test]
    #[should_panic(expected = "columns")]
    fn a_window_beyond_the_matrix_is_refused() {
        let _ = Matrix::new(&[0.0; 6], 3).columns(2..4);
    }
}
