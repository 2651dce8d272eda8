"""Short names of what is measured and of what it is compared with, for tables that fit a page."""

import re

GROUPS = {
    "Tests": r"\btest (of n|against N)|permutations",
    "Audits": r"^(KL per dimension|leave-one-out KL|null of)|joint evaluation",
    "Densities": r"log q_N",
    "Training": r"^(not taken: )?(\d+(-\d+)+ x|\d+ products|steps until)",
    "Samples": r"authenticity",
    "The harness": r"cells|coordinator|vaebench run|workers' time",
}
"""Of each group of rows, what the text of its rows holds; the first that fits has a row."""

REST = "Other"

AGAINST = {
    "hyppo": "hyppo, the same test",
    "dcor": "dcor, the same test",
    "product": "one float64 product of the same shape and a clamped log-sum-exp",
    "broadcasting": "broadcasting (128, N, D) in float64",
    "64 points": "all components at 64 of the points: all points take 156.25 times as long, so "
    "that the target is 5 times faster",
    "joint": "one joint evaluation, log q_N at N points",
    "pythae": "pythae's trainer with its defaults, seed after seed",
    "product, minima": "one float64 product of that shape, by blocks, and the minimum of each row",
    "kernel": "one pooled kernel and one matrix product",
    "pooled": "one pooled matrix of distances and one matrix product",
    "distances": "one float64 matrix of the distances of all pairs (torch.cdist)",
    "loop on the card": "a plain loop over seeds on the same card",
    "loop": "a plain loop over seeds",
    "loop, flushed": "the same loop, with torch told to flush subnormal numbers to zero",
    "float32": "the same in float32",
    "as shipped": "the same as shipped",
}
"""What a row is compared with, by its short name."""

WHAT = {
    "together": "replicates trained together",
    "together, plain modules": "plain modules trained together",
    "together, bfloat16": "replicates trained together with products in bfloat16",
    "small": "64-200-200-2",
    "large": "784-500-500-2",
    "floor": "only its matrix products and a fused Adam, seed after seed",
    "compiled loss": "a step of replicates trained together, the loss by torch.compile",
    "all three": "KL per dimension, leave-one-out KL and null of 200 draws",
    "its floor": "only its product and powers of 2",
    "test of N(0, I)": "test against N(0, I) at n = 500, D = 8, its null simulated before",
    "two-sample test": "test of n = m = 1000, D = 8",
    "log q_N at 10,000 of 1,000,000": "log q_N at 10,000 points, N = 1,000,000, D = 2, scale 0.02",
    "log q_N on 2 threads": "log q_N, M = 10,000, D = 10, 2 threads",
    "authenticity": "authenticity of 500 images, 32 components, against 54,000 training images",
    "memory": "memory beyond the inputs",
    "cells, each": "cells, per cell: share of the least cell of digits",
    "the same run, cached": "the same run again, all 2,000 cells cached: share of the first run's "
    "time",
    "kernels": "share of the time in which kernels run",
    "of its product": "operations per second of the card's float32 product",
    "of the product": "of the card's float64 product: one of [z², z, 1]",
    "of the copy": "of the card's copy: all densities written and read once",
    "of digits": "of `vaebench run digits` by the clock, 2 workers, as committed",
    "time beside cells": "share of the workers' time outside of cells in that run: harness, "
    "starting, idling",
}
"""Parts of what a row measures, by their short names."""


_MORE = {
    "small": ", the units of its layers; x 10, ten replicates of it",
    "large": ", the units of its layers; x 5, five replicates of it",
}


def group_of(result):
    """The group whose rows it stands among."""
    text = f"{result.what} | {getattr(result, 'reference', '')}"
    found = (group for group, pattern in GROUPS.items() if re.search(pattern, text))
    return next(found, REST)


def what(result):
    """Short for what was measured."""
    text = result.what
    for name in sorted(WHAT, key=lambda name: -len(WHAT[name])):
        text = text.replace(WHAT[name], name)
    return text


def against(result):
    """Short for what it is compared with."""
    names = {full: name for name, full in AGAINST.items()}
    return names.get(result.reference, result.reference)


def definitions(results):
    """A list of the short names that these results use."""
    used = {name: full for name, full in AGAINST.items() if _compared(results, full)}
    parts = {name: full for name, full in WHAT.items() if any(full in r.what for r in results)}
    every = {**parts, **used}.items()
    return "\n".join(f"- **{name}**: {full}{_MORE.get(name, '')}." for name, full in every)


def _compared(results, full):
    return any(getattr(result, "reference", None) == full for result in results)
