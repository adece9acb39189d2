# Makes small SentencePiece-style tokenizers in the forms of published models, and the ids that their own libraries give.
#
#   pip install tokenizers==0.23.2 sentencepiece==0.2.3 protobuf
#   python tests/reference/tokenizer_sentencepiece.py
#
# writes tests/reference/tokenizer/spm/: `llama2.json` is a model that SentencePiece trained with Llama 2's settings, converted to the pipeline of
# Llama 2's tokenizer.json (every pair that makes a piece is a merge, ordered by the pieces' scores); `scores.json` is the same model as a GGUF file has it,
# with the ids of SentencePiece itself. `mistral.json`, `gemma.json` and `partial.json` were trained by Hugging Face's library: with Mistral's
# Metaspace; with Gemma's, with tokens across spaces; and with half of the byte tokens gone. `ids.json` has what `tokenizers` says of each.
import io
import json
import pathlib
import random

import sentencepiece
import tokenizers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

FOLDER = pathlib.Path(__file__).parent / "tokenizer" / "spm"
MARK = "\u2581"
SPECIAL = ["<unk>", "<s>", "</s>"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]

WORDS = ("the lamp lamplight harbour of a stands standing understand market Tuesdays don't WE'LL fn main() { } => Übergröße "
         "café 東京の東 привет -- ==> // HTMLParser self.len() 42 1984 3.14159 aaaa aaa ababab e\u0301tude").split(" ")
SYLLABLES = "ka lo ven tri mar ist un der ber gol san Tu re ing er est pla no qui sha".split(" ")


def corpus(seed, n_lines):
    draw = random.Random(seed)
    for _ in range(n_lines):
        line = " " * draw.choice([0, 0, 0, 1, 2, 4, 8])
        for _ in range(draw.randrange(3, 15)):
            made = "".join(draw.choice(SYLLABLES) for _ in range(draw.randrange(1, 4)))
            line += draw.choice(WORDS[: draw.randrange(1, len(WORDS) + 1)] + [made] * 3)
            line += draw.choice([" ", " ", " ", ", ", "  ", "\t", ". "])
        yield line


TEXTS = list(corpus(2, 24)) + [
    "", " ", "  ", "\n", " \n  ", "a", " a", "  a", "a ", "It's 123456 km,  don't\n\n  you'LL see\r\n\r\n", "x" * 70, "the" * 60, "ab" * 40,
    "<s>", "<s>a", "<s> a", "a<s>b</s> c", " <s>  a", "a</s>", "<unk>", "x <tool> y", "<tool>", "<tool> <tool>a", "<mask> a <mask>",
    "<0x41>", "A<0x0A>", "e\u0301 ne\u0301e \u1100\u1161 ﬁ", "\u00a0\u3000 tab\there", "🦀👩‍👩‍👧 𝚊", "🦀 🦀🦀 a🦀", "東京 の東京、東", "пока мир",
    "".join(map(chr, range(1, 400))), "of the lamp of the lamp", "a\u0000b", "\u00ff\u00fe 中文 lamp 文中",
]
# A text that holds the mark itself comes back with a space.
MARKED = ["\u2581", "\u2581a", "a\u2581b", " \u2581a", "\u2581 \u2581<s>\u2581b"]


def trained_by_sentencepiece():
    file = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=corpus(1, 600), model_writer=file, vocab_size=760, model_type="bpe", byte_fallback=True, character_coverage=0.999,
        normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True, allow_whitespace_only_pieces=True,
        num_threads=1, minloglevel=2)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(file.getvalue())
    return proto


def llama2(proto):
    vocab = {piece.piece: index for index, piece in enumerate(proto.pieces)}
    kinds = {piece.piece: piece.type for piece in proto.pieces}
    score = {piece.piece: piece.score for piece in proto.pieces}
    cuts = [(piece[:at], piece[at:]) for piece in vocab if kinds[piece] == 1 for at in range(1, len(piece))]
    merges = [pair for pair in cuts if all(kinds.get(part) == 1 for part in pair)]
    merges.sort(key=lambda pair: (-score[pair[0] + pair[1]], -len(pair[0]), -len(pair[1])))
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)])
    return with_rest(tokenizer, strip=True)


