"""The page about what predicts the quality of samples, over all matrices of a results folder."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bench.analysis.correlations import FEW_CONFIGURATIONS
from bench.analysis.prediction import (
    OF_LATENTS,
    TARGETS,
    TRIVIAL,
    Correlation,
    Prediction,
    average,
    symbol,
)
from bench.report.blocks import Block, Page, composed, drawn
from bench.report.figures.predictors import predictors
from bench.report.markdown import code, fitted, prose

__all__ = ["NAME", "headline", "not_read", "predictors_page"]

NAME = "predictors"
"""Of the page, and of the folder of its figures."""

_LEAST = FEW_CONFIGURATIONS + 1
_NO_CLAIM = f"No matrix has {_LEAST} configurations with samples of the prior: nothing is claimed."
_WHAT = (
    "Over the configurations of one matrix, does the mean of a number on test inputs order them as "
    "the Fréchet distance of samples of the prior does (**quality**: a positive ρ says that a "
    "larger number goes with worse samples), or as this distance less that of samples of the "
    "aggregate posterior, paired within each model (**cost**)? **Trivial** predictors know nothing "
    "of the match: rate, reconstruction, training steps, latent dimension."
)
_HOW_TO_READ = f"""## How to read this

* **ρ [interval]**: Spearman's correlation of configuration means, ties at mean ranks, and its 95 %
  interval over configurations *and* seeds: 4,000 resamples draw K configurations and, apart from
  that, S seeds, the same for all configurations, and rank the means anew. The interval is the hull
  of the resamples' percentiles and of Fisher's interval for K pairs (Bonett & Wright 2000).
* **Coverage**, of 400 simulated matrices each by `python -m tests.correlations` (K = 8, 12, 16, 30;
  ρ = 0, .5, .8, .95): .945 to .995 where seeds add no noise. **Noise**, their share in the variance
  of the means, pulls ρ towards 0: at 5 % in both numbers the interval still covers the correlation
  without noise in .95 or more at K ≤ 12, but at ρ = .95 in .84 at K = 16 and .53 at K = 30 (.92 at
  ρ = .8 there); at 20 %
  and K = 16 in .88 at ρ = .8 and .18 at ρ = .95. It then lies too near to 0.
* **Bold**: the interval excludes 0 when all predictors of that matrix and target are asked at once
  (Bonferroni).
* **Better than trivial**: the paired difference of |ρ| excludes 0 against *every* trivial
  predictor, again with all predictors asked at once, over the configurations that have both.
* **K, S**: configurations, and the fewest seeds of one. Below K = {_LEAST} there is no interval and
  no claim. Collapsed configurations (no active unit on half the seeds or more) are left out: their
  prior samples are one blur whatever their latents look like.
* **†**: the latent dimension D varies in this matrix and changes this number at one and the same
  KL: the same latents with exact N(0, 1) dimensions beside them give a smaller AUC and MMD². Its
  order of configurations is then partly that of D.
* **Mean**: of the matrices' correlations, never of pooled configurations; its interval takes
  matrices as independent, though some share their base.
