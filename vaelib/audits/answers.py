"""May I sample from the prior? Plain answers from the rows of an audit.

Effect sizes decide, not p-values: with many inputs every difference is significant. An answer
needs the whole interval of an effect on one side of its margin; otherwise it is undecided.

| question | effect | margin |
|---|---|---|
| safe | both ends of KL(q‖p) | .05 nats |
| scale | mean variance per dimension; the worst dimension | .1 from 1; .2 from 1 |
| location | largest absolute mean of a dimension | .1 |
| correlation | largest absolute correlation of two dimensions | .1 |
| shape | gain of the fitted density over a Gaussian | .05 nats |
| holes | prior mass where held-out z almost never fall, .01 when matched | .02 |

The lower end of the KL is proved at one-sided level alpha, the upper end asymptotic; intervals of
the others are at 95 %, over the inputs, those of moments by χ², t and Fisher's z (Bonferroni over
dimensions or pairs), which hold from 3 inputs on.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from vaelib.arguments.tensors import Numbers
from vaelib.audits.alarms import CODES
from vaelib.audits.audit import audit, audit_samples
from vaelib.audits.collapse import CARRIED, collapsed_sentence
from vaelib.audits.effects import Evidence
from vaelib.audits.given import as_held_out, as_posteriors
from vaelib.audits.measurement import Measurement
from vaelib.audits.moment_answers import (
    MARGINS,
    Answer,
    Moments,
    correlation,
    decide,
    location,
    scale,
    unlike,
)
from vaelib.audits.power import Counted
from vaelib.audits.prepared import CONSTANT, COPIED, LEFT_OUT, prepared
from vaelib.audits.sight import sight_of
from vaelib.audits.verdict import (
    LEAST_FOR_YES,
    MARGIN,
    Bracket,
    check_margin,
    unseen_share,
    verdict,
)
from vaelib.priors import Normal, Prior
from vaelib.stats.checks import as_points

__all__ = [
    "Answer",
    "Moments",
    "answered",
    "answered_samples",
    "answers_from",
    "is_normal",
    "name_of",
]

_FOR_CODES = Answer(
    "what would help",
    "a law of the codes",
    "Sample codes from a law that is fitted to them, such as an autoregressive model.",
)
_LEVEL = 0.01  # of the shape tests where no density can be read
_REACHABLE = 1e9  # inputs
_REPAIRED = ("N(0, I)", "the uniform prior", "the Uniform prior")
_MEANS = (
    "If these are means of posteriors, what they lack is the variance of these: z must be a draw "
    "of each."
)


def answers_from(
    rows: Sequence[Measurement],
    moments: Mapping[str, Moments] | None = None,
    *,
    margin: float = MARGIN,
    prior: str = "N(0, I)",
    planted: Sequence[Counted] = (),
) -> list[Answer]:
    """Answer every question that the rows of an audit allow.

    Args:
        rows: of :func:`vaelib.audits.audit` or :func:`vaelib.audit_samples`.
        moments: split -> its moments, for N(0, I); None for another prior.
        margin: KL in nats that still counts as a match.
        prior: what the prior is called.
        planted: departures from N(0, I) counted at these very n and D; where there are none, an
            undecided answer quotes the table that comes with the package.

    Returns:
        The answers; the first is whether the prior is safe to sample, the last what would help.
        Held-out inputs decide where there are any.

    Raises:
        ValueError: for no rows, a split without moments, or a margin that is not positive.
    """
    splits = [s for s in ("test", "train", "sample") if any(row.split == s for row in rows)]
    if not splits or (moments is not None and splits[0] not in moments):
        names = "none" if moments is None else ", ".join(moments)
        raise ValueError(f"moments must hold the split of the rows, got {names}")
    evidence = Evidence(rows, splits[0])
    sight = "" if moments is None else sight_of(evidence, moments, margin, planted)
    collapsed = "" if moments is None else collapsed_sentence(moments[splits[0]].carried)
    safe = _safe(evidence, margin, prior, sight)
    means = _MEANS if moments is not None and _may_be_means(evidence, moments[splits[0]]) else ""
    said = [_said(evidence, LEFT_OUT), _said(evidence, COPIED)]
    other = ""
    if moments is not None and splits[0] == "test" and "train" in moments:
        other = unlike(moments["train"], moments["test"])
    first = " ".join(filter(None, [collapsed, *said, safe.sentence, other, means]))
    given = [replace(safe, sentence=first), _bracket(evidence, prior), _data(splits[0])]
    if evidence.message("certified_kl_lower") == CODES:
        return [*given, _FOR_CODES]
    if moments is not None:
        own = moments[splits[0]]
        shape = _shape(evidence)
        if other:  # the Gaussian is that of training inputs
            shape = replace(shape, verdict="undecided")
        given += [scale(own), location(own), correlation(own), shape]
    if splits[0] == "test":
        given.append(_holes(evidence))
    return [*given, _help(evidence, given, prior, None if moments is None else moments[splits[0]])]


def answered(
    mean: Numbers,
    scale: Numbers,
    prior: str | Prior = "normal",
    heldout: tuple[Numbers, Numbers] | None = None,
    *,
    margin: float = MARGIN,
    beside: Sequence[Measurement] = (),
    **settings: Any,  # noqa: ANN401  # as audit types them
) -> tuple[list[Measurement], list[Answer]]:
    """Audit an encoder against its prior and answer in words.

    Args:
        mean: posterior means of the training inputs, shape (N, D).
        scale: their standard deviations, shape (N, D); all 0 where the encoder is deterministic.
        prior: as of :func:`vaelib.audits.audit.audit`.
        heldout: mean and scale of inputs that were not trained on.
        margin: KL in nats that still counts as a match.
        beside: measurements of what was left out before.
        **settings: as of :func:`vaelib.audits.audit.audit`.

    Returns:
        Its measurements and the answers of :func:`answers_from`.

    Raises:
        TypeError: for what is neither a tensor nor an array, or a setting of another kind.
        ValueError: for inputs that the audit refuses, or a margin that is not positive.
    """
    check_margin(margin)
    mean, scale = as_posteriors(mean, scale)
    pair = as_held_out(heldout, mean.shape[1])
    kept = prepared((mean, scale), pair, settings.pop("groups", None), normal=is_normal(prior))
    rows = audit(*kept.train, prior, kept.heldout, groups=kept.groups, **settings) + [
        *kept.rows,
        *beside,
    ]
    if not is_normal(prior):
        return rows, answers_from(rows, margin=margin, prior=name_of(prior))
    moments = {"train": Moments.of(*kept.train)}
    if kept.heldout is not None:
        moments["test"] = Moments.of(*kept.heldout)
    return rows, answers_from(rows, moments, margin=margin)


def answered_samples(
    z: Numbers,
    prior: str | Prior = "normal",
    *,
    margin: float = MARGIN,
    beside: Sequence[Measurement] = (),
    **settings: Any,  # noqa: ANN401  # as audit_samples types them
) -> tuple[list[Measurement], list[Answer]]:
    """Audit bare latents against a prior and answer in words.

    Args:
        z: one latent per distinct input, shape (n, D).
        prior: as of :func:`vaelib.audits.audit.audit`.
        margin: KL in nats that still counts as a match.
        beside: measurements of what was left out before.
        **settings: as of :func:`vaelib.audits.audit.audit_samples`.

    Returns:
        Its measurements and the answers of :func:`answers_from`.

    Raises:
        TypeError: for what is neither a tensor nor an array, or a setting of another kind.
        ValueError: for z that the audit refuses, or a margin that is not positive.
    """
    check_margin(margin)
    z = as_points(z)
    given = z, torch.zeros_like(z)
    groups = settings.pop("groups", None)
    kept = prepared(given, None, groups, split="sample", normal=is_normal(prior))
    z = kept.train[0]
    rows = audit_samples(z, prior, groups=kept.groups, **settings) + [*kept.rows, *beside]
    if not is_normal(prior):
        return rows, answers_from(rows, margin=margin, prior=name_of(prior))
    moments = {"sample": Moments.of_sample(z)}
    return rows, answers_from(rows, moments, margin=margin)


def is_normal(prior: object) -> bool:
    """Whether a prior is N(0, I), by name or as the suite's own class."""
    return type(prior) is Normal or (isinstance(prior, str) and prior == "normal")


