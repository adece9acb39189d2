"""Scores extractors of main text on the labelled pages of chapter 02, and times them.

    pip install trafilatura==2.3.1 resiliparse==2.0.1 readability-lxml==0.9 lxml_html_clean
    cargo build --release -p corpus --example extract_pages
    cargo build --release --manifest-path tests/reference/dom_smoothie/Cargo.toml
    python tests/reference/extraction_peers.py score     # writes chapters/02-corpus/tests/extraction/peers.json
    python tests/reference/extraction_peers.py speed     # prints pages per CPU-second, in pairs with ours

Run it in the project's root. CARGO_TARGET_DIR and PEER_TARGET_DIR name other target folders, RUST_DOCS the folder with
std/ and book/ (default: below `rustc --print sysroot`).

What counts. An authored page has its main text beside it, in a .txt. Words are runs of letters and digits; each character
of Chinese, Japanese and Korean is one. Precision and recall are taken over the multisets of 4-word shingles, as in
scrapinghub/article-extraction-benchmark, F1 from them for each page. A line "? ..." may be in or out (headlines, bylines,
captions of pictures): its words are removed from both sides first,
and so are the numbers of list items. A page of the Rust documentation has snippets instead:
F1 = 2 found / (2 found + missed + unwanted found). A kind's figure is the mean over its pages. Code: the share of the
lines of code in a truth's fences that stand in the text letter by letter, indentation included.
"""

import collections
import importlib.metadata
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

import lxml.html
import readability
import trafilatura
from resiliparse.extract.html2text import extract_plain_text

ROOT = pathlib.Path(__file__).resolve().parents[2]
LABELS = ROOT / "chapters/02-corpus/tests/extraction"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PEER_TARGET = pathlib.Path(os.environ.get("PEER_TARGET_DIR", ROOT / "tests/reference/dom_smoothie/target"))
OURS = os.environ.get("EXTRACT_PAGES", TARGET / "release/examples/extract_pages")
DOM_SMOOTHIE = PEER_TARGET / "release/dom-smoothie-peer"
N_SHINGLE = 4
SETS = ["dev", "test"]


