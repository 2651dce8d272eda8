"""The page of a matrix: the same results give the same bytes."""

from bench.analysis.replicates import FEW_SEEDS, TOO_FEW
from bench.analysis.results import Results
from bench.report.answer import answer
from bench.report.blocks import Block, Page, composed
from bench.report.latent_section import latent_section
from bench.report.leaderboard import failure_section, leaderboard_section
from bench.report.markdown import glossary
from bench.report.sample_sections import sample_section
from bench.report.study_sections import study_section

__all__ = ["page"]

_HOW_TO_READ = f"""## How to read this

* **Value ± half width**: mean over S training seeds and its 95 % Student t interval. Cells without
  a result are in no mean. ↓ lower is better, ↑ higher is better, no arrow: not to be compared.
* **test**, **train**: whose inputs were encoded. The model was fitted to those of train.
* **KL(q_N‖p)** goes from the aggregate posterior of N inputs, q_N(z) = 1/N ∑ q(z|x_n), to the
  prior. It is R - I, rate less mutual information, and since I ≤ log N never below the **floor**
  R - log N: a larger raw KL may only mean a larger rate.
* **Null KL**: the same for encoders that do match, with the same N, D and scales, if the scale does
  not depend on the place. **Excess given scale** is the KL less that null, and **null given scale**
  counts the seeds whose KL lies above it at level .05. Trained encoders break the assumption, and
  then both find a mismatch where there is none: they are diagnostics, and decide nothing.
* **After the gauge fix**: each dimension shifted and rescaled to mean 0 and variance 1. Affine
  heads absorb that for free, so what it removes is unfinished training, not the model.
* **Saturated** (†): R > log N - 1. So few inputs cannot resolve the joint KL.
* **Rank**: the ranks that the seeds allow, from 1 + the number of configurations significantly
  better to K - the number significantly worse: paired t tests of all pairs on common seeds with
  Holm's correction, so that all intervals of one column hold together with 95 % confidence.
* **Tie group** (bold): nobody in the same split and source is significantly better. Nothing is
  bold where all are tied. At S ≤ {FEW_SEEDS} all are: {TOO_FEW}.
* A configuration lies **within** the margin of the excess when its 95 % interval lies below it,
  **beyond** when it lies above; neither is said at S ≤ {FEW_SEEDS}.
* **Gap**: paired difference to the best mean, with the 95 % t interval of that pair alone.
  **Beats best**: share of common seeds on which it does better.
* Likelihoods compare only under the same likelihood and data.
"""
_RENEWED, _SINCE = {"kl_per_dimension", "marginal_kl_excess"}, "scale_by_place"
_OLDER = (
    "These rows were measured by an earlier version: their `kl_per_dimension` and "
    "`excess_kurtosis` are means over all dimensions, active or not, and their excess has a value "
    "where scales exceed 1."
)


def page(results: Results) -> Page:
    """Compose the page of one matrix and draw its figures.

    Args:
        results: Of the matrix; its comment is quoted at the head.

    Returns:
        The page, which is meant to stand beside the folder of the matrix.
    """
    name, rows = results.name, results.rows
    blocks: list[Block] = [f"# {name}"]
    if comment := results.comment.strip():
        blocks.append("\n".join(f"> {line}".rstrip() for line in comment.splitlines()))
    blocks.append(f"**{answer(results)}**")
    if results.findings:
        claims = f"{name}-claims.md"
        blocks.append(f"Claims and verdicts: [{claims}]({claims}).")
    blocks += [*failure_section(results), "## Leaderboard", *leaderboard_section(results)]
    for study, part in results.studies.items():
        blocks += study_section(part, study)
    blocks += [*sample_section(results), *latent_section(results), _HOW_TO_READ.strip()]
    if measured := {metric for metric, *_ in results.measured_keys}:
        explained = [metric for name, metric in results.metrics.items() if name in measured]
        blocks += ["### The columns", glossary(explained)]
        blocks += [_OLDER] if measured >= _RENEWED and _SINCE not in measured else []
    counts = f"{rows['config'].nunique()} configurations, {results.cells} cells"
    blocks.append(f"Made from [{name}/rows.csv]({name}/rows.csv): {counts}.")
    return composed(name, blocks)
