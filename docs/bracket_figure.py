"""Draws figures/bracket.png, which `concepts.md` explains: python docs/bracket_figure.py.

Two encoders whose KL(q‖p) is known: the population of the one is N(0, I), that of the other is
normal with a correlation of .6. Both ends of the bracket, and the word, as held-out inputs grow.
"""

import math
from pathlib import Path

import matplotlib
import numpy as np
import torch

from vaelib.audits.verdict import MARGIN, Bracket, verdict
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal
from vaelib.seeding import stream
from vaelib.stats.stack.candidates import Posteriors
from vaelib.stats.stack.certify import certify
from vaelib.stats.stack.upper import upper_end

SCALE, TRAINING = 0.25, 5000
SIZES = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
COLOURS = {"no": "#d55e00", "yes": "#009e73", "undecided": "0.45"}


def encode(
    n: int, correlation: float, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Means and scales whose population is N(0, C), C of unit variances and this correlation."""
    covariance = torch.tensor([[1, correlation], [correlation, 1]], dtype=torch.float64)
    factor = torch.linalg.cholesky(covariance - SCALE**2 * torch.eye(2))
    mean = torch.randn(n, 2, generator=generator, dtype=torch.float64) @ factor.T
    return mean, torch.full_like(mean, SCALE)


def curves(correlation: float, sizes: tuple[int, ...] = SIZES) -> list[tuple[float, ...]]:
    """Proved end, gain, upper end and 1 where saturated, for each number of inputs."""
    rows = []
    train = Posteriors(*encode(TRAINING, correlation, stream("figure training", 0)))
    for n in sizes:
        held = AggregatePosterior(*encode(n, correlation, stream("figure", n)))
        z = held.sample(stream("figure z", n))[0]
        lower = certify(train, z, stream("figure stack", n))
        upper = upper_end(held, Normal(2), stream("figure upper", n))
        rows.append((lower.lower, lower.gain.value, upper.value, upper.saturated))
    return rows


def draw(path: Path) -> None:
    """Writes the figure."""
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(9, 4.0), layout="constrained", sharey=True)
    titles = ("q is N(0, I)", "q is normal, correlation .6")
    for axes, title, correlation in zip(panels, titles, (0.0, 0.6), strict=True):
        rows = curves(correlation)
        low, gain, high, full = np.array(rows).T
        words = [
            verdict(Bracket(row[0], row[2], n, bool(row[3])))
            for n, row in zip(SIZES, rows, strict=True)
        ]
        truth = 0.5 * math.log(1 / (1 - correlation**2))
        few = max(n for n, on in zip(SIZES, full, strict=True) if on)
        axes.axvspan(SIZES[0] * 0.8, few * 1.3, color="0.93", lw=0, label="saturated")
        axes.fill_between(SIZES, low, high, color="#0072b2", alpha=0.15, lw=0)
        axes.plot(SIZES, high, "v-", color="#0072b2", label="upper end")
        axes.plot(SIZES, low, "^-", color="#0072b2", mfc="white", label="lower end, proved")
        axes.plot(SIZES, gain, "x", color="0.3", label="gain")
        axes.axhline(truth, color="black", lw=1, label=f"KL(q‖p) = {truth:.3g}")
        axes.axhline(MARGIN, color="#cc79a7", lw=1, ls="--", label=f"margin {MARGIN:g}")
        for n, word in zip(SIZES, words, strict=True):
            axes.text(n, 1.62, word, rotation=90, ha="center", va="top", color=COLOURS[word])
        axes.set(xscale="log", xlabel="n, held-out inputs", xlim=(SIZES[0] * 0.8, SIZES[-1] * 1.25))
        axes.set(ylim=(-0.06, 1.65))
        axes.set_title(title, fontsize=10)
        axes.legend(frameon=False, fontsize=8, loc="center right")
    panels[0].set_ylabel("nats")
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=120, metadata={"Software": None})


if __name__ == "__main__":
    draw(Path(__file__).parent / "figures" / "bracket.png")
