#!/usr/bin/env bash
# The GPU suite: is the CUDA path right, and how fast is it? Runs from a pack that tests/gpu/check.sh made; --help says how.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
  cat <<'USAGE'
Runs the GPU suite from a pack made by check.sh, on a machine with an NVIDIA GPU and PyTorch. Needs no Rust and no CUDA toolkit: CUDA's
libraries come from PyTorch's packages, or from LD_LIBRARY_PATH.

  suite.sh OUT [options]

OUT gets gpu.md (the tables), gpu.json (the same and more, for programs), partN.log, and metrics.jsonl of the pretraining run.

  part 1  values and gradients of every operation against the reference
  part 2  training steps against the reference's, and against a CPU's
  part 3  tokens per second and MFU beside PyTorch: ours, theirs, ours, theirs
  part 4  pretraining on real text: killed, resumed, sampled
  part 5  where a step's time goes, kernel by kernel; Nsight Compute's view too, if ncu is installed

  --parts 1,2,3,4,5         which parts [all; without a GPU all but 5]; results of several calls go together by report.py --merge
  --seconds N               a part ends after N seconds; part 4 trains for somewhat less than half of them [500]
  --shapes 124m,350m,1.5b   the models of parts 3 and 5
  --rounds N                how often part 3 times each of the two [2]
  --steps N                 steps of each timing [20]
  --torch-args "..."        more arguments for torch_train.py, such as "--attention cudnn"
  --work DIR                where the pack is unpacked and runs are kept [work, beside this script]

The exit code is 0 if all parts passed, 1 if one failed, and 2 if the suite could not begin.

Example: bash suite.sh results --parts 1,2 --seconds 300
USAGE
}

die() {
  echo "suite.sh: $*" >&2
  exit 2
}

out='' parts='' part_seconds=500 shapes='' rounds=2 steps=20 torch_arguments=() work=$here/work
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit ;;
    --parts | --seconds | --shapes | --rounds | --steps | --torch-args | --work)
      [ $# -ge 2 ] || die "$1 wants a value"
      case $1 in
        --parts) parts=$2 ;;
        --seconds) part_seconds=$2 ;;
        --shapes) shapes=$2 ;;
        --rounds) rounds=$2 ;;
        --steps) steps=$2 ;;
        --torch-args) read -ra torch_arguments <<< "$2" ;;
        --work) work=$2 ;;
      esac
      shift ;;
    -*) die "unknown option $1; --help lists them" ;;
    *) [ -z "$out" ] || die "one folder for results, not both $out and $1"; out=$1 ;;
  esac
  shift
done
[ -n "$out" ] || die "where do results go? suite.sh OUT; --help says more"
[[ ${parts:-1} =~ ^[1-5](,[1-5])*$ ]] || die "--parts $parts: numbers from 1 to 5 with commas between them, such as 1,3"
for number in "$part_seconds" "$rounds" "$steps"; do
  [[ $number =~ ^[1-9][0-9]*$ ]] || die "$number is not a number of at least 1 (--seconds, --rounds, --steps)"
done

# Sizes as `llm bench train --shape` reads them.
shape_of() {
  case $1 in
    tiny) echo d_model=64,n_layers=2,n_heads=4,n_kv_heads=2,d_ff=96,seq_len=32,batch=4,vocab_size=256 ;;
    124m) echo d_model=768,n_layers=12,n_heads=12,n_kv_heads=12,d_ff=2048,seq_len=1024,batch=32,vocab_size=32768 ;;
    350m) echo d_model=1024,n_layers=24,n_heads=16,n_kv_heads=16,d_ff=2816,seq_len=2048,batch=16,vocab_size=32768 ;;
    1.5b) echo d_model=2048,n_layers=24,n_heads=16,n_kv_heads=16,d_ff=5632,seq_len=2048,batch=8,vocab_size=32768 ;;
    *) die "--shapes: there is no shape $1; there are 124m, 350m, 1.5b and tiny" ;;
  esac
}

# ---- the pack, the libraries, the machine ----

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null ||
  die "needs Python 3.9 or later as '$python'; set PYTHON to another"
[ -f "$here/pack.tar.gz" ] || die "$here holds no pack.tar.gz; tests/gpu/check.sh makes a folder that has one, and this script in it"
mkdir -p "$out" "$work"
out=$(cd "$out" && pwd) work=$(cd "$work" && pwd) pack=$work/pack results=$work/results
rm -rf "$results"
mkdir -p "$results"

checksum=$(cksum < "$here/pack.tar.gz")
if [ "$(cat "$work/unpacked" 2>/dev/null)" != "$checksum" ]; then
  rm -rf "$pack" "$work/unpacked"
  mkdir -p "$pack"
  tar -xzf "$here/pack.tar.gz" -C "$pack"
  echo "$checksum" > "$work/unpacked"
