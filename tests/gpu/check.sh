#!/usr/bin/env bash
# Builds all that the GPU suite needs into one folder, which then runs on a machine with a GPU and without Rust; --help says how.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

usage() {
  cat <<'USAGE'
Packs the GPU suite: the program and the tests of its kernels, built for CUDA, and token shards to pretrain on. Needs a CUDA toolkit, no GPU. The
folder that it makes goes to a machine with an NVIDIA GPU and a PyTorch for the same CUDA, where suite.sh runs it.

  check.sh [options]

  --out DIR        the folder to make [target/gpu-suite]
  --max-mib N      fail if the folder is larger than N MiB [64]
  --corpus WORD    what to pretrain on, as llm run --corpus takes it [rust-docs]
  --data DIR       where that is prepared, once for all packs [target/gpu-data]
  --rehearsal      no CUDA: the CPU plays the GPU, on a small model. It tries out the scripts, on any machine

The CUDA build goes to target/cuda, or to $CARGO_TARGET_DIR. It finds the toolkit by CUDA_HOME, CUDA_PATH or CUDA_ROOT, by nvcc on the PATH, or in
/usr/local/cuda. CUDA_COMPUTE_CAP=90 says which GPUs it is for where no GPU is there to be asked (90: H100 and H200; 80: A100; 89: RTX 40).

Example: CUDA_COMPUTE_CAP=90 bash tests/gpu/check.sh
         then, there: bash gpu-suite/suite.sh results
USAGE
}

die() {
  echo "check.sh: $*" >&2
  exit 2
}

out='' max_mib=64 corpus='' data='' device=cuda
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit ;;
    --rehearsal) device=cpu ;;
    --out | --max-mib | --corpus | --data)
      [ $# -ge 2 ] || die "$1 wants a value"
      case $1 in
        --out) out=$2 ;;
        --max-mib) max_mib=$2 ;;
        --corpus) corpus=$2 ;;
        --data) data=$2 ;;
      esac
      shift ;;
    *) die "unknown argument $1; --help lists what there is" ;;
  esac
  shift
done
[[ $max_mib =~ ^[1-9][0-9]*$ ]] || die "--max-mib $max_mib is not a number of at least 1"

if [ "$device" = cuda ]; then
  out=${out:-target/gpu-suite} data=${data:-target/gpu-data} corpus=${corpus:-rust-docs}
else
  out=${out:-target/gpu-rehearsal} data=${data:-target/gpu-rehearsal-data} corpus=${corpus:-world}
fi
[ ! -e "$out" ] || [ -f "$out/pack.tar.gz" ] || [ -z "$(ls -A "$out")" ] || die "$out exists and is no pack; choose another --out"

step() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }

# ---- the programs ----

find_toolkit() {
  local folder
  for folder in "${CUDA_HOME:-}" "${CUDA_PATH:-}" "${CUDA_ROOT:-}" /usr/local/cuda; do
    if [ -n "$folder" ] && [ -x "$folder/bin/nvcc" ]; then
      echo "$folder"
      return
    fi
  done
  if command -v nvcc > /dev/null; then
    dirname "$(dirname "$(command -v nvcc)")"
    return
  fi
  die "no CUDA toolkit: CUDA_HOME${CUDA_HOME:+ ($CUDA_HOME)} has no bin/nvcc, nor is nvcc on the PATH or in /usr/local/cuda.
Get one from developer.nvidia.com/cuda-downloads, or without an installer from NVIDIA's packages on PyPI:
  bash tests/gpu/toolkit.sh target/cuda-toolkit && source target/cuda-toolkit/env.sh
A rehearsal of the scripts needs none: --rehearsal"
}

# Both programs by one command: two would choose other features of what they share, and compile candle's kernels twice.
build=(cargo build --release --package llm-from-scratch --package kernels --bin llm --test cuda)
# A CPU build reads nothing of what CUDA's asks for.
cpu=(env -u RUSTFLAGS -u CARGO_TARGET_DIR)
if [ "$device" = cuda ]; then
  # An assignment of its own: in `export`, a failure would pass unseen.
  toolkit=$(find_toolkit)
  export CUDA_HOME=$toolkit CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target/cuda}
  step "build for CUDA, with $toolkit, into $CARGO_TARGET_DIR"
  build+=(--features cuda)
