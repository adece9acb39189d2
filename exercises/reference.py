"""Literal values for the exercises' tests, from the textbook formulas in plain Python (standard library only).

Independent of the Rust solutions: another language, and the formula as the paper writes it.
Run `python3 exercises/reference.py`; the tests hold the printed numbers.
The parameter counts of known models are the ones their publishers state; the formula here reproduces them.
"""
from math import cos, erf, exp, log, pi, sin, sqrt, tanh


def softmax(x):
    return [exp(v) / sum(exp(w) for w in x) for v in x]


def r(x, digits=9):
    return [r(v, digits) for v in x] if isinstance(x, (list, tuple)) else round(x, digits)


print("01 softmax [1, 2, 3]", r(softmax([1, 2, 3])))
print("01 softmax [-1, 0.5, 2, 0]", r(softmax([-1, 0.5, 2, 0])))

scores = [[0.5, 9, 9], [1, -1, 9], [0.2, 0.4, 0.6]]
print("05 causal softmax", [r(softmax(row[: i + 1])) for i, row in enumerate(scores)])


def rope(x, position, theta=10000.0):
    half = len(x) // 2
    angle = [position * theta ** (-2 * i / len(x)) for i in range(half)]
    first = [x[i] * cos(angle[i]) - x[i + half] * sin(angle[i]) for i in range(half)]
    second = [x[i] * sin(angle[i]) + x[i + half] * cos(angle[i]) for i in range(half)]
    return first + second


for position in (0, 1, 2):
    print("05 rope [1, 2, 3, 4] at", position, r(rope([1, 2, 3, 4], position)))

x, weight = [1, -2, 3, 4], [1, 1, 0.5, 2]
rms = sqrt(sum(v * v for v in x) / len(x) + 1e-5)
print("06 rms_norm", r([v / rms * w for v, w in zip(x, weight)]))


def head_scores(q, k, n_heads):
    hd = len(q[0]) // n_heads
    dot = lambda a, b, h: sum(a[c] * b[c] for c in range(h * hd, (h + 1) * hd))
    return [[[dot(a, b, h) / sqrt(hd) for b in k] for a in q] for h in range(n_heads)]


queries, keys = [[1, 2, 3, 4], [0.5, -1, 2, 0]], [[1, 1, 1, 1], [2, 0, -1, 3], [0, 1, 0.5, 0.5]]
print("05 scores of two heads", r(head_scores(queries, keys, 2)))


def layer_norm(x, gain, bias, eps):
    mean = sum(x) / len(x)
    std = sqrt(sum((v - mean) ** 2 for v in x) / len(x) + eps)
    return [(v - mean) / std * g + b for v, g, b in zip(x, gain, bias)]


print("06 layer_norm", r(layer_norm([1, -2, 3, 4], [1, 1, 0.5, 2], [0, 0.5, 0, -1], 1e-5)))
for v in (-3, -1, 0.5, 1, 2):
    by_tanh = v / 2 * (1 + tanh(sqrt(2 / pi) * (v + 0.044715 * v**3)))
    print("06 gelu", v, "by tanh", r(by_tanh), "exact", r(v / 2 * (1 + erf(v / sqrt(2)))))


def parameters(vocab, d, layers, heads, kv, hd, ff, tied):
    layer = d * heads * hd + 2 * d * kv * hd + heads * hd * d + 3 * d * ff + 2 * d
    return vocab * d + layers * layer + d + (0 if tied else vocab * d)


for name, *shape in [
    ("Llama 2 7B", 32000, 4096, 32, 32, 32, 128, 11008, False),
    ("Llama 3 8B", 128256, 4096, 32, 32, 8, 128, 14336, False),
    ("TinyLlama 1.1B", 32000, 2048, 22, 32, 4, 64, 5632, False),
    ("Llama 3.2 1B", 128256, 2048, 16, 32, 8, 64, 8192, True),
    ("SmolLM2 135M", 49152, 576, 30, 9, 3, 64, 1536, True),
    ("wide heads", 10, 8, 1, 2, 1, 16, 4, True),
]:
    print("06 parameters", name, parameters(*shape))


def adamw(p, grads, lr, b1, b2, eps, decay):
    m = [0.0] * len(p)
    v = [0.0] * len(p)
    for t, g in enumerate(grads, start=1):
        for i in range(len(p)):
            m[i] = b1 * m[i] + (1 - b1) * g[i]
            v[i] = b2 * v[i] + (1 - b2) * g[i] ** 2
            m_hat, v_hat = m[i] / (1 - b1**t), v[i] / (1 - b2**t)
            p[i] = p[i] - lr * decay * p[i] - lr * m_hat / (sqrt(v_hat) + eps)
    return p


steps = [[0.5, -0.2], [0.1, 0.4], [-0.3, 0.4]]
for n in (1, 2, 3):
    print("08 adamw after", n, r(adamw([1.0, -2.0], steps[:n], 0.1, 0.9, 0.95, 1e-8, 0.1), 12))
print("08 adamw, tiny gradient", r(adamw([1.0], [[1e-8]], 0.1, 0.9, 0.95, 1e-8, 0.0), 12))


def learning_rate(step, warmup, total, peak, floor):
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = min(1, (step - warmup) / (total - warmup))
    return floor + (peak - floor) * (1 + cos(pi * progress)) / 2


print("08 schedule", [(s, r(learning_rate(s, 10, 110, 1.0, 0.1))) for s in (0, 4, 9, 10, 35, 60, 85, 110, 500)])


def rms_norm_backward(x, w, g, eps):
    d = len(x)
    root = 1 / sqrt(sum(v * v for v in x) / d + eps)
    through = sum(a * b * c for a, b, c in zip(g, w, x))
    return [root * g[i] * w[i] - root**3 / d * x[i] * through for i in range(d)], [g[i] * x[i] * root for i in range(d)]


