"""Counts of planted departures, the shipped table of them, and what is said of it."""

import dataclasses
import re
from types import SimpleNamespace

import pytest

from vaelib.audits.departures import DEPARTURES
from vaelib.audits.power import Counted, count, read, shipped, written
from vaelib.audits.sight import could_have_seen, held_out_like, nearest, plan


def row(departure="scale", n=300, dimensions=8, kl=0.2, proved=10, placed="", **other):
    placed = placed or ("rotated" if DEPARTURES[departure].turns else "axes")
    counts = {"repeats": 10, "seen": 10, "proved": proved, "halved": proved} | other
    return Counted(n, dimensions, departure, placed, kl, **counts)


def test_more_repeats_continue_what_fewer_began():
    start = Counted(60, 2, "scale", "axes", 1.0)
    told = []
    one = count(start, 1, progress=lambda *step: told.append(step))
    three = count(one, 3, progress=lambda *step: told.append(step))
    assert three == count(start, 3)
    assert told == [("planting scale", step, of) for step, of in ((1, 1), (2, 3), (3, 3))]
    assert three.repeats == 3 >= three.seen >= 2  # 60 z of a KL of 1 nat


@pytest.mark.parametrize(
    ("lower", "p_value", "found"),
    [
        (0.0, 0.03, (0, 0, 0, 0)),
        (0.0, 0.025, (1, 0, 0, 0)),
        (0.05, 0.01, (1, 1, 0, 0)),
        (0.08, 0.01, (1, 1, 0, 1)),
        (0.11, 0.01, (1, 1, 1, 1)),
    ],
)
def test_what_is_counted_is_what_the_bound_says(lower, p_value, found, monkeypatch):
    played = []

    def certified(data, z, generator, *, alpha):
        played.append((len(data.mean), len(z), alpha))
        return SimpleNamespace(lower=lower, p_value=p_value)

    monkeypatch.setattr("vaelib.audits.power.certify", certified)
    one = count(Counted(40, 2, "ring", "rotated", 0.2), 1)
    assert (one.seen, one.proved, one.halved, one.decided) == found
    count(Counted(7000, 1, "scale", "axes", 0.2), 1)
    count(Counted(100, 1, "scale", "axes", 0.2), 1, fitted=50, alpha=0.1)
    assert played == [(120, 40, 0.025), (20_000, 7000, 0.025), (50, 100, 0.1)]


def test_inputs_that_are_fitted_and_played_go_in_sequence():
    found = count(Counted(100, 1, "scale", "axes", 2.0), 1, fitted=0)
    assert found.seen == found.proved == 1


def test_too_few_z_are_refused():
    with pytest.raises(ValueError, match="at least 20 held-out z are needed, got 19"):
        count(Counted(19, 1, "scale", "axes", 0.2), 1)


def test_a_table_comes_back_as_it_was_written():
    rows = [row("ring", kl=0.05, code="ab"), row(), row(n=100, decided=3)]
    assert read(written(rows)) == sorted(rows)


def test_the_shipped_table_is_of_settings_that_exist():
    rows = shipped()
    assert len({one.setting for one in rows}) == len(rows) > 100
    for one in rows:
        assert one.possible and one.departure in DEPARTURES and one.code
        assert one.repeats >= max(one.seen, one.proved) and one.proved >= max(
            one.halved, one.decided
        )
    assert min(one.n for one in rows) == 100


def test_the_shipped_table_says_more_of_larger_departures():
    """Shares summed over settings that are counted at every KL: the noise of few is small."""
    found = {}
    for one in shipped():
        setting = one.n, one.dimensions, one.departure, one.placed
        found.setdefault(setting, {})[one.kl] = one.seen / one.repeats
    whole = [shares for shares in found.values() if len(shares) == 3]
    assert len(whole) > 50
    by_kl = [sum(shares[kl] for shares in whole) for kl in (0.05, 0.1, 0.2)]
    assert by_kl == sorted(by_kl)


ROWS = [
    row("scale"),
    row("correlation", proved=7),
    row("parity", proved=0),
    row("correlation", placed="axes", proved=9),
    *(row(name, kl=0.1, proved=3) for name in ("scale", "correlation", "parity")),
    row("scale", n=100, dimensions=16, proved=2),
    row("correlation", n=100, dimensions=16, proved=1),
    row("parity", n=100, dimensions=16, proved=0),
    row("scale", n=1000),  # of which the other kinds are still to be counted
]


@pytest.mark.parametrize(
    ("n", "dimensions", "kl", "found"),
    [
        (300, 8, 0.2, [10, 7, 0]),
        (999, 4, 0.3, [10, 7, 0]),
        (999, 3, 0.3, [10, 7]),  # there is no parity of four in three dimensions
        (299, 8, 0.2, [2, 1, 0]),
        (5000, 9, 0.2, [2, 1, 0]),
        (300, 8, 0.15, [3, 3, 3]),
        (99, 8, 0.2, []),
        (300, 17, 0.2, []),
        (300, 8, 0.09, []),
    ],
)
def test_the_nearest_setting_is_never_an_easier_one(n, dimensions, kl, found):
    assert [one.proved for one in nearest(ROWS, n, dimensions, kl)] == found


def test_in_one_dimension_axes_are_all_there_is():
    rows = [row("clusters", dimensions=1, placed="axes"), row("clusters", dimensions=2, proved=1)]
    assert [one.proved for one in nearest(rows, 300, 1, 0.2)] == [10]


