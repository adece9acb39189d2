"""How many of libphonenumber's own example numbers presidio-analyzer finds, and the numbers, for ours to be counted on.

    pip install presidio-analyzer==2.2.366 phonenumbers==9.0.43
    python tests/reference/pii_phones.py     # writes chapters/02-corpus/tests/pii/phones.json

Run it in the project's root. Of each region two numbers: one of a house and one of a pocket, as far as the library has an example of
that kind. Each is written in international and in national form and stands alone in the sentence "Call NUMBER today.", so this is
recall only. A number counts as found if a span covers all of its digits, since what is left of a number still tells on somebody.

Two rows for presidio: as it comes, where national forms are searched for in the eight regions that it is set to, and set to the number's own region, which somebody who
masks a text would have to know.
"""

import importlib.metadata
import json
import pathlib

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from presidio_analyzer.predefined_recognizers import PhoneRecognizer

OUT = pathlib.Path(__file__).resolve().parents[2] / "chapters/02-corpus/tests/pii/phones.json"
FORMS = {"international": PhoneNumberFormat.INTERNATIONAL, "national": PhoneNumberFormat.NATIONAL}
SENTENCE = "Call {} today."


def examples():
    """(region, number), sorted by region."""
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in [PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE]:
            number = phonenumbers.example_number_for_type(region, kind)
            if number is not None:
                yield region, number


def is_found(recognizer, written):
    text = SENTENCE.format(written)
    digits = [at for at, c in enumerate(text) if c.isdigit()]
    spans = recognizer.analyze(text, recognizer.supported_entities, None)
    return any(span.start <= digits[0] and digits[-1] < span.end for span in spans)


def main():
    default = PhoneRecognizer()
    out = {
        "versions": {name: importlib.metadata.version(name) for name in ["phonenumbers", "presidio-analyzer"]},
        "sentence": SENTENCE,
        "forms": {},
    }
    numbers = list(examples())
    for form, style in FORMS.items():
        written = [(region, phonenumbers.format_number(number, style)) for region, number in numbers]
        out["forms"][form] = {
            "presidio": sum(is_found(default, text) for _, text in written),
            "presidio_told_the_region": sum(is_found(PhoneRecognizer(supported_regions=[region]), text) for region, text in written),
            "numbers": [text for _, text in written],
        }
    OUT.write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n")
    for form, counts in out["forms"].items():
        print(f"{form:14} of {len(counts['numbers'])}: presidio {counts['presidio']}, told the region {counts['presidio_told_the_region']}")


if __name__ == "__main__":
    main()
