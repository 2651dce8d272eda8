"""Claims: hypotheses about the metrics of a matrix, checked before anything runs."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from bench.errors import MatrixError, shown, unknown
from bench.matrix.components import Name, Text, arguments
from bench.matrix.configurations import Configuration, Study
from bench.metrics.metric import Metric
from bench.metrics.places import GAUGE, missing_option, sources, splits
from vaelib.samples.options import DECILES, REFERENCES, SOURCES

__all__ = ["BRACKET", "BRACKETED", "Claim", "claims_of"]

BRACKETED = "certified_kl"
"""The metric whose brackets may be apart."""
BRACKET = ("certified_kl_lower", "certified_kl_upper")
"""Metrics that hold the ends of its bracket."""

_SOURCES = (*SOURCES, *REFERENCES, *DECILES, GAUGE)
_OTHERWISE = 'metric = "certified_kl" with expect = "brackets apart"'
_Seed = Annotated[int, Field(ge=0)]


def _commit(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{7,40}", text):
        raise ValueError("should be 7 to 40 hexadecimal digits of a commit")
    return text


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A hypothesis about one metric.

    Attributes:
        id: short name, unique in the matrix.
        says: the claim in words.
        study: name of the study that decides it; without one, the base configuration does.
        metric: name of the metric.
        split: the part of the data.
        source: the latent source, or ``"gauge_fixed"``; empty for the posterior itself.
        against: another latent source: the claim concerns the difference metric[source] -
            metric[against] within each model; None for the metric itself.
        expect: what should come out. ``increasing`` and ``decreasing`` concern the change along the
            study, in the order of its values; ``greater`` and ``less`` every configuration of it
            against the reference; ``equivalent`` every configuration against the reference, or
            against the first configuration where there is none. ``brackets apart`` sets every later
            configuration against the first by the brackets of ``certified_kl``, which hold at
            different latent dimensions too: the lower end of the one that is claimed to match
            worse, less the upper end of the other.
        worse: which side of ``brackets apart`` is claimed to match worse.
        reference: value to compare with, in the metric's unit; 0 for ``greater`` and ``less``.
        margin: the smallest difference that matters, in the metric's unit.
        from_seed: the first seed that may decide it, where earlier ones had been seen when it was
            made; None where all may. Leaderboards use all seeds.
        fixed: the commit that fixed it, before any seed that decides it had been run; None where
            nothing shows that, and pages call it exploratory.
    """

    id: Name
    says: Text
    study: Text | None = None
    metric: Text
    split: Literal["train", "test"] = "test"
    source: str = ""
    against: str | None = None
    expect: Literal["increasing", "decreasing", "equivalent", "greater", "less", "brackets apart"]
    worse: Literal["first", "later"] = "later"
    reference: float | None = None
    margin: Annotated[float, Field(ge=0)] = 0.0
    from_seed: _Seed | None = None
    fixed: Annotated[str, AfterValidator(_commit)] | None = None

    @property
    def compares(self) -> bool:
        """Whether it compares configurations with one another."""
        return self.reference is None and self.expect not in ("greater", "less")

    @property
    def brackets(self) -> bool:
        """Whether it is decided by both ends of a bracket."""
        return self.expect == "brackets apart"


