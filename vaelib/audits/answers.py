"""May I sample from N(0, I)? Plain answers from the rows of an audit.

Effect sizes decide, not p-values: with many inputs every difference is significant. An answer
needs the whole interval of an effect on one side of its margin; otherwise it is undecided.

| question | effect | margin |
|---|---|---|
| scale | mean variance per dimension; the worst dimension | .1 from 1; .2 from 1 |
| location | largest absolute mean of a dimension | .1 |
| shape | excess KL beyond mean and covariance | .05 nats |
| correlation | largest absolute correlation of two dimensions | .1 |
| holes | prior mass where held-out z almost never fall, .01 when matched | .02 |
| safe | excess KL; where that cannot be read, a classifier's AUC | .05 nats; .02, .05 over .5 |

Intervals are at 95 %, over the inputs: those of moments by the normal law (Bonferroni over
dimensions or pairs), that of the excess by the spread of its null draws.
"""

import math
from collections.abc import Mapping, Sequence

from torch import Tensor

from vaelib.audits.audit import audit
from vaelib.audits.effects import Evidence
from vaelib.audits.measurement import Measurement
from vaelib.audits.moment_answers import (
    MARGINS,
    Answer,
    Moments,
    correlation,
    decide,
    location,
    scale,
)
from vaelib.audits.settings import DEFAULTS, AuditSettings

__all__ = ["Answer", "Moments", "answers", "answers_from"]

_SAFE_AUC = 0.55  # a classifier that cannot reach it is as good as blind
_LEVEL = 0.01  # of the shape tests where no density can be read


def answers_from(
    rows: Sequence[Measurement],
    moments: Mapping[str, Moments],
    settings: AuditSettings = DEFAULTS,
) -> list[Answer]:
    """Answer every question that the rows of an audit against N(0, I) allow.

    Args:
        rows: of :func:`vaelib.audits.audit` or :func:`vaelib.audit_samples`.
        moments: split -> its moments.
        settings: that the audit was made with.

    Returns:
        The answers; the last but one is whether N(0, I) is safe to sample, the last what would
        help. Held-out inputs decide where there are any.

    Raises:
        ValueError: for no rows, or a split without moments.
    """
    splits = [s for s in ("test", "train", "sample") if any(row.split == s for row in rows)]
    if not splits or splits[0] not in moments:
        raise ValueError(f"moments must hold the split of the rows, got {', '.join(moments)}")
    split = splits[0]
    evidence = Evidence(rows, split, moments[split], settings)
    given = [
        _data(split),
        scale(evidence.moments),
        location(evidence.moments),
        correlation(evidence.moments),
        _shape(evidence),
        _holes(evidence),
        *([_saturation(evidence), _bracket(evidence)] if split != "sample" else []),
    ]
    safe = _safe(evidence, given)
    return [*given, safe, _help(evidence, [*given, safe])]


def answers(
    mean: Tensor, scale: Tensor, heldout: tuple[Tensor, Tensor] | None = None, *, seed: int = 0
) -> list[Answer]:
    """Audit an encoder against N(0, I) and answer in words.

    Args:
        mean: posterior means of the training inputs, shape (N, D).
        scale: their standard deviations, shape (N, D).
        heldout: mean and scale of inputs that were not trained on.
        seed: of the audit.

    Returns:
        The answers of :func:`answers_from`.

    Example:
        >>> import torch
        >>> mean = 0.8 * torch.randn(3000, 2, generator=torch.Generator().manual_seed(0))
        >>> for answer in answers(mean, torch.full_like(mean, 0.6))[1:5]:
        ...     print(answer.question, "-", answer.verdict)
        scale - right
        location - centred
        correlation - none
        shape - normal
    """
    moments = {"train": Moments.of(mean, scale)}
    if heldout is not None:
        moments["test"] = Moments.of(*heldout)
    return answers_from(audit(mean, scale, heldout=heldout, seed=seed), moments)