def name_of(prior: object) -> str:
    """What a prior is called in sentences."""
    if is_normal(prior):
        return "N(0, I)"
    return f"the {prior if isinstance(prior, str) else type(prior).__name__} prior"


def _safe(evidence: Evidence, margin: float, prior: str, sight: str) -> Answer:
    bracket = evidence.bracket
    word = verdict(bracket, margin)
    sentence = {
        "flagged": f"No answer: {evidence.message('certified_kl_lower')}.",
        "no": _no(evidence, margin, prior),
        "yes": f"q lies within {bracket.upper:.3g} nats of {prior}; the margin is {margin:g}. "
        f"A mode that holds less than {unseen_share(max(1, bracket.inputs)):.2g} of q, far "
        "from all else, may have gone unseen; one of up to three times that share may be counted "
        "too little.",
        "undecided": " ".join(filter(None, [_undecided(evidence, margin, prior), sight])),
    }[word]
    if evidence.split == "train" and word != "flagged":
        sentence += " The encoder was trained on these inputs: not proved for new ones."
    ends = (bracket.lower, bracket.upper if math.isfinite(bracket.upper) else math.inf)
    interval = ends if math.isfinite(bracket.lower) else None
    row = evidence.row.get("certified_kl")
    return Answer(
        f"is {prior} safe to sample?",
        word,
        sentence,
        "KL(q‖p)",
        None if row is None else row.value,
        interval,
        evidence.p_value("certified_kl_test"),
    )


