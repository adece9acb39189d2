# Trains a vocabulary of 200,000 ids, cut as GPT-4o cuts text, with `llm` and with Hugging Face's tokenizers, on one thread each, and compares
# every merge, every id, and the ids of the text.
#
#   pip install tokenizers==0.23.3
#   python tests/reference/tokenizer_200k.py target/release/llm DOCUMENTS.jsonl [VOCAB_SIZE] [REPETITIONS]
#
# DOCUMENTS.jsonl has one {"text": ...} a line; 200,000 ids want some 50 MB of mixed text. The two run in turn; both are processes of their
# own that read the file, train and write tokenizer.json, and both are timed from start to end, by wall clock and by CPU time.
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

os.environ |= {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers  # noqa: E402

O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+",
])


def read(documents):
    return [json.loads(line)["text"] for line in open(documents, encoding="utf-8")]


def train_theirs(documents, vocab_size, out):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(O200K), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    special = ["<|endoftext|>", "<|user|>", "<|assistant|>", "<|end|>"]
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, min_frequency=2, show_progress=False, special_tokens=special,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(read(documents), trainer)
    tokenizer.save(out)


def timed(command):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    llm, documents = sys.argv[1], sys.argv[2]
    vocab_size = int(sys.argv[3]) if len(sys.argv) > 3 else 200_000
    repetitions = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    with tempfile.TemporaryDirectory() as folder:
        mine, theirs = os.path.join(folder, "ours.json"), os.path.join(folder, "theirs.json")
        ours_command = [llm, "tokenizer", "train", "--input", documents, "--vocab-size", str(vocab_size), "--pretokenizer", "o200k", "--out", mine]
        theirs_command = [sys.executable, __file__, "--theirs", documents, str(vocab_size), theirs]
        pairs = [(timed(theirs_command), timed(ours_command)) for _ in range(repetitions)]
        models = [json.load(open(file, encoding="utf-8"))["model"] for file in (mine, theirs)]
        texts = read(documents)
        n_bytes = sum(len(text.encode()) for text in texts)
        print(f"{n_bytes:,} bytes, {len(texts)} documents; {len(models[0]['vocab'])} ids of {vocab_size} asked for, {len(models[0]['merges'])} merges")
        assert models[0]["merges"] == models[1]["merges"], "other merges"
        assert models[0]["vocab"] == models[1]["vocab"], "other ids"
        print("merges and ids are the same")
        for name, at in [("wall", 0), ("CPU", 1)]:
            peer, our = (statistics.median(run[side][at] for run in pairs) for side in (0, 1))
            ratio = statistics.median(run[0][at] / run[1][at] for run in pairs)
            print(f"{name}: HF {peer:.1f} s, ours {our:.1f} s, ratio {ratio:.2f}")


if sys.argv[1] == "--theirs":
    train_theirs(sys.argv[2], int(sys.argv[3]), sys.argv[4])
else:
    main()
