"""What `--json` prints holds the answer, in fields that are kept; `--quiet` prints nothing else."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from bench.audit.audit import Audited
from tests.bench.audit.test_audit import gaussian, posterior, run
from vaelib import answers
from vaelib.audits.measurement import Measurement
from vaelib.audits.moment_answers import Answer

SCHEMA = {"name": "vaebench.audit", "version": 1}
ANSWER = (
    *("question", "verdict", "ok", "sentence", "advice", "condition", "inputs", "dimensions"),
    *("bracket", "flags", "answers"),
)
WHOLE = ("schema", *ANSWER, "conditions", "prior", "margin", "alpha", "read", "notes")
WHOLE = (*WHOLE, "joint", "versions")
BRACKET = (
    *("lower", "upper", "gain", "gain_interval", "margin", "alpha", "inputs", "split"),
    *("saturated", "flagged", "missing"),
)
SAID = ("question", "verdict", "sentence", "effect", "value", "interval", "p_value", "message")
ROW = (*("split", "metric", "value", "standard_error", "p_value", "source", "message", "unit"),)
VERSIONS = ("python", "vaebench", "torch", "numpy", "scipy")
PAGE = Path(__file__).parents[3] / "docs" / "json.md"


def refuse(constant):
    raise AssertionError(f"{constant} is no JSON")


def printed(capfd):
    return json.loads(capfd.readouterr().out, parse_constant=refuse)


@pytest.fixture
def measured(monkeypatch):
    """Each audit finds what is set here: verdicts in their order, a gain, and an upper end."""
    words = ["undecided"]

    def found(archive, prior, aside, threads, *, always, margin, alpha, repeats):
        verdict = words.pop(0) if len(words) > 1 else words[0]
        aside.print("aside")
        rows = [
            Measurement("sample", "certified_kl", 0.25, 0.05),
            Measurement("sample", "certified_kl_lower", 0.125),
            Measurement("sample", "certified_kl_upper", None, message="needs posteriors"),
            Measurement("sample", "certified_inputs", 200.0),
        ]
        first = Answer("is it safe?", verdict, "So it is.", "KL", 0.25, (0.125, float("inf")))
        last = Answer("what would help", "more", "Do more.")
        return Audited(archive, prior, rows, [first, last], alpha=alpha, margin=margin)

    monkeypatch.setattr("bench.commands.audit.audit_archive", found)
    return words


@pytest.fixture
def bare(tmp_path):
    np.savez(tmp_path / "z.npz", z=gaussian(0, shape=(60, 2)))
    return tmp_path / "z.npz"


@pytest.fixture
def conditioned(tmp_path):
    labels = np.arange(60) % 3
    np.savez(tmp_path / "c.npz", z=gaussian(0, shape=(60, 2)), conditions=labels)
    return tmp_path / "c.npz"


def test_the_fields_of_version_1_are_kept(measured, bare, conditioned, capfd):
    for path, extra, row in ((bare, (), ROW), (conditioned, ("condition",), ("condition", *ROW))):
        assert run(path, "--json") == 0
        found = printed(capfd)
        assert found["schema"] == SCHEMA and found["versions"].keys() == set(VERSIONS)
        assert tuple(found) == (*WHOLE, "rows")
        for one in found["conditions"] if extra else [found]:
            assert set(one) >= set(ANSWER) and set(one["bracket"]) == set(BRACKET)
            assert all(tuple(said) == SAID for said in one["answers"])
        if extra:
            assert all(tuple(one) == ANSWER for one in found["conditions"])
        assert all(set(cells) == set(row) for cells in found["rows"])


def test_the_page_names_every_field():
    told = set(re.findall(r"`(\w+)`", PAGE.read_text(encoding="utf-8")))
    assert told >= {*WHOLE, *BRACKET, *SAID, *ROW, *VERSIONS, "rows", "name", "version"}


def test_the_answer_stands_in_it_and_what_is_null_says_why(measured, bare, capfd):
    measured[:] = ["no"]
    assert run(bare, "--json", "--margin", 0.1, "--alpha", 0.01, "--fail-on", "no") == 1
    found = printed(capfd)
    assert found["question"] == "May I sample from N(0, I)?"
    assert (found["verdict"], found["ok"], found["sentence"]) == ("no", False, "So it is.")
    assert found["advice"] == "Do more." and found["read"] == "z from z, 60 x 2"
    assert found["inputs"] == {"sample": 60} and found["conditions"] is None
    assert found["bracket"] == {
        "lower": 0.125,
        "upper": None,
        "gain": 0.25,
        "gain_interval": pytest.approx([0.152, 0.348]),
        "margin": 0.1,
        "alpha": 0.01,
        "inputs": 200,
        "split": "sample",
        "saturated": False,
        "flagged": False,
        "missing": {"upper": "needs posteriors"},
    }
    first = found["answers"][0]
    assert (first["interval"], first["message"]) == ([0.125, None], "the interval has no upper end")


@pytest.mark.parametrize(
    ("words", "worst", "ok", "code"),
    [
        (["yes", "yes", "yes"], "yes", True, 0),
        (["yes", "undecided", "yes"], "undecided", None, 1),
        (["undecided", "flagged", "yes"], "flagged", None, 1),
        (["flagged", "no", "yes"], "no", False, 1),
    ],
)
def test_each_condition_has_its_answer_and_the_worst_is_that_of_all(
    words, worst, ok, code, measured, conditioned, capfd
):
    measured[:] = words
    assert run(conditioned, "--json", "--fail-on", "undecided") == code
    found = printed(capfd)
    assert (found["verdict"], found["ok"]) == (worst, ok)
    assert f"{worst} {words.count(worst)}" in found["sentence"]
    assert found["question"] == "May I sample from N(0, I) given the condition?"
    assert (found["bracket"], found["advice"], found["alpha"]) == (None, None, 0.025)
    assert [one["condition"] for one in found["conditions"]] == [0, 1, 2]
    assert [one["verdict"] for one in found["conditions"]] == words
    for one in found["conditions"]:
        assert one["bracket"]["alpha"] == pytest.approx(0.025 / 3)
        assert (one["inputs"], one["advice"]) == ({"sample": 20}, "Do more.")
    assert [row["condition"] for row in found["rows"]] == [0] * 4 + [1] * 4 + [2] * 4


def test_a_condition_that_was_chosen_is_named(measured, conditioned, capfd):
    assert run(conditioned, "--json", "--condition", 1) == 0
    found = printed(capfd)
    assert (found["condition"], found["conditions"], found["alpha"]) == (1, None, 0.025)
    assert found["bracket"]["alpha"] == pytest.approx(0.025 / 3)
    assert "condition" not in found["rows"][0]


def test_what_the_command_prints_is_what_a_report_in_python_holds(tmp_path, capfd):
    path = posterior(tmp_path / "p.npz")
    assert run(path, "--json", "--margin", 0.2) == 0
    found = printed(capfd)
    arrays = np.load(path)
    pair = arrays["heldout_mean"], arrays["heldout_scale"]
    report = answers(arrays["mean"], arrays["scale"], pair, margin=0.2)
    again = json.loads(report.to_json(), parse_constant=refuse)
    assert found["read"].startswith("mean from mean, scale from scale, 200 x 2; held out: mean ")
    assert again["read"] is None
    assert found | {"read": None} == again


@pytest.mark.parametrize("word", ["no", "undecided", "flagged", "yes"])
def test_quiet_leaves_the_exit_code_alone(word, measured, bare, conditioned, capfd):
    measured[:] = [word]
    for path in (bare, conditioned):
        for asked, failing in ((), ()), (("no",), ("no",)), (("undecided",), ("yes",)):
            options = [part for one in asked for part in ("--fail-on", one)]
            fails = word in failing if asked != ("undecided",) else word not in failing
            assert run(path, "--quiet", *options) == int(fails)
            assert capfd.readouterr() == ("", "")


def test_quiet_writes_what_was_asked_for_and_no_warning(measured, tmp_path, capfd):
    path, folder = tmp_path / "z.npz", tmp_path / "page"
    np.savez(path, z=gaussian(0).T)  # axes swapped
    assert run(path, "--json") == 0
    assert "are its axes swapped?" in capfd.readouterr().err
    assert run(path, "--quiet", "--json", "--report", folder) == 0
    out, err = capfd.readouterr()
    assert err == "" and (folder / "audit.md").is_file()
    assert [note.endswith("are its axes swapped?") for note in json.loads(out)["notes"]] == [True]


def test_quiet_still_says_what_is_wrong(bare, capfd):
    for wrong, said in (
        (("--margin", "0"), "vaebench: --margin must be a positive number of nats, got 0.0\n"),
        (("--report", str(bare)), f"vaebench: cannot write to {bare}: Not a directory; choose"),
        (("--fail-on", "maybe"), "vaebench: --fail-on must be no or undecided, got 'maybe'\n"),
    ):
        assert run(bare, "--quiet", *wrong) == 64
        out, err = capfd.readouterr()
        assert out == "" and err.startswith(said) and err.count("\n") == 1


def test_help_claims_no_more_of_a_margin_than_it_is(capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert run("--help") == 0
    out = " ".join(capfd.readouterr().out.split())
    assert "KL in nats that still counts as a match." in out and "no harm" not in out
    assert "Exit codes: 0 answered, whatever the answer; 1 what --fail-on names; 2 " in out
