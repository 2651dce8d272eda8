"""The first page of a results folder: the question, and what every matrix answers."""

import math
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from bench.analysis.results import Results
from bench.report.answer import answer, certified, known_ends
from bench.report.change_section import change_tables, terms
from bench.report.claims_page import answers
from bench.report.cost_section import cost
from bench.report.markdown import markdown, prose, quantity
from bench.report.names import of_configuration
from bench.report.predictors_page import NAME, not_read

__all__ = ["index"]

_ORDER = "mnist replication fashion mnist5k digits objectives priors ci precision".split()
"""The shipped matrices, the question's own setting first."""
_QUESTION = (
    "The question, a thread on a statistics forum: a VAE with two latent dimensions turns MNIST "
    "into a quilt of ten clusters that does not look like N(0, I). Does the aggregate posterior "
    "q(z) match the prior, and will samples of the prior represent the data?"
)
_COLUMNS = (
    "Of the base of each matrix. **KL(q‖p)**: outer ends of the 95 % intervals over the seeds of "
    "what is proved and of the upper end, on held-out inputs; whether q matches within .05 nats. "
    "**AUC** of a classifier between z of q and z of the prior, .5 where they are alike. "
    "**Holes**: share of the prior's mass where q has next to none, about .01 where they match. "
    "**Prior's cost**: Fréchet distance to real images of samples of the prior less that of "
    "samples of q(z), in features of small classifiers, a share of the trace of their covariance; "
    "**won back** by a density fitted to the latents"
)
_SNIPPET = """\
From a density fitted to the latents of the training inputs, instead of N(0, I):

```python
import torch
from vaelib import encode, fit_density

z = fit_density(*encode(model, train_images)).sample(1000, torch.Generator())
images = model.decode(z.float())
```"""


def index(
    matrices: Sequence[Results], pages: Iterable[str], unread: Mapping[str, str], predicts: str
) -> str:
    """Compose ``README.md``: the answer of every matrix that has rows.

    Args:
        matrices: Results of every matrix in the folder.
        pages: Names of all pages in the folder, without ``.md``.
        unread: Of each matrix whose rows cannot be read, why.
        predicts: What predicts the quality of samples, in a sentence.

    Returns:
        Markdown.
    """
    ordered = sorted(matrices, key=_place)
    blocks = ["# Results", _QUESTION]
    blocks += _answers(ordered) if ordered else ["No matrix has rows yet."]
    blocks += not_read(unread)
    if ordered:
        blocks += _helps(ordered[0])
        blocks += ["## What predicts sample quality?", f"{predicts} More: [{NAME}]({NAME}.md)."]
    if verdicts := answers(ordered):
        blocks += ["## What the thread said, and what the seeds say", *verdicts]
    names = [results.name for results in matrices]
    listed = {"README", NAME, *names, *(f"{name}-claims" for name in names)}
    if others := sorted(set(pages) - listed):
        links = ", ".join(f"[{prose(name)}]({quote(name)}.md)" for name in others)
        blocks.append(f"Other pages: {links}.")
    return "\n\n".join(blocks) + "\n"


def _place(results: Results) -> tuple[int, str]:
    """The question's own setting first, the suite's own checks last."""
    known = results.name in _ORDER
    return _ORDER.index(results.name) if known else _ORDER.index("ci"), results.name


def _answers(matrices: Sequence[Results]) -> list[str]:
    """The answer of the first matrix, its pictures, and one line for each."""
    first = matrices[0]
    said = [f"**{answer(first)}**", cost(first)]
    pictures = [
        f"![{text}]({first.name}/figures/{file})" for file, text in _pictures(first).items()
    ]
    lines = [_line(one) for one in matrices]
    heads = ["matrix", "match? KL(q‖p), nats", "AUC", "holes", "prior's cost", "won back"]
    return [
        *filter(None, said),
        *pictures,
        markdown(heads, lines, left=2),
        _COLUMNS + _others(matrices),
    ]


