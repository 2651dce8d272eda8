"""Rows that later code measures again: what is compared, and what is said of it."""

import math

import pandas as pd
import pytest

from bench.calibration import again
from bench.calibration.again import again_sentence, rows_again
from bench.calibration.answers.audits import answer_rows, answers_code
from bench.calibration.experiments import Answer
from bench.calibration.pages.again import again_parts
from bench.calibration.task import Task

TASK = Task(Answer("one scale", 50, 2, 0.0), 2)


@pytest.fixture(scope="module")
def found():
    return answer_rows(TASK)


@pytest.fixture
def before(found, monkeypatch):
    monkeypatch.setattr(again, "answer_rows", lambda task: found)
    return [row | {"code": "0123456789ab"} for row in found]


def test_the_same_code_finds_the_same_rows(before, monkeypatch):
    monkeypatch.setattr(again, "answer_rows", answer_rows)
    table = pd.DataFrame(rows_again(TASK, before))
    assert len(table) == 2 and set(table["code_before"]) == {"0123456789ab"}
    assert again_sentence(table) == (
        "2 audits, taken at random, were measured again by the present code: every word is the "
        "same, the ends and the gain differ by up to 0 nats, p-values by 0."
    )


def test_what_differs_is_said(before):
    rows = [before[0] | {"lower": before[0]["lower"] + 0.25, "verdict": "no"}, before[1]]
    table = pd.DataFrame(rows_again(TASK, rows))
    text = again_sentence(table)
    assert "1 word is another" in text and "up to 0.25 nats" in text
    (part,) = again_parts(table)
    assert "| 0    |        2 |       1 |    0.25" in "\n".join(map(str, part.blocks))
    gone = pd.DataFrame(rows_again(TASK, [before[0] | {"upper": math.nan}, before[1]]))
    assert "up to inf nats" in again_sentence(gone)


def test_rows_of_later_code_name_it_once_that_is_not_the_present(before):
    table = pd.DataFrame(rows_again(TASK, before)).assign(code="ba9876543210")
    assert "by code of the hash `ba9876543210`:" in again_sentence(table)


def test_a_law_that_draws_other_latents_is_no_difference_but_an_error(before):
    with pytest.raises(ValueError, match="expected the audit of seed 7 of one scale.*measure"):
        list(rows_again(TASK, [before[0] | {"seed": 7}, before[1]]))


def test_the_command_takes_tasks_of_the_table_at_random(tmp_path, before, capsys):
    folder = tmp_path / "validity"
    folder.mkdir()
    pd.DataFrame(before).to_csv(folder / "answers.csv", index=False)
    again.main(3, tmp_path)
    written = pd.read_csv(folder / "again.csv")
    assert set(written["code"].astype(str)) == {answers_code()} and len(written) == 2
    assert "every word is the same" in capsys.readouterr().out
