"""What presidio-analyzer finds in the labelled lines of chapter 02 (chapters/02-corpus/tests/pii/lines.txt).

    pip install presidio-analyzer==2.2.366
    python tests/reference/pii_presidio.py     # writes chapters/02-corpus/tests/pii/presidio.json

Run it in the project's root. Only the recognizers by pattern are used, each called alone, without a language model and without
a threshold on the score: whatever a recognizer returns counts. A found span counts as right if it overlaps a labelled one of its
kind, and a labelled one as found if a span covers all of it, since what is left of a number still tells on somebody.
"""

import json
import pathlib
import re

import tldextract

# Without a network: the list of public suffixes that the package brings.
tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

import importlib.metadata

from presidio_analyzer.predefined_recognizers import CreditCardRecognizer, EmailRecognizer, IpRecognizer, PhoneRecognizer

PII = pathlib.Path(__file__).resolve().parents[2] / "chapters/02-corpus/tests/pii"
RECOGNIZERS = {"email": EmailRecognizer(), "phone": PhoneRecognizer(), "ip": IpRecognizer(), "card": CreditCardRecognizer()}
LABEL = re.compile(r"\[\[(email|phone|ip|card)(\??):(.+?)\]\]")


def labelled(line):
    """The text of a line without its labels, and the labels: (kind, is optional, start, end)."""
    text, labels, at = "", [], 0
    for label in LABEL.finditer(line):
        text += line[at : label.start()]
        labels.append((label[1], label[2] == "?", len(text), len(text) + len(label[3])))
        text += label[3]
        at = label.end()
    return text + line[at:], labels


def main():
    lines = [line for line in (PII / "lines.txt").read_text().splitlines() if not line.startswith("#")]
    scores = {kind: {"right": 0, "wrong": 0, "found": 0, "missed": 0} for kind in RECOGNIZERS}
    errors = []
    for line in lines:
        text, labels = labelled(line)
        for kind, recognizer in RECOGNIZERS.items():
            spans = {(found.start, found.end) for found in recognizer.analyze(text, recognizer.supported_entities, None)}
            own = [label for label in labels if label[0] == kind]
            for start, end in sorted(spans):
                touched = [label for label in own if start < label[3] and label[2] < end]
                if not touched:
                    scores[kind]["wrong"] += 1
                    errors.append(f"wrong {kind}: {text[start:end]}")
                elif not all(label[1] for label in touched):
                    scores[kind]["right"] += 1
            for _, is_optional, start, end in own:
                if not is_optional:
                    is_found = any(a <= start and end <= b for a, b in spans)
                    scores[kind]["found" if is_found else "missed"] += 1
                    if not is_found:
                        errors.append(f"missed {kind}: {text[start:end]}")
    version = importlib.metadata.version("presidio-analyzer")
    out = {"version": version, "lines": len(lines), "scores": scores, "errors": errors}
    (PII / "presidio.json").write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n")
    for kind, score in scores.items():
        precision = score["right"] / (score["right"] + score["wrong"])
        recall = score["found"] / (score["found"] + score["missed"])
        print(f"{kind:6} precision {precision:.3f}  recall {recall:.3f}  {score}")
    print(*errors, sep="\n")


if __name__ == "__main__":
    main()
