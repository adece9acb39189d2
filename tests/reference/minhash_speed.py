"""Signatures a second on one core: datasketch 2.0 beside ours, in pairs.

    venv/bin/python tests/reference/minhash_speed.py target/release/llm

Both sign texts of 300 invented words by runs of three words with 120 permutations. datasketch's part is MinHash.bulk over shingles that
are ready (joined, encoded), so that its clock has no Python string work of ours in it; ours is `llm bench corpus`, whose clock starts at the raw
text. Five pairs, alternating; prints the median of the ratios, for xxh3 and for SHA-1.
"""

import json
import random
import statistics
import subprocess
import sys
import time

from datasketch import MinHash

N_DOCUMENTS, N_WORDS, N_PERMUTATIONS = 300, 300, 120


def shingle_sets():
    rng = random.Random(0)
    vocabulary = ["".join(rng.choices("abcdefghijklmnop", k=rng.randint(2, 9))) for _ in range(20_000)]
    for _ in range(N_DOCUMENTS):
        words = rng.choices(vocabulary, k=N_WORDS)
        yield [" ".join(words[i : i + 3]).encode() for i in range(N_WORDS - 2)]


documents = list(shingle_sets())
rows = []
for _ in range(5):
    start = time.process_time()
    MinHash.bulk(documents, num_perm=N_PERMUTATIONS)
    theirs = N_DOCUMENTS / (time.process_time() - start)
    command = [sys.argv[1], "bench", "corpus", "--documents", "100", "--threads", "1", "--json"]
    ours = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    rows.append((theirs, ours["signatures_per_s"], ours["signatures_per_s_sha1"]))
    print("datasketch %.0f/s, ours %.0f/s, with SHA-1 %.0f/s" % rows[-1], flush=True)
for name, at in (("xxh3", 1), ("SHA-1", 2)):
    print(f"{name}: {statistics.median(row[at] / row[0] for row in rows):.1f} times datasketch")
