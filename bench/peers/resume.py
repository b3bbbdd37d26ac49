"""Goes on with a run of `walsh train` in PyTorch and compares the losses.

    python3 bench/peers/resume.py RUN [--step S] [--steps 100] [--data DIR] [--device cuda|cpu]

Everything that decides a loss is written here a second time, from the formulas: the model, the Hadamard matrix, the optimizer, the schedule
and the order of the data. Weights and moments come from the checkpoint of step S (the earliest by default), losses to compare with from
RUN/metrics.jsonl. The last line is one JSON object; the exit status is 1 where a loss differs by more than 0.005 nats.
Needs PyTorch and numpy.
"""
import argparse
import json
import math
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F

TOLERANCE = 0.005
MASK = (1 << 64) - 1
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


# The order of the data: windows of T + 1 tokens under a keyed permutation.


def mix(value):
    z = (value + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
    return z ^ z >> 31


def permuted(index, size, key):
    bits = (size - 1).bit_length()
    half = max(1, (bits + 1) // 2)
    mask = (1 << half) - 1
    while True:
        left, right = index >> half, index & mask
        for turn in range(6):
            left, right = right, left ^ mix((mix((key + turn) & MASK) + right) & MASK) & mask
        index = left << half | right
        if index < size:
            return index


class Windows:
    def __init__(self, folder, length, seed):
        shards = [folder / s["file"] for s in json.loads((folder / "dataset.json").read_text())["train"]["shards"]]
        self.tokens = np.concatenate([np.fromfile(s, dtype="<u2", offset=1024) for s in shards])
        self.length = length
        self.count = (len(self.tokens) - 1) // length
        self.seed = seed

    def batch(self, first, size):
        rows = []
        for at in range(first, first + size):
            key = mix((mix(self.seed & MASK) + at // self.count) & MASK)
            start = permuted(at % self.count, self.count, key) * self.length
            rows.append(self.tokens[start : start + self.length + 1].astype(np.int64))
        rows = torch.from_numpy(np.stack(rows))
        return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()


# The matrix H = P_core (x) S_(2^log2), one factor after the other, orthonormal, for row vectors.


def paley(m):
    first = (m - 1) % 4 == 3 and all((m - 1) % p for p in range(2, m - 1))
    q = m - 1 if first else m // 2 - 1
    squares = {x * x % q for x in range(1, q)}
    n = q + 1
    core = torch.zeros(n, n, dtype=torch.float64)
    core[0, 1:] = 1
    core[1:, 0] = -1 if first else 1
    for i in range(q):
        for j in range(q):
            core[i + 1, j + 1] = 0 if i == j else 1 if (j - i) % q in squares else -1
    if first:
        return torch.eye(n, dtype=torch.float64) + core
    sums = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)
    differences = torch.tensor([[1.0, -1.0], [-1.0, -1.0]], dtype=torch.float64)
    return torch.kron(core, sums) + torch.kron(torch.eye(n, dtype=torch.float64), differences)


def hadamard(factors):
    h = torch.ones(1, 1, dtype=torch.float64)
    for f in factors:
        if f["core"] > 1:
            h = torch.kron(h, paley(f["core"]))
        for _ in range(f["log2"]):
            h = torch.kron(h, torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64))
    h /= math.sqrt(len(h))
    assert torch.allclose(h @ h.T, torch.eye(len(h), dtype=torch.float64), atol=1e-12)
    return h


# The model, on a dictionary of weights.


def norm(x, gain):
    return F.rms_norm(x, gain.shape, gain, 1e-5)


def rope(x, cos, sin):
    a, b = x.to(cos.dtype).chunk(2, -1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), -1).to(x.dtype)


class Model:
    def __init__(self, shape, factors, device, dtype):
        self.shape = shape
        self.h = hadamard(factors["factors"]).to(device, dtype) if factors else None
        half = shape["width"] // shape["heads"] // 2
        angles = torch.outer(torch.arange(shape["context"]).double(), 10000.0 ** (-torch.arange(half).double() / half))
        self.cos, self.sin = angles.cos().float().to(device), angles.sin().float().to(device)

    def loss(self, w, ids, targets):
        heads, width, hidden = (self.shape[k] for k in ("heads", "width", "hidden"))
        projection = self.shape["projection"]
        b, t = ids.shape
        x = F.embedding(ids, w["embed.weight"])
        for i in range(self.shape["layers"]):
            at = f"h.{i}."
            packed = F.linear(norm(x, w[at + "attn_norm.gain"]), w[at + "attn.qkv.weight"]).view(b, t, 3, heads, width // heads)
            q, k, v = packed.permute(2, 0, 3, 1, 4)
            q, k = rope(q, self.cos[:t], self.sin[:t]), rope(k, self.cos[:t], self.sin[:t])
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, width)
            if projection["mix"] == "dense":
                y = F.linear(y, w[at + "attn.out.weight"])
            elif projection["mix"] == "hadamard":
                y = y @ self.h
            if projection["alpha"]:
                y = y * w[at + "attn.out.alpha"]
            if projection["beta"]:
                y = y + w[at + "attn.out.beta"]
            x = x + y
            gate, up = F.linear(norm(x, w[at + "mlp_norm.gain"]), w[at + "mlp.gate_up.weight"]).split(hidden, -1)
            x = x + F.linear(F.silu(gate) * up, w[at + "mlp.down.weight"])
        logits = F.linear(norm(x, w["norm.gain"]), w["embed.weight"])
        return F.cross_entropy(logits.float().view(b * t, -1), targets.view(-1))


def learning_rate(recipe, step):
    steps = -(-recipe["tokens"] // recipe["batchTokens"])
    # Java's Math.round: halves up.
    warmup = math.floor(recipe["warmup"] * steps + 0.5)
    if step < warmup:
        return recipe["learningRate"] * (step + 1) / warmup
    progress = min(1, (step - warmup) / max(1, steps - 1 - warmup))
    floor = recipe["finalLearningRate"]
    return recipe["learningRate"] * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))