* ELBO and reconstruction count only where the likelihood is that of the first configuration.
* A correlation over configurations that somebody chose is no law of nature: other matrices may
  order otherwise."""


def headline(predicted: Sequence[Prediction]) -> str:
    """Say in a sentence whether anything predicts better than trivial predictors do.

    Args:
        predicted: Of all matrices.

    Returns:
        Plain text.
    """
    enough = [one for one in predicted if one.enough]
    if not enough:
        return _NO_CLAIM
    places = list(dict.fromkeys(one.place for one in enough))
    better = [
        f"on {prose(one.place)} {one.symbols[advantage.predictor]} predicts the "
        f"{TARGETS[one.target]} better than every trivial predictor does"
        for one in enough
        for advantage in one.advantages
        if advantage.shown
    ]
    targets = [TARGETS[name] for name in TARGETS if any(one.target == name for one in enough)]
    what = f"a number of the latents shown to predict the {' or the '.join(targets)}"
    where = f"of {len(places)} with {_LEAST} configurations or more"
    if better:
        said = "; ".join(better)
        return f"{said[0].upper()}{said[1:]}. On no other matrix, {where}, is {what} better."
    return f"On no matrix, {where}, is {what} better than trivial predictors do."


def not_read(unread: Mapping[str, str]) -> list[str]:
    """Say which matrices are left out.

    Args:
        unread: Of each matrix whose rows cannot be read, why.

    Returns:
        At most one block of Markdown.
    """
    said = "; ".join(f"{code(name)}, {code(why)}" for name, why in unread.items())
    return [f"Left out, since the rows cannot be read: {said}."] if said else []


def predictors_page(
    matrices: Sequence[str], predicted: Sequence[Prediction], unread: Mapping[str, str]
) -> Page:
    """Compose the page and draw its figure.

    Args:
        matrices: Names of those that have been read.
        predicted: Of these, as `bench.analysis.predictors.predictions`.
        unread: Of each matrix whose rows cannot be read, why.

    Returns:
        The page, which is meant to stand beside the folders of the matrices.
    """
    enough = [one for one in predicted if one.enough]
    blocks: list[Block] = ["# What predicts sample quality?", f"**{headline(predicted)}**"]
    blocks += ["\n".join(_follows(target, enough) for target in TARGETS)] if enough else []
    blocks += [_WHAT, *not_read(unread)]
    if enough:
        text = "Spearman's correlation of each predictor with quality and cost, on each matrix"
        blocks.append(drawn(text, "correlations.png", predictors(enough)))
    for target, what in TARGETS.items():
        if chosen := [one for one in enough if one.target == target]:
            blocks += [f"## {what[0].upper()}{what[1:]}", *_table(chosen), _noise(chosen)]
    if enough:
        blocks += ["## Better than trivial predictors?", *_advantages(enough)]
    if few := [one for one in predicted if not one.enough]:
        blocks += ["## Too few configurations", "Values without an interval and without a claim."]
        blocks += _few(few)
    measured = {name for one in predicted for name in one.by_name}
    if missing := [symbol(name) for name in OF_LATENTS if name not in measured and predicted]:
        blocks.append(f"In no rows, or the same everywhere: {', '.join(missing)}.")
    if without := [name for name in matrices if name not in {one.matrix for one in predicted}]:
        what = "Without samples of the prior, or with less than three configurations"
        blocks.append(f"{what}: {', '.join(map(code, without))}.")
    blocks.append(_HOW_TO_READ)
    if rows := ", ".join(f"[{name}/rows.csv]({name}/rows.csv)" for name in matrices):
        blocks.append(f"Made from {rows}.")
    return composed(NAME, blocks)


def _follows(target: str, enough: Sequence[Prediction]) -> str:
    """What a target goes with on each matrix."""
    said, silent = [], []
    for one in enough:
        if one.target != target:
            continue
        shown = [found for found in one.correlations if found.shown]
        if not shown:
            silent.append(prose(one.place))
            continue
        best = max(shown, key=lambda found: abs(found.value))
        trivial = one.strongest(trivial=True)
        text = f"{one.symbols[best.predictor]} on {prose(one.place)} ({_interval(best)}"
        if trivial and not best.trivial:
            text += f"; of the trivial predictors {one.symbols[trivial.predictor]}, "
            text += _interval(trivial)
        said.append(f"{text})")
    name = f"* The {TARGETS[target]}"
    parts = [f"{name} follows {'; '.join(said)}."] if said else []
    if silent:
        subject = "No predictor of it" if said else f"{name}: no predictor"
        parts.append(f"{subject} is shown on {', '.join(silent)}.")
    return " ".join(parts) or f"{name}: not measured."


def _number(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"


def _interval(found: Correlation) -> str:
    return f"{_number(found.value)} [{_number(found.low)}, {_number(found.high)}]"


def _ordered(chosen: Sequence[Prediction]) -> Iterator[tuple[str, str]]:
    """Predictors that any of these has, the trivial ones last, and what they are called."""
    symbols = {name: text for one in chosen for name, text in one.symbols.items()}
    for name in sorted(symbols, key=lambda name: name in TRIVIAL):
        yield name, symbols[name] + (" (trivial)" if name in TRIVIAL else "")


def _table(chosen: Sequence[Prediction]) -> list[str]:
    lines = []
    for name, text in _ordered(chosen):
        pooled = average(name, chosen)
        mean = "–"
        if pooled:
            value, low, high = map(_number, pooled[1:])
            mean = f"{value} [{low}, {high}] ({pooled[0]})"
        lines.append([text, *(_cell(one, name) for one in chosen), mean])
    heads = [f"{prose(one.place)} (K = {one.configurations}, S = {one.seeds})" for one in chosen]
    return fitted(["ρ of", *heads, "mean (of how many)"], lines)


def _cell(one: Prediction, name: str) -> str:
    """A correlation, and the K and S that it rests on where they are not those of the heading."""
    found = one.by_name.get(name)
    if found is None:
        return "–"
    text = _interval(found) if found.enough else _number(found.value)
    text = f"**{text}**" if found.shown else text
    text += "" if found.across_dimensions else " †"
    differs = []
    if found.configurations != one.configurations:
        differs.append(f"K = {found.configurations}")
    if found.seeds != one.seeds:
        differs.append(f"S = {found.seeds}")
    return f"{text} ({', '.join(differs)})" if differs else text


def _noise(chosen: Sequence[Prediction]) -> str:
    shares = [
        f"{prose(one.place)} {100 * one.noise:.1f} %" for one in chosen if np.isfinite(one.noise)
    ]
    text = f"Noise, share of the seeds in the variance of the means: {', '.join(shares)}."
    left = [f"{one.collapsed} of {prose(one.place)}" for one in chosen if one.collapsed]
    return text + (f" Collapsed and left out: {', '.join(left)}." if left else "")


def _advantages(enough: Sequence[Prediction]) -> list[str]:
    lines = []
    for one in enough:
        if not one.advantages:
            continue
        best = one.advantages[0]
        ends = f"[{_number(best.low)}, {_number(best.high)}]"
        lines.append(
            [
                prose(one.place),
                one.target,
                one.symbols[best.predictor],
                one.symbols[best.trivial],
                f"{_number(best.difference)} {ends}",
                "yes" if best.shown else "not shown",
                _number(one.least),
            ]
        )
    heads = ["matrix", "of", "strongest of the latents", "hardest to beat", "difference of abs ρ"]
    return fitted([*heads, "better?", "ρ could be shown from"], lines, left=2)


def _few(few: Sequence[Prediction]) -> list[str]:
    lines = [[text, *(_cell(one, name) for one in few)] for name, text in _ordered(few)]
    heads = [f"{prose(one.place)}, {one.target} (K = {one.configurations})" for one in few]
    return fitted(["ρ of", *heads], lines)
