#!/usr/bin/env python3
"""Makes gpu.json and gpu.md of what the parts of tests/gpu/suite.sh left, and decides whether each part passed.

    python report.py RESULTS --out OUT              what suite.sh calls when its parts have run
    python report.py --merge A.json B.json --out OUT    one report of several calls; of a part that ran twice, the last counts
    python report.py --self-check                   tests itself on results that were made up

A part passes if its commands did and its numbers are what they must be: losses within the bands, steps that a resumed run makes again equal to the last
digit. Throughput is the median over rounds, and the ratio the median of the rounds' ratios: both of a pair met the same machine.
Exit code: 0 if all parts passed, 1 if one failed, 2 for a wrong request. Needs Python's standard library alone.
"""

import argparse
import json
import math
import re
import statistics
import sys
import tempfile
from pathlib import Path

NAMES = {
    "1": "values and gradients",
    "2": "training steps",
    "3": "throughput",
    "4": "pretraining",
    "5": "time by kernel",
}
# As in chapters/09-kernels/tests/cuda.rs: how far losses may be from f32 on the reference, relative.
BANDS = {"f32": 1e-3, "tf32": 1e-2, "bf16": 1e-2}
ROWS_OF_A_CURVE = 10
ROWS_OF_A_PROFILE = 15


# ---- what the parts left ----


