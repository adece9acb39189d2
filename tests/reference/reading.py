"""Goldens of chapter 02's readers, made by other programs: archives by warcio, encodings by Python's codecs, Parquet by pyarrow.

python3 -m venv /tmp/peers && /tmp/peers/bin/pip install warcio==1.8.1 brotli zstandard charset-normalizer pyarrow
/tmp/peers/bin/python tests/reference/reading.py chapters/02-corpus/tests/reading

Writes pages.warc.gz and pages.json (what warcio reads in it), charsets.json, codings.json, dictionary.warc.zst, and *.parquet.
"""

import gzip
import hashlib
import io
import json
import pathlib
import sys
import zlib

import brotli
import zstandard
from charset_normalizer import from_bytes
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

OUT = pathlib.Path(sys.argv[1])
PAGE = "<html><body><h1>Timetable</h1><p>The ferry leaves at nine – and costs 4 €.</p></body></html>"

# One paragraph a language, written for this file.
TEXTS = {
    "windows-1252": "Le café du port ouvre à neuf heures. « Où êtes-vous allés cet été ? » demande le garçon. Déjà vu : "
    "la forêt, la rivière, l’île. Élise préfère le thé à la crème brûlée, même après minuit.",
    "iso-8859-2": "Zażółć gęślą jaźń, powiedział mężczyzna. Wczoraj wieczorem pojechaliśmy nad morze, gdzie łódź czekała "
    "przy brzegu. Książka, którą czytałeś, leży na półce obok świecy. Gdzie są dziś dzieci sąsiadów?",
    "shift_jis": "今日は天気がいいので、港まで歩いて行きました。船は九時に出発します。切符は窓口で買うことができます。"
    "カフェでコーヒーを飲みながら、海を眺めていました。",
    "gbk": "今天天气很好，我们走到港口去。渡轮九点出发，票可以在窗口买。我们在咖啡馆里喝茶，看着大海。孩子们在沙滩上玩耍，直到太阳下山。",
    "euc-kr": "오늘은 날씨가 좋아서 항구까지 걸어갔습니다. 배는 아홉 시에 출발합니다. 표는 창구에서 살 수 있습니다. 우리는 카페에서 차를 마셨습니다.",
    "koi8-r": "Сегодня хорошая погода, и мы пошли пешком в порт. Паром отправляется в девять часов, билеты продают в кассе. "
    "Мы пили чай в кафе и смотрели на море, пока дети играли на песке.",
    "utf-16-le": "Die Fähre fährt um neun Uhr ab, und die Überfahrt dauert eine Stunde. Größe und Gewicht spielen keine Rolle 😀.",
    "utf-16-be": "Die Fähre fährt um neun Uhr ab, und die Überfahrt dauert eine Stunde. Größe und Gewicht spielen keine Rolle 😀.",
    "utf-8": "Die Fähre fährt um neun Uhr ab – für 4 €, sagt man. Zażółć gęślą jaźń.",
}


def charsets():
    rows = []
    for name, text in TEXTS.items():
        data = text.encode(name)
        guess = from_bytes(data).best()
        rows.append({"encoding": name, "text": text, "hex": data.hex(), "charset_normalizer": guess and guess.encoding})
    write_json("charsets.json", rows)


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def chunked(data, size=37):
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def codings():
    plain = PAGE.encode()
    bomb = bytes(64 << 20)
    rows = {
        "gzip": gzip.compress(plain, mtime=0),
        "deflate": zlib.compress(plain),
        "deflate, raw": raw_deflate(plain),
        "br": brotli.compress(plain),
        "zstd": zstandard.compress(plain),
        "gzip, br": brotli.compress(gzip.compress(plain, mtime=0)),
    }
    bombs = {"br": brotli.compress(bomb, lgwin=24), "zstd": zstandard.compress(bomb)}
    hexes = lambda table: {name: data.hex() for name, data in table.items()}
    write_json("codings.json", {"plain": PAGE, "bodies": hexes(rows), "bombs_of_64_MiB": hexes(bombs)})


