"""The tidy table holds what the pages show, and nothing is decided a second time."""

import io

import numpy as np
import pandas as pd
import pytest

from bench.analysis.costs import costs
from bench.analysis.match import match_of
from bench.errors import UserError
from bench.export.table import COLUMNS, as_csv
from bench.report.leaderboard import board


@pytest.fixture(scope="module")
def frame(one):
    text = as_csv(one)
    assert text.splitlines()[0] == ",".join(COLUMNS)
    return pd.read_csv(io.StringIO(text))


def test_the_headlines_are_the_summaries_and_ranks_of_the_leaderboard(one, frame):
    found = board(one.models)
    assert list(dict.fromkeys(frame["configuration"]))[: len(found.order)] == list(found.order)
    for name, source in found.headlines:
        part = frame[(frame["metric"] == name) & (frame["source"].fillna("") == source)]
        part = part.set_index("configuration")
        summary = one.summary(name, found.split, source).loc[part.index]
        for column in ("mean", "half_width", "low", "high", "S", "failures"):
            np.testing.assert_allclose(part[column], summary[column], rtol=1e-15)
        ranking = one.ranking(name, found.split, source)
        for column in ("rank_low", "rank_high", "tie"):
            assert list(part[column].dropna()) == list(ranking[column].reindex(part.index).dropna())
    assert (frame["failures"] == 1).any()


def test_the_answer_the_ends_and_the_cost_are_those_of_the_pages(one, frame):
    (matched,) = [match_of(one.rows, "digits")]
    for each in matched.configurations:
        part = frame[frame["configuration"] == each.config]
        assert set(part["match"]) == {each.verdict}
        ends = part.set_index("metric")["mean"]
        assert ends["certified_kl_lower"] == pytest.approx(each.lower.mean, rel=1e-15)
        assert ends["certified_kl_upper"] == pytest.approx(each.upper.mean, rel=1e-15)
    paired = frame[frame["source"] == "prior - aggregate"].set_index("configuration")
    for config, cost in costs(one.rows).items():
        assert paired["mean"][config] == pytest.approx(cost.cost.mean, rel=1e-15)


def test_a_matrix_of_which_nothing_was_measured_has_no_leaderboard(one):
    nothing = one.part(one.rows.assign(status="failed"))
    with pytest.raises(UserError, match="one has no leaderboard: no cell gave a result"):
        as_csv(nothing)
