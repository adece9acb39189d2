#!/usr/bin/env bash
# Assembles a CUDA 13.0 toolkit from NVIDIA's packages on PyPI: for building with --features cuda where there is no GPU, no driver, no installer.
#
#   tests/gpu/toolkit.sh DIR     downloads about 870 MB into DIR and unpacks 2 GB there
#   source DIR/env.sh            then sets what the build reads
#
# What is built needs NVIDIA's driver 580 or later where it runs, and CUDA's libraries: a toolkit's lib64, or those that PyTorch's packages bring.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
[ $# = 1 ] || { echo "usage: tests/gpu/toolkit.sh DIR" >&2; exit 2; }
mkdir -p "$1"
home=$(cd "$1" && pwd)
wheels=$(mktemp -d "$home/wheels.XXXXXX")
trap 'rm -rf "$wheels"' EXIT

python3 -m pip download --quiet --no-deps --only-binary=:all: -d "$wheels" \
  nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85 \
  nvidia-curand==10.4.0.35 nvidia-cuda-nvrtc==13.0.88 nvidia-cublas==13.0.2.14 nvidia-cuda-culibos==13.0.85
for wheel in "$wheels"/*.whl; do python3 -m zipfile -e "$wheel" "$wheels/unpacked"; done
cp -r "$wheels"/unpacked/nvidia/cu13/. "$home"/
chmod +x "$home"/bin/* "$home"/nvvm/bin/*
[ -e "$home/lib64" ] || ln -s lib "$home/lib64"
# Wheels have no names without a version, which linkers look for.
for library in cublas cublasLt cudart curand nvrtc; do
  versioned=("$home/lib/lib$library.so."*)
  ln -sf "$(basename "${versioned[0]}")" "$home/lib/lib$library.so"
done

# Nor is there a libcuda, which is the driver's: a stand-in with every function of it that cudarc knows, each answering CUDA_ERROR_NO_DEVICE.
cargo fetch --quiet
functions=("${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/cudarc-0.19.*/src/driver/sys/mod.rs)
[ -f "${functions[0]}" ] || { echo "toolkit.sh: cudarc 0.19 is not among cargo's sources; has Cargo.lock another version?" >&2; exit 1; }
mkdir -p "$home/lib/stubs"
grep -ohE 'fn cu[A-Z][A-Za-z0-9_]*' "${functions[@]}" | awk '{ print "int " $2 "(void) { return 100; }" }' | sort -u > "$home/lib/stubs/stub.c"
cc -shared -fPIC -w -fno-builtin -Wl,-soname,libcuda.so.1 -o "$home/lib/stubs/libcuda.so" "$home/lib/stubs/stub.c"

cat > "$home/env.sh" <<ENV
export CUDA_HOME=$home NVCC=$home/bin/nvcc PATH=$home/bin:\$PATH
export CUDA_COMPUTE_CAP=\${CUDA_COMPUTE_CAP:-90} CUDARC_CUDA_VERSION=13000
export LIBRARY_PATH=$home/lib:$home/lib/stubs
export RUSTFLAGS="-L native=$home/lib -L native=$home/lib/stubs -C link-arg=-Wl,-rpath-link,$home/lib"
ENV
"$home/bin/nvcc" --version | tail -n 2
echo "ready: source $home/env.sh"