print("09 rms_norm backward", r(rms_norm_backward([1, -2, 3], [1, 1, 1], [0.5, -1, 2], 1e-5)))
print("09 online softmax of [1, 3], [2]", r([exp(-2), exp(-1), 1 + exp(-2) + exp(-1), log(exp(1) + exp(3) + exp(2))]))


def attention(q, k, v):  # head_dim 1
    rows = [[q[i] * k[j] for j in range(i + 1)] for i in range(len(q))]
    out = [sum(p * w for p, w in zip(softmax(row), v)) for row in rows]
    return out, [log(sum(exp(s) for s in row)) for row in rows]


print("09 attention", r(attention([1, 2, -1], [1, 0.5, 3], [10, 20, 30])))


def clipped_adamw(weights, steps, n_targets, decays, max_norm):
    weights, sums = list(weights), []
    m, v = [0.0] * len(weights), [0.0] * len(weights)
    for t, gradients in enumerate(steps, start=1):
        mean = [g / n_targets for g in gradients]
        norm = sqrt(sum(g * g for g in mean))
        mean = [g * min(1, max_norm / norm) for g in mean]
        for i, g in enumerate(mean):
            m[i], v[i] = 0.9 * m[i] + 0.1 * g, 0.95 * v[i] + 0.05 * g * g
            update = m[i] / (1 - 0.9**t) / (sqrt(v[i] / (1 - 0.95**t)) + 1e-8)
            weights[i] = weights[i] * (1 - 0.1 * decays[i]) - 0.1 * update
        sums.append((norm, list(weights)))
    return sums


print("09 clipped adamw", r(clipped_adamw([1.0, -2.0], [[3, 4], [0.5, -0.2]], 2, [0.1, 0.0], 1.0)))


def linear(rows, d_in, d_out):
    return 2 * rows * d_in * d_out, 4 * (rows * d_in + d_in * d_out + rows * d_out)


def block(batch, seq_len, d, heads, ff):
    rows = batch * seq_len
    pairs = sum(i + 1 for i in range(seq_len))
    attended = 4 * (d // heads) * heads * batch * pairs, 4 * 4 * rows * d
    norm, addition, swiglu = (4 * rows * d, 4 * (2 * rows * d + d)), (rows * d, 12 * rows * d), (5 * rows * ff, 12 * rows * ff)
    parts = [linear(rows, d, d)] * 4 + [linear(rows, d, ff)] * 2 + [linear(rows, ff, d)]
    parts += [norm] * 2 + [addition] * 2 + [swiglu, attended]
    return attended, norm, swiglu, (sum(p[0] for p in parts), sum(p[1] for p in parts))


print("09 linear", linear(1, 1000, 1000), linear(2048, 384, 1024))
print("09 attention, norm, swiglu, block", block(8, 256, 384, 6, 1024), block(1, 1, 1, 1, 1))


def cross_entropy(z, target):
    return -log(softmax(z)[target])


print("09 cross-entropy", r([cross_entropy([1, 2, 0.5, -1], t) for t in (0, 1)]), end=" ")
print(r(cross_entropy([0.3, -1.2, 2, 0.7], 3)), r(cross_entropy([0, -1, -2, -3], 0)))


def dpo(pc, pr, rc, rr, beta):
    z = beta * ((pc - rc) - (pr - rr))
    probability_wrong = 1 / (1 + exp(z))
    return -log(1 / (1 + exp(-z))), -beta * probability_wrong, beta * probability_wrong


print("14 dpo", r(dpo(-12.0, -15.0, -14.0, -13.0, 0.1)))
print("14 dpo, wrong way round", r(dpo(-15.0, -12.0, -13.0, -14.0, 0.5)))

logits = [[1.0, 2.0, 0.5], [0.0, -1.0, 3.0], [2.0, 2.0, 1.0], [9.0, 9.0, 9.0]]
tokens = [0, 1, 2, 1]
logp = [log(softmax(logits[t - 1])[tokens[t]]) for t in range(1, 4)]
print("14 log-probs of tokens 1, 2, 3", r(logp), "sum of 2 and 3", r(logp[1] + logp[2]), "all", r(sum(logp)))


def fnv1a(data):
    """The 64-bit Fowler-Noll-Vo hash 1a (exercise 02.8)."""
    h = 0xCBF29CE484222325
    for byte in data:
        h = ((h ^ byte) * 0x100000001B3) % 2**64
    return h


def minhash_signature(words, n, permutations):
    n = max(1, min(n, len(words)))
    runs = [" ".join(words[i : i + n]) for i in range(len(words) - n + 1)] if words else []
    hashes = [fnv1a(run.encode()) >> 32 for run in runs]
    return [min(((a * h + b) % 2**32 for h in hashes), default=2**32 - 1) for a, b in permutations]


def minhash_buckets(signature, rows):
    bands = [signature[i : i + rows] for i in range(0, len(signature) - rows + 1, rows)]
    return [fnv1a(b"".join(value.to_bytes(4, "little") for value in [band, *places])) for band, places in enumerate(bands)]


PERMUTATIONS = [(1, 0), (3, 7), (2654435761, 1), (0xDEADBEEF, 42)]
sentence = "the doors in bakelo are red".split()
print("02 fnv1a", hex(fnv1a(b"")), hex(fnv1a(b"a")), hex(fnv1a(b"foobar")))
print("02 signature", minhash_signature(sentence, 3, PERMUTATIONS), minhash_signature(sentence[:2], 3, PERMUTATIONS))
print("02 buckets", [hex(bucket) for bucket in minhash_buckets([1, 2, 3, 4, 5], 2)])