def read_json(path):
    """A file's JSON; {"error": ...} if there is none or it is cut off."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {"error": "was not run"}
    except ValueError:
        return {"error": f"{path.name} holds no JSON"}


def read_lines(path):
    """The JSON of each line; a last line that a kill cut off is left out."""
    if not path.exists():
        return []
    values = []
    for line in path.read_text().splitlines():
        try:
            values.append(json.loads(line))
        except ValueError:
            break
    return values


def tests_of(log):
    """Outcome of each test in the log of a Rust test binary, and the largest of the distances that each prints."""
    tests = dict(re.findall(r"^test (\S+) \.\.\. (ok|FAILED|ignored)", log, re.MULTILINE))
    summary = re.search(r"^test result: (\w+)\. (\d+) passed; (\d+) failed", log, re.MULTILINE)
    distances = {}
    # What tests print stands after `---- NAME stdout ----`.
    _, *outputs = re.split(r"^---- (\S+) stdout ----$", log, flags=re.MULTILINE)
    for name, output in zip(outputs[::2], outputs[1::2]):
        found = [float(distance) for distance in re.findall(r"off by (?:at most )?([\d.e+-]+)", output)]
        if found:
            distances[name] = max(found)
    problems = [f"test {name} failed" for name, outcome in tests.items() if outcome == "FAILED"]
    if summary is None:
        problems.append("the tests did not end: see the log")
    elif int(summary[2]) + int(summary[3]) == 0:
        problems.append("no test was run")
    return {"tests": tests, "distances": distances}, problems


def operations(folder):
    return tests_of((folder / "part1.log").read_text())


def training_steps(folder):
    found, problems = tests_of((folder / "part2.log").read_text())
    reference = read_json(folder / "steps-cpu-f32.json")
    rows = []
    for path in sorted(folder.glob("steps-*.json")):
        _, device, precision = path.stem.split("-")
        step = read_json(path)
        if "error" in step:
            problems.append(f"steps on {device} in {precision}: {step['error']}")
        elif (device, precision) != ("cpu", "f32") and "error" not in reference:
            off = distance(step["losses"], reference["losses"])
            rows.append({"device": device, "precision": precision, "losses": step["losses"], "off": off})
            if not off <= BANDS[precision]:
                problems.append(f"steps on {device} in {precision} are off by {off:.1e}, more than {BANDS[precision]:.0e}")
    if not rows and not problems:
        problems.append("no steps were compared")
    return found | {"cpu_losses": reference.get("losses"), "steps": rows}, problems


def distance(losses, reference):
    """The largest relative distance; infinite if a loss is no number, which JSON writes as null."""
    distances = [math.nan if a is None or b is None else abs(a / b - 1) for a, b in zip(losses, reference)]
    return math.inf if any(math.isnan(distance) for distance in distances) else max(distances)


def throughput(folder):
    rows, problems = [], []
    for name in sorted({path.stem.split("-")[1] for path in folder.glob("throughput-*.json")}):
        sides = {}
        for side in ["ours", "theirs"]:
            runs = [read_json(path) for path in sorted(folder.glob(f"throughput-{name}-{side}-*.json"))]
            problems += [f"{name}, {side}: {run['error']}" for run in runs if "error" in run]
            sides[side] = runs
        rows.append(compared(name, sides["ours"], sides["theirs"], problems))
    if not rows:
        problems.append("nothing was timed")
    return {"models": sorted(rows, key=lambda row: (row["ours"] or row["theirs"] or {"n_parameters": 0})["n_parameters"])}, problems


def compared(name, ours, theirs, problems):
    """One model's row: medians of each side, and of the rounds' ratios."""
    row = {"name": name, "ours": summed_up(ours), "theirs": summed_up(theirs), "ratio": None}
    pairs = [(a, b) for a, b in zip(ours, theirs) if "error" not in a and "error" not in b]
    if pairs:
        row["ratio"] = statistics.median(a["tokens_per_s"] / b["tokens_per_s"] for a, b in pairs)
        # Both sides must count the same arithmetic, or their MFU cannot be compared.
        a, b = pairs[0]
        per_token = [side["gflops"] / side["tokens_per_s"] for side in (a, b)]
        if a["n_parameters"] != b["n_parameters"] or not math.isclose(*per_token, rel_tol=1e-6):
            problems.append(f"{name}: the two sides count different models: {a['n_parameters']} and {b['n_parameters']} parameters")
    return row


def summed_up(runs):
    runs = [run for run in runs if "error" not in run]
    if not runs:
        return None

    def median(field):
        return statistics.median(run[field] for run in runs) if runs[0].get(field) is not None else None

    kept = ["device", "shape", "n_parameters", "losses", "peak_gflops", "torch", "compile", "compile_problem", "attention"]
    medians = {field: median(field) for field in ["step_seconds", "tokens_per_s", "gflops", "mfu", "peak_memory_mb"]}
    return {field: runs[0][field] for field in kept if field in runs[0]} | medians | {
        "rounds_tokens_per_s": [run["tokens_per_s"] for run in runs]
    }


def pretraining(folder):
    before, after = read_lines(folder / "metrics-before.jsonl"), read_lines(folder / "metrics.jsonl")
    result = read_json(folder / "pretrain.json")
    samples = read_lines(folder / "samples.jsonl")
    if not before or not after or "error" in result:
        return {"steps": len(after)}, ["the run was not killed and resumed to its end: see the log"]
    problems, result = [], result["result"]
    if [step["step"] for step in after] != list(range(1, result["steps"] + 1)):
        problems.append("metrics.jsonl does not have every step once")
    # `elapsed_s` begins anew in a resumed run: there it resumed.
    resumed_at = next((b["step"] for a, b in zip(after, after[1:]) if b["elapsed_s"] < a["elapsed_s"]), 1)
    again = [(a, b) for a, b in zip(before, after) if a["step"] >= resumed_at]
    different = [b["step"] for a, b in again if (a["loss"], a["grad_norm"]) != (b["loss"], b["grad_norm"])]
    if not again:
        problems.append("no step was made again after the kill")
    if different:
        a, b = next(pair for pair in again if pair[1]["step"] == different[0])
        problems.append(f"{len(different)} of {len(again)} steps came out differently after the kill; step {a['step']}: {a['loss']}, then {b['loss']}")
    if not after[-1]["loss"] < after[0]["loss"]:
        problems.append(f"the loss did not fall: {after[0]['loss']} to {after[-1]['loss']}")
    bits = {when: result[when]["nats"] / math.log(2) / result[when]["n_bytes"] for when in ["before", "after"]}
    if not bits["after"] < bits["before"]:
        problems.append(f"bits per byte did not fall: {bits['before']} to {bits['after']}")
    if not samples or any("text" not in sample for sample in samples):
        problems.append("there are no samples")
    mfus = [step["mfu"] for step in after if step.get("mfu") is not None]
    return {
        "n_parameters": result["n_parameters"],
        "steps": result["steps"],
        "n_tokens": result["n_tokens"],
        "tokens_per_s": result["tokens_per_s"],
        "mfu": statistics.median(mfus) if mfus else None,
        "loss": result["loss"],
        "val_loss": result["val_loss"],
        "bits_per_byte": bits,
        "killed_after_step": before[-1]["step"],
        "resumed_at_step": resumed_at,
        "steps_made_again": len(again),
        "steps_that_differ": len(different),
        "curve": curve(after),
        "samples": samples,
    }, problems


def curve(metrics):
    """Some steps of the run, evenly apart, with the mean loss since the one before and the validation loss last seen."""
    rows, val_loss, losses = [], None, []
    marks = {round(len(metrics) * i / ROWS_OF_A_CURVE) for i in range(1, ROWS_OF_A_CURVE + 1)}
    for number, step in enumerate(metrics, 1):
        losses.append(step["loss"])
        val_loss = step.get("val_loss", val_loss)
        if number in marks:
            rows.append({"step": step["step"], "n_tokens": step["n_tokens"], "loss": statistics.fmean(losses), "val_loss": val_loss})
            losses = []
    return rows


def profile(folder):
    profiles, problems = {}, []
    for path in sorted(folder.glob("profile-*.json")):
        found, name = read_json(path), path.stem.split("-", 1)[1]
        if "error" in found:
            problems.append(f"{name}: {found['error']}")
        elif not found.get("profile"):
            problems.append(f"{name}: the program gave no profile")
        else:
            profiles[name] = found["profile"] | {"n_parameters": found["n_parameters"], "step_seconds": found["step_seconds"]}
    if not profiles and not problems:
        problems.append("nothing was profiled")
    return {"profiles": profiles}, problems


READERS = {"1": operations, "2": training_steps, "3": throughput, "4": pretraining, "5": profile}


def collect(folder):
    """The report: the machine, and each part that ran with what it found and whether it passed."""
    parts = {}
    for number, reader in READERS.items():
        ended = read_json(folder / f"part{number}.json")
        if "error" in ended:
            continue
        found, problems = reader(folder)
        if ended["status"] != 0:
            problems.insert(0, f"exit code {ended['status']}" + (": out of time" if ended["status"] in (124, 137) else ""))
        # What happened in every round is said once.
        problems = list(dict.fromkeys(problems))
        parts[number] = {"name": NAMES[number], "passed": not problems, "seconds": ended["seconds"], "problems": problems} | found
    return {"machine": read_json(folder / "machine.json"), "parts": parts}


def merged(reports):
    """One report of several: of a part that ran more than once, the last."""
    parts = {number: part for report in reports for number, part in report["parts"].items()}
    return {"machine": reports[-1]["machine"], "parts": dict(sorted(parts.items()))}


# ---- the tables ----


def table(head, rows):
    """A table in Markdown; every column but the first is of numbers, but for an outcome."""
    columns = ["---"] + ["---" if name == "outcome" else "---:" for name in head[1:]]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in [head, columns, *rows]]
    return "\n".join(lines)


def number(value, digits=0, unit=""):
    return "" if value is None else f"{value:,.{digits}f}{unit}"


def percent(value):
    return number(None if value is None else 100 * value, 1, " %")


def millions(value):
    return number(value / 1e6, 1, " M")


def markdown(report):
    machine = report["machine"]
    told = ", ".join(f"{name} {value}" for name, value in machine.items() if value is not None)
    rows = [
        [f"{n} {part['name']}", number(part["seconds"]), "passed" if part["passed"] else "**failed**: " + "; ".join(part["problems"])]
        for n, part in report["parts"].items()
    ]
    sections = ["# GPU suite", told, table(["part", "seconds", "outcome"], rows)]
    writers = {"1": told_tests, "2": told_steps, "3": told_throughput, "4": told_pretraining, "5": told_profiles}
    for n, part in report["parts"].items():
        sections += [f"## {n} {part['name']}", *writers[n](part)]
    return "\n\n".join(section for section in sections if section) + "\n"


def told_tests(part):
    outcomes = list(part["tests"].values())
    distances = [[name, f"{distance:.1e}"] for name, distance in part["distances"].items()]
    return [f"{outcomes.count('ok')} of {len(outcomes)} tests passed.", table(["test", "off by at most"], distances) if distances else ""]


def told_steps(part):
    rows = [
        [f"{row['device']} {row['precision']}", number(row["losses"][0], 4), number(row["losses"][1], 4), f"{row['off']:.1e}"]
        for row in part["steps"]
    ]
    if part["cpu_losses"]:
        rows.insert(0, ["cpu f32", *(number(loss, 4) for loss in part["cpu_losses"]), ""])
    return [*told_tests(part), table(["`llm bench train`", "first loss", "last loss", "off by"], rows)]


def told_throughput(part):
    head = ["model", "parameters", "batch x tokens", "ours tokens/s", "PyTorch tokens/s", "ours / PyTorch", "ours MFU", "PyTorch MFU"]
    head += ["ours GB", "PyTorch GB"]
    rows, notes = [], []
    for model in part["models"]:
        ours, theirs = model["ours"] or {}, model["theirs"] or {}
        known = ours or theirs
        shape = known.get("shape", {})
        rows.append([
            model["name"],
            millions(known["n_parameters"]) if known else "",
            f"{shape['batch']} x {shape['seq_len']}" if shape else "",
            number(ours.get("tokens_per_s")),
            number(theirs.get("tokens_per_s")),
            number(model["ratio"], 2),
            percent(ours.get("mfu")),
            percent(theirs.get("mfu")),
            *(number(side["peak_memory_mb"] / 1e3, 1) if side.get("peak_memory_mb") else "" for side in (ours, theirs)),
        ])
        if theirs:
            problem = f" ({theirs['compile_problem']})" if theirs.get("compile_problem") else ""
            notes.append(f"- {model['name']}: PyTorch {theirs['torch']}, compiled: {theirs['compile']}{problem}, attention {theirs['attention']}")
    return [table(head, rows), "\n".join(notes)]


def told_pretraining(part):
    if "curve" not in part:
        return []
    bits = part["bits_per_byte"]
    sentences = (
        f"{millions(part['n_parameters'])} parameters, {part['steps']} steps, {millions(part['n_tokens'])} tokens, "
        f"{number(part['tokens_per_s'])} tokens/s{', MFU ' + percent(part['mfu']) if part['mfu'] else ''}; "
        f"bits per byte on held-out documents {bits['before']:.3f} -> {bits['after']:.3f}. "
        f"Killed after step {part['killed_after_step']}, resumed at step {part['resumed_at_step']}: {part['steps_made_again']} steps were made again, "
        f"{part['steps_that_differ']} of them came out differently."
    )
    rows = [
        [str(row["step"]), millions(row["n_tokens"]), number(row["loss"], 3), number(row["val_loss"], 3)] for row in part["curve"]
    ]
    samples = "\n".join(f"- `{sample['prompt']}`: `{' '.join(sample.get('text', '').split())}`" for sample in part["samples"])
    return [sentences, table(["step", "tokens", "loss", "validation"], rows), samples]


def told_profiles(part):
    sections = []
    for name, found in part["profiles"].items():
        kernels = found["kernels"]
        rest = kernels[ROWS_OF_A_PROFILE:]
        rows = [
            [kernel["name"], number(kernel["calls"]), number(kernel["ms"], 3), percent(kernel["share"]), number(kernel.get("tflops"), 1)]
            for kernel in kernels[:ROWS_OF_A_PROFILE]
        ]
        if rest:
            ms, share = sum(kernel["ms"] for kernel in rest), sum(kernel["share"] for kernel in rest)
            rows.append([f"{len(rest)} others", "", number(ms, 3), percent(share), ""])
        rows.append(["a step", "", number(found["step_ms"], 3), "", ""])
        sections += [f"{name}, {millions(found['n_parameters'])} parameters:", table(["kernel", "calls", "ms", "share", "TFLOP/s"], rows)]
    return sections


def write(report, out):
    out.mkdir(parents=True, exist_ok=True)
    (out / "gpu.json").write_text(json.dumps(report, indent=1) + "\n")
    (out / "gpu.md").write_text(markdown(report))
    return 0 if report["parts"] and all(part["passed"] for part in report["parts"].values()) else 1


# ---- the self-check ----


def made_up(folder):
    """Results of a suite in which all went well."""

    def put(name, value):
        (folder / name).write_text(value if isinstance(value, str) else json.dumps(value))

    put("machine.json", {"commit": "abc", "name": "GPU", "torch": None})
    for n in NAMES:
        put(f"part{n}.json", {"status": 0, "seconds": 10 * int(n)})
    tests = "test a ... ok\ntest b ... ok\n\n---- b stdout ----\nd_model 64: worst gradient off by 1.0e-6\nF32: off by at most 2.0e-4\n"
    put("part1.log", tests + "\ntest result: ok. 2 passed; 0 failed; 0 ignored\n")
    put("part2.log", "test c ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored\n")
    for device, precision, last in [("cpu", "f32", 4.0), ("cuda", "f32", 4.001), ("cuda", "bf16", 4.02)]:
        put(f"steps-{device}-{precision}.json", {"losses": [6.0, last]})
    shape = {"batch": 4, "seq_len": 32}
    for round_, ours, theirs in [(1, 100.0, 80.0), (2, 300.0, 200.0), (3, 90.0, 90.0)]:
        both = {"shape": shape, "n_parameters": 2_000_000, "step_seconds": 1.0, "mfu": 0.5, "peak_memory_mb": 1500.0, "losses": [6.0, 5.0]}
        put(f"throughput-tiny-ours-{round_}.json", both | {"tokens_per_s": ours, "gflops": 2 * ours})
        pytorch = {"torch": "2", "compile": "model", "compile_problem": None, "attention": "auto"}
        put(f"throughput-tiny-theirs-{round_}.json", both | pytorch | {"tokens_per_s": theirs, "gflops": 2 * theirs})

    def step(i, elapsed):
        return {"step": i, "loss": 5.0 - i / 100, "grad_norm": 1.0, "n_tokens": 64 * i, "elapsed_s": elapsed, "mfu": 0.4}

    put("metrics-before.jsonl", "".join(json.dumps(step(i, float(i))) + "\n" for i in range(1, 14)) + '{"step": 14, "lo')
    # The checkpoint was of step 10.
    after = [step(i, float(i if i <= 10 else i - 10)) | ({"val_loss": 4.5} if i % 10 == 0 else {}) for i in range(1, 21)]
    put("metrics.jsonl", "".join(json.dumps(line) + "\n" for line in after))
    result = {"n_parameters": 2_000_000, "steps": 20, "n_tokens": 1280, "tokens_per_s": 50.0, "loss": 4.8, "val_loss": 4.5}
    result |= {"before": {"nats": 55.0, "n_bytes": 10}, "after": {"nats": 20.0, "n_bytes": 10}}
    put("pretrain.json", {"seconds": 1.0, "result": result})
    put("samples.jsonl", json.dumps({"prompt": "A", "text": " b\nc", "n_tokens": 2}) + "\n")
    kernels = [{"name": f"k{i}", "calls": 2.0, "ms": 1.0, "share": 0.05, "tflops": 3.0} for i in range(20)]
    put("profile-tiny.json", {"n_parameters": 2_000_000, "step_seconds": 0.1, "profile": {"step_ms": 20.0, "kernels": kernels}})


def self_check():
    def report_with(damage=None):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            made_up(folder)
            if damage:
                damage(folder)
            return collect(folder)

    def replace(name, old, new):
        def damage(folder):
            text = (folder / name).read_text()
            assert old in text, (name, old)
            (folder / name).write_text(text.replace(old, new))

        return damage

    def expect(found, expected):
        assert found == expected, f"{found!r} is not {expected!r}"

    good = report_with()
    expect([part["problems"] for part in good["parts"].values()], [[]] * 5)
    model = good["parts"]["3"]["models"][0]
    # Medians of the rounds, and of their ratios 1.25, 1.5 and 1.
    expect((model["ours"]["tokens_per_s"], model["theirs"]["tokens_per_s"], model["ratio"]), (100.0, 90.0, 1.25))
    expect([round(row["off"], 6) for row in good["parts"]["2"]["steps"]], [0.005, 0.00025])
    run = good["parts"]["4"]
    expect((run["killed_after_step"], run["resumed_at_step"], run["steps_made_again"], run["steps_that_differ"]), (13, 11, 3, 0))
    expect(run["curve"][-1], {"step": 20, "n_tokens": 1280, "loss": statistics.fmean([4.81, 4.80]), "val_loss": 4.5})

    # Each fault turns its part red, no other, and is named.
    faults = [
        ("1", replace("part1.log", "test b ... ok", "test b ... FAILED"), "test b failed"),
        ("1", replace("part1.log", "test result", "killed"), "did not end"),
        ("1", replace("part1.log", "2 passed", "0 passed"), "no test was run"),
        ("1", replace("part1.json", '"status": 0', '"status": 124'), "out of time"),
        ("2", replace("steps-cuda-f32.json", "4.001", "4.01"), "cuda in f32 are off by 2.5e-03"),
        ("2", replace("steps-cuda-bf16.json", "4.02", "null"), "cuda in bf16 are off by inf"),
        ("2", lambda folder: (folder / "steps-cpu-f32.json").unlink(), "no steps were compared"),
        ("3", lambda folder: (folder / "throughput-tiny-theirs-2.json").write_text('{"error": "exit code 1"}'), "tiny, theirs: exit code 1"),
        ("3", replace("throughput-tiny-ours-1.json", '"gflops": 200', '"gflops": 201'), "different models"),
        ("4", replace("metrics-before.jsonl", '"step": 12, "loss": 4.88', '"step": 12, "loss": 4.881'), "1 of 3 steps"),
        ("4", replace("metrics.jsonl", '"step": 7,', '"step": 8,'), "every step once"),
        ("4", replace("pretrain.json", '"nats": 20.0', '"nats": 90.0'), "bits per byte did not fall"),
        ("4", lambda folder: (folder / "samples.jsonl").unlink(), "no samples"),
        ("4", lambda folder: (folder / "pretrain.json").unlink(), "not killed and resumed"),
        ("5", replace("profile-tiny.json", '"profile"', '"other"'), "gave no profile"),
    ]
    for number_, damage, words in faults:
        report = report_with(damage)
        failed = [n for n, part in report["parts"].items() if not part["passed"]]
        expect(failed, [number_])
        told = "; ".join(report["parts"][number_]["problems"])
        assert words in told, f"{told!r} does not say {words!r}"
        markdown(report)

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        expect(write(good, folder), 0)
        text = (folder / "gpu.md").read_text()
        for row in [
            "| 3 throughput | 30 | passed |",
            "| b | 2.0e-04 |",
            "| tiny | 2.0 M | 4 x 32 | 100 | 90 | 1.25 | 50.0 % | 50.0 % | 1.5 | 1.5 |",
            "| 20 | 0.0 M | 4.805 | 4.500 |",
            "- `A`: `b c`",
            "| 5 others |  | 5.000 | 25.0 % |  |",
        ]:
            assert row + "\n" in text, f"{row!r} is not in\n{text}"
        bad = report_with(faults[0][1])
        expect(write(merged([bad, json.loads((folder / "gpu.json").read_text())]), folder), 0)
        expect(write(merged([good, {"machine": {}, "parts": {"1": bad["parts"]["1"]}}]), folder), 1)
        expect(write({"machine": {}, "parts": {}}, folder), 1)
    print("report.py: self-check passed")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="?", type=Path, help="the folder that the parts wrote to")
    parser.add_argument("--merge", nargs="+", type=Path, metavar="JSON", help="reports of earlier calls")
    parser.add_argument("--out", type=Path, help="where gpu.json and gpu.md go")
    parser.add_argument("--self-check", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_check:
        return self_check()
    if arguments.out is None or (arguments.results is None) == (arguments.merge is None):
        parser.error("give a folder of results or --merge reports, and --out")
    if arguments.merge:
        reports = [read_json(path) for path in arguments.merge]
        wrong = [str(path) for path, report in zip(arguments.merge, reports) if "parts" not in report]
        if wrong:
            parser.error(f"{', '.join(wrong)}: no report of this suite")
        return write(merged(reports), arguments.out)
    if not arguments.results.is_dir():
        parser.error(f"there is no folder {arguments.results}")
    return write(collect(arguments.results), arguments.out)


if __name__ == "__main__":
    sys.exit(main())
