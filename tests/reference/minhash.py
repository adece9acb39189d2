"""Signatures and bands by datasketch 2.0, for chapters/02-corpus/tests/datasketch.rs.

    python3 -m venv venv && venv/bin/pip install datasketch==2.0.0 && venv/bin/python tests/reference/minhash.py > tests/reference/minhash.json
"""

import json
import re
from importlib.metadata import version

from datasketch import MinHash
from datasketch.lsh import _optimal_param

SHINGLE_WORDS = 3
TEXTS = [
    "",
    "one",
    "The doors in Bakelo are red.",
    "the doors, in Bakelo, are RED! And the river is the Elm.",
    "Größe ÄÖÜ straße — naïve café №5",
    "ΟΔΟΣ ΣΑΣ και οδός; Москва слезам не верит",
    "日本語 の テキスト です 二番目 の 文",
    " ".join(f"word{i * i % 97}" for i in range(500)),
]


def shingles(text):
    """Runs of lower-case words, where a word is what Rust's char::is_alphanumeric accepts (letters, marks aside, and numbers)."""
    words = [word.lower() for word in re.findall(r"[^\W_]+", text)]
    n = min(SHINGLE_WORDS, len(words))
    return [" ".join(words[i : i + n]).encode() for i in range(len(words) - n + 1)] if words else []


permutations = MinHash(num_perm=120, seed=1).permutations
out = {
    "datasketch": version("datasketch"),
    "shingle_words": SHINGLE_WORDS,
    "a": permutations[0].tolist(),
    "b": permutations[1].tolist(),
    "signatures": [],
    "bands": [],
}
for text in TEXTS:
    minhash = MinHash(num_perm=120, seed=1)
    minhash.update_batch(shingles(text)) if shingles(text) else None
    out["signatures"].append({"text": text, "signature": minhash.hashvalues.tolist()})
for n_hashes in (64, 120, 128, 256):
    for threshold in (0.3, 0.5, 0.65, 0.7, 0.8, 0.9, 0.95):
        bands, rows = _optimal_param(threshold, n_hashes, 0.5, 0.5)
        out["bands"].append({"threshold": threshold, "n_hashes": n_hashes, "bands": bands, "rows": rows})
print(json.dumps(out, ensure_ascii=False))
