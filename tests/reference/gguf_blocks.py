# A small GGUF file with every type of tensor that is read, the values that the Python package `gguf` makes of them, and two tensors as it quantises them:
#
#   pip install gguf==0.19.0 numpy
#   python tests/reference/gguf_blocks.py
#
# It writes gguf/blocks.gguf and gguf/values.bin (f32, little-endian, tensor after tensor in order of name), and gguf/blocks.json with what is where.
# chapters/06-transformer/tests/gguf.rs reads them. Blocks of the types that the package only reads are random bytes with scales of a sensible size.
import json
import pathlib

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Q

folder = pathlib.Path(__file__).parent / "gguf"
folder.mkdir(exist_ok=True)
rng = np.random.default_rng(7)
numbers = (rng.standard_normal((3, 256)) * rng.choice([1e-3, 0.1, 3.0], (3, 1))).astype(np.float32)
numbers[0, 32:64] = 0.0  # A block without a scale.
numbers[1, 64:96] = -2.5  # All alike.
numbers[2, 5] = 40.0  # One that makes all others of its block small.
numbers[2, 37], numbers[2, 41] = 7.0, -7.0  # Two largest; the first counts.

SCALES = {Q.Q4_K: [0, 2], Q.Q5_K: [0, 2], Q.Q6_K: [208]}


def blocks(kind):
    """A matrix's bytes."""
    try:
        return gguf.quants.quantize(numbers, kind)
    except NotImplementedError:
        _, n_bytes = gguf.GGML_QUANT_SIZES[kind]
        raw = rng.integers(0, 256, (3, n_bytes), dtype=np.uint8)
        for at in SCALES[kind]:
            raw[:, at : at + 2] = rng.uniform(0.001, 0.02, 3).astype("<f2").reshape(3, 1).view(np.uint8)
        return raw


writer = gguf.GGUFWriter(folder / "blocks.gguf", "llama")
writer.add_string("note", "made by tests/reference/gguf_blocks.py")
writer.add_float32("number", 0.5)
writer.add_array("flags", [True, False])
writer.add_array("pieces", ["a", "ä"])
kinds = [Q.F32, Q.F16, Q.BF16, Q.Q4_0, Q.Q4_1, Q.Q5_0, Q.Q5_1, Q.Q8_0, Q.Q4_K, Q.Q5_K, Q.Q6_K]
values = {}
for kind in kinds:
    if kind == Q.F32:
        writer.add_tensor(kind.name, numbers)
        values[kind.name] = numbers
    elif kind == Q.F16:
        writer.add_tensor(kind.name, numbers.astype(np.float16))
        values[kind.name] = numbers.astype(np.float16).astype(np.float32)
    else:
        raw = blocks(kind)
        writer.add_tensor(kind.name, raw, raw_dtype=kind)
        values[kind.name] = gguf.quants.dequantize(raw, kind).reshape(3, 256)
writer.add_tensor("cube", np.arange(24, dtype=np.float32).reshape(2, 3, 4))
values["cube"] = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
with open(folder / "values.bin", "wb") as file:
    for name in sorted(values):
        file.write(values[name].astype("<f4").tobytes())
about = {"gguf": "0.19.0", "tensors": {name: list(values[name].shape) for name in sorted(values)}}
(folder / "blocks.json").write_text(json.dumps(about, indent=1) + "\n")
