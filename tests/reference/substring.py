# Run: python tests/reference/substring.py > tests/reference/substring.json
#
# Repeated passages by a dictionary of all windows, for chapters/02-corpus/tests/substring.rs: no suffix array, no bits.
# The texts are made by a linear congruential generator: sentences of invented words, some with letters of two bytes, and
# quotations of earlier texts that begin and end anywhere. Needs only Python.
import json

MIN_BYTES = 40
state = 7


def draw(n):
    global state
    state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
    return (state >> 33) % n


def word():
    return "".join(draw_from("abdeiklnorstué") for _ in range(1 + draw(9)))


def draw_from(letters):
    return letters[draw(len(letters))]


def text(earlier):
    pieces = []
    for _ in range(4 + draw(5)):
        if earlier and draw(2) == 0:
            quoted = earlier[draw(len(earlier))]
            start = draw(len(quoted))
            pieces.append(quoted[start : start + 20 + draw(120)])
        else:
            pieces.append(" ".join(word() for _ in range(3 + draw(12))) + draw_from(".,!\n"))
    return " ".join(pieces)


def whole_words(text, start, end):
    data = text.encode()
    while start < len(data) and data[start] & 0xC0 == 0x80:
        start += 1
    while end < len(data) and end > start and data[end] & 0xC0 == 0x80:
        end -= 1
    before, inside, behind = data[:start].decode(), data[start:end].decode(), data[end:].decode()
    first = 0
    if before and before[-1].isalnum():
        while first < len(inside) and inside[first].isalnum():
            first += 1
    last = len(inside)
    if behind and behind[0].isalnum():
        while last > first and inside[last - 1].isalnum():
            last -= 1
    return start + len(inside[:first].encode()), start + len(inside[:last].encode())


texts = []
for _ in range(12):
    texts.append(text(texts))

first_end = {}
found = []
place = 0
for text in texts:
    data = text.encode()
    goes = set()
    for start in range(len(data) - MIN_BYTES + 1):
        window = data[start : start + MIN_BYTES]
        if first_end.setdefault(window, place + start + MIN_BYTES) <= place + start:
            goes.update(range(start, start + MIN_BYTES))
    place += len(data) + 1
    passages = []
    for byte in sorted(goes):
        if passages and passages[-1][1] == byte:
            passages[-1][1] = byte + 1
        else:
            passages.append([byte, byte + 1])
    passages = [whole_words(text, *passage) for passage in passages]
    found.append([passage for passage in passages if passage[0] < passage[1]])

print(json.dumps({"min_bytes": MIN_BYTES, "texts": texts, "passages": found}, ensure_ascii=False))
