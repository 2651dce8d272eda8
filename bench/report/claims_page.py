"""The pages of verdicts: a matrix's claims in plain words, and the question answered from all."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from bench.analysis.claims import LEAST_SEEDS, Finding
from bench.analysis.results import Results
from bench.analysis.words import VERDICTS
from bench.matrix.claims import Claim
from bench.report.markdown import code, markdown, prose, quantity
from bench.run.progress import counted, seeds_text

__all__ = [
    "answers",
    "claims_page",
    "claims_section",
    "effect",
    "sentence",
    "standing",
    "summary",
    "told",
    "word",
]

_NOT_TESTED = "not tested"
_HOW_TO_READ = f"""## How to read this

* A claim, its metric, direction and margin stand in the matrix file. **Fixed by commit** means that
  the commit which is named holds the claim, and that the seeds which decide it were run after it.
  Whatever names none is **exploratory**: nothing shows that it was fixed before results had been
  seen, of these seeds or of others, and it may have been worded after them. A claim uses the seeds
  that are named beside it; leaderboards and tables use all seeds.
* **Effect** ± half width: mean over the common training seeds and its 95 % Student t interval, in
  the metric's unit. Along a study it is the change from its first to its last value on the
  least-squares line through all of them, one line per seed; against a reference it is the value of
  the configuration that decides. Of brackets, and of what is known from one side alone, it is the
  end that the verdict rests on, or both, at least and at most. *prior less aggregate* is the paired
  difference of two latent sources of the same model, measured by the same nets against the same
  images.
* **Brackets apart**: the lower end of KL(q‖p) of the configuration that
  is claimed to match worse, less the upper end of the other, is the least by which it can exceed
  it; with the ends exchanged, the most. So different latent dimensions compare, where a raw KL does
  not.
* **Larger than the margin**: the effect is shown to go beyond the margin in the claimed direction.
  **Smaller than the margin**: it is shown to fall short of it; *present*: and to have the claimed
  direction. **Absent within the margin**: it is shown to be smaller than the margin in either
  direction, and not shown to have the claimed one. **Opposite**: it is shown to have the other
  direction. **Inconclusive**: none of these, or not tested, and the reason is given.
* *Within* a margin is a claim of equivalence: it holds where every difference is **absent within
  the margin**, by two one-sided tests.
* The tests are one-sided paired t tests of the effect against 0 and the margin on both sides,
  doubled, with Holm's correction over all tested claims of the page, so that the chance of any
  wrong word is at most .05.
* A claim needs {LEAST_SEEDS} common seeds. The upper end of a saturated configuration
  (R > log N - 1) cannot give a yes: with so few inputs it sits near the finite-N floor. It is an
  upper end still, and brackets that lie apart may rest on it. The excess given scale, a diagnostic
  that decides nothing, is not tested of saturated configurations.
