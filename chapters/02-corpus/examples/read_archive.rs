//! Reads WARC files and prints how many pages, bytes and seconds: `cargo run --release -p corpus --example read_archive -- FILE…`.
//!
//! The peers' side is `tests/reference/read_archive.py` of the workspace, which runs both in turn.

use std::path::Path;
use std::time::Instant;

use corpus::warc::WarcReader;

fn main() -> std::io::Result<()> {
    for file in std::env::args().skip(1) {
        let start = Instant::now();
        let (mut n_pages, mut n_bytes, mut n_damaged) = (0, 0, 0);
        for record in WarcReader::open(Path::new(&file))? {
            match record {
                Ok(record) => (n_pages, n_bytes) = (n_pages + 1, n_bytes + record.text.len()),
                Err(_) => n_damaged += 1,
            }
        }
        println!("{n_pages} {n_bytes} {n_damaged} {}", start.elapsed().as_secs_f64());
    }
    Ok(())
}