def _no(evidence: Evidence, margin: float, prior: str) -> str:
    if message := evidence.infinite:
        text = f"{message[0].upper()}{message[1:]}."
        if math.isfinite(evidence.inner.lower):
            inner = evidence.inner
            proved = inner.lower > 0 or math.isfinite(inner.upper)
            rest = f"KL(q‖p) is {_ends(inner)}" if proved else "no mismatch is proved"
            text += f" Of the others {rest}."
        return text
    least = evidence.bracket.lower
    return f"q lies at least {least:.3g} nats from {prior}, proved; the margin is {margin:g}."


def _ends(bracket: Bracket) -> str:
    """A bracket in words."""
    if math.isnan(bracket.upper):
        return f"at least {bracket.lower:.3g} nats"
    return f"{bracket.lower:.3g} to {bracket.upper:.3g} nats"


def _said(evidence: Evidence, metric: str) -> str:
    """What was left out, as a sentence."""
    said = evidence.message(metric)
    return f"{said}." if said else ""


def _undecided(evidence: Evidence, margin: float, prior: str) -> str:
    """Why neither end decides."""
    bracket = evidence.bracket
    if math.isnan(bracket.lower):
        return f"Nothing can be said: {evidence.message('certified_kl_lower')}."
    text = f"At least {bracket.lower:.3g} nats are proved, which is not more than {margin:g}"
    if bracket.lower == 0:
        text = "No mismatch is proved"
    if math.isnan(bracket.upper):
        return f"{text}; a yes needs posteriors of held-out inputs, whose mixture has a density."
    if bracket.saturated:
        return f"{text}; the upper end of {bracket.upper:.3g} is saturated and cannot give a yes."
    if bracket.upper < margin:
        return (
            f"{text}, nor is a match said of fewer than {LEAST_FOR_YES} independent inputs: "
            f"{bracket.inputs} count, equal posteriors once unless each input has its own group."
        )
    return f"{text}, and the upper end of {bracket.upper:.3g} is not less."