def _pictures(results: Results) -> dict[str, str]:
    """What its page shows of the answer, as far as it does."""
    pictures = {}
    base = results.matrix.configurations[0] if results.matrix else None
    if base and base.values["latent_dim"] == 2 and certified(results, base.name):
        picture = f"quilt-{of_configuration(base.name)}.png"
        pictures[picture] = f"the latent space of {base.name} of {results.name} beside its prior"
    if results.costs:
        pictures["ladder.png"] = "distance to real images by where the latents came from"
    return pictures


def _line(results: Results) -> list[object]:
    """The base of one matrix; of several data sets, that of the first."""
    config = results.configurations[0]
    link = f"[{results.name}]({results.name}.md){_begun(results)}"
    found, told = certified(results, config), results.costs.get(config)
    won = told.won if told else None
    numbers = known_ends(found[1]) if found else []
    shown = " to ".join(numbers) if numbers[1:] else f"at least {''.join(numbers)}"
    bounded = f"{found[1].verdict}: {shown}" if found else "not bounded"
    return [
        link,
        bounded,
        _short(results, config, "c2st_auc"),
        _short(results, config, "hole_mass"),
        quantity(told.cost.mean, told.cost.half_width) if told else "–",
        quantity(won.mean, won.half_width) if won else "–",
    ]


def _others(matrices: Iterable[Results]) -> str:
    """Where the density is a plain mixture; and data, steps and seeds of every matrix."""
    named: dict[str, list[str]] = {}
    plain = []
    for results in matrices:
        told = results.costs.get(results.configurations[0])
        if told and told.fitted == "gmm":
            plain.append(prose(results.name))
        data = next((match.data for match in results.matches), results.name)
        named.setdefault(data, []).append(f"{prose(results.name)} ({_size(results)})")
    each = [f"on {prose(data)}: {', '.join(names)}" for data, names in named.items()]
    mixture = f" (in {', '.join(plain)} a Gaussian mixture)" if plain else ""
    return f"{mixture}. **Steps and seeds**: {'; '.join(each)}."


def _size(results: Results) -> str:
    """How long the base trains, as far as that is known, and over how many seeds."""
    config = results.configurations[0]
    rows = results.rows[results.rows["config"] == config]
    seeds = f"S = {rows['seed'].nunique()}"
    if results.matrix is None:
        return seeds
    return f"{int(results.matrix.configurations[0].values['training']['steps']):,}, {seeds}"


def _short(results: Results, config: str, metric: str) -> str:
    """Two digits of a mean on held-out inputs."""
    mean = results.summary(metric, "test")["mean"].get(config, math.nan)
    return "–" if math.isnan(mean) else f"{mean:.2g}"


def _helps(first: Results) -> list[str]:
    """What the studies of the first matrix change, and what to sample from."""
    blocks = []
    if shown := change_tables(first):
        text = (
            f"Each line changes one thing of {first.name}, where it can from the base on. "
            "**gain**: change of what a fitted density gains over the prior, a lower estimate of "
            "KL(q‖p), on held-out inputs; **≥**, between different latent dimensions: the least "
            "change of KL(q‖p) that both brackets allow. **q** gets by it closer to its prior, "
            "which with another prior is another, or further from it by more than .05 nats. "
            "**Fréchet**: change in the distance of images of the prior to real ones."
            f"{terms(first)}"
        )
        blocks += ["## What helps?", *shown, text]
    rungs = next(iter(first.costs.values())).rungs if first.costs else {}
    if {"repaired", "prior"} <= set(rungs):
        rows = {name: f"{rungs[name].mean:.3f}" for name in ("prior", "repaired")}
        text = (
            f"In {first.name} images of such a density lie {rows['repaired']} from real ones in "
            f"Fréchet distance, those of the prior {rows['prior']}."
        )
        if "gmm" in rungs:
            text += f" Those of a plain Gaussian mixture lie {rungs['gmm'].mean:.3f} from them."
        blocks += ["## Sample from what?", _SNIPPET, text]
    return blocks


def _begun(results: Results) -> str:
    """How many configurations have run where not all have, and how many cells lack."""
    count, lost = len(results.configurations), len(results.failures)
    text = f", {count} of {count + len(results.unrun)} run" if results.unrun else ""
    return text + (f", {lost} of {results.cells} cells failed" if lost else "")
