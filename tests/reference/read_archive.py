"""Speed of reading WARC files beside warcio (Python) and FastWARC (C++), one thread each, in turn.

pip install warcio==1.8.1 fastwarc==2.0.1
cargo build --release -p corpus --example read_archive
python tests/reference/read_archive.py target/release/examples/read_archive SCRATCH_FOLDER

Makes an archive of 10,000 pages (plain, .gz with a member a record, and .gz with compressed and chunked bodies), has every
program take out all payloads, says whether they count the same pages and bytes, and prints the median of seven paired ratios.
FastWARC 2.0.1 stops after the first record of the third archive, whose bodies are compressed and chunked: no ratio there.
"""

import gzip
import io
import pathlib
import random
import statistics
import subprocess
import sys
import time

from fastwarc.warc import ArchiveIterator as FastIterator
from fastwarc.warc import WarcRecordType
from warcio.archiveiterator import ArchiveIterator

PROGRAM, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
N_PAGES, N_ROUNDS = 10_000, 7


def pages():
    rng = random.Random(7)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(5_000)]
    for n in range(N_PAGES):
        text = " ".join(rng.choices(words, k=rng.randint(200, 2_500)))
        yield n, f"<html><head><title>Page {n}</title></head><body><p>{text}</p></body></html>".encode()


def record(n, head, body):
    block = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n{head}\r\n".encode() + body
    warc = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:page:{n}>\r\nWARC-Date: 2024-01-01T00:00:00Z\r\n"
    warc += f"WARC-Target-URI: https://a.example/{n}\r\nContent-Type: application/http; msgtype=response\r\n"
    return f"{warc}Content-Length: {len(block)}\r\n\r\n".encode() + block + b"\r\n\r\n"


def chunked(data, size=8192):
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def make():
    with open(FOLDER / "plain.warc", "wb") as plain, open(FOLDER / "pages.warc.gz", "wb") as packed, open(
        FOLDER / "coded.warc.gz", "wb"
    ) as coded:
        for n, page in pages():
            plain.write(record(n, f"Content-Length: {len(page)}\r\n", page))
            packed.write(gzip.compress(record(n, f"Content-Length: {len(page)}\r\n", page), 6))
            head = "Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n"
            coded.write(gzip.compress(record(n, head, chunked(gzip.compress(page, 6))), 1))


def ours(path):
    n_pages, n_bytes, _, _ = subprocess.run([PROGRAM, path], check=True, capture_output=True, text=True).stdout.split()
    return int(n_pages), int(n_bytes)


def warcio(path):
    n_pages = n_bytes = 0
    with open(path, "rb") as file:
        for record in ArchiveIterator(file):
            if record.rec_type == "response":
                n_pages, n_bytes = n_pages + 1, n_bytes + len(record.content_stream().read())
    return n_pages, n_bytes


def fastwarc(path):
    n_pages = n_bytes = 0
    with open(path, "rb") as file:
        for record in FastIterator(file, record_types=WarcRecordType.response, parse_http=True, auto_decode="all"):
            n_pages, n_bytes = n_pages + 1, n_bytes + len(record.reader.read())
    return n_pages, n_bytes


def seconds(read, path):
    start = time.perf_counter()
    counts = read(path)
    return time.perf_counter() - start, counts


if not (FOLDER / "coded.warc.gz").exists():
    make()
for name in ["plain.warc", "pages.warc.gz", "coded.warc.gz"]:
    rows = []
    for _ in range(N_ROUNDS):
        row = [seconds(read, FOLDER / name) for read in (ours, fastwarc, warcio)]
        rows.append([time for time, _ in row])
        counts = [count for _, count in row]
    agree = "all agree" if counts[0] == counts[1] == counts[2] else f"they disagree: {counts}"
    medians = [statistics.median(row[i] for row in rows) for i in range(3)]
    ratios = [statistics.median(row[i] / row[0] for row in rows) for i in (1, 2)]
    print(f"{name}: {counts[0][0]} pages, {counts[0][1] / 1e6:.1f} MB, {agree}")
    print("  seconds: ours {:.3f}, FastWARC {:.3f}, warcio {:.3f}".format(*medians))
    print("  FastWARC / ours {:.2f}, warcio / ours {:.2f}".format(*ratios))
