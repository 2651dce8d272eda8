"""An audit answers in a dozen lines, and no number has two intervals."""

import dataclasses
import re

import numpy as np
import pytest

from bench.audit.archive import read_archive
from bench.audit.audit import Audited
from bench.audit.page import page
from bench.audit.short import LINES, show_conditions_shortly, show_shortly
from bench.audit.text import answer_cells, show
from bench.commands.printing import Out
from tests.bench.audit.test_audit import gaussian, posterior, run
from vaelib.audits.answers import Moments, answers_from
from vaelib.audits.audit import audit
from vaelib.stats.nulls import NormalNull


def audited(path, **arrays):
    """As the command audits a file, of few draws."""
    np.savez(path, **arrays)
    archive = read_archive(path)
    rows = audit(
        *archive.train,
        "normal",
        archive.heldout,
        null_draws=2,
        null=NormalNull(draws=99),
        test_rows=100,
    )
    moments = {"train": Moments.of(*archive.train)}
    if archive.heldout is not None:
        moments["test"] = Moments.of(*archive.heldout)
    return Audited(archive, "normal", rows, answers_from(rows, moments), seconds=1.0)


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """One that is answered no, one yes, one undecided with all that it could have seen."""
    path = tmp_path_factory.mktemp("audits") / "p.npz"

    def arrays(n, factor, held):
        given = {"mean": 0.8 * factor * gaussian(0, shape=(n, 2))}
        given["scale"] = np.full((n, 2), 0.6 * factor)
        if held:
            given["heldout_mean"] = 0.8 * factor * gaussian(1, shape=(held, 2))
            given["heldout_scale"] = np.full((held, 2), 0.6 * factor)
        return given

    return {
        "no": audited(path, **arrays(400, 2.0, 300)),
        "yes": audited(path, **arrays(1500, 1.0, 1500)),
        "undecided": audited(path, **arrays(150, 1.0, 0)),
    }


def printed(shown, one, width=None):
    """What a console of some width shows; no terminal where there is none."""
    console = Out(width=width or 80, force_terminal=bool(width), no_color=True, soft_wrap=True)
    with console.capture() as captured:
        shown(one, console)
    return re.sub(r"\x1b\[[\d;]*m", "", captured.get())


@pytest.mark.parametrize("verdict", ["no", "yes", "undecided"])
def test_the_answer_takes_a_dozen_lines_of_any_terminal(cases, verdict):
    one = cases[verdict]
    assert one.answers[0].verdict == verdict
    for width in (80, 100, 200):
        lines = printed(show_shortly, one, width).splitlines()
        assert len(lines) <= LINES and all(len(line) <= width for line in lines)
        assert lines[0].startswith(f"May I sample from N(0, I)? {verdict.upper()}. ")
        assert lines[-1].endswith("--all has every number and test. 1.0 s on 1 thread")
    lines = printed(show_shortly, one).splitlines()
    assert len(lines) == len(one.answers) and not any("…" in line for line in lines)
    for question in ("KL(q‖p)", "scale", "location", "correlation", "shape", "what would help"):
        assert sum(line.startswith(f"{question}: ") for line in lines) == 1
    assert not re.search("[┏┃│]", "".join(lines))


def test_what_was_read_as_what_is_one_line_of_an_answer(cases):
    said = "read: mean from z_mean, scale from exp(z_log_var / 2), 400 x 8; also there: a*b*"
    archive = dataclasses.replace(cases["no"].archive, said=said)
    one = dataclasses.replace(cases["no"], archive=archive)
    assert printed(show_shortly, one).splitlines()[-2] == said
    assert said in printed(show, one).splitlines()
    assert (
        printed(lambda x, out: show_conditions_shortly({1: x}, out), one).splitlines()[-2] == said
    )
    lines = printed(show_shortly, one, 80).splitlines()
    assert len(lines) <= LINES and any(line.startswith("read: mean from z_mean") for line in lines)
    assert r"also there: a\*b\*" in page(one, "p.npz", [])
    assert "read: " not in printed(show, cases["no"])


def test_where_there_is_little_room_a_sentence_is_left_out_and_never_the_answer(cases):
    one = cases["undecided"]
    longer = dataclasses.replace(
        one.answers[0], sentence=one.answers[0].sentence + " Sentence of many words." * 40
    )
    told = dataclasses.replace(one, answers=[longer, *one.answers[1:]])
    lines = printed(show_shortly, told, 80).splitlines()
    assert len(lines) == LINES
    text = " ".join(lines)
    assert "? UNDECIDED. " in text and " Sentence of many words. … KL(q‖p): " in text
    assert "scale " in text and "what would help: " in text


def test_all_of_it_begins_and_ends_with_the_answer(cases):
    lines = printed(show, cases["no"]).splitlines()
    assert lines[0] == lines[-1] and lines[0].startswith("May I sample from N(0, I)? NO. ")
    assert len(lines) > 60 and any("ksd_test" in line for line in lines)


@pytest.mark.parametrize("verdict", ["no", "yes", "undecided"])
def test_a_number_has_one_interval(cases, verdict):
    """What tables print with ±, answers do too; and no interval stands beside another's number."""
    one = cases[verdict]
    texts = [printed(show, one, 250), page(one, "p.npz", [])]
    for metric in ("certified_kl", "shape_gain", "hole_mass"):
        for text in texts:
            lines = [line for line in text.splitlines() if re.search(rf"[│|] {metric} ", line)]
            told = {match[1] for line in lines if (match := re.search(r"(\S+ ± \S+)", line))}
            assert not any(re.search(r"\d to \d", line.partition(metric)[2]) for line in lines)
            assert len(told) <= len(one.splits)
    best = answer_cells(one, one.answers[0])
    assert best[3] == "" or re.fullmatch(r"(\S+ to|at least) \S+ nats", best[3])


def test_of_conditions_there_is_a_line_each_and_of_many_the_worst(cases):
    def told(audits, console):
        show_conditions_shortly(audits, console)

    two = printed(told, {3: cases["yes"], 5: cases["no"]}).splitlines()
    assert two[0] == "May I sample from N(0, I) given the condition? yes 1, no 1."
    assert two[1].startswith("3: yes, n = 1,500, KL(q‖p) ") and two[2].startswith("5: no, n = 300")
    assert two[3:] == ["--all has what would help, --condition 3 one of them."]
    many = dict.fromkeys(range(23), cases["undecided"]) | {17: cases["no"]}
    lines = printed(told, many, 80).splitlines()
    assert lines[1].startswith("17: no, ")
    assert lines[9] == "15 more, none answered worse than these."
    assert len(lines) <= LINES


def test_the_command_prints_the_answer_alone_unless_all_is_asked_for(
    cases, tmp_path, capfd, monkeypatch
):
    monkeypatch.setattr("bench.commands.audit.audit_archive", lambda *_, **__: cases["no"])
    path = posterior(tmp_path / "p.npz")
    assert run(path) == 0
    short = capfd.readouterr().out.splitlines()
    assert len(short) <= LINES
    assert run(path, "--all") == 0
    every = capfd.readouterr().out.splitlines()
    assert every[0] == every[-1] == short[0] and len(every) > 5 * LINES
    assert run("--plan", "--dimensions", 2, "--all") == 64
    assert "--plan takes --dimensions, --margin and --json alone" in capfd.readouterr().err
