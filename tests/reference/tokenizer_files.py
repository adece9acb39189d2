# Makes small tokenizer files with the pipelines of published models, and the ids that their own libraries give.
#
#   pip install tokenizers==0.23.3 tiktoken==0.14.0
#   python tests/reference/tokenizer_files.py
#
# writes tests/reference/tokenizer/*.json and cl100k.tiktoken. Each pipeline is written as the model's own `tokenizer.json` has it
# (GPT-2, Llama 3, SmolLM2, Qwen2, and GPT-4o as its conversions have it); the vocabulary is trained here, on generated text.
import base64
import json
import pathlib
import random

import tiktoken
import tokenizers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

FOLDER = pathlib.Path(__file__).parent / "tokenizer"

LLAMA_3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN_2 = LLAMA_3.replace(r"\p{N}{1,3}", r"\p{N}")
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+",
])
CL100K = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
          r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s")

WORDS = ("the lamp lamplight harbour of a stands standing understand market Tuesdays don't WE'LL fn main() { } => Übergröße "
         "café 東京の東 привет მთა 🦀🦀 -- ==> // HTMLParser self.len() 42 1984 3.14159 ½ e\u0301tude").split(" ")

SYLLABLES = "ka lo ven tri mar ist un der ber gol san Tu re ing er est pla no qui sha".split(" ")


def corpus(seed, n_lines):
    draw = random.Random(seed)
    for _ in range(n_lines):
        line = " " * draw.choice([0, 0, 0, 1, 2, 4, 8])
        for _ in range(draw.randrange(3, 15)):
            made = "".join(draw.choice(SYLLABLES) for _ in range(draw.randrange(1, 4)))
            line += draw.choice(WORDS[: draw.randrange(1, len(WORDS) + 1)] + [made] * 3)
            line += draw.choice([" ", " ", " ", ", ", "\n", "  ", "\r\n", "\t", ".\n\n"])
        yield line


TEXTS = list(corpus(2, 24)) + [
    "", " ", "\n", " \n  ", "a", "It's 123456 km,  don't\n\n  you'LL see\r\n\r\n", "x" * 70, "the" * 60,
    "<|endoftext|>", "a<|endoftext|> b", " <mask> ", "x <tool_call> y</tool_call>z", "<|im_start|>user\nhi<|im_end|>",
    "e\u0301 ne\u0301e \u1100\u1161 ﬁ ſ'ſ K", "\u00a0\u3000 tab\there", "🦀👩‍👩‍👧 𝚊", "".join(map(chr, range(1, 400))),
]


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(tokenizers.Regex(pattern), behavior, invert)


def byte_level(use_regex):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def gpt2():
    token = AddedToken("<|endoftext|>", special=True, normalized=True)
    return byte_level(True), None, [token], processors.ByteLevel(trim_offsets=False), False


def llama3():
    tokens = [AddedToken(text, special=True, normalized=False) for text in ("<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>")]
    stages = pre_tokenizers.Sequence([split(LLAMA_3), byte_level(False)])
    return stages, None, tokens, None, True


def smollm2():
    tokens = [AddedToken(text, special=True, normalized=False) for text in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")]
    stages = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level(True)])
    return stages, None, tokens, None, False


