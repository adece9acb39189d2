//! Planted bug: reads the length as a decimal number.

/// The data of all chunks; `None` if `body` is not a whole chunked body.
pub fn join_chunks(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut joined = Vec::new();
    loop {
        let line_end = body.iter().position(|&byte| byte == b'\n')?;
        let line = std::str::from_utf8(&body[..line_end]).ok()?;
        let length = line.split(';').next()?.trim();
        let n_bytes = usize::from_str_radix(length, 10).ok()?;
        body = &body[line_end + 1..];
        if n_bytes == 0 {
            return Some(joined);
        }
        joined.extend_from_slice(body.get(..n_bytes)?);
        body = &body[n_bytes..];
        body = body.strip_prefix(b"\r\n").or_else(|| body.strip_prefix(b"\n"))?;
    }
}
