"""A report says in every form what was measured: text, page, figure, table, JSON."""

import copy
import json
import math
import os
import pickle
import platform
import re
import socket
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from bench.metrics.registry import METRICS
from bench.rows import COLUMNS
from bench.run.code_roots import MEASURES
from vaelib import Report, answers, audit, audit_samples
from vaelib.audits.alarms import REPEATS
from vaelib.audits.asked import Asked, Codes
from vaelib.audits.measurement import Measurement
from vaelib.audits.moment_answers import Answer
from vaelib.audits.units import unit_of
from vaelib.code_hash import modules
from vaelib.stats.nulls import NormalNull

QUICK = {"null_draws": 2, "null": NormalNull(draws=19), "test_rows": 40}
EVIL = "<script>alert('x')</script>&\"$x^{$"


def posterior(n, dimensions=2, factor=1.0, seed=0):
    mean = torch.randn(n, dimensions, generator=torch.Generator().manual_seed(seed))
    return factor * 0.8 * mean, torch.full_like(mean, factor * 0.6)


@pytest.fixture(scope="module")
def wide():
    return audit(*posterior(200, factor=2.0), heldout=posterior(150, factor=2.0, seed=1), **QUICK)


@pytest.fixture(scope="module")
def words():
    return answers(*posterior(60))


def bracket_rows(lower, upper=None, gain=0.0):
    values = {"certified_kl": gain, "certified_kl_lower": lower, "certified_kl_upper": upper}
    return [Measurement("test", name, value) for name, value in values.items()]


def made(verdict, rows, prior="N(0, I)", sentence="So it is.", codes=None):
    said = [Answer(f"is {prior} safe to sample?", verdict, sentence), Answer("what", "x", "Do.")]
    asked = Asked(prior, 0.05, 0.025, {"test": 400, "train": 900}, 2, codes)
    return Report(rows, rows, said, asked)


def test_it_is_the_sequence_of_its_measurements(wide):
    rows = list(wide)
    assert len(wide) == len(rows) > 30 and all(type(row) is Measurement for row in rows)
    assert wide[0] == rows[0] and wide[-1] == rows[-1] and wide[2:4] == rows[2:4]
    assert rows[3] in wide and wide.index(rows[3]) == 3
    assert wide == rows and rows == wide and wide != rows[:-1] and wide != "rows"
    assert wide + rows == rows + rows and rows[:1] + wide == [rows[0], *rows]
    assert isinstance(wide, Report) and not isinstance(wide, list) and not hasattr(wide, "append")
    assert pickle.loads(pickle.dumps(wide)) == copy.deepcopy(wide) == wide


def test_it_is_the_sequence_of_its_answers(words):
    assert all(type(one) is Answer for one in words) and list(words) == list(words.answers)
    assert words[0] is words.answer and words.verdict == words[0].verdict
    assert {row.split for row in words.rows} == {"train"}


@pytest.mark.parametrize(
    ("verdict", "ok"), [("yes", True), ("no", False), ("undecided", None), ("flagged", None)]
)
def test_ok_is_yes_no_or_neither(verdict, ok):
    assert made(verdict, bracket_rows(0.0, 0.1)).ok is ok


def test_the_answer_comes_first_in_at_most_ten_lines(wide, words):
    for report in (wide, words, audit_samples(posterior(80)[0], test_rows=40)):
        text = str(report).splitlines()
        assert 5 <= len(text) <= 10 and all(text)
        assert text[0] == f"May I sample from N(0, I)? {report.verdict.upper()}."
        assert text[1] == report.answer.sentence
        assert text[2].startswith("KL(q‖p): ") and "margin 0.05" in text[2]
        assert text[3] == f"What would help: {report.answers[-1].sentence}"
        assert "D = 2" in text[-1]
    lower, upper = wide.bracket.lower, wide.bracket.upper
    assert f"KL(q‖p): {lower:.3g} to {upper:.3g} nats" in str(wide)
    assert f"certified_kl_lower {lower:.3g} nats" in str(wide)
    assert "150 held-out inputs (200 training inputs), D = 2" in str(wide)
    assert re.fullmatch(r"<Report: no, .* nats, from N\(0, I\); \d+ measurements>", repr(wide))
    assert repr(words).endswith("answers>") and len(repr(words)) < 100


def test_a_frame_has_the_columns_of_rows_csv(wide):
    table = wide.to_frame()
    assert list(table.columns) == [name for name in COLUMNS if name in set(table.columns)]
    assert len(table.columns) == 8 and len(table) == len(wide.rows)
    assert {str(table[name].dtype) for name in ("value", "standard_error", "p_value")} == {
        "float64"
    }
    for cells, row in zip(table.itertuples(), wide.rows, strict=True):
        assert cells.metric == row.metric and cells.unit == METRICS[row.metric].unit
        assert math.isnan(cells.value) if row.value is None else cells.value == row.value


def test_units_are_those_of_the_registry():
    audited = {row.metric for row in audit(*posterior(120), heldout=posterior(120), **QUICK).rows}
    assert {name: unit_of(name) for name in audited} == {n: METRICS[n].unit for n in audited}


def refuse(constant):
    raise AssertionError(f"{constant} is no JSON")


