"""Generation by llama.cpp and by `llm bench decode`, in turn, on the same random weights in f32: tokens a second.

Makes a Llama of SmolLM2-135M's shape in FOLDER, as `model/` for us and as `model.gguf` for llama.cpp, unless it is there; then runs PAIRS pairs of processes, which
take turns to be first. Both begin with token 0 and take the most likely token each time; how many of them agree is part of the report.
With --batch N, so many texts with different prompts grow side by side.
With --type Q8_0, llama.cpp runs its own quantisation of the same weights, a quarter of the bytes; with --quantize q8_0 so do we. (It rounds what it multiplies with
them as well, we do not, so some tokens differ in the end.)

    pip install llama-cpp-python gguf safetensors numpy
    cargo build --release
    python llama_cpp_decode.py FOLDER --llm target/release/llm --threads 2 --tokens 128 --pairs 5
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

SHAPE = dict(d_model=576, n_layers=30, n_heads=9, n_kv_heads=3, d_ff=1536, vocab_size=49152, max_seq_len=2048)
ROPE_THETA, EPS, STD = 100_000.0, 1e-5, 0.05


def weights(shape):
    """Name in Hugging Face's layout, name in GGUF, numbers."""
    import numpy as np

    rng = np.random.default_rng(0)
    d, kv = shape["d_model"], shape["d_model"] // shape["n_heads"] * shape["n_kv_heads"]

    def normal(*size):
        return rng.standard_normal(size, dtype=np.float32) * np.float32(STD)

    yield "model.embed_tokens.weight", "token_embd.weight", normal(shape["vocab_size"], d)
    for i in range(shape["n_layers"]):
        theirs, gguf = f"model.layers.{i}.", f"blk.{i}."
        yield theirs + "input_layernorm.weight", gguf + "attn_norm.weight", np.ones(d, np.float32)
        yield theirs + "self_attn.q_proj.weight", gguf + "attn_q.weight", normal(d, d)
        yield theirs + "self_attn.k_proj.weight", gguf + "attn_k.weight", normal(kv, d)
        yield theirs + "self_attn.v_proj.weight", gguf + "attn_v.weight", normal(kv, d)
        yield theirs + "self_attn.o_proj.weight", gguf + "attn_output.weight", normal(d, d)
        yield theirs + "post_attention_layernorm.weight", gguf + "ffn_norm.weight", np.ones(d, np.float32)
        yield theirs + "mlp.gate_proj.weight", gguf + "ffn_gate.weight", normal(shape["d_ff"], d)
        yield theirs + "mlp.up_proj.weight", gguf + "ffn_up.weight", normal(shape["d_ff"], d)
        yield theirs + "mlp.down_proj.weight", gguf + "ffn_down.weight", normal(d, shape["d_ff"])
    yield "model.norm.weight", "output_norm.weight", np.ones(d, np.float32)


def interleaved(matrix, n_heads):
    """The rows of each head in llama.cpp's order: pairs that are rotated together stand side by side."""
    half = matrix.shape[0] // n_heads // 2
    return matrix.reshape(n_heads, 2, half, -1).swapaxes(1, 2).reshape(matrix.shape)


