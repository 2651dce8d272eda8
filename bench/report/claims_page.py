"""The pages of verdicts: a matrix's claims in plain words, and the question answered from all."""

from collections.abc import Iterable, Sequence

from bench.analysis.claims import LEAST_SEEDS, Finding
from bench.analysis.results import Results
from bench.matrix.claims import Claim
from bench.report.markdown import code, markdown, quantity

__all__ = ["QUESTIONS", "answers", "claims_page", "sentence"]

QUESTIONS = {
    "a": "Each q(z|x) differs from the prior; only their mixture must match it.",
    "b": "Minimising the loss brings the mixture very close to N(0, I).",
    "c": "The mixture is a quilt of Gaussians, bigger than N(0, I) or of another shape.",
    "d": "Wider and deeper encoders match better.",
    "e": "With more latent dimensions the match gets better, and each dimension gets closer.",
    "f": "Samples decoded from the prior represent the data poorly.",
    "g": "The KL term is a part of the bound, not a regulariser: how tight is the bound?",
    "h": "One had better inspect the mixture and sample from that.",
}
"""What the thread says; a claim answers the one that its id begins with, as in ``d-width``."""

_HOW_TO_READ = f"""## How to read this

* A claim, its metric, direction and margin stand in the matrix file, fixed before the run.
* **Effect** ± half width: mean over the common training seeds and its 95 % Student t interval, in
  the metric's unit. Along a study it is the change from its first to its last value on the
  least-squares line through all of them, one line per seed; against a reference it is the value of
  the configuration that decides. *prior less aggregate* is the paired difference of two latent
  sources of the same model, measured by the same nets against the same images.
* **Supported**: the effect goes beyond the margin in the expected direction. **Refuted**: it falls
  short of it. Both by one-sided paired t tests, doubled, with Holm's correction over all tested
  claims of the page at .05. **Inconclusive**: neither, or not tested, and the reason is given.
* *Equivalent* means two one-sided tests: every difference lies within the margin.
* A claim needs {LEAST_SEEDS} common seeds. Joint divergences of saturated configurations
  (R > log N - 1) decide nothing: with so few inputs they sit on the finite-N floor.
"""


def claims_page(name: str, findings: Sequence[Finding]) -> str:
    """Compose the page of one matrix's claims.

    Args:
        name: Of the matrix.
        findings: What the seeds say about each.

    Returns:
        Markdown.
    """
    blocks = [f"# Claims of {name}", f"**{_counts(findings)}**", _table(findings)]
    for finding in findings:
        title = f"### {finding.claim.id}: {finding.claim.says}"
        blocks += [title, f"**{finding.verdict.capitalize()}.** {sentence(finding)}"]
    blocks += [_HOW_TO_READ.strip(), f"Made from [{name}/rows.csv]({name}/rows.csv)."]
    return "\n\n".join(blocks) + "\n"


def _counts(findings: Sequence[Finding]) -> str:
    counted = [
        f"{number} {verdict}"
        for verdict in ("supported", "refuted", "inconclusive")
        if (number := sum(finding.verdict == verdict for finding in findings))
    ]
    return f"Of {len(findings)} claims, {', '.join(counted)}."


def _table(findings: Sequence[Finding]) -> str:
    lines = []
    for finding in findings:
        claim, metric = finding.claim, finding.metric
        lines.append(
            [
                claim.id,
                claim.says,
                f"**{finding.verdict}**",
                metric.symbol + _source(claim),
                claim.split,
                _expected(finding),
                quantity(finding.effect, finding.half_width),
                metric.unit,
                finding.seeds or "–",
                _p_text(finding.p_holm),
            ]
        )
    heads = ["id", "claim", "verdict", "metric", "split", "expected"]
    return markdown([*heads, "effect", "unit", "S", "p (Holm)"], lines, left=6)


def _source(claim: Claim) -> str:
    """Which latent source a claim concerns, and what it is compared with."""
    text = claim.source + ("" if claim.against is None else f" less {claim.against}")
    return f" ({text.replace('_', ' ')})" if text else ""


def _expected(finding: Finding) -> str:
    claim = finding.claim
    margin, reference = f"{claim.margin:g}", f"{claim.reference or 0:g}"
    return {
        "increasing": f"rises by more than {margin}",
        "decreasing": f"falls by more than {margin}",
        "greater": f"above {reference}" + (f" by more than {margin}" if claim.margin else ""),
        "less": f"below {reference}" + (f" by more than {margin}" if claim.margin else ""),
        "equivalent": f"within {margin}" + ("" if claim.reference is None else f" of {reference}"),
    }[claim.expect]


def _p_text(p_value: float) -> str:
    if p_value != p_value:
        return "–"
    return "< .0001" if p_value < 1e-4 else f"{p_value:.4f}".removeprefix("0")


def sentence(finding: Finding) -> str:
    """Say in plain words what was found.

    Args:
        finding: What the seeds say.

    Returns:
        One or two sentences of Markdown.
    """
    claim, metric = finding.claim, finding.metric
    if not finding.seeds:
        return f"Not tested: {finding.reason}."
    what = f"{metric.symbol} on {claim.split} inputs"
    what += _source(claim)
    unit = "" if metric.unit in ("1", "flag") else f" {metric.unit}"
    size = quantity(finding.effect, finding.half_width)
    names = finding.configurations
    if claim.expect in ("increasing", "decreasing"):
        text = f"Along {claim.study}, from {code(names[0])} to {code(names[-1])}, {what} "
        if abs(finding.effect) > finding.half_width:
            size = quantity(abs(finding.effect), finding.half_width)
            text += f"{'rises' if finding.effect > 0 else 'falls'} by {size}{unit}"
        else:
            text += f"changes by {size}{unit}"
    elif claim.compares:
        text = f"{code(finding.decisive)} differs from {code(names[0])} in {what} by {size}{unit}"
    else:
        others = f", of {len(names)} configurations the one that decides," if names[1:] else ""
        text = f"For {code(finding.decisive)}{others} {what} is {size}{unit}"
    text += f" (S = {finding.seeds}); expected: {_expected(finding)}."
    return f"{text} Not decided: {finding.reason}." if finding.reason else text


def answers(matrices: Iterable[Results]) -> list[str]:
    """Answer the question in one page, from the claims of all matrices.

    Args:
        matrices: Results of each.

    Returns:
        Blocks of Markdown: per statement of the thread, what each matrix says.
    """
    findings = [(results.name, finding) for results in matrices for finding in results.findings]
    blocks = []
    for letter, says in QUESTIONS.items():
        lines = [
            f"* **{finding.verdict}** on [{name}]({name}-claims.md), {finding.claim.says}: "
            + sentence(finding)
            for name, finding in findings
            if finding.claim.id.partition("-")[0] == letter
        ]
        if lines:
            blocks += [f"### ({letter}) {says}", "\n".join(lines)]
    return blocks
