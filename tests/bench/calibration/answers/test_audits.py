"""The answers' error rates: what is planned, what a row holds, what is counted, what is read."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from bench.calibration import run as validate
from bench.calibration.answers import audits
from bench.calibration.answers.audits import answer_rows, answer_tasks, known_answers
from bench.calibration.answers.rates import answer_rates, could_be_yes
from bench.calibration.experiments import Answer
from bench.calibration.page import write_validity
from bench.calibration.pages.answers import answer_opening, answer_parts, answer_sentence
from bench.calibration.run import FULL, run
from bench.calibration.task import Task
from bench.calibration.verdicts import summary
from bench.cli import main
from bench.commands.folder import claim
from bench.rows import csv_bytes

COMMITTED = Path(__file__).parents[4] / "results" / "validity"
EXCESS = r"excess (KL|given scale)|marginal_kl_excess"
LAWS = {kind.name: kind for kind in [*audits.MATCHES, *audits.MISMATCHES]}
WORLD = "world: two points"


def planned():
    for task in answer_tasks(quick=False):
        if task.experiment.kl is not None:
            yield LAWS[task.experiment.kind].family, task.experiment, task.repetitions


def test_every_kind_of_match_is_audited_often_enough():
    per, far = Counter(), set()
    for family, setting, count in planned():
        if family == "match":
            per[setting.kind, setting.points] += count
            if setting.dimensions >= 64 and setting.points >= 1000:
                far.add(setting.kind)
    kinds = {kind for kind, _ in per}
    assert len(kinds) >= 10 and sum(per.values()) > 2000
    assert {n for _, n in per} == {50, 300, 1000, 5000}
    assert len(per) == 4 * len(kinds) and min(per.values()) >= 40
    assert far == kinds


def test_half_of_the_laws_at_the_margin_are_not_gaussian():
    at = Counter()
    for family, setting, count in planned():
        if setting.kl == 0.05:
            at[family] += count
    assert sum(at.values()) > 2000
    assert at["gaussian"] <= sum(at.values()) / 2
    assert {setting.kl for family, setting, _ in planned()} == set(audits.KLS)


def test_the_first_part_holds_every_setting():
    tasks = answer_tasks(quick=False)
    assert [task.part for task in tasks] == sorted(task.part for task in tasks)
    first = {task.experiment for task in tasks if task.part == 0}
    assert first == {task.experiment for task in tasks}


@pytest.fixture(scope="module")
def few():
    """Rows of three small tasks."""
    tasks = [
        Task(Answer("one scale", 50, 2, 0.0), 2),
        Task(Answer("two clusters on an axis", 50, 2, 0.05), 2, part=1),
        Task(Answer("draws of a flow prior", 50, 1, 0.0), 2),
    ]
    return {task: answer_rows(task) for task in tasks}


def table(results):
    return pd.DataFrame([row for rows in results.values() for row in rows])


def test_a_row_says_what_was_audited_and_what_came_of_it(few):
    frame = table(few)
    assert frame["kl"].tolist() == [0.0, 0.0, 0.05, 0.05, 0.0, 0.0]
    assert frame["family"].tolist() == ["match"] * 2 + ["other"] * 2 + ["match"] * 2
    assert (frame["N"] == 100).all() and (frame["inputs"] == 50).all()
    assert frame["verdict"].isin(["no", "undecided"]).all()
    assert (frame["lower"] >= 0).all() and frame["p"].between(0, 1).all()
    assert frame["upper"].notna().tolist() == [True] * 4 + [False] * 2
    # diagnostics stand beside N(0, I) in the first part alone
    assert frame["excess"].notna().tolist() == [True] * 2 + [False] * 4
    assert frame["seed"].is_unique


def test_rows_come_again(few):
    task = next(iter(few))
    assert csv_bytes(pd.DataFrame(answer_rows(task))) == csv_bytes(pd.DataFrame(few[task]))


def test_a_table_gives_its_tasks_back(few, tmp_path):
    of_world = dict(few[Task(Answer("one scale", 50, 2, 0.0), 2)][0])
    of_world |= {"kind": WORLD, "family": "world", "D": 1, "n": 1500, "kl": 1.609}
    few = few | {Task(Answer(WORLD, 1500, 1, None), 1): [of_world]}
    path = tmp_path / "answers.csv"
    path.write_bytes(csv_bytes(table(few)))
    read = dict(known_answers(pd.read_csv(path)))
    assert list(read) == list(few)
    assert csv_bytes(table(read)) == path.read_bytes()


def test_rows_of_other_code_are_not_taken(few):
    assert dict(known_answers(table(few).assign(code="another"))) == {}


def equal_audits(count, **columns):
    """A table of equal audits."""
    row = {"kind": "one scale", "family": "match", "n": 1000, "N": 2000, "D": 2, "part": 1}
    row |= {"seed": 0, "kl": 0.0, "code": "x", "lower": 0.0, "upper": 0.01, "gain": -0.001}
    row |= {"se": 0.001, "p": 1.0, "inputs": 1000, "saturated": 0, "verdict": "yes"}
    row |= dict.fromkeys(["excess", "excess_se", "excess_p", *audits.PANEL], float("nan"))
    return pd.DataFrame([row | columns] * count)


def small_table(wrong=0):
    """Two hundred matches of which some are called none, and as many laws at three KL."""
    no = {"verdict": "no", "lower": 0.07}
    beyond = {"kind": "ring in a plane", "family": "other", "kl": 0.06, "upper": 0.09}
    beyond |= {"verdict": "undecided"}
    rare = {"kind": "rare far mode", "family": "rare", "kl": 0.06, "upper": 0.02}
    looked = {"part": 0, "excess": 0.2, "excess_se": 0.01, "excess_p": 0.05}
    tests = dict.fromkeys(audits.PANEL, 0.3)
    edge = {"family": "gaussian", "kind": "too wide", "kl": 0.05, "verdict": "undecided"}
    world = {"kind": WORLD, "family": "world", "kl": 1.609, "upper": 2.0, "verdict": "no"}
    parts = [
        equal_audits(190 - wrong),
        equal_audits(wrong, **no),
        equal_audits(10, **looked, **tests),
        equal_audits(40, **edge, upper=0.07),
        equal_audits(40, **beyond),
        equal_audits(20, **beyond | {"upper": 0.055, "inputs": 50}),
        equal_audits(10, **rare),
        equal_audits(6, **beyond | {"kl": 0.2, "gain": 0.01, "upper": 0.3}),
        equal_audits(3, **world, gain=1.5, lower=1.4),
    ]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def rate(rates, what, where):
    row = rates[(rates["what"] == what) & (rates["where"] == where)]
    assert len(row) == 1
    return row.iloc[0]


def test_errors_are_counted_where_they_could_happen():
    rates = answer_rates(small_table())
    row = rate(rates, "“no”", "KL 0")
    assert (row["events"], row["audits"]) == (0, 200) and not row["outside"]
    assert row["high"] == pytest.approx(0.018275, abs=1e-6)
    # the 20 of 50 inputs could not be called a match
    beyond = rate(rates, "“yes”", "KL 0.06, not in few inputs")
    assert (beyond["events"], beyond["audits"]) == (0, 40)
    rare = rate(rates, "“yes”", "KL 0.06, in at most 5 % of the inputs")
    assert (rare["events"], rare["audits"]) == (10, 10) and not rare["outside"]
    upper = rate(rates, "upper end below the KL", "other KL, not in few inputs")
    assert (upper["events"], upper["audits"]) == (20, 109)
    assert could_be_yes(equal_audits(1, saturated=1)).tolist() == [False]


@pytest.mark.parametrize(("wrong", "outside"), [(5, False), (20, True)])
def test_more_wrong_answers_than_the_band_holds_lie_outside(wrong, outside):
    rates = answer_rates(small_table(wrong))
    assert rate(rates, "“no”", "KL 0")["outside"] == outside
    ends = rate(rates, "proved lower end above the KL", "KL 0")
    assert ends["events"] == wrong and ends["outside"] == outside


def test_a_wrong_word_in_a_world_is_counted():
    word = ("a wrong word", "the named worlds")
    assert rate(answer_rates(small_table()), *word)["events"] == 0
    frame = small_table()
    frame.loc[frame["family"] == "world", "verdict"] = "yes"
    assert rate(answer_rates(frame), *word)["events"] == 3


def test_the_sentence_is_made_of_the_counts():
    sentence = answer_sentence(small_table(2))
    assert "Of 200 exact matches of 1 kind (n = 1,000, D = 2)" in sentence
    assert "“no” was said of 2 (1.00%)" in sentence
    assert "Of 40 laws whose KL is 0.05 nats exactly" in sentence and "0% of them" in sentence
    assert "“yes” was said of none out of 40 where it was possible" in sentence
    assert "10 (100.00%) out of 10 whose KL lies in at most 5 % of the inputs" in sentence


def said(parts):
    return [block for part in parts for block in (*part.found, *part.blocks)]


def test_the_page_says_how_many_were_run_and_what_is_not_seen():
    table = small_table()
    parts = answer_parts(table)
    text = "\n\n".join([*answer_opening(table, FULL, quick=False), *said(parts)])
    assert "None was flagged." in text
    table.loc[table.index[:3], "verdict"] = "flagged"
    kind = table["kind"].iloc[0]
    of = (table["kind"] == kind).sum()
    text = "\n\n".join([*answer_opening(table, FULL, quick=False), *said(answer_parts(table))])
    assert f"Flagged although independent: {kind} (3 of {of})." in text
    assert "319 of " in text and "that code goes on where it was" in text
    assert "less than a tenth in 1: ring in a plane (D = 2)" in text
    assert "in 10 of 10 exact matches" in text
    assert "two points" in text and "no 3" in text


def test_the_table_of_worlds_shows_the_ends_that_could_pass_the_kl_and_counts_those_that_did():
    ends = [(1.2, 1.9), (1.4, 2.0), (1.7, 1.5)]
    seeds = [equal_audits(1, kind=WORLD, family="world", kl=1.609, verdict="no") for _ in ends]
    rows = [one.assign(lower=low, upper=high) for one, (low, high) in zip(seeds, ends, strict=True)]
    text = "\n\n".join(said(answer_parts(pd.concat(rows))))
    lines, cells = text.splitlines(), {}
    heads = [one for one in lines if one.startswith("| world ")]
    of_world = [one for one in lines if one.startswith("| two points ")]
    for pair in zip(heads, of_world, strict=True):
        cells |= dict(zip(*([c.strip() for c in one.split("|")] for one in pair), strict=True))
    assert (cells["lower end, largest"], cells["upper end, smallest"]) == ("1.7", "1.5")
    assert cells["passed the KL"] == "1 and 1 of 3"
    assert "Of 3 audits the proved lower end lay above the KL in 1, and of the 3 with" in text


def test_the_page_calls_the_excess_a_diagnostic_wherever_it_names_it(tmp_path):
    claim(tmp_path, [FULL])
    (tmp_path / FULL).mkdir()
    (tmp_path / FULL / "answers.csv").write_bytes(csv_bytes(small_table()))
    for table in ("excess", "intervals"):
        (tmp_path / FULL / f"{table}.csv").write_bytes((COMMITTED / f"{table}.csv").read_bytes())
    write_validity(tmp_path, FULL)
    text = "\n".join(page.read_text() for page in tmp_path.rglob("*.md"))
    named = [one for one in text.splitlines() if re.search(EXCESS, one, re.IGNORECASE)]
    assert len(named) > 8 and all("diagnostic" in line for line in named)


@pytest.mark.parametrize(("wrong", "code"), [(0, 1), (20, 1)])
def test_the_page_opens_with_the_question(tmp_path, wrong, code):
    """The upper end of the table lies below the KL too often, whatever the answers are."""
    claim(tmp_path, [FULL])
    (tmp_path / FULL).mkdir()
    (tmp_path / FULL / "answers.csv").write_bytes(csv_bytes(small_table(wrong)))
    assert main(["validate", "--rebuild", "--results", str(tmp_path)]) == code
    assert (tmp_path / "validity.md").read_text().startswith("# How often is the answer wrong?\n\n")
    assert summary(tmp_path / FULL)[0] == 1 + 2 * (wrong == 20)


def test_exit_code_0_where_all_bands_hold(tmp_path):
    claim(tmp_path, [FULL])
    (tmp_path / FULL).mkdir()
    (tmp_path / FULL / "answers.csv").write_bytes(csv_bytes(equal_audits(50)))
    assert main(["validate", "--rebuild", "--results", str(tmp_path)]) == 0
    page = write_validity(tmp_path, FULL)
    assert "**Nothing lies outside its band**: 0 of " in page.read_text()


def test_pieces_of_a_run_add_up_on_any_machine(tmp_path, monkeypatch, few):
    """With no time each call runs one task; what the table holds is not run again."""
    ran = []

    def rows(task):
        ran.append(task)
        return few[task]

    subject = replace(validate.SUBJECTS["answers"], tasks=lambda quick: list(few), rows=rows)
    monkeypatch.setitem(validate.SUBJECTS, "answers", subject)
    lines = []
    for done in (1, 2, 3):
        run(tmp_path, only=["answers"], minutes=0, say=lines.append)
        (tmp_path / "cache" / f"{FULL}.jsonl").unlink()  # another machine has the table alone
        assert ran == list(few)[:done]
        held = pd.read_csv(tmp_path / FULL / "answers.csv")
        assert len(held) == 2 * done
        assert not (tmp_path / FULL / "levels.csv").exists()
    assert "2 tasks are left; the same command goes on with them" in lines
    assert (tmp_path / FULL / "answers.csv").read_bytes() == csv_bytes(table(few))
    run(tmp_path, only=["answers"], say=lines.append)
    assert ran == list(few)


def test_only_known_tables_can_be_made(tmp_path, capsys):
    assert main(["validate", "--only", "answer", "--results", str(tmp_path)]) == 64
    assert "--only must be one of answers, estimators, " in capsys.readouterr().err