def test_json_is_strict_and_goes_round(wide, words):
    odd = made("undecided", bracket_rows(0.0, math.inf, gain=math.nan))
    for report in (wide, words, odd):
        found = json.loads(report.to_json(), parse_constant=refuse)
        assert json.loads(json.dumps(found, allow_nan=False)) == found
        assert (found["verdict"], found["ok"]) == (report.verdict, report.ok)
        assert len(found["rows"]) == len(report.rows)
        for cells, row in zip(found["rows"], report.rows, strict=True):
            back = Measurement(**{k: v for k, v in cells.items() if k != "unit"})
            assert back == row or not math.isfinite(row.value)
        assert [one["sentence"] for one in found["answers"]] == [a.sentence for a in report.answers]
    assert found["rows"][2]["value"] is None
    assert found["rows"][2]["message"] == "value is not finite"
    assert found["bracket"]["upper"] is None and found["bracket"]["lower"] == 0
    assert found["bracket"]["missing"] == {
        "upper": "infinite",
        "gain": "not measured",
        "gain_interval": "not measured",
    }


def test_json_says_why_there_is_no_end_and_what_is_flagged():
    why = "the KL is infinite: 3 z of 9 lie where the prior has no mass"
    rows = [Measurement("sample", "certified_kl_lower", None, message=why)]
    found = json.loads(made("no", rows).to_json())
    assert found["bracket"]["lower"] is None and found["bracket"]["missing"]["lower"] == why
    rows = [Measurement("sample", "certified_kl_lower", None, message=REPEATS)]
    rows.append(Measurement("sample", "saturated", 1.0))
    flags = json.loads(made("flagged", rows).to_json())["flags"]
    assert flags[0] == f"flagged: {REPEATS}" and flags[1].startswith("saturated: ")


def test_a_page_is_escaped(tmp_path):
    rows = bracket_rows(0.2, 0.3, gain=0.25)
    rows.append(Measurement("test", "rate", None, message=EVIL))
    report = made("no", rows, prior=EVIL, sentence=EVIL)
    page = report.save(tmp_path / "new").read_text()
    for text in (report._repr_html_(), page):
        assert "<script" not in text and "alert('" not in text
        assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&amp;&quot;$x^{$" in text
    assert page.count("&lt;script&gt;") >= 4, "title, text, answers and rows"


@pytest.mark.parametrize(
    "report",
    [
        made("no", bracket_rows(0.2, 0.3, gain=0.25)),
        made("no", bracket_rows(0.2, None)),
        made("undecided", bracket_rows(None, 0.2)),
        made("no", [Measurement("test", "certified_kl_lower", None, message="the KL is infinite")]),
        made("yes", bracket_rows(0.0, 0.0), codes=Codes(np.zeros((3, 2)), None)),
    ],
    ids=["bracket", "no upper end", "no lower end", "infinite", "codes without a prior"],
)
def test_whatever_ends_there_are_a_figure_shows_them(report):
    figure = Figure()
    axes = report.plot(figure.subplots())
    assert axes.get_xlabel() == "KL(q‖p) in nats" and axes.get_xlim()[1] > 0.05
    assert axes.get_title(loc="left").startswith(report.verdict)
    assert '<img alt="KL(q‖p) ' in report._repr_html_()
    assert str(report) and repr(report)


def test_a_notebook_shows_the_ten_lines_and_the_codes(wide):
    text = wide._repr_html_()
    for line in str(wide).splitlines():
        assert line.replace("<", "&lt;") in text
    assert text.count("data:image/png;base64,") == 1
    assert wide.asked.codes.of_q.shape == wide.asked.codes.of_prior.shape == (150, 2)
    assert len(wide._figure().axes) == 2
    assert len(audit_samples(posterior(60, 1)[0], test_rows=20)._figure().axes) == 1


def test_plot_makes_axes_of_its_own():
    from matplotlib import pyplot as plt

    axes = made("no", bracket_rows(0.2, 0.3)).plot()
    assert axes.figure.number in plt.get_fignums()
    plt.close(axes.figure)


def test_without_matplotlib_there_is_text_alone(wide, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    text = wide._repr_html_()
    assert "May I sample" in text and "<img" not in text


def test_what_is_saved_is_what_was_said(wide, tmp_path, monkeypatch):
    for module, name in ((socket, "gethostname"), (platform, "node"), (os, "uname")):
        monkeypatch.setattr(module, name, pytest.fail)  # nothing names a host
    page = wide.save(tmp_path / "a" / "b")
    assert page == tmp_path / "a" / "b" / "report.html"
    assert {path.name for path in page.parent.iterdir()} == {
        *("report.html", "report.json", "rows.csv")
    }
    table = pd.read_csv(page.parent / "rows.csv")
    np.testing.assert_array_equal(table["value"], wide.to_frame()["value"])
    assert (page.parent / "report.json").read_text() == wide.to_json()
    for text in (page.read_text(), wide.to_json()):
        assert str(tmp_path) not in text and os.sep + "home" not in text
    assert "data:image/png" in page.read_text()
    before = page.read_bytes()
    assert wide.save(str(page.parent)) == page and page.read_bytes() == before, "its own"
    empty = tmp_path / "empty"
    empty.mkdir()
    wide.save(empty)


@pytest.mark.parametrize(
    "held",
    [
        {"notes.txt": "mine"},
        {"report.json": "{}"},
        {"report.json": "[" * 10**5},
        {"report.json": '{"schema": [1]}'},
    ],
)
def test_a_folder_of_someone_else_is_refused(held, words, tmp_path):
    for name, text in held.items():
        (tmp_path / name).write_text(text)
    said = "folder must be new, empty or one of an earlier report, got .* which holds '"
    with pytest.raises(ValueError, match=said):
        words.save(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(held)
    with pytest.raises(ValueError, match="folder must be a folder, got the file"):
        words.save(tmp_path / next(iter(held)))
    with pytest.raises(TypeError, match="folder must be a path, got int"):
        words.save(3)


def test_what_a_report_says_makes_no_row_stale():
    measured = modules(MEASURES).keys()
    assert "vaelib.audits.audit" in measured and "vaelib" not in measured
    assert not {n for n in measured if n.startswith(("vaelib.report", "vaelib.asking"))}
