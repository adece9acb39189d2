"""Makes families/: tiny random models of every family by Hugging Face transformers, with their logits, loss and all gradients.

    python3 tests/reference/families.py
    python3 tests/reference/families.py --out DIR --tokenizer tokenizer.json     (folders alone, with this tokenizer, for gguf_in_llama_cpp.py)

Needs torch and transformers 5 (CPU). For every family: a folder as `save_pretrained` writes it, and `golden.safetensors` with ids, logits, loss and
the gradient of every parameter under transformers' names. Sizes are odd where they may be, since a mistake hides in round ones: a vocabulary of 89
or 97, two key-value heads for four. Gains and biases are random: gains of 1 and biases of 0 would hide forgotten ones. Weights are rounded to
what the file keeps (float32, bfloat16 or float16) before anything is computed in float32, so that the file says all.
"""

import argparse
import copy
import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file
from transformers import (
    GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM,
    Qwen3Config, Qwen3ForCausalLM,
)

parser = argparse.ArgumentParser()
parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "families")
parser.add_argument("--tokenizer", type=pathlib.Path)
args = parser.parse_args()
SIZES = dict(hidden_size=64, intermediate_size=88, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-5,
             initializer_range=0.1, max_position_embeddings=64)
LLAMA3 = {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16,
          "rope_theta": 5000.0}

FAMILIES = {
    # Name: class, configuration, dtype of the file.
    "gpt2": (GPT2LMHeadModel, GPT2Config(vocab_size=97, n_positions=48, n_embd=64, n_layer=2, n_head=4, n_inner=120, initializer_range=0.1,
                                         embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0), torch.float32),
    "llama2": (LlamaForCausalLM, LlamaConfig(vocab_size=97, tie_word_embeddings=False, rope_theta=10000.0, **(SIZES | {"num_key_value_heads": 4})),
               torch.float16),
    "llama3": (LlamaForCausalLM, LlamaConfig(vocab_size=97, tie_word_embeddings=False, rope_parameters=LLAMA3, **SIZES), torch.bfloat16),
    "llama-linear": (LlamaForCausalLM, LlamaConfig(vocab_size=89, rope_parameters={"rope_type": "linear", "factor": 3.0, "rope_theta": 10000.0},
                                                   tie_word_embeddings=True, **SIZES), torch.bfloat16),
    "smollm2": (LlamaForCausalLM, LlamaConfig(vocab_size=97, tie_word_embeddings=True, rope_theta=100000.0,
                                              **(SIZES | {"hidden_size": 72, "num_attention_heads": 9, "num_key_value_heads": 3,
                                                          "num_hidden_layers": 3})), torch.bfloat16),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(vocab_size=97, tie_word_embeddings=True, rope_theta=1000000.0, **SIZES), torch.bfloat16),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(vocab_size=97, tie_word_embeddings=True, head_dim=24, rope_theta=1000000.0, **SIZES), torch.bfloat16),
    "mistral": (MistralForCausalLM, MistralConfig(vocab_size=97, tie_word_embeddings=False, sliding_window=5, rope_theta=10000.0, **SIZES),
                torch.bfloat16),
}

for seed, (name, (kind, config, dtype)) in enumerate(FAMILIES.items()):
    torch.manual_seed(seed)
    if args.tokenizer:
        config.vocab_size = len(json.loads(args.tokenizer.read_text())["model"]["vocab"])
    config._attn_implementation = "eager"
    model = kind(config).float().eval()
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                centre = 0.0 if parameter_name.endswith("bias") else 1.0
                parameter.uniform_(centre - 0.3, centre + 0.3)
            parameter.copy_(parameter.to(dtype).float())
    folder = args.out / name
    # A copy: `to` would round the rotary frequencies too, which the file does not hold.
    copy.deepcopy(model).to(dtype).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if args.tokenizer:
        shutil.copy(args.tokenizer, folder / "tokenizer.json")
        continue

    ids = torch.randint(0, config.vocab_size, (2, 23))
    inputs, targets = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
    logits = model(inputs).logits
    loss = torch.nn.functional.cross_entropy(logits.reshape(-1, config.vocab_size), targets.reshape(-1))
    loss.backward()
    golden = {"inputs": inputs.to(torch.int64), "targets": targets.to(torch.int64), "logits": logits.detach(), "loss": loss.detach().reshape(1)}
    golden |= {f"gradient.{n}": p.grad.contiguous() for n, p in model.named_parameters()}
    save_file(golden, folder / "golden.safetensors")
    n = sum(p.numel() for p in model.parameters())
    print(f"{name}: {n} parameters, loss {loss.item():.6f}, {type(model).__name__}")
