#!/usr/bin/env python3
"""Writes reference/testdata/torch: results and gradients of the op table, computed by PyTorch in float64 on a CPU.

Run by hand, in an environment of its own; the results are committed, so that every clone has an oracle that shares no code with this
project. From the repository's root, with Go at hand:

    python3 -m venv /tmp/torchgen && /tmp/torchgen/bin/pip install torch==2.15.0 numpy==2.4.6 transformers==5.24.0 tiktoken==0.14.0
    /tmp/torchgen/bin/python tools/torchgen/generate.py

Arguments have the names, shapes and layouts of SPEC.md. What PyTorch has a function or module for is computed by that: F.linear,
F.layer_norm, F.scaled_dot_product_attention, nn.TransformerEncoderLayer, F.cross_entropy, torch.optim, torch.nn.utils.clip_grad_norm_,
torch.optim.lr_scheduler, torch.nn.init. Gradients are autograd's. Inputs are multiples of 2^-8, so that they are short in decimal. The last
bits of results depend on the processor, by its matrix products.

Facts of text.clean come from Python itself, which has a Unicode database of its own. Those of text.encode and text.decode are tiktoken's.
Beam search, rates that warm up from 0 and the tokens that sampling leaves are also Hugging Face's, of its transformers; beam search is
besides fairseq's and tensor2tensor's, whose own tests' results stand below.

*_cases come first and *_edges last, so that a case more changes no random number of those before it.

Each file holds the cases of an op: attributes, constants, and steps of sources and results; and, where the op is differentiable, the
upstream gradient ("upstream") and the gradients ("grads") by the names of <op>.grad. A case with a "table" has the constants of that
encoding, which are not in the file. Numbers that are not finite are the strings "NaN", "Infinity" and "-Infinity".
"""

import hashlib
import json
import math
import pathlib
import platform
import subprocess
import sys
import unicodedata

import numpy
import tiktoken
import tiktoken.load
import torch
import torch.nn.functional as F
import transformers
from transformers.modeling_outputs import CausalLMOutput

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
OUT = pathlib.Path(__file__).resolve().parents[2] / "reference" / "testdata" / "torch"
INF = math.inf

cases: dict[str, list] = {}
rng = torch.Generator().manual_seed(20260816)


def normal(*shape, scale=1.0, mean=0.0):
    """Nearly normal multiples of 2^-8."""
    return torch.round((torch.randn(shape, generator=rng) * scale + mean) * 256) / 256


def integers(high, *shape):
    return torch.randint(high, shape, generator=rng)


def booleans(*shape, p=0.66):
    return torch.rand(shape, generator=rng) < p


def written(x):
    return "NaN" if math.isnan(x) else "Infinity" if x > 0 else "-Infinity"


def encode(t):
    dtype = {torch.float64: "F64", torch.int64: "I64", torch.bool: "BOOL"}[t.dtype]
    t = t.detach().contiguous()
    flat = t.reshape(-1).tolist()
    data = [x if not isinstance(x, float) else written(x) if not math.isfinite(x) else int(x) if x == int(x) and abs(x) < 2**53 else x for x in flat]
    return {"dtype": dtype, "shape": list(t.shape), "data": data}


def encode_all(tensors):
    return {name: encode(t) for name, t in tensors.items() if t is not None}


def add(op, name, attrs, steps, const=None, grad=None, table=None):
    """Adds a case. steps are pairs of sources and results by name."""
    c = {"name": name, "attrs": attrs, "const": encode_all(const or {}), "steps": [{"src": encode_all(s), "dst": encode_all(d)} for s, d in steps]}
    if table is not None:
        c["table"] = table
    if grad is not None:
        c["upstream"], c["grads"] = encode_all(grad[0]), encode_all(grad[1])
    cases.setdefault(op, []).append(c)


def differentiate(op, name, f, const, src, dst, attrs=None, upstream=None):
    """Adds a case of a differentiable op: f takes constants and sources by name."""
    tensors = {**const, **src}
    leaves = {
        n: t.clone().requires_grad_() for n, t in tensors.items() if t is not None and t.dtype == torch.float64 and n != "mask"
    }
    y = f(**{**tensors, **leaves})
    if upstream is None:
        upstream = normal(*y.shape)
    grads = torch.autograd.grad(y, list(leaves.values()), upstream)
    add(op, name, attrs or {}, [(src, {dst: y})], const, ({"d" + dst: upstream}, {"d" + n: g for n, g in zip(leaves, grads)}))


# Single layers.


def matmul_cases():
    for name, a, b in [("2d", (3, 4), (4, 2)), ("batch", (2, 3, 1, 5), (2, 3, 5, 4)), ("k1", (3, 1), (1, 4))]:
        differentiate("matmul", name, lambda a, b: a @ b, {}, {"a": normal(*a), "b": normal(*b)}, "c")
    for ta in (False, True):
        for tb in (False, True):
            differentiate(
                "matmul", f"transpose-{int(ta)}{int(tb)}", lambda a, b: (a.mT if ta else a) @ (b.mT if tb else b), {},
                {"a": normal(*((2, 5, 3) if ta else (2, 3, 5))), "b": normal(*((2, 4, 5) if tb else (2, 5, 4)))}, "c",
                {"transpose_a": ta, "transpose_b": tb},
            )


def linear_cases():
    f = lambda w, b, x: F.linear(x, w.T, b)
    differentiate("linear", "bias", f, {"w": normal(5, 3), "b": normal(3)}, {"x": normal(4, 5)}, "y")
    differentiate("linear", "no-bias", f, {"w": normal(5, 3), "b": None}, {"x": normal(2, 3, 5)}, "y")


def linear_edges():
    differentiate("linear", "odd", lambda w, b, x: F.linear(x, w.T, b), {"w": normal(13, 17), "b": normal(17)}, {"x": normal(7, 13)}, "y")


def rows_cases():
    for op, f in [("softmax", F.softmax), ("log_softmax", F.log_softmax)]:
        g = lambda x: f(x, dim=-1)
        differentiate(op, "rows", g, {}, {"x": normal(3, 7, scale=2)}, "y")
        differentiate(op, "large", g, {}, {"x": normal(2, 5, scale=300)}, "y")
        differentiate(op, "one", g, {}, {"x": normal(3, 1)}, "y")
        differentiate(op, "shifted", g, {}, {"x": normal(2, 6, mean=10000)}, "y")
        x = normal(2, 6)
        x[0, 2] = x[1, 0] = -INF
        add(op, "minus-inf", {}, [({"x": x}, {"y": g(x)})])
    x = torch.cat([torch.arange(-40, 41) / 8, normal(40, scale=3), torch.tensor([-30.0, 30.0, -12.5, 0.0])])
    off_kink = torch.where(x == 0, torch.full_like(x, 0.25), x)
    differentiate("relu", "grid", lambda x: F.relu(x), {}, {"x": off_kink}, "y")
    for kind in ("none", "tanh"):
        differentiate("gelu", kind, lambda x: F.gelu(x, approximate=kind), {}, {"x": x}, "y", {"approximate": kind})


def rows_edges():
    for op, f in [("softmax", F.softmax), ("log_softmax", F.log_softmax)]:
        differentiate(op, "long", lambda x: f(x, dim=-1), {}, {"x": normal(1, 257, scale=4)}, "y")
        x = normal(6, 5)
        x[0, 2:], x[1, :4], x[2] = -INF, -INF, -INF
        x[3, 1], x[4, 0] = INF, math.nan
        add(op, "specials", {}, [({"x": x}, {"y": f(x, dim=-1)})])
    x = torch.cat([torch.arange(-32, 33) / 4, torch.tensor([1e-8, -1e-8, 1e-3, -1e-3, 30.0, -30.0])])
    for op, name, f, attrs in [
        ("relu", "wide", lambda x: F.relu(x), {}), ("gelu", "none-wide", lambda x: F.gelu(x), {"approximate": "none"}),
        ("gelu", "tanh-wide", lambda x: F.gelu(x, approximate="tanh"), {"approximate": "tanh"}),
    ]:
        differentiate(op, name, f, {}, {"x": torch.where(x == 0, 0.5, x) if op == "relu" else x}, "y", attrs)
    x = torch.tensor([0.0, -0.0, INF, -INF, math.nan])
    add("relu", "specials", {}, [({"x": x}, {"y": F.relu(x)})])


def layernorm_cases():
    for name, x, eps in [
        ("rows", normal(4, 8), 1e-5), ("eps", normal(3, 6), 0.1), ("mean", normal(3, 8, mean=50), 1e-5), ("wide", normal(2, 96), 1e-5),
        ("deep", normal(2, 3, 5, scale=3), 1e-6), ("small", normal(3, 6, scale=0.02), 1e-5),
    ]:
        d = x.shape[-1]
        differentiate(
            "layernorm", name, lambda gamma, beta, x: F.layer_norm(x, (d,), gamma, beta, eps), {"gamma": normal(d), "beta": normal(d)}, {"x": x}, "y",
            {"eps": eps},
        )


