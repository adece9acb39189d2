"""One training step of a Llama in PyTorch on the CPU: the peer of `llm bench train`.

The same sizes, tokens, AdamW and threads; prints one JSON object with the fields that `llm bench train --json` has too.

    python torch_step.py --shape d_model=384,n_layers=6,n_heads=6,n_kv_heads=6,d_ff=1024,seq_len=256,batch=8,vocab_size=4096 \
        --threads 2 --steps 8 [--precision bf16] [--compile]
"""

import argparse
import json
import resource
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn


class Rotary(nn.Module):
    def __init__(self, head_dim, seq_len, base=10000.0):
        super().__init__()
        frequency = base ** (-torch.arange(0, head_dim, 2).float() / head_dim)
        angle = torch.outer(torch.arange(seq_len).float(), frequency)
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def forward(self, x):  # (batch, n_heads, seq_len, head_dim)
        first, second = x.chunk(2, -1)
        return torch.cat((first * self.cos - second * self.sin, second * self.cos + first * self.sin), -1)


class Block(nn.Module):
    def __init__(self, shape, rotary):
        super().__init__()
        d_model, self.n_heads, self.n_kv_heads = shape["d_model"], shape["n_heads"], shape["n_kv_heads"]
        self.head_dim = d_model // self.n_heads
        self.widths = [d_model, self.n_kv_heads * self.head_dim, self.n_kv_heads * self.head_dim]
        self.attention_norm = nn.RMSNorm(d_model, eps=1e-5)
        self.qkv = nn.Linear(d_model, sum(self.widths), bias=False)
        self.o = nn.Linear(d_model, d_model, bias=False)
        self.mlp_norm = nn.RMSNorm(d_model, eps=1e-5)
        self.gate_up = nn.Linear(d_model, 2 * shape["d_ff"], bias=False)
        self.down = nn.Linear(shape["d_ff"], d_model, bias=False)
        self.rotary = rotary

    def forward(self, x):
        batch, seq_len, d_model = x.shape
        q, k, v = self.qkv(self.attention_norm(x)).split(self.widths, -1)
        q = q.view(batch, seq_len, self.n_heads, self.head_dim).transpose(1, 2)
        k = k.view(batch, seq_len, self.n_kv_heads, self.head_dim).transpose(1, 2)
        v = v.view(batch, seq_len, self.n_kv_heads, self.head_dim).transpose(1, 2)
        attended = F.scaled_dot_product_attention(
            self.rotary(q), self.rotary(k), v, is_causal=True, enable_gqa=self.n_heads != self.n_kv_heads
        )
        x = x + self.o(attended.transpose(1, 2).reshape(batch, seq_len, d_model))
        gate, up = self.gate_up(self.mlp_norm(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Model(nn.Module):
    def __init__(self, shape):
        super().__init__()
        rotary = Rotary(shape["d_model"] // shape["n_heads"], shape["seq_len"])
        self.embedding = nn.Embedding(shape["vocab_size"], shape["d_model"])
        self.blocks = nn.ModuleList(Block(shape, rotary) for _ in range(shape["n_layers"]))
        self.norm = nn.RMSNorm(shape["d_model"], eps=1e-5)
        self.head = nn.Linear(shape["d_model"], shape["vocab_size"], bias=False)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens, targets):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x)
        return F.cross_entropy(self.head(self.norm(x)).flatten(0, 1).float(), targets.flatten())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shape", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--compile", action="store_true")
    arguments = parser.parse_args()
    shape = {name: int(value) for name, value in (pair.split("=") for pair in arguments.shape.split(","))}
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)

    model = Model(shape)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.999), weight_decay=0.1, fused=True)
    n_tokens = shape["batch"] * shape["seq_len"]
    tokens = torch.arange(n_tokens).view(shape["batch"], shape["seq_len"]) * 7919 % shape["vocab_size"]
    targets = (tokens * 31 + 7) % shape["vocab_size"]
    forward = torch.compile(model) if arguments.compile else model
    seconds, losses = [], []
    for _ in range(arguments.steps + 2):
        started = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=arguments.precision == "bf16"):
            loss = forward(tokens, targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        seconds.append(time.perf_counter() - started)
    step_seconds = statistics.median(seconds[2:])
    found = {
        "torch": torch.__version__,
        "shape": shape,
        "precision": arguments.precision,
        "compile": arguments.compile,
        "threads": torch.get_num_threads(),
        "n_parameters": sum(parameter.numel() for parameter in model.parameters()),
        "step_seconds": step_seconds,
        "tokens_per_s": n_tokens / step_seconds,
        "peak_resident_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "losses": [losses[0], losses[-1]],
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