def archive():
    out = io.BytesIO()
    writer = WARCWriter(out, gzip=True)
    fixed = {"WARC-Date": "2024-05-06T07:08:09Z"}
    number = 0

    def add(kind, body, http=None, **more):
        nonlocal number
        number += 1
        headers = {"WARC-Record-ID": f"<urn:uuid:00000000-0000-0000-0000-{number:012}>", **fixed, **more}
        status = http and StatusAndHeaders("200 OK", http, protocol="HTTP/1.1")
        uri = None if kind == "warcinfo" else f"https://a.example/{number}"
        writer.write_record(
            writer.create_warc_record(uri, kind, io.BytesIO(body), warc_headers_dict=headers, http_headers=status)
        )

    page = lambda n: PAGE.replace("nine", f"hour {n}").encode()
    html = ("Content-Type", "text/html; charset=utf-8")
    add("warcinfo", b"software: warcio\r\n")
    add("response", page(1), [html])
    add("response", chunked(page(2)), [html, ("Transfer-Encoding", "chunked")])
    add("response", gzip.compress(page(3), mtime=0), [html, ("Content-Encoding", "gzip")])
    add("response", zlib.compress(page(4)), [html, ("Content-Encoding", "deflate")])
    # Brotli is in codings.json: warcio 1.8.1 cannot use the present brotli package.
    add("response", raw_deflate(page(5)), [html, ("Content-Encoding", "deflate")])
    add("response", chunked(gzip.compress(page(6), mtime=0)), [html, ("Transfer-Encoding", "chunked"), ("Content-Encoding", "gzip")])
    add("response", page(7), [html, ("Content-Encoding", "gzip"), ("Transfer-Encoding", "chunked")])
    add("resource", page(8), **{"Content-Type": "text/html"})
    add("metadata", b"fetchTimeMs: 12\r\n", **{"Content-Type": "application/warc-fields"})
    add("conversion", "Only text – nine.".encode(), **{"Content-Type": "text/plain", "WARC-Identified-Content-Language": "eng"})
    (OUT / "pages.warc.gz").write_bytes(out.getvalue())

    rows = []
    with open(OUT / "pages.warc.gz", "rb") as file:
        for record in ArchiveIterator(file):
            if record.rec_type not in ("response", "resource", "conversion"):
                continue
            payload = record.content_stream().read()
            rows.append(
                {
                    "type": record.rec_type,
                    "id": record.rec_headers.get_header("WARC-Record-ID").strip("<>"),
                    "url": record.rec_headers.get_header("WARC-Target-URI"),
                    "date": record.rec_headers.get_header("WARC-Date"),
                    "n_bytes": len(payload),
                    "sha1": hashlib.sha1(payload).hexdigest(),
                    "text": payload.decode(),
                }
            )
    write_json("pages.json", rows)


def dictionary_archive():
    """A .warc.zst whose records need the dictionary in its first, skippable frame."""
    records = []
    for n in range(40):
        block = PAGE.replace("nine", f"hour {n}").encode()
        head = f"WARC/1.0\r\nWARC-Type: resource\r\nWARC-Record-ID: <urn:{n}>\r\nContent-Type: text/html\r\n"
        records.append(f"{head}Content-Length: {len(block)}\r\n\r\n".encode() + block + b"\r\n\r\n")
    dictionary = zstandard.train_dictionary(2048, records * 5)
    for name, stored in [("dictionary", dictionary.as_bytes()), ("packed_dictionary", zstandard.compress(dictionary.as_bytes()))]:
        packer = zstandard.ZstdCompressor(dict_data=dictionary)
        first = bytes.fromhex("5d2a4d18") + len(stored).to_bytes(4, "little") + stored
        (OUT / f"{name}.warc.zst").write_bytes(first + b"".join(packer.compress(record) for record in records[:5]))


def parquet():
    import pyarrow as pa
    import pyarrow.parquet as pq

    n = 30
    table = pa.table(
        {
            "text": [f"Document {i}: the ferry leaves at {i} o'clock – on time." for i in range(n)],
            "id": [f"doc-{i}" for i in range(n)],
            "url": pa.array([None if i % 7 == 0 else f"https://a.example/{i}" for i in range(n)]),
            "language": ["en"] * n,
            "score": [i / 4 for i in range(n)],
            "n_tokens": pa.array(range(n), pa.int64()),
            "metadata": [{"licence": "CC-BY-4.0", "year": 2000 + i} for i in range(n)],
            "tags": [["a", "b"][: i % 3] for i in range(n)],
        }
    )
    for codec in ["snappy", "zstd", "gzip", "none"]:
        pq.write_table(table, OUT / f"{codec}.parquet", compression=codec, row_group_size=10, store_schema=False)
    plain = table.select(["text", "score"]).slice(0, 12)
    pq.write_table(plain, OUT / "no_ids.parquet", row_group_size=6, use_dictionary=False, store_schema=False)
    pq.write_table(table.select(["id", "url"]), OUT / "no_text.parquet", store_schema=False)
    write_json("parquet.json", table.to_pylist())


def write_json(name, value):
    (OUT / name).write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


OUT.mkdir(parents=True, exist_ok=True)
charsets()
codings()
archive()
dictionary_archive()
parquet()
