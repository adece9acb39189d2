#!/usr/bin/env bash
# Runs fuzz targets one after another and prints a row for each: executions, edges covered, inputs kept, what was found.
#
#   fuzz/run.sh 600                  every target for ten minutes
#   fuzz/run.sh 3600 html gguf       two of them for an hour each
#   JOBS=8 fuzz/run.sh 600           eight at a time
#
# Needs a nightly compiler, a C++ compiler, and `cargo install cargo-fuzz`.
set -euo pipefail
cd "$(dirname "$0")"
seconds=$1
shift
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    for target in fuzz_targets/*.rs; do targets+=("$(basename "$target" .rs)"); done
fi
cargo +nightly fuzz build --fuzz-dir . --sanitizer none
programs=$(rustc -vV | sed -n 's|^host: ||p')
programs=target/$programs/release

run_one() {
    local target=$1 kept=found/$1 log=found/$1.log
    mkdir -p "$kept" "artifacts/$target"
    # Bounds that a healthy parser keeps: memory in all, one allocation, seconds an input.
    "$programs/$target" -rss_limit_mb=512 -malloc_limit_mb=256 -timeout="${TIMEOUT:-10}" -max_len=16384 -max_total_time="$seconds" \
        -print_final_stats=1 -artifact_prefix="artifacts/$target/" "$kept" "corpus/$target" > "$log" 2>&1 || true
    local edges inputs executions
    edges=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1 | cut -d' ' -f2)
    inputs=$(find "$kept" -type f | wc -l)
    executions=$(grep -o 'number_of_executed_units: [0-9]*' "$log" | cut -d' ' -f2)
    printf '%-16s %12s executions %7s edges %6s inputs  %s\n' "$target" "${executions:-?}" "${edges:-?}" "$inputs" \
        "$(find "artifacts/$target" -type f | wc -l) found"
}

export -f run_one
export programs seconds
printf '%s\n' "${targets[@]}" | xargs -P "${JOBS:-1}" -I{} bash -c 'run_one {}'
