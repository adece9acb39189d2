//! x
fn main() { generation::tour(&mut std::io::stdout()).unwrap(); }
