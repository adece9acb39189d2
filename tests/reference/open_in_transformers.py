"""Opens a model folder that `llm` wrote in Hugging Face transformers, to compare with what `llm` says about the same text.

    python3 tests/reference/open_in_transformers.py FOLDER ["a text"] ["a question"]

Prints the ids of the text, the model's favourite next tokens with their logits, the greedy continuation, and, if the folder has a chat
template, the rendered prompt for the question with its ids and the answer. Used by hand; needs torch and transformers (CPU).
"""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = sys.argv[1]
text = sys.argv[2] if len(sys.argv) > 2 else "The market in"
tokenizer = AutoTokenizer.from_pretrained(folder)
model, loading = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
print("loading:", {kind: sorted(names) for kind, names in loading.items() if names} or "every tensor found its place")
print("config:", {name: getattr(model.config, name) for name in ("vocab_size", "hidden_size", "num_hidden_layers")},
      "rope:", getattr(model.config, "rope_parameters", None))

ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
with torch.no_grad():
    logits = model(ids).logits[0, -1]
print("ids:", ids[0].tolist())
for value, token in zip(*(x.tolist() for x in logits.topk(5))):
    print(f"  {value:9.4f}  {token:6d}  {tokenizer.decode([token])!r}")
greedy = model.generate(ids, max_new_tokens=16, do_sample=False)
print("greedy:", tokenizer.decode(greedy[0, ids.shape[1]:], skip_special_tokens=False))

if tokenizer.chat_template:
    question = sys.argv[3] if len(sys.argv) > 3 else "What does Tovi sell?"
    messages = [{"role": "user", "content": question}]
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt").input_ids
    print("prompt:", repr(prompt), ids[0].tolist())
    end = tokenizer.convert_tokens_to_ids("<|end|>")
    answer = model.generate(ids, max_new_tokens=32, do_sample=False, eos_token_id=end)
    print("answer:", tokenizer.decode(answer[0, ids.shape[1]:], skip_special_tokens=False))