"""


def claims_page(name: str, findings: Sequence[Finding], beside: Iterable[str] = ()) -> str:
    """Compose the page of one matrix's claims.

    Args:
        name: Of the matrix.
        findings: What the seeds say about each.
        beside: Blocks that set them beside those of another matrix.

    Returns:
        Markdown.
    """
    blocks = [f"# Claims of {name}", summary(findings)]
    blocks += [_table(findings), *_same_margin(findings), *beside]
    if beside:
        blocks.append("## Each claim")
    for finding in findings:
        title = f"### {finding.claim.id}: {prose(finding.claim.says)}"
        said = f"**{word(finding).capitalize()}.** {sentence(finding)}"
        blocks += [title, f"{said} {standing(finding).capitalize()}."]
    blocks += [_HOW_TO_READ.strip(), f"Made from [{name}/rows.csv]({name}/rows.csv)."]
    return "\n\n".join(blocks) + "\n"


def claims_section(name: str, findings: Sequence[Finding]) -> list[str]:
    """Show the verdict on every claim, one line each, for the page of the matrix.

    Args:
        name: Of the matrix.
        findings: What the seeds say about each.

    Returns:
        Blocks of Markdown.
    """
    page = f"{name}-claims.md"
    text = f"{summary(findings)} Metrics, units, seeds: [{page}]({page})."
    if any(finding.claim.from_seed is not None for finding in findings):
        text += " Claims use the seeds that they name; all else on this page uses all seeds."
    return ["## Claims", text, "\n".join(map(_line, findings))]


def _line(finding: Finding) -> str:
    """The verdict on a claim, and what it rests on."""
    claim = finding.claim
    text = f"* **{told(finding)}**: {prose(claim.says)} ({claim.id}"
    if not finding.seeds:
        return f"{text})"
    if finding.decisive and finding.candidates > 1:
        text += f", by {code(finding.decisive)}"
    unit = "" if finding.metric.unit in ("1", "flag") else f" {finding.metric.unit}"
    along = claim.expect in ("increasing", "decreasing")
    found = _change(finding) if along else effect(finding)
    return f"{text}; {found}{unit}, expected {_expected(finding)}, S = {finding.seeds})"


def summary(findings: Sequence[Finding]) -> str:
    """Count the verdicts, and the claims that were made after their seeds had been seen.

    Args:
        findings: What the seeds say about each claim.

    Returns:
        Two sentences of Markdown.
    """
    return f"**{_counts(findings)}** {_exploratory(findings)}"


def _counts(findings: Sequence[Finding]) -> str:
    said = [finding.verdict if finding.seeds else _NOT_TESTED for finding in findings]
    words = [f"{said.count(word)} {word}" for word in (*VERDICTS, _NOT_TESTED) if word in said]
    return f"Of {counted(len(findings), 'claim')}, {', '.join(words)}."


def _exploratory(findings: Sequence[Finding]) -> str:
    """How many were not fixed before their seeds were run."""
    count = sum(finding.claim.fixed is None for finding in findings)
    if not count:
        return "Each was fixed by a commit before the seeds that decide it were run."
    every, it = f"{count} of them are" if count < len(findings) else "All are", "they were"
    if count == 1:
        every, it = "One of them is" if findings[1:] else "It is", "it was"
    return f"{every} exploratory: nothing shows that {it} fixed before results were seen."


def _same_margin(findings: Sequence[Finding]) -> list[str]:
    """Whether (f) and (h), which judge one number from two ends, judge it by one margin."""
    claims = [f.claim for f in findings if f.claim.against and _statement(f.claim) in ("f", "h")]
    if {_statement(claim) for claim in claims} != {"f", "h"} or len({c.metric for c in claims}) > 1:
        return []
    ids = " and ".join(claim.id for claim in claims)
    margins = {claim.margin for claim in claims}
    if len(margins) == 1:
        return [
            f"Claims {ids} have the same margin, {claims[0].margin:g}: equal effects, equal words."
        ]
    each = ", ".join(f"{claim.id} {claim.margin:g}" for claim in claims)
    return [
        f"Claims {ids} have different margins ({each}): equal effects may have different words."
    ]


def _statement(claim: Claim) -> str:
    """Which statement of the thread a claim answers."""
    return claim.id.partition("-")[0]


def word(finding: Finding) -> str:
    """The verdict, and whether the effect has the claimed direction where that is not said by it.

    Args:
        finding: What the seeds say.

    Returns:
        A few words.
    """
    if finding.present and finding.verdict == "smaller than the margin":
        return f"{finding.verdict}, but present"
    if finding.present and finding.verdict == "inconclusive":
        return f"{finding.verdict}, but present"
    return finding.verdict


def effect(finding: Finding) -> str:
    """Print what the verdict rests on.

    Args:
        finding: What the seeds say.

    Returns:
        The effect with its half width; of what is known from two sides, both, or the one which
        decides, with ≥ where the effect is at least that.
    """
    shown = [quantity(*end) for end in finding.deciding]
    if not shown[1:] and finding.bounded:
        sign = "≥" if finding.deciding[0] == (finding.effect, finding.half_width) else "≤"
        return f"{sign} {shown[0]}"
    return " to ".join(shown)


def told(finding: Finding) -> str:
    """Say the verdict, where there is one.

    Args:
        finding: What the seeds say.

    Returns:
        As `word`; "not tested" where no seed decides.
    """
    return word(finding) if finding.seeds else _NOT_TESTED


def standing(finding: Finding) -> str:
    """Say whether a claim was made before what decides it was seen.

    Args:
        finding: What the seeds say.

    Returns:
        A clause that names the commit, or calls the claim exploratory, and the seeds.
    """
    used = seeds_text(finding.used) if finding.used else ""
    if finding.claim.fixed is None:
        return f"exploratory, decided on {used}" if used else "exploratory"
    return f"fixed by commit {finding.claim.fixed[:7]}, " + (
        f"decided on {used}" if used else "and no seed has decided it yet"
    )


def _table(findings: Sequence[Finding]) -> str:
    lines = []
    for finding in findings:
        claim = finding.claim
        lines.append(
            [
                claim.id,
                f"**{told(finding)}**",
                effect(finding) if finding.seeds else "–",
                finding.seeds or "–",
                _p_text(finding.p_holm),
            ]
        )
    return markdown(["id", "verdict", "effect", "S", "p (Holm)"], lines, left=2)


def _bounds(finding: Finding, unit: str) -> str:
    """What an effect is at least and at most, as far as either is known."""
    ends = {
        "at least": (finding.effect, finding.half_width),
        "at most": (finding.at_most, finding.at_most_half_width),
    }
    known = [
        f"{word} {quantity(*end)}{unit}" for word, end in ends.items() if math.isfinite(end[0])
    ]
    return " and ".join(known)


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
        "brackets apart": f"the {claim.worse} to be worse by more than {margin}",
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
    what = f"{metric.symbol} on {claim.split} inputs{_source(claim)}"
    unit = "" if metric.unit in ("1", "flag") else f" {metric.unit}"
    size = quantity(finding.effect, finding.half_width)
    names = finding.configurations
    if claim.expect in ("increasing", "decreasing"):
        text = f"Along {prose(claim.study or '')}, from {code(names[0])} to {code(names[-1])}, "
        text += f"{what} {_change(finding)}{unit}"
    elif claim.brackets:
        pair = [code(finding.decisive), code(names[0])]
        worse, better = pair[::-1] if claim.worse == "first" else pair
        text = f"The KL of {worse} exceeds that of {better} on {claim.split} inputs by "
        text += _bounds(finding, unit) + _of_several(finding)
    elif claim.compares:
        text = f"{code(finding.decisive)} differs from {code(names[0])} in {what} by {size}{unit}"
        text += _of_several(finding)
    else:
        others = f", of {len(names)} configurations the one that decides," if names[1:] else ""
        text = f"For {code(finding.decisive)}{others} "
        if metric.at_least or metric.at_most:
            text += f"what {what} bounds is {_bounds(finding, unit)}"
        else:
            text += f"{what} is {size}{unit}"
    text += f" (S = {finding.seeds}); expected: {_expected(finding)}."
    return f"{text} Not decided: {finding.reason}." if finding.reason else text


def _change(finding: Finding) -> str:
    """In which direction a metric goes along a study, where that is shown, and how far."""
    if abs(finding.effect) <= finding.half_width:
        return f"changes by {quantity(finding.effect, finding.half_width)}"
    by = quantity(abs(finding.effect), finding.half_width)
    return f"{'rises' if finding.effect > 0 else 'falls'} by {by}"


def _of_several(finding: Finding) -> str:
    """How many were compared with the first configuration where one of several decides."""
    if finding.candidates < 2:
        return ""
    return f"; of {finding.candidates} compared, {code(finding.decisive)} is the one that decides"


def answers(matrices: Sequence[Results]) -> list[str]:
    """Answer the question in one table, from the claims of all matrices.

    Args:
        matrices: Results of each, the one that is answered from first.

    Returns:
        A table of Markdown: the claims of the first matrix that makes any, its verdicts, and in how
        many others that claim is met again with the same word; and what a claim is.
    """
    making = [results for results in matrices if results.findings]
    if not making:
        return []
    first, *others = making
    lines = [
        [prose(one.claim.says), _short(one), _again(one, [o.findings for o in others])]
        for one in first.findings
    ]
    links = ", ".join(f"[{results.name}]({results.name}-claims.md)" for results in making)
    table = markdown(["what was said", f"on {first.name}", "elsewhere"], lines, left=3)
    text = (
        "**larger**, **smaller**, **absent**: the effect lies beyond, short of or within the "
        "smallest that matters, its margin; **opposite**: it has the other direction; **present**: "
        "it has the claimed one, and its size is open; **elsewhere**: the commonest word "
        "of the other matrices that make the claim and have seeds to test it, of how many. A claim "
        "along a study takes the line through all its levels, *what helps* the change from the "
        f"base, so that what a claim calls larger may help up to the base and no further. "
        f"All: {links}."
    )
    return [table, text]


def _again(finding: Finding, others: Sequence[Sequence[Finding]]) -> str:
    """The commonest word of those that say the same sentence, and have tested it."""
    words = Counter(
        _short(other)
        for findings in others
        for other in findings
        if other.claim.says == finding.claim.says and other.seeds
    )
    order = sorted(words, key=lambda word: (-words[word], word != _short(finding), word))
    return f"{words[order[0]]}/{words.total()} {order[0]}" if order else "–"


def _short(finding: Finding) -> str:
    """The verdict in a word."""
    if finding.seeds and finding.present and finding.verdict == "inconclusive":
        return "present"
    return finding.verdict.split()[0] if finding.seeds else _NOT_TESTED
