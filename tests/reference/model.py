"""Makes tiny-llama/ and model.json: a random LlamaForCausalLM of Hugging Face transformers, its logits, loss and gradient norms.

    python3 tests/reference/model.py

Needs torch and transformers (CPU). Two key-value heads for four query heads, an untied head, an unusual rope_theta: sizes in which
a mistake shows. Norm gains are random, since gains of 1 would hide a forgotten one.
"""

import json
import pathlib

import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM

HERE = pathlib.Path(__file__).parent
torch.manual_seed(0)
config = LlamaConfig(
    vocab_size=96, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=32, rope_theta=5000.0, rms_norm_eps=1e-5, tie_word_embeddings=False, initializer_range=0.2,
)
model = LlamaForCausalLM(config).float().eval()
with torch.no_grad():
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            parameter.uniform_(0.5, 1.5)
model.save_pretrained(HERE / "tiny-llama")
(HERE / "tiny-llama" / "generation_config.json").unlink(missing_ok=True)

ids = torch.randint(0, config.vocab_size, (2, 13))
inputs, targets = ids[:, :-1], ids[:, 1:]
logits = model(inputs).logits
loss = torch.nn.functional.cross_entropy(logits.reshape(-1, config.vocab_size), targets.reshape(-1))
loss.backward()
golden = {
    "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    "inputs": inputs.tolist(),
    "targets": targets.tolist(),
    # Of the first row at three places: the first token, one in the middle, the last.
    "positions": [0, 6, 11],
    "logits": [[round(x, 7) for x in logits[0, t].tolist()] for t in (0, 6, 11)],
    "loss": loss.item(),
    "gradient_norms": {name: p.grad.norm().item() for name, p in model.named_parameters()},
}
(HERE / "model.json").write_text(json.dumps(golden, indent=1) + "\n")
