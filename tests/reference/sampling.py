"""What transformers makes of fixed logits, for chapters/07-generation/tests/sampling.rs.

    python3 -m venv venv && venv/bin/pip install torch transformers==5.23.0 && venv/bin/python tests/reference/sampling.py > tests/reference/sampling.json

The processors are the ones that `generate` itself would line up for each setting, in its own order. Presence and frequency penalties are not
among them; they enter as a processor of the caller, which `generate` places behind its own penalties and before temperature.
"""

import json
from importlib.metadata import version

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, LogitsProcessor, LogitsProcessorList

VOCAB_SIZE = 40
PROMPT = [3, 7, 7, 11, 20, 39]
GENERATED = [5, 7, 5, 5, 12, 30]


class OpenAiPenalties(LogitsProcessor):
    """mu[j] -> mu[j] - c[j] * frequency - (c[j] > 0) * presence, with c[j] the times that token j was sampled (OpenAI's API reference)."""

    def __init__(self, frequency, presence):
        self.frequency, self.presence = frequency, presence

    def __call__(self, input_ids, scores):
        counts = torch.zeros_like(scores)
        for token in input_ids[0, len(PROMPT) :].tolist():
            counts[0, token] += 1
        return scores - counts * self.frequency - (counts > 0) * self.presence


def logits(seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, VOCAB_SIZE, generator=generator) * 2.5


SETTINGS = [
    {},
    {"temperature": 0.5},
    {"temperature": 2.0},
    {"top_k": 5},
    {"top_p": 0.9},
    {"top_p": 0.3},
    {"min_p": 0.1},
    {"min_p": 1.0},
    {"temperature": 1.7, "top_k": 12, "top_p": 0.85},
    {"temperature": 1.7, "top_k": 12, "min_p": 0.2},
    {"temperature": 2.5, "top_k": 20, "top_p": 0.9, "min_p": 0.15},
    {"repetition_penalty": 1.3},
    {"repetition_penalty": 0.7},
    {"presence_penalty": 0.6},
    {"frequency_penalty": 0.8},
    {"frequency_penalty": -0.5, "presence_penalty": 1.5},
    {"repetition_penalty": 1.5, "presence_penalty": 0.4, "frequency_penalty": 0.3},
    {
        "temperature": 0.8,
        "top_k": 15,
        "top_p": 0.9,
        "min_p": 0.05,
        "repetition_penalty": 1.2,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.25,
    },
]

model = LlamaForCausalLM(
    LlamaConfig(
        vocab_size=VOCAB_SIZE,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
    )
)


def case(seed, setting):
    own = {key: value for key, value in setting.items() if key not in ("presence_penalty", "frequency_penalty")}
    config = GenerationConfig(do_sample=True, **{"top_k": 0, **own})
    of_openai = OpenAiPenalties(setting.get("frequency_penalty", 0.0), setting.get("presence_penalty", 0.0))
    processors = model._get_logits_processor(
        config, input_ids_seq_length=len(PROMPT), logits_processor=LogitsProcessorList([of_openai]), device="cpu"
    )
    scores = logits(seed)
    raw = scores[0].tolist()
    ids = torch.tensor([PROMPT + GENERATED])
    processed = processors(ids, scores.clone())
    return {
        "setting": setting,
        "order": [type(p).__name__ for p in processors],
        "logits": raw,
        "log_probs": torch.log_softmax(scores[0].double(), -1).tolist(),
        "probabilities": torch.softmax(processed[0].double(), -1).tolist(),
    }


cases = [case(seed, setting) for seed, setting in enumerate(SETTINGS)]
made_with = {name: version(name) for name in ("torch", "transformers")}
print(json.dumps({"made_with": made_with, "prompt": PROMPT, "generated": GENERATED, "cases": cases}))
