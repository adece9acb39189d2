#!/usr/bin/env bash
# Type-checks the CUDA build on a machine that has neither a CUDA toolkit nor a GPU.
#
#   tests/gpu/check-cuda-types.sh [arguments for cargo check]
#
# `cargo check` never links, and the Rust side of candle and cudarc reads no CUDA header. The one tool that the
# build calls is nvcc, which candle-kernels' build script runs over its .cu files. A stand-in that writes empty files
# where nvcc would write PTX, objects and a library is therefore enough for rustc to see every line under
# `feature = "cuda"`, the tests' included. It proves types alone: no kernel is compiled, nothing is linked or run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# A target folder of its own: a real CUDA build must never pick up the empty kernels. The stand-in lives there too,
# because build scripts run again, and candle with them, whenever the toolkit's path changes.
target=$PWD/target/cuda-check
toolkit=$target/toolkit
mkdir -p "$toolkit/bin" "$toolkit/include" "$toolkit/lib64"

cat > "$toolkit/nvcc.new" <<'NVCC'
#!/usr/bin/env bash
# Takes the three calls that cudaforge makes (to PTX, to an object, to a library) and refuses every other.
set -euo pipefail
call="$*" mode='' output='' folder='' source=''
while [ $# -gt 0 ]; do
  case $1 in
    --version) echo 'stand-in for nvcc: writes empty files'; exit ;;
    --ptx | -c | --lib) mode=$1 ;;
    -o) output=${2-}; shift ;;
    --output-directory) folder=${2-}; shift ;;
    *.cu) source=$1 ;;
  esac
  shift || break
done
# A source that is missing must fail here as it would there.
[ "$mode" = --lib ] || [ -f "$source" ] || mode=''
[ "$mode" != --ptx ] || output=${folder:+$folder/$(basename "$source" .cu).ptx}
if [ -z "$mode" ] || [ -z "$output" ]; then
  echo "stand-in for nvcc: cannot take 'nvcc $call'; teach it in tests/gpu/check-cuda-types.sh" >&2
  exit 1
fi
: > "$output"
NVCC
chmod +x "$toolkit/nvcc.new"
mv "$toolkit/nvcc.new" "$toolkit/bin/nvcc"

# What a toolkit on this machine might have set would reach the build scripts otherwise.
unset CUDA_PATH CUDA_ROOT CUDA_TOOLKIT_ROOT_DIR CUDNN_LIB NVCC_CCBIN
export CUDA_HOME=$toolkit NVCC=$toolkit/bin/nvcc PATH=$toolkit/bin:$PATH
# The bindings of CUDA 13.0, for compute capability 9.0.
export CUDARC_CUDA_VERSION=13000 CUDA_COMPUTE_CAP=90

# The release profile is the one a CUDA build is made in, and it leaves half of what dev leaves on the disk.
exec cargo check --package llm-from-scratch --package kernels --features cuda --all-targets --release --target-dir "$target" "$@"