def claims_of(
    blocks: Iterable[object],
    studies: Sequence[Study],
    configurations: Iterable[Configuration],
    metrics: Mapping[str, Metric],
    names: Collection[str] | None,
    *,
    altered: bool = False,
) -> Iterator[Claim]:
    """Validate the claims of a matrix.

    Args:
        blocks: the ``[[claim]]`` tables.
        studies: the studies of the matrix.
        configurations: its configurations.
        metrics: what is known of metrics.
        names: the metrics that a claim may be about; None accepts any.
        altered: whether the configurations are not those of the file, so that what they leave out
            is no mistake of the file's.

    Yields:
        The claims, in their order.

    Raises:
        MatrixError: for every mistake in them.
    """
    configurations = tuple(configurations)
    sizes = {study.name: len(study.configurations) for study in studies}
    dims = {one.name: one.values["latent_dim"] for one in configurations}
    across = {study.name for study in studies if len({dims[c] for c in study.configurations}) > 1}
    taken = set()
    for number, block in enumerate(blocks, 1):
        claim = Claim(**arguments(f"claim {number}.", block, Claim))
        at = f"claim {claim.id}"
        if claim.id in taken:
            raise MatrixError(f'claim {number}.id: "{claim.id}" is taken by an earlier claim')
        taken.add(claim.id)
        if claim.study is not None and claim.study not in sizes:
            raise MatrixError(
                unknown(f"{at}.study", f"study {shown(claim.study)}", claim.study, sizes)
            )
        if names is not None and claim.metric not in names:
            raise MatrixError(
                unknown(f"{at}.metric", f"metric {shown(claim.metric)}", claim.metric, names)
            )
        if claim.compares and (claim.study is None or sizes[claim.study] < 2):
            got = "none" if claim.study is None else "1"
            raise MatrixError(
                f"{at}.study: expected a study of two or more configurations, got {got}"
            )
        _check_sides(claim, at)
        _check_brackets(claim, at)
        metric = metrics.get(claim.metric)
        if metric is not None:
            _check_place(claim, at, metric)
        if metric is not None and not altered:
            among = [c for c in configurations if claim.study in c.studies]
            _check_options(claim, at, metric, configurations[:1] if claim.study is None else among)
        if claim.compares and metric is not None and not metric.compared:
            raise MatrixError(
                f"{at}.metric: expected a metric whose distance from the truth does not depend on "
                f'the configuration where these are compared, got "{claim.metric}"; use "iwae"'
            )
        apart = claim.study in across and claim.compares and not claim.brackets
        if apart and metric is not None and not metric.across_dimensions:
            raise MatrixError(
                f"{at}.metric: expected a metric that compares latent dimensions, got "
                f'"{claim.metric}"; use {_OTHERWISE}, or a metric per dimension'
            )
        yield claim


def _check_sides(claim: Claim, at: str) -> None:
    """What is compared, and with what."""
    if claim.reference is not None and claim.expect in ("increasing", "decreasing"):
        raise MatrixError(
            f"{at}.reference: expected none where a metric is {claim.expect}, got {claim.reference}"
        )
    for key, name in (("source", claim.source), ("against", claim.against)):
        if name and name not in _SOURCES:
            raise MatrixError(unknown(f"{at}.{key}", f"source {shown(name)}", name, _SOURCES))
    if claim.against is not None and claim.against == claim.source:
        raise MatrixError(f"{at}.against: expected another source than {shown(claim.source)}")
    if claim.expect == "equivalent" and claim.margin == 0:
        raise MatrixError(f"{at}.margin: expected more than 0 to show equivalence, got 0.0")


def _check_place(claim: Claim, at: str, metric: Metric) -> None:
    """Whether the metric is measured there at all."""
    known = sources(metric)
    for key, source in (("source", claim.source), ("against", claim.against)):
        if source is not None and source not in known:
            if source:
                got, may = shown(source), " or ".join(shown(name) for name in known if name)
                wanted = f"none{', or ' * bool(may)}{may}" if "" in known else f"one of {may}"
            else:
                got, wanted = "none", f"one of {', '.join(known)}"
            raise MatrixError(
                f'{at}.{key}: expected {wanted}, of which "{metric.name}" is measured, got {got}'
            )
    if claim.split not in splits(metric):
        raise MatrixError(
            f'{at}.split: expected "test", on which alone "{metric.name}" is measured, got '
            f"{shown(claim.split)}"
        )


def _check_options(
    claim: Claim, at: str, metric: Metric, configurations: Iterable[Configuration]
) -> None:
    """Whether a configuration that decides it leaves the metric out."""
    among = [claim.source] if claim.against is None else [claim.source, claim.against]
    for one in configurations:
        for source in among:
            if option := missing_option(metric, source, one.values["quality"]):
                of = f" of {shown(source)}" if source else ""
                raise MatrixError(
                    f'{at}.metric: expected what is measured, got "{claim.metric}"{of}, which '
                    f"{option} of {one.name} leaves out"
                )


def _check_brackets(claim: Claim, at: str) -> None:
    """What brackets need, and what only they may have."""
    if not claim.brackets:
        if claim.worse != "later":
            raise MatrixError(
                f'{at}.worse: expected none but with expect = "brackets apart", got '
                f"{shown(claim.worse)}"
            )
        return
    if claim.metric != BRACKETED:
        raise MatrixError(
            f'{at}.metric: expected "{BRACKETED}" where brackets are to be apart, got '
            f"{shown(claim.metric)}"
        )
    for key in ("source", "against", "reference"):
        if (value := getattr(claim, key)) not in ("", None):
            raise MatrixError(
                f"{at}.{key}: expected none where brackets are to be apart, got {shown(value)}"
            )
