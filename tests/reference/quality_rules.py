# Run: pip install datatrove nltk && python tests/reference/quality_rules.py > tests/reference/quality_rules.json
#
# What datatrove's filters measure on small texts, for chapters/02-corpus/tests/quality_golden.rs.
# The filters only say pass or fail, so each quantity is found as the threshold at which the verdict turns, all other
# rules being switched off. datatrove's word and sentence splitters (spaCy) are replaced by ours: words are what stands
# between white space; a sentence ends with a word that ends in . ! or ?.
import json
import random
import re
from importlib.metadata import version

from datatrove.data import Document
from datatrove.pipeline.filters import c4_filters, fineweb_quality_filter, gopher_quality_filter, gopher_repetition_filter
from datatrove.pipeline.filters import (
    C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter,
)


def sentences(line, language=None):
    words = line.split()
    n = sum(w.endswith((".", "!", "?")) for w in words)
    return ["s"] * (n + bool(words and not words[-1].endswith((".", "!", "?"))))


for module in (fineweb_quality_filter, gopher_quality_filter, gopher_repetition_filter):
    module.split_into_words = lambda text, language=None: text.split()
c4_filters.split_into_sentences = sentences

QUALITY_OFF = dict(min_doc_words=None, max_doc_words=None, min_avg_word_length=None, max_avg_word_length=None,
                   max_symbol_word_ratio=None, max_bullet_lines_ratio=None, max_ellipsis_lines_ratio=None,
                   max_non_alpha_words_ratio=None, min_stop_words=None)
REPETITION_OFF = dict(dup_line_frac=None, dup_para_frac=None, dup_line_char_frac=None, dup_para_char_frac=None,
                      top_n_grams=(), dup_n_grams=())
FINEWEB_OFF = dict(line_punct_thr=0.0, short_line_thr=9.0, char_duplicates_ratio=9.0, new_line_ratio=1e9)
C4_OFF = dict(remove_citations=False, filter_no_terminal_punct=False, min_num_sentences=-1, min_words_per_line=-1,
              max_word_length=-1, filter_lorem_ipsum=False, filter_javascript=False, filter_curly_bracket=False,
              filter_policy=False)


def passes(filter_, text):
    verdict = filter_.filter(Document(text=text, id=""))
    return verdict if isinstance(verdict, bool) else verdict[0]


def turning(make, text, high):
    """The threshold at which the verdict turns, by bisection."""
    low, at_high = 1e-9, passes(make(high), text)
    if passes(make(low), text) == at_high:
        return 0.0
    for _ in range(60):
        middle = (low + high) / 2
        if passes(make(middle), text) == at_high:
            high = middle
        else:
            low = middle
    return round(high, 7)


def quantities(text):
    quality = lambda name, high, **more: turning(
        lambda t: GopherQualityFilter(**{**QUALITY_OFF, name: t}, **more), text, high)
    repetition = lambda name, high=9.0: turning(
        lambda t: GopherRepetitionFilter(**{**REPETITION_OFF, name: t}), text, high)
    runs = lambda name, n: turning(
        lambda t: GopherRepetitionFilter(**{**REPETITION_OFF, name: ((n, t),)}), text, 9.0)
    fineweb = lambda name, high: turning(lambda t: FineWebQualityFilter(**{**FINEWEB_OFF, name: t}), text, high)
    # A stop word before a full stop is one for spaCy, which splits the stop off.
    bare = re.sub(r"[^a-z0-9]", " ", text.lower())
    return {
        "n_words": round(quality("max_doc_words", 1e6)),
        "mean_word_chars": quality("max_avg_word_length", 1e3),
        # The one threshold for # and for ellipses gives the greater of the two.
        "symbols_per_word": quality("max_symbol_word_ratio", 1e3),
        "bullet_lines": quality("max_bullet_lines_ratio", 9.0),
        "ellipsis_lines": quality("max_ellipsis_lines_ratio", 9.0),
        "alphabetic_words": quality("max_non_alpha_words_ratio", 9.0),
        "n_stop_words": max((n for n in range(1, 9) if passes(
            GopherQualityFilter(**{**QUALITY_OFF, "min_stop_words": n}), bare)), default=0),
        "paragraphs": repetition("dup_para_frac"),
        "paragraph_chars": repetition("dup_para_char_frac"),
        "lines": repetition("dup_line_frac"),
        "line_chars": repetition("dup_line_char_frac"),
        "top_ngrams": [runs("top_n_grams", n) for n in (2, 3, 4)],
        "duplicate_ngrams": [runs("dup_n_grams", n) for n in (5, 6, 7, 8, 9, 10)],
        "punctuated_lines": fineweb("line_punct_thr", 9.0),
        "short_lines": fineweb("short_line_thr", 9.0),
        "repeated_line_chars": fineweb("char_duplicates_ratio", 9.0),
        "breaks_per_word": fineweb("new_line_ratio", 1e4),
        "n_sentences": max((n for n in range(1, 200) if passes(
            C4QualityFilter(**{**C4_OFF, "min_num_sentences": n}), text)), default=0),
        "c4_lines": c4_lines(text),
    }


def c4_lines(text):
    """The text after C4's rules for lines."""
    document = Document(text=text, id="")
    kept = dict(min_num_sentences=-1, filter_lorem_ipsum=False, filter_curly_bracket=False)
    C4QualityFilter(**kept).filter(document)
    return document.text


WORDS = "the a of to and harbour boat wind sea old bread stories with storm room water sister sand be have 12 #tag 7".split()
LINES = ["Please enable JavaScript to go on.", "Read our privacy policy first.", "See the list[3] of boats [citation needed].",
         "- a bullet", "- another of them", "More boats...", "Short", "He said: the wind is back!", "Is it?", "..."]


def text(seed):
    rng = random.Random(seed)
    vocabulary = WORDS[: rng.choice([4, 8, len(WORDS)])]
    paragraphs = []
    for _ in range(rng.randint(1, 4)):
        lines = []
        for _ in range(rng.randint(1, 4)):
            if rng.random() < 0.4:
                lines.append(rng.choice(LINES))
            else:
                words = [rng.choice(vocabulary) for _ in range(rng.randint(4, 14))]
                lines.append(" ".join(words) + rng.choice([".", ".", "!", "", "..."]))
        paragraphs.append(lines)
    if rng.random() < 0.5:
        paragraphs.append(rng.choice(paragraphs))
    # datatrove counts blank lines where shares of lines are taken, we do not: half the texts have none.
    return ("\n\n" if seed % 2 else "\n").join("\n".join(lines) for lines in paragraphs)


print(json.dumps({
    "made_with": f"datatrove {version('datatrove')}",
    "texts": [{"text": text(seed), **quantities(text(seed))} for seed in range(16)],
}, indent=1))
