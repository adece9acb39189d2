#!/usr/bin/env bash
# Runs the kernels' tests as an AArch64 program, so that the level called NEON is held against its references too.
#
#   tests/neon.sh [arguments for the tests, such as the part of a name]
#
# On an AArch64 machine `cargo test -p kernels` is the same. Elsewhere the CPU is emulated, which says whether results are right and nothing about
# speed. Needs the target's standard library (rustup target add aarch64-unknown-linux-gnu) and Debian's packages qemu-user, gcc-aarch64-linux-gnu and
# libc6-dev-arm64-cross. A cold build takes minutes and 0.8 GB in target/aarch64-unknown-linux-gnu.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=aarch64-unknown-linux-gnu
libraries=/usr/aarch64-linux-gnu

missing() { echo "tests/neon.sh: $1" >&2; exit 1; }
for tool in qemu-aarch64 aarch64-linux-gnu-gcc; do
  command -v "$tool" > /dev/null || missing "there is no $tool; apt-get install qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
done
[ -e "$(rustc --print sysroot)/lib/rustlib/$target" ] || missing "rustc has no standard library for $target; rustup target add $target"

export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L $libraries"
cargo test -p kernels --target "$target" --lib --tests -- "$@"