fi
llm=$pack/bin/llm kernel_tests=$pack/bin/kernel-tests
device=$(sed -n 's/^device=//p' "$pack/pack.txt")
default_parts=1,2,3,4,5 default_shapes=124m,350m,1.5b
[ "$device" = cuda ] || default_parts=1,2,3,4 default_shapes=tiny
IFS=, read -ra shapes <<< "${shapes:-$default_shapes}"
for name in "${shapes[@]}"; do shape_of "$name" > /dev/null; done

library_folders=$("$python" - <<'PYTHON'
import glob, os, site, sysconfig
roots = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages(), site.getusersitepackages()]
print(":".join(folder for root in dict.fromkeys(roots) for folder in sorted(glob.glob(os.path.join(root, "nvidia/*/lib")))))
PYTHON
)
LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$library_folders:/usr/local/cuda/lib64
export LD_LIBRARY_PATH
missing=$(ldd "$llm" "$kernel_tests" 2>&1 | grep 'not found' | sort -u || true)
[ -z "$missing" ] || die "the program cannot start here:
$missing
The pack was built for CUDA $(sed -n 's/^nvcc=//p' "$pack/pack.txt"). libcuda comes with NVIDIA's driver; the others with a PyTorch for that CUDA (pip install torch), or
with a toolkit, whose lib64 may stand in LD_LIBRARY_PATH. A GLIBC that is not found: the pack was built on a newer system than this one."
if [ "$device" = cuda ]; then
  nvidia-smi > /dev/null || die "nvidia-smi fails: this machine has no NVIDIA GPU, or no driver for it"
fi

"$python" - "$pack/pack.txt" "$device" > "$results/machine.json" <<'PYTHON'
import importlib.metadata, json, os, platform, subprocess, sys
def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
machine = dict(line.strip().split("=", 1) for line in open(sys.argv[1]))
machine |= {"python": platform.python_version(), "torch": version("torch"), "cores": os.cpu_count()}
if sys.argv[2] == "cuda":
    fields = ["name", "driver_version", "memory.total", "power.limit", "clocks.max.sm"]
    query = ["nvidia-smi", "--query-gpu=" + ",".join(fields), "--format=csv,noheader"]
    first = subprocess.run(query, capture_output=True, text=True).stdout.strip().splitlines()[:1]
    machine |= dict(zip(fields, (value.strip() for value in ",".join(first).split(","))))
print(json.dumps(machine))
PYTHON
cat "$results/machine.json"

# ---- the parts ----

# Runs a command for no longer than the part has left.
limited() {
  local left=$((deadline - SECONDS))
  if [ "$left" -le 0 ]; then
    echo "no time is left for: $*" >&2
    return 124
  fi
  timeout --kill-after 10 "$left" "$@"
}

# bench FILE COMMAND...: the JSON that a command prints as its last line, or {"error": ...} with the last line that it complains in.
bench() {
  local file=$1 status=0
  shift
  echo "+ $*" >&2
  limited "$@" > "$file.printed" 2> "$file.said" || status=$?
  cat "$file.said" >&2
  if [ "$status" = 0 ]; then
    tail -n 1 "$file.printed" > "$file"
  else
    tail -n 1 "$file.said" | "$python" -c '
import json, sys
print(json.dumps({"error": f"exit code {sys.argv[1]}: {sys.stdin.read().strip()[:300]}"}))' "$status" > "$file"
  fi
  rm "$file.printed" "$file.said"
  cat "$file" >&2
  return "$status"
}

operations() {
  limited "$kernel_tests" --skip training_steps_follow_the_reference --test-threads 1 --show-output
}

training_steps() {
  local failed=0 precision
  limited "$kernel_tests" --exact training_steps_follow_the_reference --test-threads 1 --show-output || failed=1
  # The same through the whole program: a CPU's 50 steps, and a GPU's in every precision.
  local step=("$llm" bench train --json --steps 48
    --shape "d_model=128,n_layers=2,n_heads=2,n_kv_heads=1,d_ff=256,seq_len=128,batch=4,vocab_size=1024")
  bench "$results/steps-cpu-f32.json" "${step[@]}" --device cpu --precision f32 || failed=1
  local precisions=(f32 tf32 bf16)
  [ "$device" = cuda ] || precisions=(bf16)
  for precision in "${precisions[@]}"; do
    bench "$results/steps-$device-$precision.json" "${step[@]}" --device "$device" --precision "$precision" || failed=1
  done
  return "$failed"
}

