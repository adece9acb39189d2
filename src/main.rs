//! `llm`: the book's program. Without a command it does the main job, `llm run`.

// `println!` panics when the reader of a pipe has left.
#![warn(clippy::print_stdout)]

mod cli;
mod device;

use std::process::ExitCode;

/// glibc's allocator gives large blocks back to the kernel and takes them again at every tensor; this one keeps them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    keep_candle_from_spinning();
    cli::main()
}

/// candle's element-wise ops share work through a pool whose threads wait by spinning, which costs far more than it gains unless the machine
/// does nothing else. `.cargo/config.toml` says the same to programs that cargo starts.
fn keep_candle_from_spinning() {
    const THREADS: &str = "CANDLE_NUM_THREADS";
    if std::env::var_os(THREADS).is_none() {
        // SAFETY: this is the first statement of `main`; no other thread runs that could read the environment.
        #[allow(unsafe_code)]
        unsafe {
            std::env::set_var(THREADS, "1");
        }
    }
}