def _data(split: str) -> Answer:
    sentence = {
        "test": "Held-out inputs decide; training inputs are reported beside them.",
        "train": "Only training inputs were given: the encoder was fitted to them, so everything "
        "here may look better than it is on new inputs.",
        "sample": "Only z was given: moments, tests and a classifier can be had, densities (rate, "
        "KL, excess, holes, saturation) cannot.",
    }
    words = {"test": "held-out inputs", "train": "training inputs only", "sample": "z only"}
    return Answer("what was given", words[split], sentence[split])


def _shape(evidence: Evidence) -> Answer:
    p_values = [evidence.p_value(test) for test in ("henze_zirkler_test", "mardia_test")]
    given = [p for p in p_values if p is not None]
    p = min(1.0, len(given) * min(given)) if given else None
    kurtosis = evidence.value("excess_kurtosis")
    beside = "" if kurtosis is None else f" (excess kurtosis {kurtosis:+.3f})"
    effect = evidence.excess(fixed=True, less=evidence.correlation())
    if effect is not None:
        value, interval = effect
        margin = MARGINS["marginal_kl_excess"]
        verdict = decide(interval, -math.inf, margin, ("", "normal", "not normal"))
        sentence = (
            f"Beyond its mean and covariance the mixture is {value:+.3f} nats further from a "
            f"normal than finite N explains{beside}."
        )
        return Answer("shape", verdict, sentence, "excess beyond moments", value, interval, p)
    if p is None:
        return Answer("shape", "undecided", "Neither a density nor a test of shape was possible.")
    verdict = "not normal" if p <= _LEVEL else "undecided"
    seen = "find a departure from every normal law" if p <= _LEVEL else "find no departure"
    sentence = f"Henze–Zirkler and Mardia tests {seen} (p = {p:.2g}){beside}."
    return Answer("shape", verdict, sentence, "excess kurtosis", kurtosis, None, p)


def _holes(evidence: Evidence) -> Answer:
    row = evidence.row.get("hole_mass")
    if row is None or row.value is None:
        why = "Finding holes needs posteriors of at least 100 held-out inputs."
        return Answer("holes", "not measured", why)
    half = 1.96 * (row.standard_error or 0.0)
    interval = (max(0.0, row.value - half), row.value + half)
    most = 0.01 + MARGINS["hole_mass"]
    verdict = decide(interval, 0, most, ("", "none", "holes"))
    sentence = (
        f"{100 * row.value:.1f} % of the prior's draws land where held-out z almost never fall; "
        "1 % when matched."
    )
    return Answer("holes", verdict, sentence, "hole_mass", row.value, interval)


def _saturation(evidence: Evidence) -> Answer:
    rate, count = evidence.value("rate") or 0.0, evidence.moments.inputs
    if evidence.saturated:
        sentence = (
            f"The rate of {rate:.3g} nats exceeds log N - 1 = {math.log(count) - 1:.3g}: {count:,} "
            "inputs cannot resolve the joint KL, for any encoder. The moments, the tests and the "
            "classifier decide instead."
        )
        return Answer("saturation", "saturated", sentence, "rate", rate)
    sentence = (
        f"The rate of {rate:.3g} nats is below log N - 1 = {math.log(count) - 1:.3g}: "
        "the joint KL can be read."
    )
    return Answer("saturation", "no", sentence, "rate", rate)


def _bracket(evidence: Evidence) -> Answer:
    low, high = evidence.value("marginal_kl_loo"), evidence.value("marginal_kl")
    if low is None or high is None:
        return Answer("KL(q‖p)", "not measured", "A bracket needs at least 2 inputs.")
    error = evidence.row["marginal_kl_loo"].standard_error or 0.0
    sentence = (
        f"Leaving each z's own input out gives {low:.3f} ± {1.96 * error:.3f} nats, keeping it in "
        f"{high:.3f}: in expectation the KL of the population lies between"
    )
    condition = ", if the encoder treats new inputs like these" if evidence.split == "train" else ""
    verdict = f"{low:.3f} to {high:.3f} nats" if low < high else f"about {high:.3f} nats"
    return Answer(
        "KL(q‖p)", verdict, f"{sentence}{condition}.", "marginal_kl", high, (min(low, high), high)
    )


