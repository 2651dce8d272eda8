"""The page of a matrix: the same results give the same bytes."""

import re

from bench.analysis.replicates import FEW_SEEDS, TOO_FEW
from bench.analysis.results import Results
from bench.errors import visible
from bench.report.answer import answer
from bench.report.blocks import Block, Page, composed
from bench.report.bracket_section import bracket_section
from bench.report.claims_page import claims_section
from bench.report.cost_section import cost, cost_section
from bench.report.data_section import data_section
from bench.report.latent_section import latent_section
from bench.report.leaderboard import failure_section, leaderboard_section
from bench.report.markdown import escaped, glossary
from bench.report.replication import agreement
from bench.report.sample_sections import sample_section
from bench.report.study_sections import study_section
from bench.rows import SCHEMA
from bench.run.progress import counted

__all__ = ["page"]

_EARLIER = (
    "These rows were written under an earlier schema, before KL(q‖p) had a bracket. What they hold "
    "is shown as it was measured; it is not to be compared with rows written since."
)
_HOW_TO_READ = f"""## How to read this

* **Value ± half width**: mean over all S training seeds and its 95 % Student t interval. It covers
  seeds on these data; sampling other images adds to it. Cells without a result are in no mean. ↓
  lower is better, ↑ higher is better, no arrow: not to be compared.
* **→ real**: noise or blur can pass what real images score, so the best is who lies closest to the
  score of real, unseen images, measured in each cell; ranks and ties are of that distance.
* **test**, **train**: whose inputs were encoded. The model was fitted to those of train.
* **KL(q_N‖p)** goes from the aggregate posterior of N inputs, q_N(z) = 1/N ∑ q(z|x_n), to the
  prior. It is R - I, rate less mutual information, and since I ≤ log N never below the **floor**
  R - log N: a larger raw KL may only mean a larger rate.
* **Diagnostics**: **null KL** is the KL of encoders that do match, with the same N, D and scales,
  if the scale does not depend on the place; **excess given scale**, a diagnostic, is the KL less
  that null, and **null given scale** counts the seeds whose KL lies above it at level .05. Trained
  encoders break the assumption, and then both find a mismatch where there is none: they decide
  nothing.
* **After the gauge fix**: each dimension shifted and rescaled to mean 0 and variance 1. Affine
  heads absorb that for free, so what it removes is unfinished training, not the model.
* **Saturated** (†): R > log N - 1. So few inputs cannot resolve the joint KL.
* **Collapsed**: no latent dimension is active and I(n; z) is below .05 nats, so that z says
  nothing of the input. Where half the seeds or more are so, a configuration stands apart from
  every ranking; where fewer are, it is ranked by all its seeds and the page counts the dead ones.
* **Rank**: the ranks that the seeds allow, from 1 + the number of configurations significantly
  better to K - the number significantly worse: paired t tests of all pairs on common seeds with
  Holm's correction, so that all intervals of one column hold together with 95 % confidence.
* **Tie group** (bold): nobody in the same split and source is significantly better. Nothing is
  bold where all are tied. At S ≤ {FEW_SEEDS} all are: {TOO_FEW}.
* **Gap**: paired difference to the best mean, with the 95 % t interval of that pair alone.
  **Beats best**: share of common seeds on which it does better.
* Likelihoods compare only under the same likelihood and data.
"""


def _quoted(line: str) -> str:
    """A line of a person's comment: its code spans stay, all else that would be markup is shown."""
    parts = re.split(r"(`[^`]+`)", line)
    return visible("".join(escaped(p) if place % 2 == 0 else p for place, p in enumerate(parts)))


def page(results: Results) -> Page:
    """Compose the page of one matrix and draw its figures.

    Args:
        results: Of the matrix; its comment is quoted below the answer.

    Returns:
        The page, which is meant to stand beside the folder of the matrix.
    """
    name, rows = results.name, results.rows
    blocks: list[Block] = [f"# {name}", f"**{answer(results)}**"]
    if told := cost(results):
        blocks.append(told)
    if comment := results.comment.strip():
        blocks.append("\n".join(f"> {_quoted(line)}".rstrip() for line in comment.splitlines()))
    if len(rows) and min(rows["schema"]) < SCHEMA:
        blocks.append(_EARLIER)
    if results.findings:
        blocks += claims_section(name, results.findings)
        if compared := agreement(results):
            blocks.append(compared)
    blocks += [*failure_section(results), *bracket_section(results)]
    blocks += ["## Leaderboard", *leaderboard_section(results.models)]
    blocks += [*cost_section(results), *data_section(results)]
    for study, part in results.studies.items():
        blocks += study_section(part, study)
    blocks += [*sample_section(results), *latent_section(results), _HOW_TO_READ.strip()]
    if measured := {metric for metric, *_ in results.measured_keys}:
        explained = [metric for name, metric in results.metrics.items() if name in measured]
        blocks += ["### The columns", glossary(explained)]
    counts = counted(rows["config"].nunique(), "configuration")
    counts += f", {counted(results.cells, 'cell')}"
    blocks.append(f"Made from [{name}/rows.csv]({name}/rows.csv): {counts}.")
    return composed(name, blocks)
