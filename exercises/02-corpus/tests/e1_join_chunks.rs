//! Tests of exercise 02.1.
#![allow(clippy::unwrap_used)]

use ex_corpus::e1_join_chunks::join_chunks;

/// `data` as a server sends it in chunks of `size` bytes.
fn chunked(data: &[u8], size: usize, line_end: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for chunk in data.chunks(size) {
        body.extend_from_slice(format!("{:X}{line_end}", chunk.len()).as_bytes());
        body.extend_from_slice(chunk);
        body.extend_from_slice(line_end.as_bytes());
    }
    body.extend_from_slice(format!("0{line_end}{line_end}").as_bytes());
    body
}

#[test]
fn the_example_of_the_statement() {
    assert_eq!(join_chunks(b"5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\n\r\n").unwrap(), b"hello, world");
    assert_eq!(join_chunks(b"0\r\n\r\n").unwrap(), b"", "an empty body is a body");
}

#[test]
fn any_bytes_in_chunks_of_any_size_come_back() {
    // Line ends, digits, a character of three bytes, and bytes that are no text.
    let data: Vec<u8> = "one\r\n2\r\n€\n".bytes().chain(0..=255).collect();
    for size in 1..data.len() + 1 {
        for line_end in ["\r\n", "\n"] {
            assert_eq!(join_chunks(&chunked(&data, size, line_end)), Some(data.clone()), "chunks of {size}");
        }
    }
}

#[test]
fn a_body_that_is_cut_off_is_no_body() {
    let whole = chunked(b"hello, world", 5, "\r\n");
    // The empty line at the end carries nothing; without the line of the last chunk it is not whole.
    for cut in 0..whole.len() - 3 {
        assert_eq!(join_chunks(&whole[..cut]), None, "cut at {cut}");
    }
}

#[test]
fn what_is_not_chunked_is_refused_without_a_panic() {
    let bodies: [&[u8]; 7] = [
        b"",
        b"<html><body>hello</body></html>\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"\xff\xfe\r\nhello",
        b"5\r\nhello there\r\n0\r\n\r\n",
        b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        b"fffffffffffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    ];
    for body in bodies {
        assert_eq!(join_chunks(body), None, "{:?}", String::from_utf8_lossy(body));
    }
}