def read_safetensors(path):
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    kinds = {"F32": torch.float32, "BF16": torch.bfloat16, "F64": torch.float64}
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            data = torch.frombuffer(bytearray(raw[8 + size + start : 8 + size + end]), dtype=kinds[entry["dtype"]])
            tensors[name] = data.reshape(entry["shape"])
    return tensors


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("run", type=pathlib.Path)
    args.add_argument("--step", type=int, help="the checkpoint to go on from; the earliest by default")
    args.add_argument("--steps", type=int, default=100)
    args.add_argument("--data", type=pathlib.Path, help="the dataset's folder, where it is not where the run found it")
    args.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = args.parse_args()
    folders = sorted(args.run.glob("step-*"))
    folder = folders[0] if args.step is None else args.run / f"step-{args.step:08d}"
    state = json.loads((folder / "state.json").read_text())
    recipe, step = state["training"], state["step"]
    shape = state["model"]
    if shape["projection"]["mix"] not in ("dense", "hadamard", "identity") or shape.get("query", "learned") != "learned":
        sys.exit("resume.py knows dense, hadamard in full form and identity alone; give a run of one of these")
    dtype, device = DTYPES[state["dtype"]], args.device
    masters = {n: t.to(device) for n, t in read_safetensors(folder / "model.safetensors").items()}
    moments = {n: t.to(device) for n, t in read_safetensors(folder / "optimizer.safetensors").items()}
    data = args.data or pathlib.Path(json.loads((args.run / "run.json").read_text())["data"])
    windows = Windows(data, recipe["length"], recipe["seed"])
    model = Model(state["model"], state["hadamard"], device, dtype)
    ours = {}
    for line in (args.run / "metrics.jsonl").read_text().splitlines():
        metric = json.loads(line)
        if metric.get("loss") is not None:
            ours[metric["step"]] = metric["loss"]

    worst, compared = 0.0, 0
    per_step = recipe["batchTokens"] // recipe["length"]
    passes = per_step // recipe["microBatch"]
    while compared < args.steps and step + 1 in ours:
        ids, targets = (x.to(device) for x in windows.batch(step * per_step, per_step))
        gradients = {n: torch.zeros_like(m) for n, m in masters.items()}
        loss = 0.0
        for at in range(passes):
            part = slice(at * recipe["microBatch"], (at + 1) * recipe["microBatch"])
            values = {n: m.to(dtype, copy=True).requires_grad_() for n, m in masters.items()}
            part_loss = model.loss(values, ids[part], targets[part])
            (part_loss / passes).backward()
            loss += part_loss.item() / passes
            for n, v in values.items():
                gradients[n] += v.grad
        total = torch.stack([g.norm() for g in gradients.values()]).norm().item()
        scale = min(1.0, recipe["clip"] / total)
        lr, step = learning_rate(recipe, step), step + 1
        for n, master in masters.items():
            g, first, second = gradients[n] * scale, moments[n + ".first_moment"], moments[n + ".second_moment"]
            if master.dim() == 2:
                master.mul_(1 - lr * recipe["weightDecay"])
            first.lerp_(g, 1 - recipe["beta1"])
            second.mul_(recipe["beta2"]).addcmul_(g, g, value=1 - recipe["beta2"])
            root = (second / (1 - recipe["beta2"] ** step)).sqrt() + 1e-8
            master.addcdiv_(first, root, value=-lr / (1 - recipe["beta1"] ** step))
        difference = abs(loss - ours[step])
        worst, compared = max(worst, difference), compared + 1
        if compared <= 3 or compared % 20 == 0:
            print(f"step {step}: PyTorch {loss:.5f}, walsh {ours[step]:.5f}, difference {difference:.1e}", flush=True)
    if compared == 0:
        sys.exit(f"{args.run}/metrics.jsonl has no loss after step {step}; train on, or give an earlier --step")
    print(json.dumps({"bench": "resume", "run": args.run.name, "projection": state["model"]["projection"]["mix"], "dtype": state["dtype"],
                      "device": device, "torch": torch.__version__, "from": state["step"], "steps": compared, "worst": worst,
                      "tolerance": TOLERANCE}))
    sys.exit(0 if worst <= TOLERANCE else 1)


if __name__ == "__main__":
    main()
