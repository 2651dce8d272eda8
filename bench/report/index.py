"""The first page of a results folder: the question, and what every matrix answers."""

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from bench.analysis.results import Results
from bench.report.answer import answer, certified, ends
from bench.report.claims_page import answers
from bench.report.cost_section import cost
from bench.report.markdown import markdown, prose, quantity
from bench.report.names import of_configuration
from bench.report.predictors_page import NAME, not_read

__all__ = ["index"]

_ORDER = "mnist replication fashion mnist5k digits objectives priors ci precision".split()
"""The shipped matrices, the question's own setting first."""
_QUESTION = (
    "The question: a VAE with two latent dimensions turns MNIST into a quilt of ten clusters that "
    "does not look like N(0, I). Does the aggregate posterior q(z) match the prior, and will "
    "samples of the prior represent the data?"
)
_COLUMNS = (
    "**KL(q‖p)**: outer ends of the 95 % intervals over S seeds of what is proved and of the upper "
    "end, on held-out inputs; **match?** within .05 nats. **Cost of the prior**: Fréchet distance "
    "to real images of samples of the prior less that of samples of q(z), a share of the trace of "
    "their covariance; **won back** by a density fitted to the latents."
)


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
    heads = ["matrix", "KL(q‖p) of its base, nats", "match?", "cost of the prior", "won back", "S"]
    return [*filter(None, said), *pictures, markdown(heads, lines, left=3), _COLUMNS]


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
    link = f"[{results.name}]({results.name}.md), {_configurations(results)}"
    found, told = certified(results, config), results.costs.get(config)
    won = told.won if told else None
    return [
        link,
        ends(found[1]) if found else "not bounded",
        found[1].verdict if found else "–",
        quantity(told.cost.mean, told.cost.half_width) if told else "–",
        quantity(won.mean, won.half_width) if won else "–",
        results.rows["seed"].nunique(),
    ]


def _configurations(results: Results) -> str:
    """How many there are, how many of how many where some have not run, and how many cells lack."""
    count = results.rows["config"].nunique()
    text = f"{count} of {count + len(results.unrun)}" if results.unrun else str(count)
    lost = len(results.failures)
    return f"{text} configurations" + (f", {lost} of {results.cells} cells failed" if lost else "")
