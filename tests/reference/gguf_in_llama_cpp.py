# Opens GGUF files that `llm export` wrote in llama.cpp, and compares what it says with what `llm` says of the folder that they come from:
#
#   pip install llama-cpp-python
#   llm export --model DIR --gguf f32.gguf --type f32        (and so on for the other types)
#   python tests/reference/gguf_in_llama_cpp.py --llm target/release/llm --model DIR --prompt TEXT f32.gguf f16.gguf ...
#
# For each file it prints whether llama.cpp cuts the prompt into the same tokens, how far its greedy text is the same as ours, and how far the logits
# of the last prompt token are apart. In f32 llama.cpp keeps keys and values in f32 here and computes without flash attention, as we do.
import argparse
import ctypes
import json
import os
import subprocess

import llama_cpp as l
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("files", nargs="+")
parser.add_argument("--llm", default="target/release/llm")
parser.add_argument("--model", required=True)
parser.add_argument("--prompt", default="The capital of France is")
parser.add_argument("--tokens", type=int, default=24)
args = parser.parse_args()


def ours(ids):
    """All logits of the next token, by id."""
    command = [args.llm, "model", "logits", "--model", args.model, "--ids", ",".join(map(str, ids)), "--top", "1000000", "--json"]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {row["id"]: row["logit"] for row in rows["top"]}


l.llama_backend_init()
quiet = l.llama_log_callback(lambda level, text, data: None)
l.llama_log_set(quiet, None)
for path in args.files:
    params = l.llama_model_default_params()
    params.n_gpu_layers = 0
    model = l.llama_model_load_from_file(path.encode(), params)
    if not model:
        print(f"{path}: llama.cpp does not open it")
        continue
    vocab = l.llama_model_get_vocab(model)
    text, room = args.prompt.encode(), (l.llama_token * 512)()
    ids = list(room[: l.llama_tokenize(vocab, text, len(text), room, 512, False, False)])
    command = [args.llm, "tokenizer", "encode", "--tokenizer", args.model, "--text", args.prompt, "--json"]
    same_ids = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout) == ids
    context_params = l.llama_context_default_params()
    context_params.n_ctx, context_params.n_threads, context_params.n_threads_batch = 512, 1, 1
    context_params.type_k = context_params.type_v = 0
    context_params.flash_attn_type = 0
    context = l.llama_init_from_model(model, context_params)
    n_vocab = l.llama_vocab_n_tokens(vocab)
    tokens, logits = [], []
    feed = (l.llama_token * len(ids))(*ids)
    n_feed = len(ids)
    for _ in range(args.tokens):
        assert l.llama_decode(context, l.llama_batch_get_one(feed, n_feed)) == 0
        found = np.ctypeslib.as_array(ctypes.cast(l.llama_get_logits_ith(context, -1), ctypes.POINTER(ctypes.c_float)), (n_vocab,)).copy()
        logits.append(found)
        tokens.append(int(found.argmax()))
        feed, n_feed = (l.llama_token * 1)(tokens[-1]), 1
    first = ours(ids)
    apart = max(abs(first[id] - float(logits[0][id])) for id in first)
    said, piece = b"", ctypes.create_string_buffer(64)
    for token in tokens:
        n_bytes = l.llama_token_to_piece(vocab, token, piece, 64, 0, True)
        said += piece.raw[: max(0, n_bytes)]
    said = said.decode(errors="replace")
    command = [args.llm, "generate", "--model", args.model, "--prompt", args.prompt, "--max-tokens", str(args.tokens), "--json"]
    text = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["text"]
    same = len(os.path.commonprefix([said, text]))
    print(f"{path}: same ids {same_ids}; {same} of {len(text)} characters of {args.tokens} greedy tokens as ours; logits apart by {apart:.1e}; says {said!r}", flush=True)
    l.llama_free(context)
    l.llama_model_free(model)
