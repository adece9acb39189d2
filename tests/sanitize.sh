#!/usr/bin/env bash
# Runs the kernels' tests where a read or write outside of its buffer, or a race of two threads, is an error of its own and not a wrong number.
#
#   tests/sanitize.sh address [arguments for the tests]   all of them, with all instructions of this CPU, under AddressSanitizer
#   tests/sanitize.sh miri [arguments for the tests]      what runs without foreign code and intrinsics, in Rust's interpreter: windows on
#                                                         matrices and the products that threads write through them; minutes
#
# Needs a nightly toolchain: rustup toolchain install nightly --component rust-src,miri. Builds go to target/sanitize.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tool=${1:-}
[ $# -gt 0 ] && shift
target=x86_64-unknown-linux-gnu
export CARGO_TARGET_DIR=target/sanitize
case "$tool" in
  address)
    # Leaks are none of its business here: pools keep their buffers until the end.
    export RUSTFLAGS=-Zsanitizer=address ASAN_OPTIONS=detect_leaks=0
    cargo +nightly test -p kernels --target "$target" --lib --tests -- --skip the_peak_is_what_was_predicted "$@"
    ;;
  miri)
    # rayon's queues keep pointers as integers, which the stricter models of memory do not allow.
    export MIRIFLAGS="-Zmiri-tree-borrows -Zmiri-permissive-provenance -Zmiri-disable-isolation -Zmiri-ignore-leaks"
    cargo +nightly miri test -p kernels --lib -- matrix few_rows matvec "$@"
    ;;
  *)
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
