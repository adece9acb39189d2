#!/usr/bin/env python3
"""Compiles the CUDA kernels of chapter 09 by NVRTC, as the program does when it runs, on a machine that has neither a GPU nor a toolkit.

Each source is compiled for each set of constants that the table of chapters/09-kernels/src/cuda/twin/kernels.inc lists, and for each
architecture: source text with the .cuh files as named headers, no include path, device code as the result. It fails if NVRTC refuses a
source, or if a compiled module has other kernels than the table; with --resources also if a kernel keeps registers in local memory.

    pip install nvidia-cuda-nvrtc
    python tests/gpu/compile-kernels.py
    python tests/gpu/compile-kernels.py --nvrtc /usr/local/cuda/lib64 --resources /usr/local/cuda/bin/cuobjdump sm_90
"""

import argparse
import ctypes
import importlib.metadata
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "chapters/09-kernels/src/cuda"
ARCHITECTURES = ["sm_80", "sm_90", "sm_100", "sm_120"]


class Failure(Exception):
    """What went wrong, for whoever ran this."""


# ---- which modules there are ----


def modules(table):
    """{(source, constants): kernels}, for instance {("rope", "bf16"): {"rope"}}, of the table's text.

    A line FOR_EACH_ELEMENT(rope, rope) stands for as many entries as the macro of that name has ENTRY(_, _, "constants", _).
    """
    macros = dict(re.findall(r"#define (FOR_EACH_\w+)\(file, name\) (.*)", table))
    constants = {macro: re.findall(r'ENTRY\(\w+, file, "(\w+)", name\)', body) for macro, body in macros.items()}
    found = {}
    for macro, source, kernel in re.findall(r"^\s*(FOR_EACH_\w+)\((\w+), (\w+)\),", table, re.MULTILINE):
        if not constants.get(macro):
            raise Failure(f"{macro} in kernels.inc is not defined by entries; write it as the others are")
        for one in constants[macro]:
            found.setdefault((source, one), set()).add(kernel)
    unlisted = {path.stem for path in SOURCES.glob("*.cu")} ^ {source for source, _ in found}
    if unlisted:
        raise Failure(f"{', '.join(sorted(unlisted))}: either a source without a line in kernels.inc or a line without a source")
    return found


def definitions(constants):
    """The options for constants as the table names them: an element, or a head dimension, for which the element is bf16."""
    if constants.isdigit():
        return ["-DElement=bf16", f"-DHEAD_DIM={constants}"]
    return [f"-DElement={ {'f32': 'float'}.get(constants, constants)}"]


# ---- NVRTC ----


