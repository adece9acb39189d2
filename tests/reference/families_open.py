"""Opens model folders that `llm export --hf` wrote of families/, in transformers: the logits must be those of the originals.

    for f in tests/reference/families/*/; do llm export --model $f --hf OUT/$(basename $f); done
    python3 tests/reference/families_open.py OUT

Needs torch and transformers (CPU). Prints the largest difference of a logit for each family.
"""

import pathlib
import sys

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

HERE = pathlib.Path(__file__).parent / "families"
worst = 0.0
for folder in sorted(path for path in HERE.iterdir() if path.is_dir()):
    golden = load_file(folder / "golden.safetensors")
    model = AutoModelForCausalLM.from_pretrained(pathlib.Path(sys.argv[1]) / folder.name, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        apart = (model(golden["inputs"]).logits - golden["logits"]).abs().max().item()
    print(f"{folder.name:<14} {type(model).__name__:<20} {apart:.1e}")
    worst = max(worst, apart)
sys.exit(worst > 1e-4)