def _bracket(evidence: Evidence, prior: str) -> Answer:
    bracket = evidence.bracket
    if math.isnan(bracket.lower):
        return Answer("KL(q‖p)", "not measured", "No lower end: the first answer says why.")
    if math.isinf(bracket.lower):
        why = "No density says how far z are from the prior."
        inner = evidence.inner
        if math.isfinite(inner.lower):
            why = f"Of the dimensions that differ between inputs it is {_ends(inner)}."
        return Answer("KL(q‖p)", "infinite", why)
    gain, half = evidence.value("certified_kl"), evidence.interval("certified_kl")
    spread = 0.0 if half is None else (half[1] - half[0]) / 2
    sentence = (
        f"A density fitted to the training latents gains {gain:.3g} ± {spread:.2g} nats on "
        f"{bracket.inputs:,} independent z over {prior}; "
    )
    sentence += f"{bracket.lower:.3g} of them are proved" if bracket.lower > 0 else "none is proved"
    if bracket.saturated:
        rate = evidence.value("rate")
        needed = math.exp(min(50.0, rate + 1))
        takes = f"about {needed:.2g}" if needed < _REACHABLE else "more than a billion"
        sentence += (
            f". The upper end is that of {prior} against the mixture of these inputs, which at a "
            f"rate of {rate:.3g} nats cannot fall below {evidence.value('marginal_kl_floor'):.3g}: "
            f"it would take {takes} inputs to read the KL"
        )
    return Answer("KL(q‖p)", _ends(bracket), f"{sentence}.", "certified_kl", gain, half)


def _data(split: str) -> Answer:
    sentence = {
        "test": "Held-out inputs decide; training inputs are reported beside them.",
        "train": "Only training inputs were given: the encoder was fitted to them, so everything "
        "here may look better than it is on new inputs.",
        "sample": "Only z was given: the lower end, moments, tests and a classifier can be had, "
        "densities (rate, upper end, holes) cannot.",
    }
    words = {"test": "held-out inputs", "train": "training inputs only", "sample": "z only"}
    return Answer("what was given", words[split], sentence[split])


def _shape(evidence: Evidence) -> Answer:
    p_values = [evidence.p_value(test) for test in ("henze_zirkler_test", "mardia_test")]
    given = [p for p in p_values if p is not None]
    p = min(1.0, len(given) * min(given)) if given else None
    kurtosis = evidence.value("excess_kurtosis")
    beside = "" if math.isnan(kurtosis) else f" (excess kurtosis {kurtosis:+.3f})"
    interval, margin = evidence.interval("shape_gain"), MARGINS["shape_gain"]
    if interval is None:
        if p is None:
            why = "Neither a density nor a test of shape was possible."
            return Answer("shape", "undecided", why)
        word = "not normal" if p <= _LEVEL else "undecided"
        seen = "find a departure from every normal law" if p <= _LEVEL else "find no departure"
        sentence = f"Henze–Zirkler and Mardia tests {seen} (p = {p:.2g}){beside}."
        return Answer("shape", word, sentence, "excess kurtosis", kurtosis, None, p)
    most = evidence.interval("negentropy")
    word = "not normal" if interval[0] > margin else "undecided"
    inside = most is not None and most[1] < margin and not evidence.saturated
    if word == "undecided" and inside:
        word = "normal"
    value = evidence.value("shape_gain")
    sentence = f"The fitted density gains {value:.3g} nats over the best Gaussian{beside}."
    return Answer("shape", word, sentence, "shape_gain", value, interval, p)