def rmsnorm_edges():
    for name, x, eps in [
        ("rows", normal(4, 8), 1e-5), ("eps", normal(3, 6), 0.1), ("mean", normal(3, 8, mean=50), 1e-5), ("wide", normal(2, 96), 1e-6),
        ("deep", normal(2, 3, 5, scale=3), 1e-6), ("tiny", normal(3, 8) * 2**-10, 1e-5), ("one-column", normal(3, 1), 0.5),
    ]:
        d = x.shape[-1]
        differentiate("rmsnorm", name, lambda gamma, x: F.rms_norm(x, (d,), gamma, eps), {"gamma": normal(d)}, {"x": x}, "y", {"eps": eps})
    x = normal(4, 5)
    x[0], x[1, 2], x[2, 3] = 0, math.nan, INF
    gamma = normal(5)
    add("rmsnorm", "specials", {"eps": 1e-5}, [({"x": x}, {"y": F.rms_norm(x, (5,), gamma, 1e-5)})], {"gamma": gamma})


def rotary_edges():
    """LLaMA's own code multiplies complex numbers; Hugging Face's, of which the functions are called, turns halves."""
    from transformers.models.gpt_neox.modeling_gpt_neox import apply_rotary_pos_emb as neox
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb as llama

    def angles(pos, r, base):
        return pos[..., None].double() / base ** (torch.arange(0, r, 2).double() / r)

    def interleaved(x, pos, r, base):
        m = angles(pos, r, base)[:, None]
        turned = torch.view_as_complex(x[..., :r].reshape(*x.shape[:-1], r // 2, 2)) * torch.polar(torch.ones_like(m), m)
        return torch.cat([torch.view_as_real(turned).flatten(-2), x[..., r:]], -1)

    def halves(x, pos, r, base):
        m = angles(pos, r, base)
        cos, sin = torch.cat([m.cos(), m.cos()], -1), torch.cat([m.sin(), m.sin()], -1)
        return (neox if r < x.shape[-1] else llama)(x, x, cos, sin)[0]

    for pairing, f in [("interleaved", interleaved), ("halves", halves)]:
        for name, shape, r, base, pos in [
            ("all", (1, 2, 4, 8), 8, 10000.0, integers(64, 1, 4)), ("partial", (2, 1, 3, 8), 4, 10000.0, integers(16, 1, 3)),
            ("batch", (2, 2, 3, 6), 6, 10000.0, integers(64, 2, 3)), ("base", (1, 2, 2, 16), 16, 500000.0, integers(8, 1, 2)),
        ]:
            attrs = {"pairing": pairing, "base": base} | ({"rotary_dim": r} if r < shape[-1] else {})
            differentiate("rotary", f"{pairing}-{name}", lambda x, pos: f(x, pos, r, base), {}, {"x": normal(*shape), "pos": pos}, "y", attrs)


def layernorm_edges():
    for name, x, affine in [
        ("one-column", normal(3, 1), True), ("tiny", normal(3, 8) * 2**-20, True), ("no-affine", normal(4, 8), False), ("width-768", normal(1, 768), False)
    ]:
        d = x.shape[-1]
        gamma, beta = (normal(d), normal(d)) if affine else (torch.ones(d), torch.zeros(d))
        differentiate(
            "layernorm", name, lambda gamma, beta, x: F.layer_norm(x, (d,), gamma, beta), {"gamma": gamma, "beta": beta}, {"x": x}, "y", {"eps": 1e-5}
        )
    # One column is its own mean: dgamma and dx are 0. PyTorch, which forms x/sigma - mu/sigma, leaves the rounding of 316 |x| in them.
    grads = next(c for c in cases["layernorm"] if c["name"] == "one-column")["grads"]
    for name in ("dgamma", "dx"):
        data = grads[name]["data"]
        assert all(abs(x) < 1e-12 for x in data)
        data[:] = [0] * len(data)


def embedding_cases():
    differentiate(
        "embedding", "repeated", lambda table, ids: F.embedding(ids, table), {"table": normal(6, 4)}, {"ids": torch.tensor([[2, 5, 2], [0, 2, 5]])}, "y"
    )


def loss_cases():
    logits = normal(7, 6, scale=2)
    for reduction in ("none", "sum", "mean"):
        for name, targets, ignore in [
            ("all", integers(6, 7), -100), ("ignored", torch.tensor([0, -100, 3, -100, 5, 1, 2]), -100), ("ignored-class", torch.tensor([0, 2, 3, 2, 5, 1, 2]), 2),
        ]:
            differentiate(
                "cross_entropy", f"{reduction}-{name}", lambda logits, targets: F.cross_entropy(logits, targets, reduction=reduction, ignore_index=ignore),
                {}, {"logits": logits, "targets": targets}, "loss", {"reduction": reduction, "ignore_index": ignore},
            )
    differentiate(
        "cross_entropy", "large", lambda logits, targets: F.cross_entropy(logits, targets), {}, {"logits": normal(3, 5, scale=300), "targets": integers(5, 3)}, "loss"
    )


def loss_edges():
    def losses(logits, targets, reduction="mean", ignore=-100):
        return F.cross_entropy(logits, targets, reduction=reduction, ignore_index=ignore)

    for name, rows, classes in [("one-class", 3, 1), ("vocab-100", 4, 100)]:
        differentiate("cross_entropy", name, losses, {}, {"logits": normal(rows, classes, scale=2), "targets": integers(classes, rows)}, "loss")
    targets = torch.tensor([0, 2, 3, 0, 5, 1, 0])
    differentiate(
        "cross_entropy", "ignored-first-class", lambda logits, targets: losses(logits, targets, ignore=0), {}, {"logits": normal(7, 6), "targets": targets},
        "loss", {"ignore_index": 0},
    )
    # PyTorch has the classes in the second dimension.
    logits, targets, up = normal(2, 4, 5), torch.tensor([[0, -100, 3, 4], [2, 1, -100, 0]]), normal(2, 4)
    leaf = logits.clone().requires_grad_()
    y = losses(leaf.mT, targets, "none")
    (grad,) = torch.autograd.grad(y, leaf, up)
    rows = {"logits": logits.flatten(0, 1), "targets": targets.flatten()}
    add("cross_entropy", "sequences", {"reduction": "none"}, [(rows, {"loss": y.flatten()})], None, ({"dloss": up.flatten()}, {"dlogits": grad.flatten(0, 1)}))

    # Weights of classes and smoothed targets are the caller's, by the upstream gradient: with weights w it is that of the loss times
    # w_t / sum w, and with smoothing s a row has the loss -sum_k q_k log_softmax(x)_k, where q = (1 - s) [k = t] + s / V.
    logits, targets, weight = normal(7, 6, scale=2), torch.tensor([0, 2, 3, 2, 5, 1, 0]), normal(6, mean=1.5, scale=0.3)
    leaf = logits.clone().requires_grad_()
    for reduction in ("none", "sum", "mean"):
        y = F.cross_entropy(leaf, targets, weight, reduction=reduction, ignore_index=2)
        up = normal(7) if reduction == "none" else torch.tensor(1.5)
        (grad,) = torch.autograd.grad(y, leaf, up)
        w = torch.where(targets == 2, 0.0, weight[targets])
        share = w * up / (w.sum() if reduction == "mean" else 1)
        if reduction == "none":
            plain = torch.where(targets == 2, 0.0, y / weight[targets])
        attrs = {"reduction": "none", "ignore_index": 2}
        add("cross_entropy", f"weights-{reduction}", attrs, [({"logits": logits, "targets": targets}, {"loss": plain})], None, ({"dloss": share}, {"dlogits": grad}))
    for reduction, smoothing, ignore in [("mean", 0.1, -100), ("sum", 0.2, 2), ("mean", 0.3, 2)]:
        for w in (None, weight):
            y = F.cross_entropy(leaf, targets, w, reduction=reduction, ignore_index=ignore, label_smoothing=smoothing)
            (grad,) = torch.autograd.grad(y, leaf)
            of = torch.ones(6) if w is None else w
            counts = (targets != ignore)[:, None]
            q = ((1 - smoothing) * F.one_hot(targets, 6) + smoothing / 6) * of * counts
            q = q / (of[targets] * counts[:, 0]).sum() if reduction == "mean" else q
            x = F.log_softmax(logits, dim=-1)
            assert torch.allclose(y, -(q * x).sum(), rtol=1e-14)
            name = f"smoothed-{reduction}-{smoothing}" + ("" if w is None else "-weights")
            add("log_softmax", name, {}, [({"x": logits}, {"y": x})], None, ({"dy": -q}, {"dx": grad}))


# Attention.


def visible(tq, tk, causal=False, window=0):
    """Which keys a query sees; the last query stands at the last key."""
    distance = torch.arange(tq)[:, None] + tk - tq - torch.arange(tk)[None, :]
    seen = torch.ones(tq, tk, dtype=torch.bool)
    if causal:
        seen &= distance >= 0
    if window:
        seen &= distance.abs() < window
    return seen


def bias_of(mask, tq, tk, causal, window):
    """A float mask with all that hides in it."""
    bias = torch.zeros(tq, tk).masked_fill(~visible(tq, tk, causal, window), -INF)
    if mask is None:
        return bias
    return bias + (torch.zeros(mask.shape).masked_fill(~mask, -INF) if mask.dtype == torch.bool else mask)


def attend(q, k, v, mask=None, scale=None, causal=False, window=0, softcap=0.0):
    tq, tk = q.shape[2], k.shape[2]
    if softcap == 0:
        plain = mask is None and window == 0 and (not causal or tq == tk)
        return F.scaled_dot_product_attention(
            q, k, v, None if plain else bias_of(mask, tq, tk, causal, window), is_causal=plain and causal, scale=scale, enable_gqa=q.shape[1] != k.shape[1]
        )
    return weights(q, k, mask, scale, causal, window, softcap)["weights"] @ repeat(v, q.shape[1])


def repeat(t, heads):
    return t.repeat_interleave(heads // t.shape[1], dim=1)


def weights(q, k, mask=None, scale=None, causal=False, window=0, softcap=0.0):
    """The stages of attention."""
    s = {"scores": q @ repeat(k, q.shape[1]).mT * (scale if scale is not None else q.shape[-1] ** -0.5)}
    s["capped"] = softcap * torch.tanh(s["scores"] / softcap) if softcap else s["scores"]
    s["masked"] = s["capped"] + bias_of(mask, q.shape[2], k.shape[2], causal, window)
    s["weights"] = F.softmax(s["masked"], dim=-1)
    return s


def attention_cases():
    shapes = {"small": (1, 1, 1, 3, 3, 4, 4), "heads": (2, 2, 2, 3, 5, 4, 6), "groups": (2, 4, 2, 4, 6, 3, 3), "one-kv": (1, 3, 1, 3, 4, 2, 5), "one-query": (1, 2, 2, 1, 7, 4, 4)}
    b_mask = booleans(2, 1, 4, 6)
    b_mask[..., 0] = True
    f_mask = normal(1, 4, 4, 6, scale=2)
    f_mask[0, 1, 2, 3] = f_mask[0, 3, 0, :2] = -INF
    variants = [
        ("small", {}, None), ("heads", {}, None), ("groups", {}, None), ("one-kv", {}, None), ("one-query", {"causal": True}, None),
        ("small", {"causal": True}, None), ("heads", {"causal": True}, None), ("groups", {"causal": True, "window": 2}, None), ("groups", {"window": 2}, None),
        ("heads", {"scale": 0.7}, None), ("groups", {}, b_mask), ("groups", {}, f_mask), ("groups", {"causal": True}, b_mask), ("groups", {"causal": True}, f_mask),
        ("heads", {"softcap": 1.5}, None), ("groups", {"softcap": 2.0, "causal": True, "scale": 0.6}, f_mask),
    ]
    for i, (shape, attrs, mask) in enumerate(variants):
        b, h, g, tq, tk, d, dv = shapes[shape]
        src = {"q": normal(b, h, tq, d, scale=1.5), "k": normal(b, g, tk, d, scale=1.4), "v": normal(b, g, tk, dv), "mask": mask}
        name = "-".join([shape, *attrs, *([] if mask is None else [str(mask.dtype).removeprefix("torch.")])])
        differentiate("attention", name, lambda q, k, v, mask=None: attend(q, k, v, mask, **attrs), {}, src, "out", attrs)
        if i % 3 == 0 or "softcap" in attrs:
            src.pop("v")
            for stage, s in weights(src["q"], src["k"], mask, **attrs).items():
                add("attention.scores", f"{name}-{stage}", {**attrs, "stage": stage}, [(src, {"s": s})])
    q, k, v = normal(2, 4, 9, 3), normal(2, 2, 9, 3), normal(2, 2, 9, 5)
    full = attend(q, k, v, causal=True, window=4)
    steps = [({"q": q[:, :, a:b], "k": k[:, :, a:b], "v": v[:, :, a:b], "pos": torch.tensor(a)}, {"out": full[:, :, a:b]}) for a, b in [(0, 4), (4, 5), (5, 8), (8, 9)]]
    add("attention.cached", "chunks", {"capacity": 9, "window": 4}, steps)


def attention_edges():
    def case(name, shape, attrs={}, mask=None, scale=1.0, given=None):
        b, h, g, tq, tk, d, dv = shape
        src = {"q": normal(b, h, tq, d, scale=scale), "k": normal(b, g, tk, d, scale=scale), "v": normal(b, g, tk, dv), "mask": mask}
        f = given or (lambda q, k, v, mask=None: attend(q, k, v, mask, **attrs))
        differentiate("attention", name, f, {}, src, "out", attrs)

    case("single", (1, 1, 1, 1, 1, 1, 1), {"causal": True})
    case("long", (1, 1, 1, 31, 33, 2, 3), {"causal": True})
    case("long-full", (1, 1, 1, 31, 33, 3, 2))
    case("more-keys", (1, 1, 1, 9, 40, 3, 3))
    case("wide", (1, 2, 2, 2, 2, 32, 32), {"causal": True})
    case("batches", (3, 1, 1, 2, 3, 5, 5))
    # PyTorch's own is_causal aligns the first query with the first key.
    for name, shape in [("top-left", (1, 2, 2, 4, 6, 3, 3)), ("top-left-one", (1, 2, 2, 1, 5, 4, 4))]:
        mask = torch.ones(shape[3:5], dtype=torch.bool).tril().expand(1, 1, *shape[3:5])
        case(name, shape, mask=mask, given=lambda q, k, v, mask: F.scaled_dot_product_attention(q, k, v, is_causal=True))
    padding = torch.arange(6)[None, :] < torch.tensor([4, 6])[:, None]
    case("padding", (2, 2, 2, 6, 6, 4, 4), mask=padding[:, None, None].expand(2, 1, 6, 6))
    case("large", (2, 1, 1, 6, 6, 8, 4), {"causal": True}, scale=12.0)


# Layers.


def mha_weights(d, h, g, hd, biases):
    w = {}
    for n, i, o in [("q", d, h * hd), ("k", d, g * hd), ("v", d, g * hd), ("o", h * hd, d)]:
        w["w" + n] = normal(i, o, scale=i**-0.5 * 1.5)
        w["b" + n] = normal(o, scale=0.3) if biases else None
    return w


def mha(x, w, heads, kv_heads=None, mask=None, **attrs):
    def split(t, n):
        return t.unflatten(-1, (n, -1)).transpose(1, 2)

    kv = kv_heads or heads
    q, k, v = (split(F.linear(x, w["w" + n].T, w["b" + n]), c) for n, c in [("q", heads), ("k", kv), ("v", kv)])
    return F.linear(attend(q, k, v, mask, **attrs).transpose(1, 2).flatten(-2), w["wo"].T, w["bo"])


def module_mha(x, w, heads, causal=False):
    """nn.MultiheadAttention, which has as many KV heads as heads, of width d / heads."""
    n, t, d = x.shape
    hidden = torch.full((t, t), -INF).triu(1) if causal else None
    y, _ = F.multi_head_attention_forward(
        x.transpose(0, 1), x.transpose(0, 1), x.transpose(0, 1), d, heads, torch.cat([w["wq"], w["wk"], w["wv"]], 1).T,
        torch.cat([w["bq"], w["bk"], w["bv"]]), None, None, False, 0.0, w["wo"].T, w["bo"], training=True, attn_mask=hidden, need_weights=False,
    )
    return y.transpose(0, 1)


def mha_cases():
    for name, d, h, g, hd, t, biases, attrs in [
        ("module", 6, 2, 2, 3, 4, True, {}), ("module-causal", 6, 3, 3, 2, 5, True, {"causal": True}), ("no-bias", 6, 2, 2, 3, 4, False, {"causal": True}),
        ("groups", 6, 4, 2, 2, 4, True, {"causal": True}), ("wide-heads", 5, 2, 1, 4, 3, True, {"scale": 0.9}), ("window", 4, 2, 2, 2, 6, True, {"causal": True, "window": 3}),
    ]:
        f = module_mha if name.startswith("module") else mha
        extra = {} if f is module_mha else {"kv_heads": g}
        differentiate(
            "mha", name, lambda x, mask=None, **w: f(x, w, h, **extra, **attrs), mha_weights(d, h, g, hd, biases), {"x": normal(2, t, d)}, "y",
            {"heads": h, "kv_heads": g, **attrs},
        )
    mask = normal(2, 1, 4, 4)
    mask[0, 0, 1, 2] = -INF
    differentiate(
        "mha", "mask", lambda x, mask=None, **w: mha(x, w, 2, mask=mask), mha_weights(6, 2, 2, 3, True), {"x": normal(2, 4, 6), "mask": mask}, "y", {"heads": 2}
    )


def mha_edges():
    w = mha_weights(4, 1, 1, 4, True)
    differentiate("mha", "one-head", lambda x, **w: module_mha(x, w, 1, True), w, {"x": normal(1, 9, 4)}, "y", {"heads": 1, "causal": True})
    w = mha_weights(8, 4, 4, 2, True)
    differentiate("mha", "four-heads", lambda x, **w: module_mha(x, w, 4), w, {"x": normal(1, 3, 8)}, "y", {"heads": 4})


ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh")}


def ffn(x, w, activation):
    return F.linear(ACTIVATIONS[activation](F.linear(x, w["w1"].T, w["b1"])), w["w2"].T, w["b2"])


def ffn_weights(d, hidden):
    return {"w1": normal(d, hidden, scale=d**-0.5), "b1": normal(hidden, scale=0.3), "w2": normal(hidden, d, scale=hidden**-0.5), "b2": normal(d, scale=0.3)}


def ffn_cases():
    for a in ACTIVATIONS:
        differentiate("ffn", a, lambda x, **w: ffn(x, w, a), ffn_weights(4, 9), {"x": normal(2, 3, 4)}, "y", {"activation": a})
    w = {**ffn_weights(4, 6), "b1": None, "b2": None}
    differentiate("ffn", "no-bias", lambda x, **w: ffn(x, w, "gelu"), w, {"x": normal(3, 4)}, "y")


def swiglu_edges():
    def swiglu(x, w1, b1, w3, b3, w2, b2):
        return F.linear(F.silu(F.linear(x, w1.T, b1)) * F.linear(x, w3.T, b3), w2.T, b2)

    def weights(d, hidden, biases=("b1", "b3", "b2")):
        w = {"w1": normal(d, hidden), "b1": normal(hidden), "w3": normal(d, hidden), "b3": normal(hidden), "w2": normal(hidden, d), "b2": normal(d)}
        return {name: t if name[0] == "w" or name in biases else None for name, t in w.items()}

    for name, w, x in [
        ("biases", weights(4, 9), normal(2, 3, 4)), ("no-bias", weights(4, 6, ()), normal(3, 4)), ("gate-bias", weights(5, 7, ("b1",)), normal(3, 5)),
        ("value-bias", weights(5, 7, ("b3",)), normal(5)), ("one-hidden", weights(6, 1), normal(3, 6)), ("one-column", weights(1, 8), normal(4, 1)),
        ("odd", weights(13, 17), normal(7, 13, scale=3)), ("large", weights(3, 5), normal(4, 3, scale=300)),
    ]:
        differentiate("swiglu", name, swiglu, w, {"x": x}, "y")
    for gate in (INF, -INF, math.nan):
        w = weights(3, 4)
        w["b1"][2] = gate
        differentiate("swiglu", f"gate-{gate}", swiglu, w, {"x": normal(2, 3)}, "y")


def norm_weights(prefix, d):
    return {prefix + "_gamma": normal(d, scale=0.3, mean=1), prefix + "_beta": normal(d, scale=0.3)}


def block_weights(d, h, g, hd, hidden):
    return {**norm_weights("ln1", d), **mha_weights(d, h, g, hd, True), **norm_weights("ln2", d), **ffn_weights(d, hidden)}


def encoder_layer(x, w, norm, heads, activation, eps, causal):
    """nn.TransformerEncoderLayer, for heads that fill the width."""
    t, d = x.shape[1:]
    layer = torch.nn.TransformerEncoderLayer(
        d, heads, w["w1"].shape[1], dropout=0.0, activation=ACTIVATIONS[activation], layer_norm_eps=eps, batch_first=True, norm_first=norm == "pre"
    )
    params = {
        "self_attn.in_proj_weight": torch.cat([w["wq"], w["wk"], w["wv"]], 1).T, "self_attn.in_proj_bias": torch.cat([w["bq"], w["bk"], w["bv"]]),
        "self_attn.out_proj.weight": w["wo"].T, "self_attn.out_proj.bias": w["bo"], "linear1.weight": w["w1"].T, "linear1.bias": w["b1"],
        "linear2.weight": w["w2"].T, "linear2.bias": w["b2"], "norm1.weight": w["ln1_gamma"], "norm1.bias": w["ln1_beta"],
        "norm2.weight": w["ln2_gamma"], "norm2.bias": w["ln2_beta"],
    }
    mask = torch.full((t, t), -INF).triu(1) if causal else None
    return torch.func.functional_call(layer, params, (x,), {"src_mask": mask})


def block(x, w, norm, heads, kv_heads, activation, eps, causal, window):
    d = x.shape[-1]
    if kv_heads == heads and w["wq"].shape[1] == d and window == 0:
        return encoder_layer(x, w, norm, heads, activation, eps, causal)
    ln = lambda x, n: F.layer_norm(x, (d,), w[n + "_gamma"], w[n + "_beta"], eps)
    attn = lambda x: mha(x, w, heads, kv_heads, causal=causal, window=window)
    if norm == "pre":
        x = x + attn(ln(x, "ln1"))
        return x + ffn(ln(x, "ln2"), w, activation)
    x = ln(x + attn(x), "ln1")
    return ln(x + ffn(x, w, activation), "ln2")


def block_cases():
    for name, norm, d, h, g, hd, t, a, eps, causal, window in [
        ("pre", "pre", 6, 2, 2, 3, 4, "gelu", 1e-5, True, 0), ("post", "post", 6, 3, 3, 2, 4, "relu", 1e-5, True, 0), ("pre-tanh", "pre", 4, 2, 2, 2, 3, "gelu_tanh", 1e-3, False, 0),
        ("groups", "pre", 6, 4, 2, 2, 5, "gelu", 1e-5, True, 3), ("post-groups", "post", 5, 2, 1, 3, 4, "gelu", 1e-5, True, 0),
    ]:
        attrs = {"norm": norm, "heads": h, "kv_heads": g, "activation": a, "eps": eps, "causal": causal, "window": window}
        differentiate("block", name, lambda x, **w: block(x, w, **attrs), block_weights(d, h, g, hd, 2 * d), {"x": normal(2, t, d)}, "y", attrs)


def block_edges():
    for name, norm, d, h, t, a in [("post-gelu", "post", 6, 3, 4, "gelu"), ("one-token", "post", 4, 2, 1, "relu"), ("long", "post", 4, 2, 19, "relu")]:
        attrs = {"norm": norm, "heads": h, "kv_heads": h, "activation": a, "eps": 1e-5, "causal": True, "window": 0}
        differentiate("block", name, lambda x, **w: block(x, w, **attrs), block_weights(d, h, h, d // h, 2 * d), {"x": normal(1, t, d)}, "y", attrs)


# Models.


def sinusoids(positions, d):
    angle = positions[:, None] / 10000 ** (torch.arange(0, d, 2) / d)
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(-2)


def gpt(ids, w, heads, kv_heads, norm, activation, eps, positions, scale_embedding=False, windows=()):
    d, t = w["wte"].shape[1], ids.shape[1]
    x = F.embedding(ids, w["wte"])
    if scale_embedding:
        x = x * math.sqrt(d)
    if positions == "learned":
        x = x + w["wpe"][:t]
    elif positions == "sinusoidal":
        x = x + sinusoids(torch.arange(t), d)
    stacked = [n for n in block_weights(2, 1, 1, 2, 2)]
    for layer in range(w["wq"].shape[0]):
        window = windows[layer % len(windows)] if windows else 0
        x = block(x, {n: w[n][layer] for n in stacked}, norm, heads, kv_heads, activation, eps, True, window)
    if norm == "pre":
        x = F.layer_norm(x, (d,), w["lnf_gamma"], w["lnf_beta"], eps)
    return F.linear(x, w["wte"]) if w.get("w_out") is None else x @ w["w_out"]


def gpt_weights(v, ctx, d, layers, h, g, hd, hidden, norm, positions, tied):
    blocks = [block_weights(d, h, g, hd, hidden) for _ in range(layers)]
    w = {"wte": normal(v, d, scale=0.6), "wpe": normal(ctx, d, scale=0.4) if positions == "learned" else None}
    w |= {n: torch.stack([b[n] for b in blocks]) for n in blocks[0]}
    w |= norm_weights("lnf", d) if norm == "pre" else {"lnf_gamma": None, "lnf_beta": None}
    w["w_out"] = None if tied else normal(d, v, scale=d**-0.5)
    return w


MODELS = {  # vocabulary, context, width, layers, heads, KV heads, head width, hidden, and attributes
    "tied": ((11, 6, 6, 2, 2, 2, 3, 12, "pre", "learned", True), {"activation": "gelu_tanh"}),
    "untied": ((7, 5, 4, 2, 2, 2, 2, 6, "pre", "learned", False), {"activation": "gelu"}),
    "post-sinusoidal": ((9, 6, 6, 2, 3, 3, 2, 8, "post", "sinusoidal", True), {"activation": "relu", "scale_embedding": True}),
    "groups-banded": ((8, 6, 5, 3, 4, 2, 3, 7, "pre", "none", True), {"activation": "gelu", "windows": [0, 2], "eps": 1e-3}),
    "post-untied": ((7, 5, 4, 1, 2, 2, 2, 6, "post", "sinusoidal", False), {"activation": "relu"}),
    "tied-gelu": ((7, 5, 4, 1, 2, 2, 2, 6, "pre", "learned", True), {"activation": "gelu"}),
}


def model(name):
    """Weights and attributes of a model of MODELS."""
    dims, extra = MODELS[name]
    norm, positions = dims[8], dims[9]
    attrs = {"heads": dims[4], "kv_heads": dims[5], "norm": norm, "positions": positions, "eps": 1e-5, **extra}
    return gpt_weights(*dims), attrs, dims[0]


def gpt_cases(names=("tied", "untied", "post-sinusoidal", "groups-banded")):
    for name in names:
        w, attrs, vocab = model(name)
        t = 5
        ids, targets = integers(vocab, 2, t), integers(vocab, 2, t)
        targets[1, 2] = -100
        add("gpt", name, attrs, [({"ids": ids}, {"logits": gpt(ids, w, **attrs)})], w)
        for reduction in ("mean", "none", "sum") if name == "tied" else ("mean",):
            f = lambda ids, targets, **w: F.cross_entropy(gpt(ids, w, **attrs).flatten(0, 1), targets.flatten(), reduction=reduction).reshape(
                targets.shape if reduction == "none" else ()
            )
            differentiate("gpt.loss", f"{name}-{reduction}", f, w, {"ids": ids, "targets": targets}, "loss", {**attrs, "reduction": reduction})
        full = gpt(ids, w, **attrs)
        steps = [({"ids": ids[:, a:b], "pos": torch.tensor(a)}, {"logits": full[:, a:b]}) for a, b in [(0, 2), (2, 3), (3, 5)]]
        add("gpt.cached", name, {**attrs, "capacity": 5}, steps, w)


def gpt_edges():
    gpt_cases(("post-untied", "tied-gelu"))


# Training.

STATES = {"exp_avg": "new_m", "exp_avg_sq": "new_v", "momentum_buffer": "new_v"}


def optimizer_case(op, name, make, attrs, steps, keep, lr=0.01, momentum=True, scale=1.0):
    """Steps of an optimizer; results are kept of the steps in keep."""
    p = normal(3, 4)
    start = p.clone()
    p.requires_grad_()
    optimizer = make([p])
    rows = []
    for t in range(1, steps + 1):
        rate = lr * (1 - 0.5 * t / steps)
        p.grad = normal(3, 4, scale=scale) if t % 7 else torch.zeros(3, 4)
        src = {"grad": p.grad.clone(), "lr": torch.tensor(rate)}
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        dst = {"new_param": p.detach().clone()}
        if momentum:
            dst |= {STATES[n]: s.clone() for n, s in optimizer.state[p].items() if n in STATES}
        rows.append((src, dst if t in keep else {}))
    add(op, name, attrs, rows, {"param": start})


def optimizer_cases():
    keep = {1, 2, 3, 7, 8, 20, 60}
    for name, b1, b2, eps, wd in [("default", 0.9, 0.999, 1e-8, 0.0), ("decay", 0.9, 0.999, 1e-8, 0.1), ("betas", 0.5, 0.9, 1e-6, 0.01), ("eps", 0.9, 0.99, 1e-2, 0.0)]:
        attrs = {"beta1": b1, "beta2": b2, "eps": eps, "weight_decay": wd}
        for decoupled in (False, True):
            make = torch.optim.AdamW if decoupled else torch.optim.Adam
            optimizer_case(
                "adam", ("w-" if decoupled else "") + name, lambda p: make(p, lr=0.01, betas=(b1, b2), eps=eps, weight_decay=wd, foreach=False),
                {**attrs, "decoupled": decoupled}, 60 if name == "default" else 20, keep,
            )
    for name, attrs in {
        "plain": {}, "decay": {"weight_decay": 0.1}, "momentum": {"momentum": 0.9}, "dampening": {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01},
        "nesterov": {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
    }.items():
        optimizer_case("sgd", name, lambda p: torch.optim.SGD(p, lr=0.1, foreach=False, **attrs), attrs, 20, keep, 0.1, "momentum" in attrs)


def optimizer_edges():
    for name, lr, wd, scale in [("huge", 0.01, 0.01, 1e6), ("fast", 0.1, 0.3, 1.0)]:
        for decoupled in (False, True):
            make = torch.optim.AdamW if decoupled else torch.optim.Adam
            optimizer_case(
                "adam", ("w-" if decoupled else "") + name, lambda p: make(p, lr=lr, weight_decay=wd, foreach=False),
                {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": wd, "decoupled": decoupled}, 5, {1, 2, 5}, lr, scale=scale,
            )
    for name, attrs in {"momentum-decay": {"momentum": 0.9, "weight_decay": 0.02}, "nesterov-plain": {"momentum": 0.9, "nesterov": True}}.items():
        optimizer_case("sgd", name, lambda p: torch.optim.SGD(p, lr=0.1, foreach=False, **attrs), attrs, 5, {1, 2, 5}, 0.1)


def clip_cases():
    for name, scale, limit in [("clips", 2.0, 1.0), ("leaves", 0.1, 5.0), ("huge", 1e6, 0.5)]:
        g = normal(3, 5, scale=scale)
        p = torch.zeros(3, 5, requires_grad=True)
        p.grad = g.clone()
        norm = torch.nn.utils.clip_grad_norm_([p], limit)
        add("clip_norm", name, {"max_norm": limit}, [({"g": g}, {"y": p.grad, "norm": norm})])
        p.grad = g.clone()
        torch.nn.utils.clip_grad_value_([p], limit)
        add("clip_value", name, {"limit": limit}, [({"g": g}, {"y": p.grad})])


def clip_edges():
    for name, g, limit in [("huger", normal(3, 5, scale=1e8), 1.0), ("far", normal(3, 5), 100.0), ("zero", torch.zeros(3, 5), 1.0)]:
        p = torch.zeros(3, 5, requires_grad=True)
        p.grad = g.clone()
        norm = torch.nn.utils.clip_grad_norm_([p], limit)
        add("clip_norm", name, {"max_norm": limit}, [({"g": g}, {"y": p.grad, "norm": norm})])


def rates(make, lr, n):
    """The rates of n steps of a scheduler."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler, out = make(optimizer), []
    for _ in range(n):
        out.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return torch.tensor(out)


def schedule_cases():
    s = torch.optim.lr_scheduler
    warm = lambda o: s.SequentialLR(o, [s.LinearLR(o, 0.1, 1.0, 5), s.CosineAnnealingLR(o, 20, 1e-4)], [5])
    for name, attrs, make, n in [
        ("cosine", {"total": 20, "min_lr": 1e-4}, lambda o: s.CosineAnnealingLR(o, 20, 1e-4), 21), ("warmup_cosine", {"warmup": 5, "warmup_start": 0.1, "total": 25, "min_lr": 1e-4}, warm, 26),
        ("step", {"step_size": 4, "gamma": 0.3}, lambda o: s.StepLR(o, 4, 0.3), 20), ("exponential", {"gamma": 0.9}, lambda o: s.ExponentialLR(o, 0.9), 20),
        ("constant", {"warmup": 6, "warmup_start": 0.25}, lambda o: s.LinearLR(o, 0.25, 1.0, 6), 12),
    ]:
        add("learning_rate", name, {"schedule": name, "lr": 0.05, **attrs}, [({"t": torch.arange(n)}, {"lr": rates(make, 0.05, n)})])


def schedule_edges():
    s = torch.optim.lr_scheduler
    for name, lr, total, floor, n in [("one", 0.5, 1, 0.1, 2), ("to-zero", 0.1, 20, 0.0, 21), ("begins", 6e-4, 100, 6e-5, 20), ("beyond", 0.2, 10, 0.01, 26)]:
        y = rates(lambda o: s.CosineAnnealingLR(o, total, floor), lr, n)
        y[total:] = floor  # where PyTorch's rises again, and SPEC.md's does not
        add("learning_rate", f"cosine-{name}", {"schedule": "cosine", "lr": lr, "total": total, "min_lr": floor}, [({"t": torch.arange(n)}, {"lr": y})])
    for name, lr, warmup, start, total, floor in [("to-zero", 0.1, 5, 0.1, 15, 0.0), ("quarter", 1e-3, 4, 0.25, 16, 1e-4)]:
        y = rates(lambda o: s.SequentialLR(o, [s.LinearLR(o, start, 1.0, warmup), s.CosineAnnealingLR(o, total, floor)], [warmup]), lr, warmup + total + 1)
        attrs = {"schedule": "warmup_cosine", "lr": lr, "warmup": warmup, "warmup_start": start, "total": warmup + total, "min_lr": floor}
        add("learning_rate", f"warmup_cosine-{name}", attrs, [({"t": torch.arange(len(y))}, {"lr": y})])
    for name, attrs, make in [
        ("constant", {}, lambda o: transformers.get_constant_schedule(o)),
        ("constant", {"warmup": 4}, lambda o: transformers.get_constant_schedule_with_warmup(o, 4)),
        ("warmup_cosine", {"warmup": 2, "total": 10}, lambda o: transformers.get_cosine_schedule_with_warmup(o, 2, 10)),
    ]:
        of = {"schedule": name, "lr": 10.0, **attrs}
        add("learning_rate", "-".join(["transformers", name, *attrs]), of, [({"t": torch.arange(10)}, {"lr": rates(make, 10.0, 10)})])


def drawn_by(fill, stored, *args, **kwargs):
    """What a function of torch.nn.init draws from: the limit or std that it hands to the tensor, which is left as it is."""
    init, drawn = torch.nn.init, {}
    uniform_ = lambda t, low, high, generator=None: drawn.update(limit=high)
    normal_ = lambda t, mean, std, generator=None: drawn.update(std=std)
    saved = init._no_grad_uniform_, init._no_grad_normal_, torch.Tensor.uniform_, torch.Tensor.normal_
    init._no_grad_uniform_, init._no_grad_normal_, torch.Tensor.uniform_, torch.Tensor.normal_ = uniform_, normal_, uniform_, normal_
    try:
        fill(stored, *args, **kwargs)
    finally:
        init._no_grad_uniform_, init._no_grad_normal_, torch.Tensor.uniform_, torch.Tensor.normal_ = saved
    return drawn


def init_case(name, attrs, drawn, shape):
    """A case of init: the limit or std is torch.nn.init's, and the draws are given."""
    if "limit" in drawn:
        bits = torch.randint(2**32, shape, generator=rng)
        w = drawn["limit"] * (2 * (bits >> 8) * 2.0**-24 - 1)
    else:
        bits = torch.randint(2**32, (*shape, 2), generator=rng)
        u = (bits >> 8) * 2.0**-24
        w = drawn["std"] * torch.sqrt(-2 * torch.log(u[..., 0] + 2.0**-24)) * torch.cos(2 * math.pi * u[..., 1])
    add("init", name, attrs, [({"draws": bits}, {"w": w})])


def init_cases():
    init = torch.nn.init
    stored = torch.empty(5, 8)  # [out, in]
    leaky = {"nonlinearity": "leaky_relu"}
    for scheme, attrs, drawn in [
        ("xavier_uniform", {"gain": 1.5}, drawn_by(init.xavier_uniform_, stored, 1.5)), ("xavier_normal", {}, drawn_by(init.xavier_normal_, stored)),
        ("kaiming_uniform", {"a": 0.3, "mode": "fan_in"}, drawn_by(init.kaiming_uniform_, stored, a=0.3, mode="fan_in", **leaky)),
        ("kaiming_normal", {"mode": "fan_out"}, drawn_by(init.kaiming_normal_, stored, a=0, mode="fan_out", **leaky)), ("normal", {"std": 0.02, "layers": 6}, {"std": 0.02 / math.sqrt(12)}),
    ]:
        init_case(scheme, {"scheme": scheme, **attrs}, drawn, (8, 5))


def init_edges():
    """Gains are torch.nn.init's of the activation that follows. SPEC.md's, of Kaiming's schemes, is beside their own of ReLU, sqrt 2."""
    init = torch.nn.init
    for shape in [(5, 3), (7, 1)]:
        stored = torch.empty(shape[::-1])  # [out, in]
        size = f"{shape[0]}x{shape[1]}"
        for activation in ("linear", "relu", "tanh"):
            gain = init.calculate_gain(activation)
            for scheme in ("xavier_uniform", "xavier_normal"):
                init_case(f"{scheme}-{activation}-{size}", {"scheme": scheme, "gain": gain}, drawn_by(getattr(init, scheme + "_"), stored, gain), shape)
            for scheme, mode in [("kaiming_uniform", "fan_out"), ("kaiming_normal", "fan_in")]:
                drawn = drawn_by(getattr(init, scheme + "_"), stored, mode=mode, nonlinearity=activation)
                init_case(f"{scheme}-{activation}-{size}", {"scheme": scheme, "mode": mode, "gain": gain / math.sqrt(2)}, drawn, shape)
        for scheme, mode, slope in [
            ("kaiming_uniform", "fan_in", 0.2), ("kaiming_uniform", "fan_out", 0.2), ("kaiming_normal", "fan_out", 0.2),
            ("kaiming_uniform", "fan_in", math.sqrt(5)), ("kaiming_normal", "fan_in", math.sqrt(5)), ("kaiming_normal", "fan_out", math.sqrt(5)),
        ]:
            drawn = drawn_by(getattr(init, scheme + "_"), stored, a=slope, mode=mode, nonlinearity="leaky_relu")
            init_case(f"{scheme}-{mode}-{slope:.1f}-{size}", {"scheme": scheme, "mode": mode, "a": slope}, drawn, shape)


GROUPS = {"biases": ("bq", "bk", "bv", "bo", "b1", "b2"), "norms": ("gamma", "beta"), "embeddings": ("wte", "wpe")}


def train_cases():
    s = torch.optim.lr_scheduler
    for name, schedule, make, spared, adam in [
        ("tied", {"schedule": "warmup_cosine", "lr": 0.02, "min_lr": 0.002, "warmup": 2, "warmup_start": 0.25, "total": 6},
         lambda o: s.SequentialLR(o, [s.LinearLR(o, 0.25, 1.0, 2), s.CosineAnnealingLR(o, 4, 0.002)], [2]), ["biases", "norms"],
         {"weight_decay": 0.1, "decoupled": True, "max_norm": 0.5, "adam_eps": 1e-3, "beta2": 0.95}),
        ("untied", {"schedule": "exponential", "lr": 0.01, "gamma": 0.8}, lambda o: s.ExponentialLR(o, 0.8), ["embeddings"], {"weight_decay": 0.05, "adam_eps": 1e-3}),
    ]:
        w, attrs, vocab = model(name)
        start = {n: t.clone() for n, t in w.items() if t is not None}
        w = {n: t.clone().requires_grad_() for n, t in start.items()}
        exempt = lambda n: any(n.endswith(x) if g == "norms" else n == x for g in spared for x in GROUPS[g])
        decay = adam["weight_decay"]
        groups = [{"params": [t for n, t in w.items() if exempt(n) == e], "weight_decay": 0.0 if e else decay} for e in (False, True)]
        optimizer = (torch.optim.AdamW if adam.get("decoupled") else torch.optim.Adam)(
            groups, lr=schedule["lr"], betas=(0.9, adam.get("beta2", 0.999)), eps=adam["adam_eps"], foreach=False
        )
        scheduler, steps, n = make(optimizer), [], 4
        for step in range(n):
            ids, targets = integers(vocab, 2, 2, 4), integers(vocab, 2, 2, 4)
            targets[0, 1, :3] = -100
            optimizer.zero_grad()
            count = (targets != -100).sum()
            total = 0.0
            for i, t in zip(ids, targets):
                loss = F.cross_entropy(gpt(i, w, **attrs).flatten(0, 1), t.flatten(), reduction="sum") / count
                loss.backward()
                total = total + loss.detach()
            norm = torch.nn.utils.clip_grad_norm_(w.values(), adam.get("max_norm", math.inf), foreach=False)
            dst = {"loss": total, "norm": norm, "lr": torch.tensor(scheduler.get_last_lr()[0])}
            optimizer.step()
            scheduler.step()
            if step in (0, n - 1):
                dst |= {"new_" + k: t.detach().clone() for k, t in w.items()}
            steps.append(({"ids": ids, "targets": targets}, dst))
        add("gpt.train", name, {**attrs, **schedule, **adam, "no_decay": spared}, steps, start)


def position_cases():
    at = torch.tensor([0, 1, 2, 7, 77])
    add("sinusoidal_positions", "d-8", {"d_model": 8}, [({"pos": at}, {"y": sinusoids(at, 8)})])
    table = normal(5, 3)
    at = torch.tensor([4, 0, 4])
    add("learned_positions", "rows", {}, [({"pos": at}, {"y": F.embedding(at, table)})], {"table": table})


# Decoding.


def distribution(logits, temperature=1.0, top_k=0, top_p=1.0):
    probs = F.softmax(logits / temperature, dim=-1)
    ordered, order = probs.sort(dim=-1, descending=True, stable=True)
    rank = torch.arange(logits.shape[-1])
    keep = rank < (top_k or logits.shape[-1])
    ordered = F.normalize(ordered * keep, p=1, dim=-1)
    keep = keep & (ordered.cumsum(-1) - ordered < top_p)
    return torch.zeros_like(probs).scatter(-1, order, F.normalize(ordered * keep, p=1, dim=-1))


def decoding_cases():
    logits = normal(6, 12, scale=2)
    tied = normal(3, 8)
    tied[0, 2] = tied[0, 5] = tied[2, 0] = tied[2, 7] = 9.0
    tied[1, 3] = -INF
    for name, x in [("random", logits), ("ties", tied)]:
        add("greedy", name, {}, [({"logits": x}, {"token": x.argmax(-1)})])
    draws = torch.randint(2**32, (6,), generator=rng)
    for name, attrs in [
        ("plain", {}), ("temperature", {"temperature": 0.6}), ("top-k", {"top_k": 4}), ("top-p", {"top_p": 0.8}), ("all", {"temperature": 1.7, "top_k": 7, "top_p": 0.9})
    ]:
        p = distribution(logits, **attrs)
        add("distribution", name, attrs, [({"logits": logits}, {"probs": p})])
        u = (draws >> 8) * 2.0**-24
        add("sample", name, attrs, [({"logits": logits, "draws": draws}, {"token": torch.searchsorted(p.cumsum(-1), u[:, None], right=True)[:, 0]})])


def decoding_edges():
    """What the processors of Hugging Face's generate leave."""
    p = transformers.generation.logits_process
    ramp = torch.stack([torch.arange(10.0), torch.tensor([10.0, 11, 12, 13, 14, 5, 6, 7, 8, 9])])
    mass = torch.tensor([[0.3, 0.1, 0.1, 0.5], [0.15, 0.3, 0.3, 0.25]]).log()
    close = torch.full((2, 20), 0.05)
    close[1, 5], close[1, 10] = 0.15, -0.35
    random, sharp = normal(4, 12, scale=2), normal(2, 30, scale=6)
    warp = {"temperature": p.TemperatureLogitsWarper, "top_k": p.TopKLogitsWarper, "top_p": p.TopPLogitsWarper}
    for name, x, attrs in [
        ("ramp", ramp, {"top_k": 3}), ("mass", mass, {"top_p": 0.8 - 1e-6}), ("cold", close, {"temperature": 0.5}), ("hot", close, {"temperature": 1.3}),
        ("far", normal(2, 4, scale=30), {}), ("all", random, {"temperature": 0.7, "top_k": 6, "top_p": 0.85}), ("top-k-top-p", sharp, {"top_k": 10, "top_p": 0.6}),
        ("top-p", random, {"top_p": 0.5}), ("top-k", random, {"top_k": 1}),
    ]:
        y = x
        for n, v in attrs.items():
            y = warp[n](v)(None, y)
        add("distribution", f"transformers-{name}", attrs, [({"logits": x}, {"probs": F.softmax(y, dim=-1)})])


class Automaton(transformers.PreTrainedModel, transformers.GenerationMixin):
    """A model of SPEC.md's beam_search: logits by state, and the state after each token. The prompt is one token, which is not looked at."""

    config_class = transformers.PretrainedConfig

    def __init__(self, logits, following, state):
        super().__init__(transformers.PretrainedConfig(vocab_size=logits.shape[1], num_hidden_layers=1, is_encoder_decoder=False))
        self.placed = torch.nn.Parameter(torch.zeros(1))  # generate asks for a device
        self.logits, self.following, self.state = logits, following, state

    def forward(self, input_ids, **_):
        out = []
        for tokens in input_ids:
            s, rows = self.state, []
            for i, token in enumerate(tokens):
                s = self.following[s, token] if i else s
                rows.append(self.logits[s])
            out.append(torch.stack(rows))
        return CausalLMOutput(logits=torch.stack(out))

    def prepare_inputs_for_generation(self, input_ids, **_):
        return {"input_ids": input_ids}


def beam_case(name, attrs, logits, following, state, results):
    """A case of beam_search. results are tokens, the best first; scores are sums of log_softmax over the penalty."""
    k, n, alpha = attrs["beams"], attrs["max_length"], attrs.get("length_penalty", 0.0)
    tokens, score = torch.full((1, k, n), -1), torch.full((1, k), -INF)
    length = torch.zeros(1, k, dtype=torch.int64)
    for i, found in enumerate(results):
        s, total = state, 0.0
        for t in found:
            total += F.log_softmax(logits[s], dim=-1)[t].item()
            s = following[s, t].item()
        tokens[0, i, : len(found)], length[0, i] = torch.tensor(found), len(found)
        score[0, i] = total / ((5 + len(found)) / 6 if attrs.get("penalty") == "gnmt" else len(found)) ** alpha
    src = {"logits": logits, "next": following, "state": torch.tensor([state])}
    add("beam_search", name, {"form": "hf", **attrs}, [(src, {"tokens": tokens, "length": length, "score": score})])
    return score[0]


# The results of others' own tests: the probabilities of the next token after a sequence, and the sequences found, the best first. After a
# sequence that is not listed the end is certain.
T2T = {"": [0.1, 0.1, 0.8], "2": [0.4, 0.5, 0.1], "0": [0.2, 0.4, 0.4], "2 0": [0.05, 0.9, 0.05], "2 2": [0.4, 0.4, 0.2]}
FAIRSEQ_1 = {
    "": {4: 0.9, 5: 0.1}, "4": {2: 1.0}, "5": {4: 0.9, 5: 0.1}, "5 4": {4: 0.1, 5: 0.9}, "5 5": {2: 0.6, 4: 0.2, 5: 0.2}, "5 4 5": {2: 1.0}, "5 4 4": {2: 1.0},
}
FAIRSEQ_2 = {
    "": {4: 0.7, 5: 0.3}, "4": {2: 0.25, 4: 0.35, 5: 0.4}, "5": {4: 0.1, 5: 0.9}, "4 5": {2: 0.6, 4: 0.4}, "5 5": {2: 0.01, 5: 0.99},
    "5 5 5": {2: 0.1, 4: 0.5, 5: 0.4}, "4 5 4": {2: 1.0},
}
BEAM_FACTS = [
    # tensor2tensor/utils/beam_search_test.py (Apache-2.0): the penalty of Wu et al., and a search that ends when nothing better can come.
    ("t2t-greedy", {"": [0.7, 0.3], "0": [0.4, 0.6], "0 0": [0.5, 0.5]}, 1, {"beams": 1, "max_length": 3}, 0.0, [[0, 1]]),
    ("t2t-no-end", {"": [0.2, 0.1, 0.7], "2": [0.4, 0.1, 0.5]}, 1, {"beams": 1, "max_length": 2}, 0.0, [[2, 2]]),
    ("t2t-short", T2T, 1, {"beams": 2, "max_length": 3}, 0.0, [[2, 1], [2, 0, 1]]),
    ("t2t-long", T2T, 1, {"beams": 2, "max_length": 3}, 3.5, [[2, 0, 1], [2, 1]]),
    ("t2t-second", T2T | {"2": [0.3, 0.6, 0.1]}, 1, {"beams": 2, "max_length": 3}, 3.5, [[2, 1], [2, 0, 1]]),
    # fairseq's tests/test_sequence_generator.py and tests/utils.py (MIT): two sentences, not normalized and at length penalties of 1, 0.6 and 5.
    *(
        (f"fairseq-{sentence}-{alpha}", table, 2, {"beams": 2, "max_length": 5}, alpha, results if alpha not in swapped else results[::-1])
        for sentence, table, swapped, results in [
            (1, FAIRSEQ_1, (5.0,), [[4, 2], [5, 4, 5, 2]]), (2, FAIRSEQ_2, (0.0, 0.6), [[4, 5, 4, 2], [4, 5, 2]]),
        ]
        for alpha in (0.0, 0.6, 1.0, 5.0)
    ),
]


def beam_edges():
    for name, table, end, attrs, alpha, results in BEAM_FACTS:
        vocab = 6 if end == 2 else len(table[""])
        names = [*table, None]  # the last is after a sequence that is not listed
        logits = torch.full((len(names), vocab), -INF)
        for s, n in enumerate(names):
            p = {end: 1.0} if n is None else table[n] if isinstance(table[n], dict) else dict(enumerate(table[n]))
            for t, x in p.items():
                logits[s, t] = math.log(x)
        at = {n: s for s, n in enumerate(table)}
        following = torch.tensor([[at.get(f"{n} {t}".strip(), len(table)) if n is not None else len(table) for t in range(vocab)] for n in names])
        rule = {"penalty": "gnmt", "early_stopping": "never"} if end == 1 else {"early_stopping": "true"}
        beam_case(name, {**attrs, "end": [end], "length_penalty": alpha, **rule}, logits, following, 0, results)
    searches = [(3, 1.0, [2]), (2, 2.0, [0]), (3, -0.5, [1, 4]), (1, 1.0, [3]), (4, 0.0, [5])]
    for i, (beams, alpha, end, early) in enumerate((*s, early) for s in searches for early in ("true", "false", "never")):
        logits, following = normal(5, 9, scale=1.2), integers(5, 5, 9)
        config = transformers.GenerationConfig(
            num_beams=beams, num_return_sequences=beams, max_new_tokens=6, eos_token_id=end, pad_token_id=8, length_penalty=alpha, do_sample=False, use_cache=False,
            early_stopping={"true": True, "false": False, "never": "never"}[early], return_dict_in_generate=True, output_scores=True,
        )
        found = Automaton(logits, following, i % 5).generate(torch.zeros(1, 1, dtype=torch.int64), generation_config=config)
        results = []
        for tokens in found.sequences[:, 1:].tolist():
            ends = [n + 1 for n, t in enumerate(tokens) if t in end]
            results.append(tokens[: ends[0]] if ends else tokens)
        attrs = {"beams": beams, "max_length": 6, "end": end, "length_penalty": alpha, "early_stopping": early}
        score = beam_case(f"transformers-{beams}-{alpha}-{early}", attrs, logits, following, i % 5, results)
        assert beams == 1 or torch.allclose(found.sequences_scores.double(), score, atol=1e-5)  # generate computes with 32 bits


# Text, which is Python's: the codec of UTF-8 and the database of unicodedata.


def clean_case(name, attrs, data, text, counts):
    """A case of text.clean: bytes, the cleaned text, and counts of what changed by index."""
    out = list(text.encode())
    padded = out + [-1] * (3 * len(data) - len(out))
    add("text.clean", name, attrs, [
        ({"text": torch.tensor(list(data))}, {"out": torch.tensor(padded), "length": torch.tensor(len(out)), "counts": torch.tensor([counts.get(i, 0) for i in range(6)])})
    ])


def text_cases():
    canonical = [c for c in map(chr, range(0x30000)) if (d := unicodedata.decomposition(c)) and not d.startswith("<")]
    lines = [unicodedata.normalize("NFD", c) if i % 2 else c for i, c in enumerate(canonical[::7])]
    marks = "\u0301\u0323\u0302\u0327\u031b\u05b0\u093c\u3099"
    lines += ["a" + marks[i] + marks[j] + "e" + marks[j] for i in range(len(marks)) for j in range(len(marks))]
    lines += [chr(0x1100 + i) + chr(0x1161 + i) + (chr(0x11A8 + i) if i % 2 else "") for i in range(19)] + ["\uac00\u11a8", "\ufb01", "\u212b\u2126", "plain"]
    clean = [unicodedata.normalize("NFC", line) for line in lines]
    clean_case("nfc", {"nfc": True}, "\n".join(lines).encode(), "\n".join(clean), {3: sum(a != b for a, b in zip(lines, clean))})

    bad = [b"a\xe2\x82A", b"\xed\xa0\x80", b"\xf0\x80\x80z", b"\xf0\x9f\x98", b"\xc0\xaf\xf8", b"ok\x80\xbf", b"\xf4\x90\x80\x80", b"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf", b"\xef\xbf\xbd"]
    data = b" ".join(bad)
    text = data.decode("utf-8", "replace")
    clean_case("utf-8", {}, data, text, {0: text.count("\ufffd") - 1})  # the last is there already

    everything = "".join(c for c in map(chr, [*range(1, 0x250), 0x2028, 0x200D, 0xFEFF, 0xFFFE]))
    kept = "".join(c for c in everything if c in "\t\n\r" or unicodedata.category(c) != "Cc" and c != "\ufeff")
    clean_case("controls", {"controls": True}, everything.encode(), kept, {2: len(everything) - len(kept)})


TEXTS = [
    "a", " ", "  ", "   before and after   ", "Hello, world!", "hello world", "A wizard's job is to vex chumps quickly in fog.",
    "I'm sure they'll say we've won; don't you'd think it's 'so'?", "DON'T SHE'LL I'VE", "\n", "\n\n", "one\ntwo\r\nthree\n\n\n  four", "\ta\t\ttab",
    "a  b   c    d", "an end of a line \n", "9876543210", "2.71828 -17 3e-9 0x7F", "v10.4.0-rc1+9a", "naïve café Ångström", "Größe ÄÖÜ äöü ß",
    "Доброе утро!", "Καλημέρα κόσμε", "早上好,世界!今天下雨。", "日本語の文章です。ヒラガナ", "안녕하세요, 세계.", "صباح الخير", "בוקר טוב", "सुप्रभात दुनिया", "สวัสดีตอนเช้า",
    "🙂", "👩\u200d👩\u200d👧\u200d👦 and 🇺🇳 or 👍🏽", "e\u0301 or é", "zero\u200bwidth\xa0nbsp\u3000wide", 'func main() {\n\tprintln("hi")\n}',
    "def f(x):\n    return x // 2  # half", "for (int i = 0; i != n; --i) { a[i] *= b[i]; }", "https://example.org/a/b?c=1&d=e#f",
    '{"k": [0, 1.5, null, false]}', " SolidGoldMagikarp", "antidisestablishmentarianism", "valueOf toString __init__ prototype", "<|endoftext|>",
    "?!?!...---", "∂∇≈∈ ∅", "\x00\x02\x7f", "z" * 40, *("0" * n for n in range(1, 18)),
]


def text_edges():
    """r50k_base by tiktoken, from the table that the module of the Go tests brings; special tokens are ordinary text."""
    find = ["go", "list", "-m", "-f", "{{.Dir}}", "github.com/pkoukk/tiktoken-go-loader"]
    module = subprocess.run(find, cwd=pathlib.Path(__file__).parent, check=True, capture_output=True, text=True).stdout.strip()
    encoding = tiktoken.Encoding(
        "r50k_base", pat_str=r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""",
        mergeable_ranks=tiktoken.load.load_tiktoken_bpe(str(pathlib.Path(module) / "assets" / "r50k_base.tiktoken")), special_tokens={},
    )
    data = [list(text.encode()) for text in TEXTS]
    capacity = max(map(len, data))
    padded = lambda x, n: torch.tensor(x + [-1] * (n - len(x)))
    encoded, decoded = [], []
    for text, b in zip(TEXTS, data):
        ids = encoding.encode(text)
        assert encoding.decode_bytes(ids) == text.encode()
        encoded.append(({"text": torch.tensor(b)}, {"ids": padded(ids, len(b)), "length": torch.tensor(len(ids))}))
        decoded.append(({"ids": torch.tensor(ids)}, {"text": padded(b, capacity), "length": torch.tensor(len(b))}))
    add("text.encode", "r50k", {}, encoded, table="r50k_base")
    add("text.decode", "r50k", {"capacity": capacity}, decoded, table="r50k_base")


def main():
    for make in (
        matmul_cases, linear_cases, rows_cases, layernorm_cases, embedding_cases, position_cases, loss_cases, attention_cases, mha_cases, ffn_cases,
        block_cases, gpt_cases, optimizer_cases, clip_cases, schedule_cases, init_cases, train_cases,
        decoding_cases, text_cases, linear_edges, rows_edges, layernorm_edges, loss_edges, attention_edges, mha_edges, block_edges, gpt_edges,
        optimizer_edges, clip_edges, schedule_edges, init_edges, decoding_edges, beam_edges, text_edges, rmsnorm_edges,
        rotary_edges, swiglu_edges,
    ):
        make()
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.glob("*.json"):
        old.unlink()
    files = {}
    for op, of in cases.items():
        text = json.dumps({"op": op, "cases": of}, separators=(",", ":"), allow_nan=False) + "\n"
        (OUT / f"{op}.json").write_text(text)
        files[f"{op}.json"] = {"cases": len(of), "bytes": len(text), "sha256": hashlib.sha256(text.encode()).hexdigest()}
    manifest = {
        "oracle": "PyTorch, CPU, float64, one thread; transformers; tiktoken; text: Python's utf-8 codec and unicodedata",
        "licenses_of_libraries": "BSD-3-Clause (PyTorch), Apache-2.0 (transformers), MIT (tiktoken)",
        "transformers": transformers.__version__, "tiktoken": tiktoken.__version__,
        "unicode": unicodedata.unidata_version, "torch": torch.__version__, "numpy": numpy.__version__,
        "python": platform.python_version(), "machine": platform.machine(), "command": "python tools/torchgen/generate.py",
        "generator_sha256": hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest(), "files": files,
    }
    (OUT / "MANIFEST.json").write_text(json.dumps(manifest, indent=1) + "\n")
    print(sum(f["cases"] for f in files.values()), "cases,", sum(f["bytes"] for f in files.values()), "bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
