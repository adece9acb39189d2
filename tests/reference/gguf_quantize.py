# Makes GGUF files of the usual mixtures out of one in F32, by llama.cpp's own quantiser, and lists the types of tensors that each holds:
#
#   pip install llama-cpp-python gguf
#   llm import SmolLM2-135M-Instruct.Q4_1.gguf --out smollm2 && llm export --model smollm2 --gguf f32.gguf --type f32
#   python tests/reference/gguf_quantize.py f32.gguf OUT Q4_K_M Q5_K_M Q6_K
#   for t in Q4_K_M Q5_K_M Q6_K; do llm import OUT/$t.gguf --out OUT/$t; python tests/reference/gguf_smollm2.py --compare OUT/$t.gguf OUT/$t; done
#
# With --pure all matrices get the type that is asked for, as far as their rows are whole blocks.
import collections
import pathlib
import sys

import gguf
import llama_cpp as l

pure = "--pure" in sys.argv
source, out, *kinds = [word for word in sys.argv[1:] if word != "--pure"]
quiet = l.llama_log_callback(lambda level, text, data: None)
l.llama_log_set(quiet, None)
l.llama_backend_init()
for kind in kinds:
    path = pathlib.Path(out) / f"{kind}.gguf"
    params = l.llama_model_quantize_default_params()
    params.ftype, params.nthread, params.pure = getattr(l, f"LLAMA_FTYPE_MOSTLY_{kind}"), 2, pure
    assert l.llama_model_quantize(source.encode(), str(path).encode(), params) == 0, path
    types = collections.Counter(tensor.tensor_type.name for tensor in gguf.GGUFReader(path).tensors)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, {dict(types)}")