throughput() {
  local failed=0 name round shape file peak
  for name in "${shapes[@]}"; do
    shape=$(shape_of "$name")
    file=$results/throughput-$name
    for ((round = 1; round <= rounds; round++)); do
      bench "$file-ours-$round.json" "$llm" bench train --json --device "$device" --precision bf16 --steps "$steps" --shape "$shape" ||
        failed=1
      read -ra peak < <("$python" -c '
import json, sys
peak = json.load(open(sys.argv[1])).get("peak_gflops")
print(f"--peak-tflops {peak / 1e3}" if peak else "")' "$file-ours-$round.json")
      bench "$file-theirs-$round.json" "$python" "$here/torch_train.py" --device "$device" --precision bf16 --steps "$steps" --shape "$shape" \
        "${peak[@]}" "${torch_arguments[@]}" || failed=1
    done
  done
  return "$failed"
}

pretraining() {
  local folder=$work/pretrain run=$work/pretrain/runs/gpu prompt trainer
  local train=("$llm" pretrain --name gpu --device "$device")
  rm -rf "$folder"
  mkdir -p "$folder/runs"
  cp -r "$pack/run" "$run"
  cd "$folder"
  "$python" - "$run" $((part_seconds * 6 / 10)) <<'PYTHON'
# As if the run had been asked for with --minutes: the program fits its steps to what remains of them.
import json, pathlib, sys
run, seconds = pathlib.Path(sys.argv[1]), float(sys.argv[2])
spent = sum(json.loads(stage.read_text())["seconds"] for stage in (run / "stages").glob("*.json"))
settings = (run / "run.toml").read_text().splitlines()
kept = [line for line in settings if not line.startswith("minutes")]
(run / "run.toml").write_text("\n".join([f"minutes = {(spent + seconds) / 60:.4f}", *kept, ""]))
PYTHON

  "${train[@]}" &
  trainer=$!
  until is_to_be_killed "$run"; do
    if ! kill -0 "$trainer" 2>/dev/null; then
      wait "$trainer" || true
      echo "training ended before it could be killed" >&2
      return 1
    fi
    if [ "$SECONDS" -ge "$deadline" ]; then
      kill -9 "$trainer"
      echo "no time is left: training had not come to its middle" >&2
      return 1
    fi
    sleep 0.1
  done
  kill -9 "$trainer"
  wait "$trainer" || true
  cp "$run/pretrain/metrics.jsonl" "$results/metrics-before.jsonl"
  echo "killed after $(wc -l < "$results/metrics-before.jsonl") steps" >&2

  limited "${train[@]}" --resume
  cp "$run/pretrain/metrics.jsonl" "$results/metrics.jsonl"
  cp "$results/metrics.jsonl" "$out/metrics.jsonl"
  cp "$run/stages/pretrain.json" "$results/pretrain.json"
  for prompt in "A vector is" "fn main() {" "The compiler"; do
    limited "$llm" generate --model "$run/pretrained" --device "$device" --prompt "$prompt" --max-tokens 60 --temperature 0.8 --seed 1 --json |
      tee -a "$results/samples.jsonl"
  done
}

# Past the middle of a run, and some steps after a checkpoint: those are made again, and must come out the same.
is_to_be_killed() {
  local metrics=$1/pretrain/metrics.jsonl n_done total every
  [ -s "$metrics" ] || return 1
  n_done=$(wc -l < "$metrics")
  total=$(setting "$1" steps) every=$(setting "$1" checkpoint_every)
  [ $((2 * n_done)) -ge "$total" ] && [ $((n_done % every)) -ge $((every < 20 ? every / 2 : 10)) ]
}

# A setting of [pretrain.train].
setting() {
  awk -v name="$2" '/^\[/ { here = $0 == "[pretrain.train]" } here && $1 == name { print $3 }' "$1/run.toml"
}

profile() {
  local failed=0 name step
  for name in "${shapes[@]}"; do
    step=("$llm" bench train --device "$device" --precision bf16 --shape "$(shape_of "$name")")
    bench "$results/profile-$name.json" "${step[@]}" --json --steps 5 --profile || failed=1
  done
  if command -v ncu > /dev/null; then
    # An extra: many machines forbid its counters.
    limited ncu --set basic --launch-skip 2000 --launch-count 60 "${step[@]}" --steps 3 || echo "ncu failed; it is an extra" >&2
  fi
  return "$failed"
}

# ---- the run ----

run_part() {
  case $1 in
    1) operations ;;
    2) training_steps ;;
    3) throughput ;;
    4) pretraining ;;
    5) profile ;;
  esac
}

IFS=, read -ra wanted <<< "${parts:-$default_parts}"
for part in "${wanted[@]}"; do
  started=$SECONDS deadline=$((SECONDS + part_seconds))
  # Not in a condition: bash would ignore -e in there.
  set +e
  (set -e; run_part "$part") > "$out/part$part.log" 2>&1
  status=$?
  set -e
  printf '{"status": %d, "seconds": %d}\n' "$status" $((SECONDS - started)) > "$results/part$part.json"
  cp "$out/part$part.log" "$results/part$part.log"
  echo "part $part: exit code $status after $((SECONDS - started)) s"
done
status=0
"$python" "$here/report.py" "$results" --out "$out" || status=$?
cat "$out/gpu.md"
exit "$status"
