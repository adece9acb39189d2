"""Twenty training steps in PyTorch from one checkpoint on one list of batches: the peer of `llm pretrain --init --batches --dump-trace`.

    python3 tests/reference/training_trace.py                                      # makes families/*/trace.jsonl and trace_batches.json
    python3 tests/reference/training_trace.py MODEL batches.json trace.jsonl       # for any model folder and any batches

Needs torch and transformers (CPU). AdamW with decoupled decay on matrices alone, gradients clipped to a global norm, linear warmup and half a cosine,
all in float32: what the trainer of chapter 8 does.
"""

import json
import math
import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM

HERE = pathlib.Path(__file__).parent


def learning_rate(step, n_steps, schedule):
    warmup, final = schedule["warmup_steps"], schedule.get("final_ratio", 0.1)
    if step < warmup:
        return schedule["peak_lr"] * (step + 1) / warmup
    progress = min((step - warmup) / (max(n_steps - warmup, 2) - 1), 1.0)
    return schedule["peak_lr"] * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress)))


def trace(folder, job):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    train = job["train"]
    constants = {"beta1": 0.9, "beta2": 0.95, "eps": 1e-8, "weight_decay": 0.1} | train.get("optimizer", {})
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": constants["weight_decay"]},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1.0, betas=(constants["beta1"], constants["beta2"]), eps=constants["eps"])
    for step in range(train["steps"]):
        ids = torch.tensor(job["batches"][step % len(job["batches"])])
        logits = model(ids[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), ids[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, train.get("clip_norm", 1.0))
        lr = learning_rate(step, train["steps"], train["schedule"])
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.step()
        yield {"step": step + 1, "loss": loss.item(), "grad_norm": norm.item(), "lr": lr}


def write(folder, job, file):
    with open(file, "w") as out:
        for step in trace(folder, job):
            out.write(json.dumps(step) + "\n")


if len(sys.argv) > 1:
    write(sys.argv[1], json.load(open(sys.argv[2])), sys.argv[3])
else:
    torch.manual_seed(0)
    batches = torch.randint(0, 89, (5, 4, 18)).tolist()
    job = {"train": {"steps": 20, "schedule": {"peak_lr": 0.01, "warmup_steps": 4}}, "batches": batches}
    (HERE / "families" / "trace_batches.json").write_text(json.dumps(job) + "\n")
    for folder in sorted((HERE / "families").iterdir()):
        if folder.is_dir():
            write(folder, job, folder / "trace.jsonl")
            print(folder.name, (folder / "trace.jsonl").read_text().splitlines()[-1])