def test_the_sentence_names_what_is_certified_and_what_is_not():
    assert could_have_seen(ROWS, 300, 8, 0.2) == (
        "Planted departures of 0.2 nats are certified, at level .025, with 300 held-out z at D = 8"
        ": scale 10 of 10, correlation 7 of 10; never in 10 repeats parity."
    )
    other = could_have_seen(ROWS, 301, 8, 0.2)
    assert "at D = 8, the nearest weaker setting that was counted: scale" in other
    own = could_have_seen(ROWS, 300, 8, 0.2, own=True)
    assert "are certified with as many inputs and dimensions as here: scale" in own
    weak = could_have_seen(ROWS, 100, 16, 0.2)
    assert weak.endswith(
        "D = 16: in fewer than half scale 2 of 10, correlation 1 of 10; never in 10 repeats parity."
    )


@pytest.mark.parametrize(
    ("n", "dimensions", "fewer"), [(50, 8, True), (300, 64, False), (99, 16, True)]
)
def test_what_was_not_counted_is_said(n, dimensions, fewer):
    text = could_have_seen(ROWS, n, dimensions, 0.2)
    assert "was not counted: counts begin at 100 held-out z and 0.1 nats and end at D = 16" in text
    assert text.endswith("large departures alone.") == fewer


def test_an_audit_stands_for_no_more_held_out_z_than_it_has():
    assert held_out_like(1000, 3000) == 1000
    assert held_out_like(1000, 900) == 300
    assert held_out_like(10_000, 20_000) == 10_000
    assert held_out_like(1000, None) == 250


def test_a_plan_says_from_which_n_on():
    rows = [
        row("scale", n=100, seen=9, proved=8),
        row("scale", n=300, seen=7, proved=7),
        row("scale", n=1000, proved=9),
        row("correlation", n=100, proved=1),
        row("correlation", n=300, proved=9),
        row("correlation", n=1000, proved=9),
        *(row("parity", n=n, seen=1, proved=0) for n in (100, 300, 1000)),
        row("scale", n=3000),  # of which the other kinds are still to be counted
    ]
    rows = [dataclasses.replace(one, dimensions=16 if one.n == 1000 else 8) for one in rows]
    made = plan(rows, 5, 0.13)
    assert made.sizes == {100: 8, 300: 8, 1000: 16} and len(made.rows) == 9
    assert made.sentence == (
        "Asked: a margin of 0.13 at D = 5. Not counted in full yet: departures of 0.26 nats, twice "
        "that margin; D = 5; D of 5 or more with 3,000 held-out inputs; the kinds clusters, ring "
        "and heavy tails. The nearest counts that are more cautious stand in, 0.2 nats, a margin "
        "of 0.1, at D = 8 and 16: a smaller KL and more dimensions need more inputs. Departures of "
        "0.2 nats were planted at D = 8 with 100 and 300 held-out inputs and at D = 16 with 1,000 "
        "held-out inputs. They are seen in 80 % of repeats with 100 held-out inputs for "
        "correlation; 1,000 held-out inputs for scale; more than 1,000, the most counted, for "
        "parity. The answer is "
        "no at a margin of 0.1 as often with 300 held-out inputs for correlation; 1,000 held-out "
        "inputs for scale; more than 1,000, the most counted, for parity."
    )
    few = [dataclasses.replace(one, proved=10, halved=10) for one in rows if one.n == 300]
    assert "with 300 held-out inputs for every kind." in plan(few, 8, 0.1).sentence
    assert plan(few, 8, 0.1).sentence.startswith("Asked: a margin of 0.1 at D = 8. Not counted")
    none = [dataclasses.replace(one, seen=0, halved=0) for one in rows]
    assert "with more than 1,000, the most counted, for every kind." in plan(none, 8, 0.1).sentence


EVERY = [row(kind, n=n) for kind in DEPARTURES for n in (100, 300)]


@pytest.mark.parametrize(
    ("dimensions", "margin", "text"),
    [
        (8, 0.1, "at D = 8. Departures of 0.2 nats were planted at D = 8. They"),
        (8, 1, "departures of 2 nats, twice that margin. The nearest counts that are more cautious "
         "stand in, 0.2 nats, a margin of 0.1: a smaller KL needs more inputs. Departures"),
        (2, 0.1, "yet: D = 2. The nearest counts that are more cautious stand in, D = 8: more "
         "dimensions need more inputs. Departures of 0.2 nats were planted at D = 8. They"),
    ],
)  # fmt: skip
def test_a_plan_says_where_it_answers_for_another_margin_or_d(dimensions, margin, text):
    sentence = plan(EVERY, dimensions, margin).sentence
    assert sentence.startswith(f"Asked: a margin of {margin:g} at D = {dimensions}. ")
    assert sentence.partition("Asked: a margin of ")[2].partition(text)[1] == text


def test_a_plan_names_the_dimensions_of_every_n_and_what_one_kind_alone_was_counted_for():
    rows = [row("scale", n=100, dimensions=1), row("scale", n=300, dimensions=2)]
    text = plan(rows, 1, 0.1).sentence
    assert "yet: D = 1 with 300 held-out inputs; the kinds clusters and heavy tails. " in text
    assert "planted at D = 1 with 100 held-out inputs and at D = 2 with 300 held-out" in text
    assert "100 held-out inputs for scale." in text and "every kind" not in text


def test_another_kl_than_four_margins_is_said_beside_the_counts():
    assert "nearest weaker" not in could_have_seen(ROWS, 300, 8, 0.2)
    assert "at D = 8, the nearest weaker setting" in could_have_seen(ROWS, 300, 8, 4.0)


@pytest.mark.parametrize(
    ("dimensions", "margin", "message"),
    [
        (0, 0.05, "dimensions must be at least 1, got 0"),
        (17, 0.1, "dimensions must be at most 16, where counts end, got 17"),
        (8, 0.04, "margin must be at least 0.05, half the least KL that was counted, got 0.04"),
    ],
)
def test_a_plan_for_what_was_not_counted_is_refused(dimensions, margin, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        plan(ROWS, dimensions, margin)