def qwen2():
    special = [AddedToken(text, special=True, normalized=False) for text in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")]
    ordinary = [AddedToken(text, special=False, normalized=False) for text in ("<tool_call>", "</tool_call>")]
    stages = pre_tokenizers.Sequence([split(QWEN_2), byte_level(False)])
    return stages, normalizers.NFC(), special + ordinary, processors.ByteLevel(trim_offsets=False), False


def gpt4o():
    # White space around these two belongs to them, and the second is looked for in the normalised text.
    tokens = [AddedToken("<|endoftext|>", special=True, normalized=False),
              AddedToken("<mask>", special=True, normalized=False, lstrip=True, rstrip=True),
              AddedToken("\u00e9tude", special=False, normalized=True)]
    stages = pre_tokenizers.Sequence([split(O200K, "removed", True), byte_level(False)])
    return stages, normalizers.NFC(), tokens, None, False


def make(name, parts):
    stages, normalizer, added, processor, ignore_merges = parts
    trainer = trainers.BpeTrainer(vocab_size=700, min_frequency=2, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = stages
    if normalizer is not None:
        trained.normalizer = normalizer
    trained.train_from_iterator(corpus(1, 400), trainer)
    # Published files put the added tokens behind the vocabulary.
    model = json.loads(trained.to_str())["model"]
    vocab, merges = model["vocab"], [tuple(merge) for merge in model["merges"]]
    if name == "llama3":
        # Tokens that no merge makes: only whole words can be they.
        for word in ("ĠharbourĠ", "Ġlamplighter", "Tuesday", "Ġsee"):
            vocab.setdefault(word, len(vocab))
    whole = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=ignore_merges))
    whole.pre_tokenizer, whole.decoder = stages, decoders.ByteLevel()
    if normalizer is not None:
        whole.normalizer = normalizer
    whole.add_tokens([token for token in added if not token.special])
    whole.add_special_tokens([token for token in added if token.special])
    if name == "llama3":
        begin = whole.token_to_id("<|begin_of_text|>")
        processor = processors.TemplateProcessing(
            single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|> $B", special_tokens=[("<|begin_of_text|>", begin)])
    if processor is not None:
        whole.post_processor = processor
    file = json.loads(whole.to_str())
    if name == "gpt2":
        # GPT-2's file is of the time when merges were lines.
        file["model"]["merges"] = [" ".join(merge) for merge in file["model"]["merges"]]
    (FOLDER / f"{name}.json").write_text(json.dumps(file, ensure_ascii=False, separators=(",", ":")) + "\n")
    whole = Tokenizer.from_str(json.dumps(file))
    rows = []
    for text in TEXTS:
        whole.encode_special_tokens = False
        row = {"text": text, "with_special": whole.encode(text, add_special_tokens=False).ids, "wrapped": whole.encode(text).ids}
        whole.encode_special_tokens = True
        row["plain"] = whole.encode(text, add_special_tokens=False).ids
        row["decoded"] = whole.decode(row["plain"], skip_special_tokens=True)
        rows.append(row)
    return rows


def tiktoken_rows():
    vocab = json.loads((FOLDER / "gpt4o.json").read_text())["model"]["vocab"]
    shown = {char: byte for byte, char in byte_characters().items()}
    ranks = {bytes(shown[char] for char in token): rank for token, rank in vocab.items()}
    # As tiktoken has it: the bytes first, in order, and a token that only a whole word can be.
    single, longer = sorted(token for token in ranks if len(token) == 1), [token for token in ranks if len(token) > 1]
    longer.sort(key=ranks.get)
    ranks = {token: rank for rank, token in enumerate(single + longer)}
    # No two tokens make this one, so that only the whole word can be it.
    ranks[b" xqzj"] = len(ranks)
    special = {"<|endoftext|>": len(ranks) + 1}
    lines = [f"{base64.b64encode(token).decode()} {rank}" for token, rank in ranks.items()]
    (FOLDER / "cl100k.tiktoken").write_text("\n".join(lines) + "\n")
    encoding = tiktoken.Encoding("test", pat_str=CL100K, mergeable_ranks=ranks, special_tokens=special)
    rows = [{"text": text, "plain": encoding.encode_ordinary(text), "with_special": encoding.encode(text, allowed_special="all")}
            for text in TEXTS + ["a xqzj", "aaa aa aaaaa harharbourbour lamplamplight"]]
    return {"special": special, "rows": rows}


def byte_characters():
    prints = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in prints]
    return {byte: chr(byte) for byte in prints} | {byte: chr(256 + n) for n, byte in enumerate(others)}


FOLDER.mkdir(exist_ok=True)
golden = {"versions": {"tokenizers": tokenizers.__version__, "tiktoken": tiktoken.__version__}}
for name, parts in {"gpt2": gpt2, "llama3": llama3, "smollm2": smollm2, "qwen2": qwen2, "gpt4o": gpt4o}.items():
    golden[name] = make(name, parts())
golden["tiktoken"] = tiktoken_rows()
(FOLDER / "ids.json").write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n")
