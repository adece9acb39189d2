"""One training step of a Llama in PyTorch on a GPU: the peer of `llm bench train --device cuda`.

The model is the one of tests/reference/torch_step.py; shape, tokens, precision and optimiser are those of `llm bench train`. PyTorch gets what a good
training script would give it: torch.compile, fused attention, fused AdamW, bf16 autocast, no wait for the host between steps. Both trainers
compute the norm of all gradients in every step, since every trainer that clips needs it.

Times are of CUDA events around whole steps, after a warm-up that is not counted. Prints one JSON object.

    python torch_train.py --shape d_model=768,n_layers=12,n_heads=12,n_kv_heads=12,d_ff=2048,seq_len=1024,batch=32,vocab_size=32768
    python torch_train.py --device cpu --steps 2 --shape d_model=64,n_layers=2,n_heads=4,n_kv_heads=2,d_ff=96,seq_len=32,batch=2,vocab_size=256
"""

import argparse
import contextlib
import json
import statistics
import sys
import time
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

HERE = Path(__file__).resolve().parent
# Beside this file in a pack, in its own folder in the repository.
sys.path[:0] = [str(HERE), str(HERE.parent / "reference")]
from torch_step import Model  # noqa: E402

WARMUP_STEPS = 3
SIZES = ["d_model", "n_layers", "n_heads", "n_kv_heads", "d_ff", "seq_len", "batch", "vocab_size"]
EXAMPLE = "d_model=768,n_layers=12,n_heads=12,n_kv_heads=12,d_ff=2048,seq_len=1024,batch=32,vocab_size=32768"
ATTENTION = {"flash": SDPBackend.FLASH_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION}


def parse_shape(text):
    """The eight sizes, or an error that says which is wrong."""
    try:
        shape = {name.strip(): int(value) for name, value in (pair.split("=") for pair in text.split(","))}
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not name=number,...; an example: {EXAMPLE}") from None
    wrong = sorted(set(shape) ^ set(SIZES)) + [name for name, value in shape.items() if value < 1]
    if wrong:
        raise argparse.ArgumentTypeError(f"{', '.join(wrong)}: missing, unknown or below 1; an example: {EXAMPLE}")
    return shape


def flops_per_token(shape):
    """Forward and backward, attention in full: `flops_per_token` of chapters/06-transformer/src/accounting.rs."""
    d_model, n_layers = shape["d_model"], shape["n_layers"]
    kv_width = d_model // shape["n_heads"] * shape["n_kv_heads"]
    matrices = n_layers * (2 * d_model * d_model + 2 * d_model * kv_width + 3 * d_model * shape["d_ff"])
    head = shape["vocab_size"] * d_model
    attention = 2 * n_layers * d_model * shape["seq_len"]
    return 3 * 2 * (matrices + head + attention)


class Step:
    """A training step: forward, backward, the gradients' norm, AdamW."""

    def __init__(self, arguments, device):
        shape, self.device = arguments.shape, device
        torch.manual_seed(0)
        with torch.device(device):
            self.model = Model(shape)
        if arguments.tie_embeddings:
            self.model.head.weight = self.model.embedding.weight
        self.parameters = list(self.model.parameters())
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-3, betas=(0.9, 0.999), weight_decay=0.1, fused=True)
        tokens = torch.arange(shape["batch"] * shape["seq_len"]).view(shape["batch"], shape["seq_len"])
        self.tokens = (tokens * 7919 % shape["vocab_size"]).to(device)
        self.targets = (self.tokens * 31 + 7) % shape["vocab_size"]
        self.is_bf16, self.forward, self.losses = arguments.precision == "bf16", self.model, []
        self.compiled, self.problem = "off", None
        if arguments.compile != "off":
            self.compile(arguments.compile)

    def compile(self, what):
        """Compiles the whole model, or each block; where that fails (no C compiler, say), goes on without."""
        try:
            if what == "model":
                self.forward = torch.compile(self.model)
            else:
                for block in self.model.blocks:
                    block.compile()
            self()
            self.compiled = what
        except Exception as error:  # noqa: BLE001: whatever it is, eager execution is still a result
            self.problem = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
            print(f"torch.compile failed, going on without: {self.problem}", file=sys.stderr)
            torch.compiler.reset()
            torch.compiler.set_stance("force_eager")
            self.forward = self.model
            self.optimizer.zero_grad(set_to_none=True)

    def __call__(self):
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.is_bf16):
            loss = self.forward(self.tokens, self.targets)
        loss.backward()
        torch.nn.utils.get_total_norm([parameter.grad for parameter in self.parameters])
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.losses.append(loss.detach())


def time_on_gpu(step, n_steps):
    """Seconds of each step. The host runs ahead: nothing waits between two steps."""
    events = [torch.cuda.Event(enable_timing=True) for _ in range(n_steps + 1)]
    events[0].record()
    for event in events[1:]:
        step()
        event.record()
    torch.cuda.synchronize()
    return [start.elapsed_time(end) / 1e3 for start, end in zip(events, events[1:])]


def time_on_cpu(step, n_steps):
    seconds = []
    for _ in range(n_steps):
        started = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - started)
    return seconds


def measure(arguments):
    device, shape = torch.device(arguments.device), arguments.shape
    on_gpu = device.type == "cuda"
    # What is left in f32 may use the tensor cores, as in any script that trains in bf16.
    torch.set_float32_matmul_precision("highest" if arguments.precision == "f32" else "high")
    step = Step(arguments, device)
    for _ in range(WARMUP_STEPS):
        step()
    if on_gpu:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    step_seconds = statistics.median((time_on_gpu if on_gpu else time_on_cpu)(step, arguments.steps))
    tokens_per_s = shape["batch"] * shape["seq_len"] / step_seconds
    flops_per_s = flops_per_token(shape) * tokens_per_s
    return {
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if on_gpu else "cpu",
        "shape": shape,
        "precision": arguments.precision,
        "compile": step.compiled,
        "compile_problem": step.problem,
        "attention": arguments.attention,
        "n_parameters": sum(parameter.numel() for parameter in step.parameters),
        "step_seconds": step_seconds,
        "tokens_per_s": tokens_per_s,
        "gflops": flops_per_s / 1e9,
        "mfu": flops_per_s / (arguments.peak_tflops * 1e12) if arguments.peak_tflops else None,
        "peak_memory_mb": torch.cuda.max_memory_allocated() / 1e6 if on_gpu else None,
        "losses": [step.losses[0].item(), step.losses[-1].item()],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=parse_shape, required=True, help="sizes as name=number pairs")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--precision", choices=["f32", "tf32", "bf16"], default="bf16")
    parser.add_argument("--steps", type=int, default=20, help=f"steps that are timed, after {WARMUP_STEPS} that are not")
    parser.add_argument("--compile", choices=["model", "blocks", "off"], default="model", help="what torch.compile gets")
    parser.add_argument("--attention", choices=["auto", *ATTENTION], default="auto", help="which of PyTorch's kernels")
    parser.add_argument("--peak-tflops", type=float, help="the GPU's peak, for MFU")
    parser.add_argument("--tie-embeddings", action="store_true", help="one matrix for embedding and head")
    arguments = parser.parse_args()
    if arguments.steps < 1:
        parser.error(f"--steps {arguments.steps} must be at least 1")
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("this PyTorch finds no CUDA GPU; --device cpu tries the script without one")
    chosen = ATTENTION.get(arguments.attention)
    with sdpa_kernel(chosen) if chosen else contextlib.nullcontext():
        print(json.dumps(measure(arguments)))


if __name__ == "__main__":
    main()
