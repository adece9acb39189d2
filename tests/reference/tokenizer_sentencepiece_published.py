# The ids that SentencePiece and Hugging Face's tokenizers give for a real vocabulary of characters, Mistral's, which lies in a wheel on PyPI:
#
#   pip install tokenizers==0.23.2 sentencepiece==0.2.3 protobuf gguf
#   pip download --no-deps mistral-common==1.13.1 && unzip -qo mistral_common-*.whl '*.model.v*' -d files
#   python tests/reference/tokenizer_sentencepiece_published.py files/mistral_common/data target/published-spm [TEXT_FILE...]
#   PUBLISHED_TOKENIZERS=$PWD/target/published-spm cargo test -p tokenizer --test real_files -- --nocapture
#
# Each model is written three ways: as a GGUF file, with SentencePiece's own ids; as a tokenizer.json of Llama 2's form and one of Mistral's, with those of
# Hugging Face's library. The text is cut at 20,000 characters, and as much is made up. Nothing of this is committed.
import json
import pathlib
import random
import sys

import gguf
import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

MARK = "\u2581"
files, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
out.mkdir(parents=True, exist_ok=True)


def made_up(n_chars, seed):
    draw = random.Random(seed)
    ranges = [(0x4E00, 0x9FA5), (0x3041, 0x30FF), (0xAC00, 0xD7A3), (0x400, 0x4FF), (0x600, 0x6FF), (0x900, 0x97F), (0x1F300, 0x1FAFF),
              (0x20, 0x7E), (0x21, 0x17F), (0x300, 0x36F), (0x2000, 0x206F), (0x80, 0x10FFFF)]
    text = []
    while len(text) < n_chars:
        low, high = draw.choice(ranges)
        run = [chr(draw.randint(low, high)) for _ in range(draw.randrange(1, 12))]
        text += [c for c in run if not "\ud800" <= c <= "\udfff" and c != MARK]
        text += draw.choice(["", " ", " ", "  ", "\n", "\r\n", "\t", ", ", "。", " 1234567", "'ll ", "👩‍👩‍👧", "      ", " = foo(x);\n", "aaaaaaa"])
    return "".join(text)


text = "".join(pathlib.Path(name).read_text(errors="replace") for name in sys.argv[3:]).replace(MARK, "_").replace("\0", "")
text += made_up(max(1_000_000, len(text) // 2), 1).replace("\0", "")
texts = [text[at : at + 20_000] for at in range(0, len(text), 20_000)]
(out / "texts.json").write_text(json.dumps(texts))
index = []


def write(name, ids, entry):
    (out / f"{name}.ids.json").write_text(json.dumps(ids))
    index.append({"name": name, **entry})
    print(f"{name}: {len(texts)} texts, {len(text.encode()):,} bytes, {sum(map(len, ids)):,} ids")


def converted(proto, newer):
    vocab = {piece.piece: index for index, piece in enumerate(proto.pieces)}
    score = {piece.piece: piece.score for piece in proto.pieces if piece.type == 1}
    cuts = [(piece[:at], piece[at:]) for piece in score for at in range(1, len(piece))]
    merges = [(left, right) for left, right in cuts if left in score and right in score]
    merges.sort(key=lambda pair: (-score[pair[0] + pair[1]], -len(pair[0]), -len(pair[1])))
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if newer:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=MARK, prepend_scheme="first", split=False)
    else:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)])
    tokenizer.decoder = decoders.Sequence([decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    special = [piece.piece for piece in proto.pieces if piece.type in (2, 3)]
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in special])
    return tokenizer


for file in ["tokenizer.model.v1", "mistral_instruct_tokenizer_240323.model.v3"]:
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString((files / file).read_bytes())
    name = file.rsplit(".", 1)[1]
    writer = gguf.GGUFWriter(out / f"{name}.gguf", "llama")
    writer.add_tokenizer_model("llama")
    writer.add_token_list([piece.piece for piece in proto.pieces])
    writer.add_token_scores([piece.score for piece in proto.pieces])
    writer.add_token_types([piece.type for piece in proto.pieces])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    processor = sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())
    write(f"{name}-scores", [processor.encode(text) for text in texts], {"gguf": str((out / f"{name}.gguf").resolve())})
    for newer, form in [(False, "older"), (True, "newer")]:
        tokenizer = converted(proto, newer)
        tokenizer.save(str(out / f"{name}-{form}.json"))
        tokenizer.encode_special_tokens = True
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
        write(f"{name}-{form}", ids, {"tokenizer_json": str((out / f"{name}-{form}.json").resolve())})
(out / "index.json").write_text(json.dumps(index, indent=1))
