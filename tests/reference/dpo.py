"""Makes dpo.json: DPO's loss, rewards and gradients by PyTorch, for ordinary and for extreme log-probabilities.

    python3 tests/reference/dpo.py > tests/reference/dpo.json

Needs torch (2.x, CPU). The loss is written as in equation 7 of arXiv 2305.18290, with torch's own logsigmoid.
"""

import json

import torch
from torch.nn.functional import logsigmoid

# Each row: log p of chosen, of rejected, the reference's of chosen, of rejected.
ROWS = [
    [-4.0, -6.0, -5.0, -5.5],
    [-9.5, -3.25, -4.0, -4.0],
    [-1.0, -1.0, -1.0, -1.0],
    [-60.0, -2.0, -61.5, -1.0],
    [-0.001, -700.0, -300.0, -0.002],
    [-9000.0, -1.0, -1.0, -9000.0],
]
cases = []
for beta in (0.1, 0.5):
    columns = [torch.tensor(column, requires_grad=True) for column in zip(*ROWS)]
    chosen, rejected, reference_chosen, reference_rejected = columns
    chosen_rewards = beta * (chosen - reference_chosen)
    rejected_rewards = beta * (rejected - reference_rejected)
    losses = -logsigmoid(chosen_rewards - rejected_rewards)
    losses.sum().backward()
    cases.append({
        "beta": beta,
        "losses": losses.tolist(),
        "chosen_rewards": chosen_rewards.tolist(),
        "rejected_rewards": rejected_rewards.tolist(),
        "chosen_gradients": chosen.grad.tolist(),
        "rejected_gradients": rejected.grad.tolist(),
    })
print(json.dumps({"torch": torch.__version__, "rows": ROWS, "cases": cases}, indent=1))
