# What transformers says with the weights of SmolLM2's GGUF file, and whether a folder that `llm import` made of it says the same:
#
#   pip install torch transformers gguf==0.19.0
#   FILE=$(sh tests/reference/fetch_smollm2.sh FOLDER)
#   llm import $FILE --out FOLDER/smollm2
#   python tests/reference/gguf_smollm2.py $FILE [FOLDER/smollm2]
#   SMOLLM2_GGUF=$FILE cargo test -p transformer --test gguf smollm2 -- --nocapture
#
# The same for files that llama.cpp's own quantiser made (gguf_quantize.py), without writing anything: --compare FILE FOLDER.
#
# The weights are dequantised by the package `gguf` and put into a LlamaForCausalLM, rows of queries and keys in halves again. Writes gguf/smollm2.json, the five
# most likely next tokens of a few prompts with their logits; with the folder it also prints how far apart the two are.
import json
import pathlib
import sys

import gguf
import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

compare = "--compare" in sys.argv
sys.argv = [word for word in sys.argv if word != "--compare"]
reader = gguf.GGUFReader(sys.argv[1])
field = lambda key: reader.fields[key].contents()
n_heads, n_kv = field("llama.attention.head_count"), field("llama.attention.head_count_kv")
config = LlamaConfig(
    vocab_size=field("llama.vocab_size"), hidden_size=field("llama.embedding_length"), num_hidden_layers=field("llama.block_count"),
    intermediate_size=field("llama.feed_forward_length"), num_attention_heads=n_heads, num_key_value_heads=n_kv,
    max_position_embeddings=field("llama.context_length"), rope_theta=field("llama.rope.freq_base"),
    rms_norm_eps=float(str(np.float32(field("llama.attention.layer_norm_rms_epsilon")))), tie_word_embeddings=True)
try:  # transformers 5 keeps the base in here.
    config.rope_parameters = {"rope_type": "default", "rope_theta": field("llama.rope.freq_base")}
except AttributeError:
    pass


def halves(rows, heads):
    return rows.reshape(heads, rows.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(rows.shape)


parts = {"attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
         "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
weights = {}
for tensor in reader.tensors:
    numbers = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
    words = tensor.name.split(".")
    if words[0] == "blk":
        numbers = halves(numbers, {"attn_q": n_heads, "attn_k": n_kv}[words[2]]) if words[2] in ("attn_q", "attn_k") else numbers
        name = f"model.layers.{words[1]}.{parts[words[2]]}.weight"
    else:
        name = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}[tensor.name]
    weights[name] = torch.from_numpy(np.ascontiguousarray(numbers))
theirs = LlamaForCausalLM(config).eval()
missing, unexpected = theirs.load_state_dict(weights, strict=False)
assert set(missing) <= {"lm_head.weight"} and not unexpected, (missing, unexpected)
theirs.tie_weights()

tokens = field("tokenizer.ggml.tokens")
id_of = {token: id for id, token in enumerate(tokens)}
prompts = [["The", "Ġcapital", "Ġof", "ĠFrance", "Ġis"], ["Once", "Ġupon", "Ġa"], ["fn", "Ġmain"], ["Water", "Ġboils", "Ġat"],
           ["<|im_start|>", "user", "Ċ", "Hello", "<|im_end|>", "Ċ", "<|im_start|>", "ass", "istant", "Ċ"]]
folder = AutoModelForCausalLM.from_pretrained(sys.argv[2], torch_dtype=torch.float32).eval() if len(sys.argv) > 2 else None
rows = []
with torch.no_grad():
    for prompt in prompts:
        ids = [id_of[token] for token in prompt]
        logits = theirs(torch.tensor([ids])).logits[0, -1]
        top = logits.topk(5)
        rows.append({"ids": ids, "top": [[int(i), round(float(x), 5)] for i, x in zip(top.indices, top.values)]})
        shown = ", ".join(f"{tokens[i]!r} {x}" for i, x in rows[-1]["top"])
        apart = ""
        if folder is not None:
            ours = folder(torch.tensor([ids])).logits[0, -1]
            apart = f"; our folder: the same five {bool((ours.topk(5).indices == top.indices).all())}, largest difference {float((ours - logits).abs().max()):.1e}"
        print(f"{''.join(prompt)!r}: {shown}{apart}")
if compare:
    sys.exit()
out = pathlib.Path(__file__).parent / "gguf" / "smollm2.json"
out.write_text(json.dumps({"file": pathlib.Path(sys.argv[1]).name, "rows": rows}) + "\n")
if folder is not None:
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[2])
    text = tokenizer.apply_chat_template([{"role": "user", "content": "Hello"}], tokenize=False, add_generation_prompt=True)
    print("chat template:", repr(text))
