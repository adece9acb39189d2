# Trains and encodes with `llm`, Hugging Face's tokenizers and tiktoken, in turn, on one thread each, and checks that all agree.
#
#   pip install tokenizers==0.23.3 tiktoken==0.14.0
#   python tests/reference/tokenizer_speed.py target/release/llm DOCUMENTS.jsonl [VOCAB_SIZE] [REPETITIONS]
#
# DOCUMENTS.jsonl has one {"text": ...} a line, as `llm corpus build` writes it. Every repetition runs the peers one after another, so that a
# busy machine slows all of them; the ratios are medians over repetitions. The peers are timed inside their process, without reading files.
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tiktoken  # noqa: E402
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers  # noqa: E402

llm, documents = sys.argv[1], sys.argv[2]
vocab_size = int(sys.argv[3]) if len(sys.argv) > 3 else 32_768
repetitions = int(sys.argv[4]) if len(sys.argv) > 4 else 5
texts = [json.loads(line)["text"] for line in open(documents, encoding="utf-8")]
n_bytes = sum(len(text.encode()) for text in texts)
special = ["<|endoftext|>", "<|user|>", "<|assistant|>", "<|end|>"]


def timed(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def ours(*arguments):
    command = [llm, "bench", "tokenizer", "--corpus", documents, "--repetitions", "1", "--threads", "1", "--json", *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def hf_train():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, min_frequency=2, show_progress=False, special_tokens=special,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def rank_encoding(file):
    model = json.loads(open(file, encoding="utf-8").read())["model"]
    prints = [*range(33, 127), *range(161, 173), *range(174, 256)]
    shown = {chr(byte): byte for byte in prints}
    shown |= {chr(256 + n): byte for n, byte in enumerate(byte for byte in range(256) if byte not in prints)}
    ranks = {bytes(shown[char] for char in token): id - len(special) for token, id in model["vocab"].items() if id >= len(special)}
    pattern = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""
    return tiktoken.Encoding("same", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


with tempfile.TemporaryDirectory() as folder:
    file = os.path.join(folder, "tokenizer.json")
    subprocess.run([llm, "tokenizer", "train", "--input", documents, "--vocab-size", str(vocab_size), "--out", file], check=True,
                   capture_output=True)
    _, theirs = timed(hf_train)
    same = {key: value for key, value in json.loads(open(file, encoding="utf-8").read())["model"].items() if key in ("vocab", "merges")}
    assert same == {key: value for key, value in json.loads(theirs.to_str())["model"].items() if key in same}, "other merges or ids"
    print(f"{n_bytes:,} bytes, {len(texts)} documents: the {len(same['merges'])} merges and {len(same['vocab'])} ids are the same")
    encoding = rank_encoding(file)
    rows = {"training / HF": [], "encoding / HF": [], "encoding again / HF": [], "encoding / tiktoken": [], "encoding again / tiktoken": []}
    for _ in range(repetitions):
        train_s, trained = timed(hf_train)
        mine = ours("--vocab-size", str(vocab_size))
        # A table that is loaded has an empty cache, as ours has.
        fresh = Tokenizer.from_str(trained.to_str())
        fresh_s, _ = timed(lambda: fresh.encode_batch_fast(texts, add_special_tokens=False))
        again_s, encoded = timed(lambda: fresh.encode_batch_fast(texts, add_special_tokens=False))
        tiktoken_s, ranked = timed(lambda: [encoding.encode_ordinary(text) for text in texts])
        n_tokens = sum(len(encoded.ids) for encoded in encoded)
        assert n_tokens == mine["n_tokens"] == sum(map(len, ranked)), "other numbers of tokens"
        rows["training / HF"].append((train_s, mine["train_s"][0]))
        rows["encoding / HF"].append((fresh_s, mine["encode_s"][0]))
        rows["encoding again / HF"].append((again_s, mine["encode_again_s"][0]))
        rows["encoding / tiktoken"].append((tiktoken_s, mine["encode_s"][0]))
        rows["encoding again / tiktoken"].append((tiktoken_s, mine["encode_again_s"][0]))
    print(f"{'':<26} {'peer MB/s':>10} {'ours MB/s':>10} {'ratio':>7}")
    for name, pairs in rows.items():
        peer, our = (n_bytes / 1e6 / statistics.median(side) for side in zip(*pairs))
        ratio = statistics.median(theirs / mine for theirs, mine in pairs)
        print(f"{name:<26} {peer:>10.2f} {our:>10.2f} {ratio:>6.1f}x")
