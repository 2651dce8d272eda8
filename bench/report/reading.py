"""How to read the pages of a matrix, whose study each configuration is, and what columns are."""

from bench.analysis.levels import levels
from bench.analysis.replicates import FEW_SEEDS, TOO_FEW
from bench.analysis.results import Results
from bench.report.blocks import Block
from bench.report.markdown import code, fitted, glossary, prose
from bench.report.names import COLUMNS

__all__ = ["pointer", "reading"]

_TITLE = "Configurations"
_LEVELS = "Each with the studies that it stands in, and what these vary has as its level there."

_HOW_TO_READ = f"""\
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
* **Untrained**: collapsed, and not so where nothing differs but that there are more steps. The
  losses of training are in no row: whether more steps would change anything is told by the ELBO of
  configurations that differ in their steps alone, where there are such.
* **Rank**: the ranks that the seeds allow, from 1 + the number of configurations significantly
  better to K - the number significantly worse: paired t tests of all pairs on common seeds with
  Holm's correction, so that all intervals of one column hold together with 95 % confidence.
* **Tie group** (bold): nobody in the same split and source is significantly better. Nothing is
  bold where all are tied. At S ≤ {FEW_SEEDS} all are: {TOO_FEW}.
* **Gap**: paired difference to the best mean, with the 95 % t interval of that pair alone.
  **Beats best**: share of common seeds on which it does better.
* Likelihoods compare only under the same likelihood and data.
"""


def reading(results: Results) -> list[Block]:
    """Explain what the pages of a matrix show.

    Args:
        results: Of one matrix.

    Returns:
        Blocks of Markdown.
    """
    measured = {metric for metric, *_ in results.measured_keys}
    explained = [metric for name, metric in results.metrics.items() if name in measured]
    blocks: list[Block] = [_HOW_TO_READ.strip()]
    if _several(results):
        blocks += [f"## {_TITLE}", _LEVELS, *_configurations(results)]
    return [*blocks, "## The columns", glossary(explained)] if explained else blocks


def pointer(results: Results) -> str:
    """Lead to what studies a configuration stands in.

    Args:
        results: Of one matrix.

    Returns:
        A sentence of Markdown for the page of the answer; empty where there are not two studies.
    """
    link = f"{results.name}/{COLUMNS}.md#{_TITLE.lower()}"
    return f"The studies of each: [{_TITLE.lower()}]({link})." if _several(results) else ""


def _several(results: Results) -> bool:
    return len(results.studies) > 1


def _configurations(results: Results) -> list[str]:
    """A line for each configuration and each study that it stands in."""
    labels = {study: levels(part.rows) for study, part in results.studies.items()}
    lines = [
        [code(config), prose(study), "–" if named[config] == config else prose(named[config])]
        for config in results.configurations
        for study, named in labels.items()
        if config in named
    ]
    heads = ["configuration", "study", "level"]
    return fitted(heads, lines, left=len(heads))