def find_nvrtc(given):
    """The path of libnvrtc: as given (a file, or a folder that has it), in an installed wheel, or where the loader looks."""
    name = re.compile(r"libnvrtc\.so(\.\d+)*")
    if given:
        path = Path(given)
        candidates = [path] if path.is_file() else sorted(path.glob("libnvrtc.so*"))
    else:
        wheels = [dist for dist in importlib.metadata.distributions() if (dist.name or "").startswith("nvidia-cuda-nvrtc")]
        in_wheels = [Path(file.locate()) for dist in wheels for file in dist.files or [] if name.fullmatch(file.name)]
        folders = [Path(folder) for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
        candidates = in_wheels + [path for folder in folders for path in sorted(folder.glob("libnvrtc.so*"))]
    candidates = [path for path in candidates if path.exists()]
    if not candidates:
        where = given or "an installed nvidia-cuda-nvrtc or LD_LIBRARY_PATH"
        raise Failure(f"no libnvrtc.so in {where}; run `pip install nvidia-cuda-nvrtc`, or say --nvrtc PATH")
    return candidates[0].resolve()


class Nvrtc:
    """The calls of NVRTC that this needs."""

    def __init__(self, path):
        # NVRTC loads a second library by its plain name, which the loader finds if it is loaded already.
        for builtins in path.parent.glob("libnvrtc-builtins.so*"):
            ctypes.CDLL(str(builtins), ctypes.RTLD_GLOBAL)
        self.library = ctypes.CDLL(str(path))
        self.library.nvrtcGetErrorString.restype = ctypes.c_char_p

    def version(self):
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._call("Version", ctypes.byref(major), ctypes.byref(minor))
        return f"{major.value}.{minor.value}"

    def compile(self, name, source, headers, options):
        """(device code or None, log)"""
        program = ctypes.c_void_p()
        texts = (ctypes.c_char_p * len(headers))(*headers.values())
        names = (ctypes.c_char_p * len(headers))(*(header.encode() for header in headers))
        self._call("CreateProgram", ctypes.byref(program), source, name.encode(), len(headers), texts, names)
        try:
            options = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
            failed = self.library.nvrtcCompileProgram(program, len(options), options)
            log = self._bytes("ProgramLog", program).rstrip(b"\0").decode(errors="replace").strip()
            return (None, log or self._error(failed)) if failed else (self._bytes("CUBIN", program), log)
        finally:
            self._call("DestroyProgram", ctypes.byref(program))

    def _bytes(self, what, program):
        size = ctypes.c_size_t()
        self._call(f"Get{what}Size", program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        self._call(f"Get{what}", program, buffer)
        return buffer.raw

    def _call(self, name, *arguments):
        code = getattr(self.library, "nvrtc" + name)(*arguments)
        if code:
            raise Failure(f"nvrtc{name}: {self._error(code)}")

    def _error(self, code):
        return self.library.nvrtcGetErrorString(code).decode()


# ---- what is in a module ----


def kernels_of(cubin):
    """The names of a module's kernels: each has a section of code."""
    return {name.decode() for name in re.findall(rb"\.text\.(\w+)\0", cubin)}


def resources(cuobjdump, path):
    """{kernel: {"REG": registers of a thread, "SHARED": bytes, "STACK": bytes, "LOCAL": bytes}} of a compiled file."""
    run = subprocess.run([cuobjdump, "-res-usage", str(path)], capture_output=True, text=True)
    if run.returncode:
        raise Failure(f"{cuobjdump} -res-usage {path}: {run.stderr.strip()}")
    found = {}
    for kernel, line in re.findall(r"Function (\w+):\n\s*(REG:.*)", run.stdout):
        found[kernel] = {key: int(value) for key, value in re.findall(r"(REG|STACK|SHARED|LOCAL):(\d+)", line)}
    return found


def report(module, architecture, usage):
    """Prints a line for each kernel, with what it takes of a multiprocessor where `usage` has it; returns those that use local memory."""
    in_local_memory = []
    for kernel, used in sorted(usage.items()):
        line = f"{module:24} {architecture:8} {kernel:32} ok"
        if used:
            local_bytes = used["STACK"] + used["LOCAL"]
            line += f"  {used['REG']:4} registers  {used['SHARED']:6} bytes shared"
            if local_bytes > 0:
                line += f"  {local_bytes} bytes LOCAL"
                in_local_memory.append(f"{kernel} of {module} for {architecture}")
        print(line, flush=True)
    return in_local_memory


def compile_all(nvrtc, architectures, folder, cuobjdump):
    """Compiles every module for every architecture into a folder; returns how many."""
    headers = {path.name: path.read_bytes() for path in sorted(SOURCES.glob("*.cuh"))}
    table = modules((SOURCES / "twin/kernels.inc").read_text())
    in_local_memory = []
    for (source, constants), kernels in table.items():
        for architecture in architectures:
            module = f"{source} {constants}"
            options = [f"--gpu-architecture={architecture}", "--std=c++17", *definitions(constants)]
            text = (SOURCES / f"{source}.cu").read_bytes()
            cubin, log = nvrtc.compile(f"{source}.cu", text, headers, options)
            if cubin is None:
                raise Failure(f"{module} for {architecture} ({' '.join(options)}):\n{log}")
            if log:
                print(log)
            if kernels_of(cubin) != kernels:
                differ = ", ".join(sorted(kernels_of(cubin) ^ kernels))
                raise Failure(f"{module}: the kernels in {source}.cu are not those in kernels.inc; look at {differ}")
            path = folder / f"{source}.{constants}.{architecture}.cubin"
            path.write_bytes(cubin)
            usage = resources(cuobjdump, path) if cuobjdump else {}
            in_local_memory += report(module, architecture, {kernel: usage.get(kernel, {}) for kernel in kernels})
    if in_local_memory:
        joined = "\n  ".join(in_local_memory)
        raise Failure(f"in local memory, which is slow, is what should be in registers:\n  {joined}")
    return len(table) * len(architectures)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("architectures", nargs="*", default=ARCHITECTURES, metavar="sm_XX", help=f"default: {' '.join(ARCHITECTURES)}")
    parser.add_argument("--nvrtc", metavar="PATH", help="libnvrtc.so, or a folder that has it; else a wheel's, or LD_LIBRARY_PATH's")
    parser.add_argument("--out", metavar="DIR", help="keep the compiled modules here")
    parser.add_argument("--resources", metavar="CUOBJDUMP", help="the tool that tells registers and shared memory of each kernel")
    arguments = parser.parse_args()
    try:
        path = find_nvrtc(arguments.nvrtc)
        nvrtc = Nvrtc(path)
        print(f"NVRTC {nvrtc.version()} ({path})")
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(arguments.out or scratch)
            folder.mkdir(parents=True, exist_ok=True)
            n_modules = compile_all(nvrtc, arguments.architectures, folder, arguments.resources)
    except (Failure, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{n_modules} modules compiled")
    return 0


if __name__ == "__main__":
    sys.exit(main())