else
  step "build for the rehearsal"
  build=("${cpu[@]}" "${build[@]}" --features kernels/twin)
fi
"${build[@]}"
made=$("${build[@]}" --quiet --message-format=json)
executable() { sed -n 's/.*"name":"'"$1"'".*"executable":"\([^"]*\)".*/\1/p' <<< "$made" | tail -n 1; }
suite_llm=$(executable llm) kernel_tests=$(executable cuda)
[ -x "$suite_llm" ] && [ -x "$kernel_tests" ] || die "cargo does not say where it put llm and the kernels' tests"

llm=$suite_llm
if [ "$device" = cuda ]; then
  step "build for this machine, to prepare data"
  "${cpu[@]}" cargo build --release
  llm=$PWD/target/release/llm
fi

# ---- the data ----

step "data: $corpus up to token shards, in $data"
settings=(--config "$PWD/tests/gpu/pretrain.toml")
[ "$device" = cuda ] || settings=(--preset micro --precision bf16)
case $corpus in
  world | rust-docs | /*) ;;
  *) corpus=$PWD/$corpus ;;
esac
mkdir -p "$data"
existing=()
[ ! -f "$data/runs/pretrain/run.toml" ] || existing=(--resume)
(cd "$data" && "$llm" run --name pretrain --corpus "$corpus" "${settings[@]}" --until shards "${existing[@]}") ||
  die "data could not be prepared. If the settings have changed since they were, delete $data"

# ---- the pack ----

step "pack"
staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT
mkdir -p "$staging/bin" "$staging/run/corpus"
strip -o "$staging/bin/llm" "$suite_llm"
strip -o "$staging/bin/kernel-tests" "$kernel_tests"
# The program must start without NVIDIA's libraries, or a missing one ends it before it can say which.
if readelf -d "$staging/bin/llm" | grep NEEDED | grep -E 'libcu|libnvrtc'; then
  echo "check.sh: the program is linked with the libraries above; did chapters/09-kernels/build/entry_points.rs find the toolkit?" >&2
  exit 1
fi
run=$data/runs/pretrain
# What pretraining reads: not the crawl, nor the documents that the shards hold.
cp -r "$run/run.toml" "$run/tokenizer.json" "$run/stages" "$run/shards" "$staging/run/"
cp "$run/corpus/held_out.jsonl" "$staging/run/corpus/"
glibc=$(objdump -T "$staging/bin/llm" "$staging/bin/kernel-tests" | grep -oE 'GLIBC_[0-9.]+' | sort -uV | tail -n 1)
{
  echo "device=$device"
  echo "commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)$([ -z "$(git status --porcelain 2>/dev/null)" ] || echo ' and changes')"
  echo "rustc=$(rustc --version | cut -d" " -f2)"
  [ "$device" != cuda ] || echo "nvcc=$("$CUDA_HOME/bin/nvcc" --version | sed -n 's/.*release \([^,]*\),.*/\1/p')"
  echo "glibc=${glibc#GLIBC_}"
} > "$staging/pack.txt"
cat "$staging/pack.txt"

rm -rf "$out"
mkdir -p "$out"
tar -C "$staging" -czf "$out/pack.tar.gz" bin run pack.txt
cp tests/gpu/suite.sh tests/gpu/report.py tests/gpu/torch_train.py tests/reference/torch_step.py "$out/"
du -ak "$staging" | sort -rn | sed -n '2,8s|'"$staging/"'|  |p'
kib=$(du -sk "$out" | cut -f1)
echo "$out: $(((kib + 1023) / 1024)) MiB"
if [ "$kib" -gt $((max_mib * 1024)) ]; then
  echo "check.sh: that is more than --max-mib $max_mib; a smaller --corpus makes it smaller" >&2
  exit 1
fi
echo "there: bash $(basename "$out")/suite.sh results"