def with_rest(tokenizer, strip, normalized=False):
    stages = [decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence(stages + [decoders.Strip(" ", 1, 0)] * strip)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=normalized) for token in SPECIAL])
    tokenizer.add_special_tokens([AddedToken("<mask>", special=True, normalized=False, lstrip=True, rstrip=True)])
    tokenizer.add_tokens([AddedToken("<tool>", special=False, normalized=False)])
    begin = tokenizer.token_to_id("<s>")
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", begin)])
    return tokenizer


def trained_by_tokenizers(normalizer, pre_tokenizer, strip, lines, byte_tokens=BYTES, split=True, normalized=False):
    trainer = trainers.BpeTrainer(vocab_size=620, min_frequency=2, show_progress=False, special_tokens=SPECIAL + byte_tokens)
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    # In training, a cut at each word keeps tokens from crossing spaces.
    if split:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    tokenizer.train_from_iterator(lines, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merges = [tuple(merge) for merge in model["merges"]]
    tokenizer = Tokenizer(models.BPE(vocab=model["vocab"], merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    return with_rest(tokenizer, strip, normalized)


def mistral():
    metaspace = pre_tokenizers.Metaspace(replacement=MARK, prepend_scheme="first", split=False)
    return trained_by_tokenizers(None, metaspace, True, corpus(1, 300))


def gemma():
    idle = pre_tokenizers.Split(" ", "merged_with_previous")
    return trained_by_tokenizers(normalizers.Replace(" ", MARK), idle, False, corpus(3, 300), split=False)


def partial():
    # Its special tokens want normalised text, as some older files have it.
    metaspace = pre_tokenizers.Metaspace(replacement=MARK, prepend_scheme="always", split=False)
    return trained_by_tokenizers(None, metaspace, True, corpus(1, 300), byte_tokens=BYTES[:0xC8], normalized=True)


def older_normalized():
    normalizer = normalizers.Sequence([normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)])
    return trained_by_tokenizers(normalizer, None, True, corpus(1, 300), normalized=True)


def rows(tokenizer):
    found = []
    for text in TEXTS + MARKED:
        tokenizer.encode_special_tokens = False
        row = {"text": text, "with_special": tokenizer.encode(text, add_special_tokens=False).ids, "wrapped": tokenizer.encode(text).ids}
        tokenizer.encode_special_tokens = True
        row["plain"] = tokenizer.encode(text, add_special_tokens=False).ids
        row["decoded"] = tokenizer.decode(row["plain"], skip_special_tokens=True)
        row["decoded_with_special"] = tokenizer.decode(row["wrapped"], skip_special_tokens=False)
        found.append(row)
    return found


def write(name, value):
    (FOLDER / name).write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


FOLDER.mkdir(exist_ok=True)
proto = trained_by_sentencepiece()
made = {"llama2": llama2(proto), "mistral": mistral(), "gemma": gemma(), "partial": partial(), "normalized": older_normalized()}
golden = {"versions": {"tokenizers": tokenizers.__version__, "sentencepiece": sentencepiece.__version__}}
for name, tokenizer in made.items():
    write(f"{name}.json", json.loads(tokenizer.to_str()))
    golden[name] = rows(Tokenizer.from_file(str(FOLDER / f"{name}.json")))
write("ids.json", golden)
processor = sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())
write("scores.json", {
    "tokens": [piece.piece for piece in proto.pieces], "scores": [piece.score for piece in proto.pieces],
    "types": [piece.type for piece in proto.pieces],
    "rows": [{"text": text, "ids": processor.encode(text), "decoded": processor.decode(processor.encode(text))} for text in TEXTS],
})