def aligned(lines):
    """Rows of a table with its columns one below the other, as the book prints them."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    n_columns = max(map(len, rows))
    widths = [max(len(row[i]) for row in rows if i < len(row) and not row[i].startswith("--")) for i in range(n_columns)]
    for line in lines:
        if not line.startswith("|"):
            yield line
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        padded = (
            (cell[0] * (width - 1) + cell[-1] if cell.startswith("--") else cell.ljust(width) if i == 0 else cell.rjust(width))
            for i, (cell, width) in enumerate(zip(cells, widths))
        )
        yield "| " + " | ".join(padded) + " |"


def is_cjk(c):
    return any(low <= c <= high for low, high in [("\u3040", "\u30ff"), ("\u3400", "\u4dbf"), ("\u4e00", "\u9fff"), ("\uac00", "\ud7af")])


def words(text):
    found, word = [], ""
    text = "\n".join(without_marker(line) for line in text.split("\n"))
    for c in text + " ":
        if c.isalnum() and not is_cjk(c):
            word += c
            continue
        if word:
            found.append(word)
            word = ""
        if is_cjk(c):
            found.append(c)
    return found


def without_marker(line):
    """The numbers of list items are written by some extractors and are no words of the page."""
    start, dot, rest = line.lstrip().partition(". ")
    return rest if dot and start.isdigit() and start.isascii() else line


def find(needle, words_, start=0):
    for at in range(start, len(words_) - len(needle) + 1):
        if words_[at : at + len(needle)] == needle:
            return at
    return None


def without(words_, optional):
    for run in sorted(optional, key=len, reverse=True):
        at = find(run, words_)
        while run and at is not None:
            words_ = words_[:at] + words_[at + len(run) :]
            at = find(run, words_, at)
    return words_


def shingles(words_):
    if len(words_) < N_SHINGLE:
        return collections.Counter([tuple(words_)] if words_ else [])
    return collections.Counter(tuple(words_[at : at + N_SHINGLE]) for at in range(len(words_) - N_SHINGLE + 1))


def f1_by_shingles(text, truth):
    lines = truth.splitlines()
    optional = [words(line[2:]) for line in lines if line.startswith("? ")]
    wanted = shingles(without(words("\n".join(line for line in lines if not line.startswith("? "))), optional))
    found = shingles(without(words(text), optional))
    both = sum((wanted & found).values())
    return 2 * both / max(1, sum(wanted.values()) + sum(found.values()))


def f1_by_snippets(text, label):
    text = words(text)
    n_found = sum(find(words(snippet), text) is not None for snippet in label["in"])
    n_unwanted = sum(find(words(snippet), text) is not None for snippet in label["out"])
    return 2 * n_found / (2 * n_found + len(label["in"]) - n_found + n_unwanted)


def code_lines(truth):
    lines, is_code = [], False
    for line in truth.splitlines():
        if line.startswith("```"):
            is_code = not is_code
        elif is_code and line.strip():
            lines.append(line.rstrip())
    return lines


def by_trafilatura(**options):
    def extract(html):
        return trafilatura.extract(html, include_comments=False, include_tables=True, **options) or ""

    return extract


def by_resiliparse(html):
    return extract_plain_text(html, main_content=True, preserve_formatting=True, list_bullets=True, alt_texts=False, links=False, form_fields=False, noscript=False, comments=False)


def by_readability(html):
    try:
        summary = readability.Document(html).summary()
        return "\n".join(lxml.html.fromstring(summary).itertext())
    except Exception:
        return ""


def by_program(program):
    def extract_all(paths):
        out = subprocess.run([program], input="\n".join(map(str, paths)).encode(), stdout=subprocess.PIPE, check=True).stdout
        texts = []
        while out:
            n_bytes, _, out = out.partition(b"\n")
            texts.append(out[: int(n_bytes)].decode())
            out = out[int(n_bytes) :]
        return texts

    return extract_all


def one_by_one(extract):
    return lambda paths: [extract(path.read_bytes().decode("utf-8", "replace")) for path in paths]


PYTHON = {
    "trafilatura": by_trafilatura(),
    "trafilatura, precision": by_trafilatura(favor_precision=True),
    "trafilatura, recall": by_trafilatura(favor_recall=True),
    "resiliparse": by_resiliparse,
    "readability-lxml": by_readability,
}
EXTRACTORS = {"ours": by_program(OURS), **{name: one_by_one(extract) for name, extract in PYTHON.items()}, "dom_smoothie": by_program(DOM_SMOOTHIE)}


def rust_docs():
    if "RUST_DOCS" in os.environ:
        return pathlib.Path(os.environ["RUST_DOCS"])
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], stdout=subprocess.PIPE, check=True, cwd=ROOT).stdout.decode().strip()
    return pathlib.Path(sysroot) / "share/doc/rust/html"


def pages():
    """(set, kind, path, score: text -> F1, truth or None) of every labelled page."""
    for set_ in SETS:
        for path in sorted((LABELS / "pages" / set_).glob("*.html")):
            truth = path.with_suffix(".txt").read_text()
            yield set_, path.stem.split("-")[0], path, (lambda text, truth=truth: f1_by_shingles(text, truth)), truth
        labels = LABELS / f"rust-docs-{set_}.json"
        for label in json.loads(labels.read_text()) if labels.exists() else []:
            yield set_, label["kind"], rust_docs() / label["page"], (lambda text, label=label: f1_by_snippets(text, label)), None


def score():
    labelled = list(pages())
    check_labels(labelled)
    figures = {"f1": {}, "code": {}}
    worst = []
    for name, extract_all in EXTRACTORS.items():
        scores, code = collections.defaultdict(list), collections.defaultdict(list)
        for (set_, kind, path, f1, truth), text in zip(labelled, extract_all([page[2] for page in labelled])):
            scores[set_, kind].append(f1(text))
            lines = code_lines(truth or "")
            if lines:
                kept = {line.rstrip() for line in text.splitlines()}
                code[set_].append(sum(line in kept for line in lines) / len(lines))
            if name == "ours":
                worst.append((f1(text), set_, kind, path.name))
        for (set_, kind), values in scores.items():
            kinds = figures["f1"].setdefault(set_, {}).setdefault(kind, {"pages": len(values)})
            kinds[name] = round(statistics.mean(values), 4)
        for set_, values in code.items():
            figures["code"].setdefault(set_, {"pages": len(values)})[name] = round(statistics.mean(values), 4)
    figures["versions"] = {name: importlib.metadata.version(name) for name in ["trafilatura", "resiliparse", "readability-lxml"]} | {"dom_smoothie": "0.19.0"}
    figures["scoring"] = [[text, truth, f1_by_shingles(text, truth)] for text, truth in GOLDEN]
    (LABELS / "peers.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    table(figures)
    book_table(figures)
    print("\nours, lowest first:", *sorted(worst)[:8], sep="\n  ")


# Pairs of text and truth whose score a second implementation of it must reproduce.
GOLDEN = [
    ("a b c d e", "a b c d f"),
    ("one two three four. ONE two-three four five", "one two three four five"),
    ("Title by Ann: a b c d e", "? Title\n? by Ann\na b c d e"),
    ("灯台、百年ぶり abc", "灯台百年ぶりに abc"),
    ("1. a b c d\n 12. e f", "a b c d\n2. e f"),
    ("too short", "too short"),
    ("", "something is missing here"),
]


def check_labels(labelled):
    """Every snippet of a label must stand in its page, or the label is wrong."""
    for set_ in SETS:
        labels = LABELS / f"rust-docs-{set_}.json"
        for label in json.loads(labels.read_text()) if labels.exists() else []:
            page = "".join(words(lxml.html.parse(str(rust_docs() / label["page"])).getroot().text_content()))
            for snippet in label["in"] + label["out"]:
                if "".join(words(snippet)) not in page:
                    print(f"{label['page']} does not contain: {snippet}")


def book_table(figures):
    """The figures as the book prints them: for each peer the best of its settings."""
    peers = ["trafilatura", "resiliparse", "readability-lxml", "dom_smoothie"]
    lines = []
    for set_, heading in [("dev", "development"), ("test", "test")]:
        kinds = figures["f1"][set_]
        best = {peer: {kind: max(f1 for name, f1 in values.items() if name.startswith(peer)) for kind, values in kinds.items()} for peer in peers}
        ours = {kind: values["ours"] for kind, values in kinds.items()}
        lines += [f"<!-- ANCHOR: {heading} -->", f"| {heading} set | pages | ours | " + " | ".join(peers) + " |", "|---|--:|" + "--:|" * (len(peers) + 1)]
        row = lambda name, n_pages, values: f"| {name} | {n_pages} | " + " | ".join(f"{value:.3f}" for value in values) + " |"
        for kind, values in sorted(kinds.items()):
            lines.append(row(kind, values["pages"], [ours[kind], *(best[peer][kind] for peer in peers)]))
        means = [statistics.mean(values.values()) for values in [ours, *best.values()]]
        lines += [row("mean of kinds", sum(values["pages"] for values in kinds.values()), means), f"<!-- ANCHOR_END: {heading} -->", ""]
    (LABELS / "peers.md").write_text("\n".join(aligned(lines)))


def table(figures):
    names = list(EXTRACTORS)
    for set_, kinds in figures["f1"].items():
        print(f"\n{set_:18}" + "".join(f"{name[:15]:>16}" for name in names))
        for kind, values in sorted(kinds.items()):
            mark = "" if values["ours"] >= max(values[name] for name in names) else "  <"
            print(f"{kind:15}{values['pages']:>3}" + "".join(f"{values[name]:>16.4f}" for name in names) + mark)
        means = {name: statistics.mean(values[name] for values in kinds.values()) for name in names}
        print(f"{'mean of kinds':18}" + "".join(f"{means[name]:>16.4f}" for name in names))
    for set_, values in figures["code"].items():
        print(f"code lines, {set_:6}" + "".join(f"{values[name]:>16.4f}" for name in names))


def speed(n_rounds=5, n_pairs=5):
    paths = [page[2] for page in pages()]
    html = [path.read_bytes().decode("utf-8", "replace") for path in paths]
    seconds_of = {"trafilatura, fast": by_trafilatura(fast=True), **PYTHON}

    def program_seconds(program):
        """User and system time of the whole program, start and reading of the files included."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([program, "--seconds", str(n_rounds)], input="\n".join(map(str, paths)).encode(), stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / n_rounds

    def python_seconds(extract):
        start = time.process_time()
        for page in html:
            extract(page)
        return time.process_time() - start

    runs = collections.defaultdict(list)
    for extract in seconds_of.values():
        python_seconds(extract)
    for _ in range(n_pairs):
        for name, extract in seconds_of.items():
            ours, theirs = program_seconds(OURS), python_seconds(extract)
            runs[name].append((ours, theirs))
        runs["dom_smoothie"].append((program_seconds(OURS), program_seconds(DOM_SMOOTHIE)))
    print(f"{len(html)} pages, {sum(map(len, html)) / 1e6:.1f} MB, one thread, {n_pairs} pairs; pages per CPU-second and the median ratio")
    for name, pairs in runs.items():
        ours, theirs = (statistics.median(len(html) / pair[side] for pair in pairs) for side in (0, 1))
        ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
        print(f"{name:25}{theirs:>10.0f}   ours {ours:>8.0f}   ratio {ratio:>6.1f}")


if __name__ == "__main__":
    {"score": score, "speed": speed}[sys.argv[1]]()
