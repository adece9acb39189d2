"""Makes optimizer.json: six steps of torch.optim.AdamW with gradient clipping and a warmup-cosine learning rate.

    python3 tests/reference/optimizer.py > tests/reference/optimizer.json

Needs torch (2.x, CPU). Matrices decay (weight_decay 0.1), vectors do not; betas 0.9 and 0.95; clip 1.0.
"""

import json
import math

import torch

torch.manual_seed(0)
N_STEPS, WARMUP, PEAK, FINAL = 6, 3, 0.05, 0.1


def learning_rate(step):
    """Linear warmup, then half a cosine to FINAL * PEAK at the last step."""
    if step < WARMUP:
        return (step + 1) / WARMUP
    progress = (step - WARMUP) / (N_STEPS - WARMUP - 1)
    return FINAL + (1 - FINAL) * 0.5 * (1 + math.cos(math.pi * progress))


x = torch.randn(4, 3)
w = torch.randn(3, 2, requires_grad=True)
gain = torch.ones(2, requires_grad=True)
start = {"w": w.tolist(), "gain": gain.tolist(), "x": x.tolist()}
groups = [{"params": [w], "weight_decay": 0.1}, {"params": [gain], "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=PEAK, betas=(0.9, 0.95), eps=1e-8)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, learning_rate)

steps = []
for _ in range(N_STEPS):
    optimizer.zero_grad()
    ((x @ w) * gain).square().sum().backward()
    norm = torch.nn.utils.clip_grad_norm_([w, gain], 1.0)
    lr = scheduler.get_last_lr()[0]
    optimizer.step()
    scheduler.step()
    steps.append({"lr": lr, "norm": norm.item(), "w": w.tolist(), "gain": gain.tolist()})
print(json.dumps({**start, "torch": torch.__version__, "steps": steps}, indent=1))
