//! Parquet tables that pyarrow wrote (`tests/reference/reading.py` of the workspace), sound and damaged.
#![allow(clippy::unwrap_used)]

#[cfg(feature = "parquet")]
use std::fs;
use std::path::{Path, PathBuf};

use corpus::read::{ReadError, read_folder};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reading").join(name)
}

#[cfg(not(feature = "parquet"))]
#[test]
fn a_build_without_parquet_says_what_is_missing() {
    let error = read_folder(&golden("snappy.parquet")).unwrap_err();
    assert!(matches!(error, ReadError::Empty { .. }));
    assert!(error.to_string().contains("--features parquet"), "{error}");
}

#[cfg(feature = "parquet")]
mod with_parquet {
    use super::*;
    use serde_json::Value;

    fn expected() -> Vec<Value> {
        serde_json::from_slice(&fs::read(golden("parquet.json")).unwrap()).unwrap()
    }

    #[test]
    fn every_codec_gives_the_rows_that_pyarrow_wrote() {
        let expected = expected();
        for codec in ["snappy", "zstd", "gzip", "none"] {
            let reading = read_folder(&golden(&format!("{codec}.parquet"))).unwrap();
            assert_eq!(reading.skipped.count, 0, "{codec}");
            assert_eq!(reading.documents.len(), expected.len(), "{codec}");
            for (document, row) in reading.documents.iter().zip(&expected) {
                assert_eq!(document.text, row["text"].as_str().unwrap());
                assert_eq!(document.id, row["id"].as_str().unwrap());
                assert_eq!(document.url, row["url"].as_str().unwrap_or_default());
                for name in ["language", "score", "n_tokens", "tags"] {
                    assert_eq!(document.metadata[name], row[name], "{codec}: {name}");
                }
                assert_eq!(document.metadata["licence"], row["metadata"]["licence"]);
                assert_eq!(document.metadata["year"], row["metadata"]["year"]);
            }
        }
    }

    #[test]
    fn rows_without_id_are_numbered_through_all_groups() {
        let reading = read_folder(&golden("no_ids.parquet")).unwrap();
        let ids: Vec<&str> = reading.documents.iter().map(|document| document.id.as_str()).collect();
        assert_eq!((ids.len(), ids[0], ids[11]), (12, "no_ids.parquet#1", "no_ids.parquet#12"));
    }

    /// The fuzzer's file: a page's header claims a list that would lie behind the end, with more elements than a day has milliseconds.
    #[test]
    fn a_list_behind_the_end_of_the_file_ends_there() {
        let error = read_folder(&golden("fields_behind_the_end.parquet")).unwrap_err();
        let ReadError::Empty { skipped, .. } = error else { panic!("{error}") };
        assert_eq!(skipped.count, 2, "each row group is skipped once: {skipped:?}");
    }

    #[test]
    fn a_table_without_text_names_its_columns() {
        let error = read_folder(&golden("no_text.parquet")).unwrap_err();
        assert!(error.to_string().contains("no column \"text\"; its columns are id, url"), "{error}");
    }

    /// Wherever a byte is wrong: no panic, no more rows than there are, and what is lost is reported.
    #[test]
    fn damage_costs_at_most_its_row_group_or_is_reported() {
        let sound = fs::read(golden("snappy.parquet")).unwrap();
        let whole: Vec<String> = expected().iter().map(|row| row["text"].as_str().unwrap().to_owned()).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        for at in (4..sound.len()).step_by(61) {
            let mut bytes = sound.clone();
            bytes[at] ^= 0x2d;
            fs::write(&path, &bytes).unwrap();
            match read_folder(&path) {
                Ok(reading) => {
                    assert!(reading.documents.len() <= whole.len(), "at {at}");
                    let n_lost = whole.len() - reading.documents.len();
                    assert!(n_lost == 0 || reading.skipped.count > 0, "at {at}: {n_lost} rows are lost without a word");
                }
                Err(error) => assert!(matches!(error, ReadError::Empty { .. }), "at {at}: {error}"),
            }
        }
        // The second row group alone.
        let reading = {
            let mut bytes = sound.clone();
            let at = bytes.windows(11).position(|window| window == b"Document 10").unwrap();
            bytes[at..at + 60].fill(0xff);
            fs::write(&path, &bytes).unwrap();
            read_folder(&path).unwrap()
        };
        let texts: Vec<&str> = reading.documents.iter().map(|document| document.text.as_str()).collect();
        assert!(texts.starts_with(&whole[..10].iter().map(String::as_str).collect::<Vec<_>>()), "{texts:?}");
        assert!(texts.ends_with(&whole[20..].iter().map(String::as_str).collect::<Vec<_>>()), "{texts:?}");
        let first = &reading.skipped.first[0];
        assert!(first.reason.starts_with("row group 1, row "), "{first}");
        assert!(first.offset > 0);
    }

    #[test]
    fn a_cut_file_is_skipped_whole() {
        let sound = fs::read(golden("zstd.parquet")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("cut.parquet"), &sound[..sound.len() - 100]).unwrap();
        fs::write(folder.path().join("a.txt"), "some text").unwrap();
        let reading = read_folder(folder.path()).unwrap();
        assert_eq!((reading.documents.len(), reading.skipped.count), (1, 1));
    }
}
