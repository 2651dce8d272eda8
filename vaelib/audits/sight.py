"""What an audit could have seen, in words, from counts of planted departures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vaelib.audits.departures import DEPARTURES
from vaelib.audits.effects import Evidence
from vaelib.audits.moment_answers import Moments
from vaelib.audits.power import MOST_FITTED, Counted, shipped

__all__ = ["Plan", "could_have_seen", "held_out_like", "nearest", "plan", "sight_of"]

_USUAL = 0.8  # share of the repeats
_HALF = 0.5
_ROUNDING = 1 + 1e-9


def sight_of(
    evidence: Evidence,
    moments: Mapping[str, Moments],
    margin: float,
    planted: Sequence[Counted] = (),
) -> str:
    """What an audit could have seen of departures of four margins.

    Args:
        evidence: its rows.
        moments: split -> its moments.
        margin: KL in nats that still counts as a match.
        planted: counts for this very audit; the shipped ones where there are none.

    Returns:
        One or two sentences; empty where nothing was played.
    """
    n, dimensions = evidence.inputs, len(moments[evidence.split].mean)
    if not n:
        return ""
    if planted:
        return could_have_seen(planted, n, dimensions, 4 * margin, own=True)
    apart = evidence.split == "test" and "train" in moments
    trained = moments["train"].inputs if apart else None
    like = held_out_like(n, trained)
    text = could_have_seen(shipped(), like, dimensions, 4 * margin)
    if trained is not None and like < n and nearest(shipped(), like, dimensions, 4 * margin):
        text += " They have three training inputs for each held-out one, more than were given."
    return text


def nearest(rows: Iterable[Counted], n: int, dimensions: int, kl: float) -> list[Counted]:
    """The counts of the nearest setting that is no easier: fewer z, more dimensions, a smaller KL.

    Args:
        rows: counts.
        n: held-out z.
        dimensions: D.
        kl: in nats.

    Returns:
        One row for each kind that exists at D, in random directions; none where all are easier.
    """
    weaker = [row for row in _standard(rows, dimensions) if row.n <= n and row.kl <= kl * _ROUNDING]
    if not weaker:
        return []
    best = max((row.kl, row.n, -row.dimensions) for row in weaker)
    found = [row for row in weaker if (row.kl, row.n, -row.dimensions) == best]
    return sorted(found, key=lambda row: list(DEPARTURES).index(row.departure))


def _standard(rows: Iterable[Counted], dimensions: int) -> list[Counted]:
    """Those of no fewer dimensions, of kinds that exist at D, in random directions if they have."""
    chosen = [
        row
        for row in rows
        if row.dimensions >= dimensions >= DEPARTURES[row.departure].least
        and row.repeats
        and (row.placed == "rotated" or not row.turned.possible)
    ]
    kinds = {row.departure for row in chosen}  # where some are still to be counted none is shown
    there: dict[tuple[int, int, float], set[str]] = {}
    for row in chosen:
        there.setdefault(_cell(row), set()).add(row.departure)
    possible = {cell: {k for k in kinds if cell[2] < DEPARTURES[k].most} for cell in there}
    return [row for row in chosen if there[_cell(row)] == possible[_cell(row)]]


def _cell(row: Counted) -> tuple[int, int, float]:
    return row.n, row.dimensions, row.kl


def held_out_like(inputs: int, trained: int | None) -> int:
    """For how many held-out z of the table an audit stands, at least.

    Args:
        inputs: independent z that are played.
        trained: other inputs that candidates are fitted to; None where there are none.

    Returns:
        n: the table fits to three times as many, 20,000 at most. An audit that plays the very
        inputs it fits to is taken for one of a quarter of them.
    """
    if trained is None:
        return inputs // 4
    return inputs if trained >= MOST_FITTED else min(inputs, trained // 3)


def could_have_seen(
    rows: Sequence[Counted], n: int, dimensions: int, kl: float, *, own: bool = False
) -> str:
    """How often a mismatch is certified where departures of some nats are planted.

    Args:
        rows: counts.
        n: held-out z.
        dimensions: D.
        kl: in nats.
        own: whether the rows were counted for this very audit.

    Returns:
        One sentence.
    """
    found = nearest(rows, n, dimensions, kl)
    if not found:
        least, most = min(row.n for row in rows), max(row.dimensions for row in rows)
        what = "; fewer can certify large departures alone" if n < least else ""
        return (
            f"What could have been seen was not counted: counts begin at {least:,} held-out z and "
            f"{min(row.kl for row in rows):g} nats and end at D = {most}{what}."
        )
    one = found[0]
    where = f", at level .025, with {one.n:,} held-out z at D = {one.dimensions}"
    if own:
        where = " with as many inputs and dimensions as here"
    elif (one.n, one.dimensions) != (n, dimensions) or not math.isclose(one.kl, kl):
        where += ", the nearest weaker setting that was counted"
    return f"Planted departures of {one.kl:g} nats are certified{where}: {_listed(found)}."


def _listed(rows: Sequence[Counted]) -> str:
    """The kinds with their counts, falling."""
    falling = sorted(rows, key=lambda row: -row.proved / row.repeats)
    seen = [row for row in falling if row.proved]
    often = [row for row in seen if row.proved >= _HALF * row.repeats]
    never = falling[len(seen) :]
    parts = {"": often, "in fewer than half ": seen[len(often) :]}
    texts = [
        words + ", ".join(f"{row.departure} {row.proved} of {row.repeats}" for row in part)
        for words, part in parts.items()
        if part
    ]
    if never:
        times = min(row.repeats for row in never)
        kinds = ", ".join(row.departure for row in never)
        texts.append(f"never in {times} repeats {kinds}")
    return "; ".join(texts)


@dataclass(frozen=True)
class Plan:
    """How many held-out inputs what needs.

    Attributes:
        sentence: what was asked, what the counts lack of it, and which numbers suffice for what.
        rows: the counts it rests on, of one KL, and of one D for each n.
    """

    sentence: str
    rows: list[Counted]

    @property
    def sizes(self) -> dict[int, int]:
        """Every n, rising, and the D that was counted."""
        return dict(sorted({row.n: row.dimensions for row in self.rows}.items()))


def plan(rows: Sequence[Counted], dimensions: int, margin: float) -> Plan:
    """Say with how many held-out inputs departures of twice a margin are seen.

    Args:
        rows: counts.
        dimensions: D.
        margin: KL in nats that still counts as a match.

    Returns:
        The plan, from the nearest D and KL that are no easier; it says where they are not those
        that were asked for.

    Raises:
        ValueError: for less than one dimension or more than were counted, or a margin below half of
            the least KL that was counted.
    """
    if dimensions < 1:
        raise ValueError(f"dimensions must be at least 1, got {dimensions}")
    most, least = max(row.dimensions for row in rows), min(row.kl for row in rows)
    if dimensions > most:
        raise ValueError(f"dimensions must be at most {most}, where counts end, got {dimensions}")
    standard = _standard(rows, dimensions)
    kls = [row.kl for row in standard if row.kl <= 2 * margin * _ROUNDING]
    if not kls:
        raise ValueError(
            f"margin must be at least {least / 2:g}, half the least KL that was counted, got "
            f"{margin:g}"
        )
    same = [row for row in standard if row.kl == max(kls)]
    nearest_d = {n: min(row.dimensions for row in same if row.n == n) for n in {r.n for r in same}}
    chosen = [row for row in same if row.dimensions == nearest_d[row.n]]
    seen = _needed([(row, row.seen) for row in chosen])
    no = _needed([(row, row.halved) for row in chosen])
    kl = max(kls)
    planted = f"Departures of {kl:g} nats were planted {_places(nearest_d)}."
    told = [
        f"Asked: a margin of {margin:g} at D = {dimensions}.",
        _lacking(rows, chosen, dimensions, margin),
        planted,
        f"They are seen in 80 % of repeats with {seen}.",
        f"The answer is no at a margin of {kl / 2:g} as often with {no}.",
    ]
    return Plan(" ".join(filter(None, told)), chosen)


def _places(counted: Mapping[int, int]) -> str:
    """Which D was counted: one for all, or one for each n."""
    if len(set(counted.values())) == 1:
        return f"at D = {min(counted.values())}"
    sizes: dict[int, list[str]] = {}
    for n, dimensions in sorted(counted.items()):
        sizes.setdefault(dimensions, []).append(f"{n:,}")
    places = [f"at D = {d} with {_joined(own)} held-out inputs" for d, own in sizes.items()]
    return _joined(places)


def _lacking(
    rows: Sequence[Counted], chosen: Sequence[Counted], dimensions: int, margin: float
) -> str:
    """What the counts do not hold of what was asked, and what stands in; empty where all is there.

    Args:
        rows: all counts.
        chosen: those that answer, of one KL, and of one D for each n.
        dimensions: D that was asked for.
        margin: KL in nats that was asked for.

    Returns:
        Up to two sentences.
    """
    kl, asked = chosen[0].kl, 2 * margin
    other_kl = not math.isclose(kl, asked, rel_tol=1e-6)
    elsewhere = {row.n for row in chosen if row.dimensions != dimensions}
    lacks = [f"departures of {asked:g} nats, twice that margin"] if other_kl else []
    if elsewhere == {row.n for row in chosen}:
        lacks.append(f"D = {dimensions}")
    elif elsewhere:
        lacks.append(f"D = {dimensions} with {_sizes(elsewhere)}")
    if none := {row.n for row in rows} - {row.n for row in chosen}:
        lacks.append(f"D of {dimensions} or more with {_sizes(none)}")
    counted = {row.departure for row in chosen}
    kinds = [name for name, kind in DEPARTURES.items() if kind.least <= dimensions]
    if kinds := [name for name in kinds if name not in counted and kl < DEPARTURES[name].most]:
        lacks.append(f"the kind{'s' * (len(kinds) > 1)} {_joined(kinds)}")
    text = f"Not counted in full yet: {'; '.join(lacks)}." if lacks else ""
    stand_in = [f"{kl:g} nats, a margin of {kl / 2:g}"] if other_kl else []
    why = ["a smaller KL"] if other_kl else []
    if elsewhere:
        more = sorted({row.dimensions for row in chosen if row.dimensions != dimensions})
        stand_in.append(f"D = {_joined([str(one) for one in more])}")
        why.append("more dimensions")
    if stand_in:
        text += (
            f" The nearest counts that are more cautious stand in, {', at '.join(stand_in)}: "
            f"{' and '.join(why)} need{'s' * (why == ['a smaller KL'])} more inputs."
        )
    return text


def _sizes(sizes: Iterable[int]) -> str:
    return f"{_joined([f'{n:,}' for n in sorted(sizes)])} held-out inputs"


def _needed(counts: Sequence[tuple[Counted, int]]) -> str:
    """The least n at which a kind is counted often enough."""
    least: dict[int, list[str]] = {}
    never = []
    for kind in (name for name in DEPARTURES if any(row.departure == name for row, _ in counts)):
        own = sorted(
            (row.n, times >= _USUAL * row.repeats) for row, times in counts if row.departure == kind
        )
        # from this n on, always
        enough = [n for i, (n, _) in enumerate(own) if all(often for _, often in own[i:])]
        if enough:
            least.setdefault(enough[0], []).append(kind)
        else:
            never.append(kind)
    parts = [f"{n:,} held-out inputs for {_joined(kinds)}" for n, kinds in sorted(least.items())]
    if never:
        parts.append(
            f"more than {max(row.n for row, _ in counts):,}, the most counted, for {_joined(never)}"
        )
    text = "; ".join(parts)
    if len(parts) == 1 and len({row.departure for row, _ in counts}) > 1:
        text = text.rpartition(" for ")[0] + " for every kind"
    return text


def _joined(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