def make(folder, shape):
    import gguf
    from safetensors.numpy import save_file

    model = folder / "model"
    model.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(folder / "model.gguf", "llama")
    writer.add_context_length(shape["max_seq_len"])
    writer.add_embedding_length(shape["d_model"])
    writer.add_block_count(shape["n_layers"])
    writer.add_feed_forward_length(shape["d_ff"])
    writer.add_head_count(shape["n_heads"])
    writer.add_head_count_kv(shape["n_kv_heads"])
    writer.add_rope_dimension_count(shape["d_model"] // shape["n_heads"])
    writer.add_rope_freq_base(ROPE_THETA)
    writer.add_layer_norm_rms_eps(EPS)
    writer.add_vocab_size(shape["vocab_size"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("no_vocab")
    ours = {}
    for name, gguf_name, numbers in weights(shape):
        ours[name] = numbers
        heads = {"q_proj": shape["n_heads"], "k_proj": shape["n_kv_heads"]}.get(name.split(".")[-2])
        writer.add_tensor(gguf_name, interleaved(numbers, heads) if heads else numbers)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(ours, model / "model.safetensors")
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape["vocab_size"],
        "hidden_size": shape["d_model"],
        "num_hidden_layers": shape["n_layers"],
        "num_attention_heads": shape["n_heads"],
        "num_key_value_heads": shape["n_kv_heads"],
        "intermediate_size": shape["d_ff"],
        "max_position_embeddings": shape["max_seq_len"],
        "rope_theta": ROPE_THETA,
        "rms_norm_eps": EPS,
        "tie_word_embeddings": True,
        "hidden_act": "silu",
    }
    # Last, so that a folder with it is complete.
    (model / "config.json").write_text(json.dumps(config))


def quantised(folder, kind):
    """The model in f32, or llama.cpp's own quantisation of it, which is made once."""
    import llama_cpp as l

    source, path = folder / "model.gguf", folder / f"model.{kind}.gguf"
    if kind == "f32":
        return source
    if not path.exists():
        params = l.llama_model_quantize_default_params()
        params.ftype = getattr(l, f"LLAMA_FTYPE_MOSTLY_{kind}")
        assert l.llama_model_quantize(str(source).encode(), str(path).encode(), params) == 0, path
    return path


def theirs(path, is_plain, threads, n_texts, n_prompt, n_tokens):
    """One run of llama.cpp: prints JSON as `llm bench decode --json` does."""
    import ctypes

    import llama_cpp as l
    import numpy as np

    l.llama_backend_init()
    model_params = l.llama_model_default_params()
    model_params.n_gpu_layers = 0
    model_params.use_extra_bufts = not is_plain
    model = l.llama_model_load_from_file(str(path).encode(), model_params)
    params = l.llama_context_default_params()
    params.n_ctx, params.n_seq_max = n_texts * (n_prompt + n_tokens + 1), n_texts
    params.n_threads, params.n_threads_batch = threads, threads
    params.n_batch = params.n_ubatch = max(n_texts * n_prompt, 64)
    # All of it in f32, as ours: the cache, and attention without the f16 of its flash attention.
    params.type_k = params.type_v = 0  # GGML_TYPE_F32
    params.flash_attn_type = 0  # LLAMA_FLASH_ATTN_TYPE_DISABLED
    context = l.llama_init_from_model(model, params)
    n_vocab = l.llama_vocab_n_tokens(l.llama_model_get_vocab(model))
    batch = l.llama_batch_init(n_texts * n_prompt, 0, 1)
    tokens, times = [], []
    prompts = [[(i * 7919 + text * 131) % n_vocab for i in range(n_prompt)] for text in range(n_texts)]

    def decode(new, position):
        """Reads the new tokens of each text, the first of which stands at `position`; returns the next ones."""
        started = time.perf_counter()
        batch.n_tokens, last = 0, []
        for text, ids in enumerate(new):
            for i, token in enumerate(ids):
                at, batch.n_tokens = batch.n_tokens, batch.n_tokens + 1
                batch.token[at], batch.pos[at] = token, position + i
                batch.n_seq_id[at], batch.seq_id[at][0], batch.logits[at] = 1, text, i == len(ids) - 1
            last.append(at)
        if l.llama_decode(context, batch) != 0:
            sys.exit("llama_decode failed")
        row = ctypes.POINTER(ctypes.c_float)
        logits = [np.ctypeslib.as_array(ctypes.cast(l.llama_get_logits_ith(context, at), row), (n_vocab,)) for at in last]
        new = [[int(of_text.argmax())] for of_text in logits]
        tokens.append(new[0][0])
        return new, time.perf_counter() - started

    # The prompts twice: the second time counts, when all buffers are there.
    decode(prompts, 0)
    l.llama_memory_clear(l.llama_get_memory(context), True)
    tokens.clear()
    new, prompt_s = decode(prompts, 0)
    for i in range(n_tokens):
        new, seconds = decode(new, n_prompt + i)
        times.append(seconds)
    token_s = statistics.median(times)
    found = {"token_ms": token_s * 1e3, "tokens_per_s": n_texts / token_s, "prompt_tokens_per_s": n_texts * n_prompt / prompt_s, "tokens": tokens}
    print(json.dumps(found))


def run(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--llm", default="target/release/llm")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1, help="texts side by side")
    parser.add_argument("--prompt-tokens", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--type", default="f32", help="of llama.cpp's weights: f32, Q8_0, ...")
    parser.add_argument("--quantize", help="of our weights: q8_0 or q4_0 instead of f32")
    parser.add_argument("--plain-buffers", action="store_true", help="llama.cpp without its buffers for special instructions (AMX), where those crash")
    parser.add_argument("--only-theirs", action="store_true", help="one run of llama.cpp, in this process")
    args = parser.parse_args()
    if args.only_theirs:
        theirs(quantised(args.folder, args.type), args.plain_buffers, args.threads, args.batch, args.prompt_tokens, args.tokens)
        return
    if not (args.folder / "model" / "config.json").exists():
        make(args.folder, SHAPE)
    quantised(args.folder, args.type)
    same = ["--threads", str(args.threads), "--tokens", str(args.tokens), "--prompt-tokens", str(args.prompt_tokens)]
    same += ["--batch", str(args.batch)]
    ours = ["--quantize", args.quantize] if args.quantize else []
    plain = ["--plain-buffers"] if args.plain_buffers else []
    commands = {
        "ours": [args.llm, "bench", "decode", "--model", str(args.folder / "model"), "--json", *same, *ours],
        "llama.cpp": [sys.executable, __file__, str(args.folder), "--only-theirs", "--type", args.type, *same, *plain],
    }
    speeds, ratios, prompts = {name: [] for name in commands}, [], []
    for pair in range(args.pairs):
        names = list(commands) if pair % 2 == 0 else list(reversed(commands))
        found = {name: run(commands[name]) for name in names}
        for name in commands:
            speeds[name].append(found[name]["tokens_per_s"])
        ratios.append(speeds["ours"][-1] / speeds["llama.cpp"][-1])
        prompts.append(found["ours"]["prompt_tokens_per_s"] / found["llama.cpp"]["prompt_tokens_per_s"])
        both = zip(found["ours"]["tokens"], found["llama.cpp"]["tokens"])
        agree = next((i for i, (a, b) in enumerate(both) if a != b), args.tokens)
        print(
            f"pair {pair + 1}: ours {speeds['ours'][-1]:.1f}, llama.cpp {speeds['llama.cpp'][-1]:.1f} tokens/s, "
            f"ratio {ratios[-1]:.3f}; prompt {found['ours']['prompt_tokens_per_s']:.0f}, {found['llama.cpp']['prompt_tokens_per_s']:.0f} "
            f"tokens/s, ratio {prompts[-1]:.3f}; the first {agree} of {args.tokens} tokens are the same",
            flush=True,
        )
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    print(f"median: ours {medians['ours']:.1f}, llama.cpp {medians['llama.cpp']:.1f} tokens/s, ratio {statistics.median(ratios):.3f}; "
          f"prompt, ratio {statistics.median(prompts):.3f}")


if __name__ == "__main__":
    main()