def _safe(evidence: Evidence, given: Sequence[Answer]) -> Answer:
    question = "is N(0, I) safe to sample?"
    effect, auc = evidence.excess(), evidence.auc()
    verdicts = {answer.question: answer.verdict for answer in given}
    where = {"test": "", "train": " On training inputs only.", "sample": ""}[evidence.split]
    apart = auc is not None and auc[1][0] > 0.5 + MARGINS["c2st_auc"]
    if effect is not None:
        value, interval = effect
        margin = MARGINS["marginal_kl_excess"]
        verdict = decide(interval, -math.inf, margin, ("", "yes", "no"))
        if verdict == "yes" and (apart or verdicts["holes"] == "holes"):
            verdict = "undecided"
        sentence = {
            "yes": f"The mixture is within {margin:g} nats of N(0, I), beyond what finite N does.",
            "no": f"The mixture is {value:.3g} nats further from N(0, I) than finite N explains; "
            f"{margin:g} would do no harm.",
            "undecided": f"An excess of {value:.3g} nats is not clearly on one side of {margin:g}, "
            "or the classifier or the holes speak against it.",
        }[verdict]
        p = evidence.p_value("marginal_kl_null_test")
        return Answer(question, verdict, sentence + where, "excess KL", value, interval, p)
    if auc is None:
        return Answer(question, "undecided", "There are too few z for any test.")
    value, interval = auc
    bad = {"too wide", "too narrow", "shifted", "correlated", "not normal", "holes"}
    wrong = [f"{q} is {v}" for q, v in verdicts.items() if v in bad]
    if apart or wrong:
        verdict = "no"
        sentence = f"A classifier tells z from draws of N(0, I) with AUC {value:.3f}; .5 is blind."
    elif interval[1] < _SAFE_AUC:
        verdict = "yes"
        sentence = (
            f"A classifier cannot tell z from draws of N(0, I) (AUC {value:.3f}), the moments are "
            "right, and no test of shape objects."
        )
    else:
        verdict = "undecided"
        sentence = f"AUC {value:.3f}: with {evidence.moments.inputs:,} z more cannot be said."
    p = evidence.p_value("c2st_test")
    return Answer(question, verdict, sentence + where, "c2st_auc", value, interval, p)


def _help(evidence: Evidence, given: Sequence[Answer]) -> Answer:
    verdict = {answer.question: answer.verdict for answer in given}
    safe = verdict["is N(0, I) safe to sample?"]
    advice: dict[str, str] = {}
    if verdict["scale"] not in ("right", "undecided") or verdict["location"] == "shifted":
        advice["rescale z"] = (
            "rescale and shift every dimension of z to mean 0 and variance 1 (free: the decoder "
            "undoes it)" + _left(evidence)
        )
    if verdict["shape"] == "not normal" or verdict["holes"] == "holes":
        advice["fit a density"] = "sample from a mixture or flow fitted to z instead of N(0, I)"
    elif verdict["correlation"] == "correlated":
        advice["fit a Gaussian"] = (
            "sample from a Gaussian with the covariance of z instead of N(0, I)"
        )
    if evidence.saturated:
        needed = math.exp(min(50.0, (evidence.value("rate") or 0.0) + 1))
        advice["more inputs"] = (
            f"encode more inputs: the joint KL can be read from about {needed:.2g} on"
        )
    if not advice and safe == "no":
        advice["fit a density"] = (
            "no single cause is certain: rescaling z is free" + _left(evidence) + ", and sampling "
            "from a mixture or flow fitted to z covers the rest"
        )
    if not advice and safe == "undecided":
        advice["more inputs"] = "encode more inputs, which narrows every interval"
    if evidence.split == "train":
        advice["held-out inputs"] = "give held-out inputs, to see what new data would say"
    if evidence.split == "sample":
        advice["posteriors"] = "give the mean and scale of every posterior, for exact densities"
    advice = advice or {"nothing": "nothing is needed"}
    text = "; ".join(advice.values())
    return Answer("what would help", ", ".join(advice), text[0].upper() + text[1:] + ".")


def _left(evidence: Evidence) -> str:
    row = evidence.fixed.get("marginal_kl_excess")
    if row is None or row.value is None or evidence.saturated:
        return ""
    return f", which leaves an excess of {round(row.value, 2) + 0.0:.2f} nats"
