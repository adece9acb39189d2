//! Tests of exercise 07.3.

use ex_generation::e3_kv_cache::Cache;

#[test]
fn rows_stand_one_behind_another() {
    let mut cache = Cache::new(4, 2);
    assert_eq!(cache.append(&[1.0, 2.0]), Ok(0), "the first row has position 0");
    assert_eq!(cache.append(&[3.0, 4.0]), Ok(1), "one row was there");
    assert_eq!(cache.append(&[5.0, 6.0]), Ok(2));
    assert_eq!(cache.rows(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "in the order in which they came");
}

#[test]
fn a_prompt_comes_at_once_and_the_next_token_behind_it() {
    let mut cache = Cache::new(5, 3);
    let prompt: Vec<f32> = (0..9).map(|i| i as f32).collect();
    assert_eq!(cache.append(&prompt), Ok(0));
    assert_eq!(cache.append(&[9.0, 10.0, 11.0]), Ok(3), "the token after a prompt of three has position 3");
    assert_eq!(cache.rows().len(), 12);
}

#[test]
fn what_is_not_filled_is_not_shown() {
    let mut cache = Cache::new(8, 2);
    assert!(cache.rows().is_empty(), "a new cache has no rows, whatever its buffer holds");
    cache.append(&[1.0, 2.0]).unwrap();
    assert_eq!(cache.rows(), [1.0, 2.0], "zeros beyond the end would be keys that a query looks at");
}

#[test]
fn a_full_cache_says_so_and_stays_as_it_is() {
    let mut cache = Cache::new(3, 2);
    cache.append(&[1.0, 2.0, 3.0, 4.0]).unwrap();
    let error = cache.append(&[5.0, 6.0, 7.0, 8.0]).expect_err("2 + 2 rows are more than 3");
    assert!(error.contains('4') && error.contains('3'), "name both numbers, not: {error}");
    assert_eq!(cache.rows(), [1.0, 2.0, 3.0, 4.0], "an error changes nothing");
    assert_eq!(cache.append(&[5.0, 6.0]), Ok(2), "one row still fits");
    assert!(cache.append(&[7.0, 8.0]).is_err());
}

#[test]
fn parts_of_rows_are_an_error() {
    let mut cache = Cache::new(3, 2);
    let error = cache.append(&[1.0, 2.0, 3.0]).expect_err("three numbers are one row and a half");
    assert!(error.contains('3') && error.contains('2'), "name both numbers, not: {error}");
    assert!(cache.rows().is_empty());
}

#[test]
fn a_cleared_cache_begins_at_zero() {
    let mut cache = Cache::new(2, 1);
    cache.append(&[1.0, 2.0]).unwrap();
    cache.clear();
    assert!(cache.rows().is_empty(), "the last conversation is none of the next one's business");
    assert_eq!(cache.append(&[3.0]), Ok(0));
    assert_eq!(cache.rows(), [3.0]);
}

#[test]
fn the_buffer_stays_where_it_is() {
    let mut cache = Cache::new(64, 4);
    cache.append(&[0.0; 4]).unwrap();
    let address = cache.rows().as_ptr();
    for _ in 1..64 {
        cache.append(&[1.0; 4]).unwrap();
    }
    assert_eq!(cache.rows().as_ptr(), address, "allocate once: a growing buffer is copied again and again");
}
