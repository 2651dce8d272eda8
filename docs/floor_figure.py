"""Draws figures/floor.png, which `concepts.md` explains: python docs/floor_figure.py.

An encoder whose population matches N(0, I) by construction: means ~ N(0, 1 - scale^2). Its joint KL
over N inputs, the floor below it, the null and the excess, as N grows.
"""

import math
from pathlib import Path

import matplotlib
import numpy as np
import torch

from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal
from vaelib.seeding import stream
from vaelib.stats import divergences, finite_sample

LATENT_DIM, SCALE = 6, 0.35
SIZES = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
DRAWS = 10


def curves(sizes: tuple[int, ...] = SIZES) -> dict[str, np.ndarray]:
    """Rate, floor, KL, null, excess and the lower end of the bracket, one number for each N."""
    prior, rows = Normal(LATENT_DIM), []
    for size in sizes:
        noise = torch.randn(size, LATENT_DIM, generator=stream("figure", size), dtype=torch.float64)
        q = AggregatePosterior(math.sqrt(1 - SCALE**2) * noise, torch.full_like(noise, SCALE))
        kl = divergences.decompose(q, prior, stream("figure z", size), draws=4)
        null = finite_sample.marginal_kl_null(q, stream("figure null", size), DRAWS)
        low, _ = divergences.leave_one_out_kl(q, prior, stream("figure loo", size), draws=2)
        floor = finite_sample.marginal_kl_floor(kl.rate, size)
        excess, _ = null.excess(kl)
        rows.append((kl.rate, floor, kl.marginal_kl, null.mean, excess, low))
    names = ("rate", "floor", "kl", "null", "excess", "leave_one_out")
    return dict(zip(names, np.array(rows).T, strict=True))


def draw(path: Path) -> None:
    """Writes the figure."""
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    by_name = curves()
    figure, axes = plt.subplots(figsize=(7.2, 4.0), layout="constrained")
    saturated = math.exp(float(by_name["rate"].mean()) + 1)
    axes.axvspan(SIZES[0], min(saturated, SIZES[-1]), color="0.93", lw=0)
    axes.text(SIZES[0] * 1.1, 5.3, "saturated: R > log N − 1", color="0.35", fontsize=9)
    axes.plot(SIZES, by_name["rate"], color="0.6", ls=":", label="rate R")
    axes.plot(SIZES, by_name["kl"], "o-", color="#0072b2", label="KL(q_N‖p), observed")
    axes.plot(SIZES, by_name["null"], "x", color="black", ms=9, label="null: same N, D, scales")
    axes.plot(SIZES, by_name["floor"], "--", color="#d55e00", label="floor R − log N")
    axes.plot(SIZES, by_name["excess"], "s-", color="#009e73", label="excess = observed − null")
    axes.axhline(0, color="0.3", lw=0.8)
    axes.set(xscale="log", xlabel="N, encoded inputs", ylabel="nats", xlim=(SIZES[0], SIZES[-1]))
    axes.set_title(
        f"A perfect match to N(0, I): D = {LATENT_DIM}, every scale {SCALE}", fontsize=10
    )
    axes.legend(frameon=False, fontsize=9)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=120, metadata={"Software": None})


if __name__ == "__main__":
    draw(Path(__file__).parent / "figures" / "floor.png")