def _holes(evidence: Evidence) -> Answer:
    interval = evidence.interval("hole_mass")
    if interval is None:
        why = "Finding holes needs posteriors of at least 100 held-out inputs."
        if message := evidence.message("hole_mass"):
            why = f"{message[0].upper()}{message[1:]}."
        return Answer("holes", "not measured", why)
    interval, value = (max(0.0, interval[0]), interval[1]), evidence.value("hole_mass")
    word = decide(interval, 0, 0.01 + MARGINS["hole_mass"], ("", "none", "holes"))
    sentence = (
        f"{100 * value:.1f} % of the prior's draws land where held-out z almost never fall; "
        "1 % when matched."
    )
    return Answer("holes", word, sentence, "hole_mass", value, interval)


def _help(
    evidence: Evidence, given: Sequence[Answer], prior: str, moments: Moments | None
) -> Answer:
    words = {answer.question: answer.verdict for answer in given}
    safe = given[0].verdict
    advice: dict[str, str] = {}
    if (
        moments is not None
        and moments.carried is not None
        and bool(moments.carried.max() < CARRIED)
    ):
        advice["another training"] = (
            "train with less weight on the KL, at first or throughout, or allow each dimension "
            "some nats for free: no density of z repairs what z does not carry"
        )
    if evidence.message(CONSTANT):
        advice["fewer dimensions"] = "leave out the dimensions that are the same for every input"
    if _may_be_means(evidence, moments):
        advice["draws"] = (
            "save one draw of each posterior, mean + scale * noise, if these are means"
        )
    if safe == "flagged":
        advice["other inputs"] = "give held-out inputs that are no copies, or groups"
    off = words.get("scale", "right") not in ("right", "undecided")
    if off or words.get("location") == "shifted":
        won = evidence.rescaling
        advice["rescale z"] = (
            "rescale and shift every dimension of z to mean 0 and variance 1 (free: the decoder "
            "undoes it" + ("" if math.isnan(won) else f"; the rate falls by {won:.2f} nats") + ")"
        )
    gained = evidence.value("certified_kl", 0.0) > 0
    if gained and (words.get("shape") == "not normal" or words.get("holes") == "holes"):
        advice["fit a density"] = _fitted(evidence, prior)
    elif words.get("correlation") == "correlated":
        advice["fit a Gaussian"] = (
            f"sample from a Gaussian with the covariance of z instead of {prior}"
        )
    elif math.isinf(evidence.bracket.lower) and not advice:
        advice["another law"] = f"sample from a law that is fitted to z instead of {prior}"
    elif safe == "no" and not advice:
        advice["fit a density"] = _fitted(evidence, prior)
    if safe == "undecided":
        more = "more held-out inputs" if evidence.split == "test" else "more inputs"
        advice["more inputs"] = f"encode {more}, which narrows the bracket"
    if evidence.split == "train":
        advice["held-out inputs"] = "give held-out inputs, to see what new data would say"
    if evidence.split == "sample":
        advice["posteriors"] = "give the mean and scale of every posterior, for an upper end"
    advice = advice or {"nothing": "nothing is needed"}
    text = "; ".join(advice.values())
    return Answer("what would help", ", ".join(advice), text[0].upper() + text[1:] + ".")


def _may_be_means(evidence: Evidence, moments: Moments | None) -> bool:
    """Whether bare z are narrower than N(0, I) in every dimension, as means of posteriors are."""
    if evidence.split != "sample" or moments is None or scale(moments).verdict != "too narrow":
        return False
    return bool((moments.covariance.diagonal() < 1).all())


def _fitted(evidence: Evidence, prior: str) -> str:
    gain = evidence.value("certified_kl", 0.0)
    given = "z" if evidence.split == "sample" else "mean, scale"
    call = "repair" if prior in _REPAIRED else "fit_density"
    return (
        f"sample from a density fitted to z instead of {prior}: the one of this audit is "
        f"{gain:.2g} nats nearer to q (in Python `vaelib.{call}({given})`, in a matrix for "
        "`vaebench run` the source `repaired`)"
    )
