from dataclasses import replace

import pandas as pd
import pytest
import torch

from bench.calibration import levels
from bench.calibration import run as validate
from bench.calibration.estimators import estimator_cases
from bench.calibration.experiments import Estimation, Level
from bench.calibration.page import write_validity
from bench.calibration.run import QUICK, SUBJECTS, Subject, perform, run
from bench.calibration.task import Task
from bench.calibration.verdicts import judged, read_table, summary
from bench.cli import main
from bench.commands.folder import claim
from bench.metrics.registry import METRICS
from vaelib import audit

TABLES = ("answers", "estimators", "excess", "levels", "power", "intervals")


def silent(_):
    pass


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """The quick form, from start to end."""
    results = tmp_path_factory.mktemp("results")
    claim(results, [QUICK, f"{QUICK}.md"])
    (results / "validity.md").write_text("the full page")
    run(results, quick=True, workers=1, say=silent)
    write_validity(results, QUICK)
    return results


@pytest.mark.slow
def test_nothing_lies_outside_its_band(quick):
    assert summary(quick / QUICK)[0] == 0, (quick / "validity-quick.md").read_text()


@pytest.mark.slow
def test_the_quick_form_is_called_so_and_leaves_the_full_page_alone(quick):
    assert (quick / "validity.md").read_text() == "the full page"
    page = (quick / "validity-quick.md").read_text()
    assert page.startswith("# How often is the answer wrong? (quick form)")
    assert "\n\n## Is the suite itself calibrated?\n\n" in page
    assert "**Nothing lies outside its band**: 0 of " in page
    others = "\n".join(path.read_text() for path in (quick / QUICK).glob("*.md"))
    for name in levels.TESTS:
        assert name in others
    for name in ("excess", "bias", "levels", "power"):
        assert f"(figures/{name}.png)" in others
        assert (quick / QUICK / "figures" / f"{name}.png").stat().st_size > 5000


@pytest.mark.slow
def test_the_page_comes_back_from_its_tables_byte_for_byte(quick, capsys):
    def content():
        files = [quick / "validity-quick.md", *sorted((quick / QUICK).rglob("*.*"))]
        return {file: file.read_bytes() for file in files}

    before = content()
    assert main(["validate", "--quick", "--rebuild", "--results", str(quick)]) == 0
    assert content() == before
    assert "0 of " in capsys.readouterr().out


@pytest.mark.slow
def test_a_rejection_too_many_is_exit_code_1(quick, tmp_path, capsys):
    claim(tmp_path, [QUICK])
    for subject in TABLES:
        table = pd.read_csv(quick / QUICK / f"{subject}.csv")
        if subject == "levels":
            table.loc[table["test"] == "ks_test", "rejections"] += 40
        (tmp_path / QUICK).mkdir(exist_ok=True)
        table.to_csv(tmp_path / QUICK / f"{subject}.csv", index=False)
    assert main(["validate", "--quick", "--rebuild", "--results", str(tmp_path)]) == 1
    assert "2 of 26 levels" in capsys.readouterr().out
    page = (tmp_path / "validity-quick.md").read_text()
    assert "**2 lie outside**" in page and page.count("**1**") == 2
    assert "**above**" in (tmp_path / QUICK / "levels-counts.md").read_text()


def test_there_must_be_tables_to_rebuild_from(tmp_path, capsys):
    assert main(["validate", "--rebuild", "--results", str(tmp_path)]) == 64
    assert "leave --rebuild out" in capsys.readouterr().err
    assert main(["validate", "--workers", "0"]) == 64


def test_every_test_and_estimator_that_the_audit_prints_is_looked_at():
    mean, other = torch.randn(2, 120, 2, generator=torch.Generator().manual_seed(0))
    rows = audit(mean, mean.abs() + 0.1, heldout=(other, other.abs() + 0.1), null_draws=3)
    metrics = {row.metric for row in rows}
    tests = {name for name in metrics if name.endswith("_test")}
    looked_at = {*levels.TESTS, "certified_kl_test"}  # whose level the answers' table counts
    assert tests <= looked_at
    assert {name for name in METRICS if name.endswith("_test")} <= looked_at
    estimators = {case.estimator for case in estimator_cases().values()}
    by_definition = {"saturated", "certified_inputs"}  # a comparison, and a count
    elsewhere = {"marginal_kl_excess"}  # the table of the excess
    answers = {"certified_kl", "certified_kl_lower", "certified_kl_upper"}  # their table
    assert metrics - tests - estimators == by_definition | elsewhere | answers


@pytest.mark.parametrize("full", [True, False])
def test_tasks_are_distinct(full):
    tasks = [task for subject in SUBJECTS.values() for task in subject.tasks(not full)]
    assert len(set(tasks)) == len(tasks)
    assert all(task.repetitions > 1 for task in tasks)


def test_a_test_that_rejects_twice_as_often_is_found(monkeypatch):
    sound = levels.TESTS["ks_test"]

    def liberal(*arguments):
        outcome = sound(*arguments)
        return replace(outcome, p_value=outcome.p_value / 2)

    monkeypatch.setitem(levels.TESTS, "ks_test", liberal)
    rows = SUBJECTS["levels"].rows(Task(Level("ks_test", 100, 2, 199), 600))
    assert judged("levels", pd.DataFrame(rows))["outside"][0]


def fake(subject, first, second):
    """A subject whose only estimator has one mean in the first run and another in the second."""
    real = SUBJECTS[subject]

    def rows(task):
        row = real.rows(replace(task, repetitions=2, again=0))[0]
        mean = second if task.again else first
        numbers = {"oracle": 0.0, "mean": mean, "error": 0.1, "again": task.again}
        return [row | numbers | {"repetitions": task.repetitions}]

    return Subject(lambda quick: [real.tasks(quick)[0]], rows)


@pytest.mark.parametrize(("second", "outside"), [(0.05, 0), (0.5, 1)])
def test_what_falls_out_is_run_again_and_the_second_run_decides(
    tmp_path, monkeypatch, second, outside
):
    monkeypatch.setattr(validate, "SUBJECTS", {"estimators": fake("estimators", 0.9, second)})
    lines = []
    run(tmp_path, quick=True, workers=1, say=lines.append)
    assert any("1 task is run again, with 4 times the repetitions" in line for line in lines)
    kept = pd.read_csv(tmp_path / QUICK / "estimators.csv")
    assert kept["mean"].tolist() == [0.9, second]
    assert kept["repetitions"].tolist() == [40, 160]
    decided = read_table(tmp_path / QUICK, "estimators")
    assert decided["mean"].tolist() == [second]
    assert decided["outside"].sum() == outside


@pytest.mark.slow
def test_workers_change_nothing():
    rate = Estimation("rate", "matched encoder, D = 2, N = 100, s = 0.1")
    gauge = Estimation("gauge_gain", "one Gaussian, D = 3")
    tasks = [Task(rate, 5), Task(gauge, 5), Task(Level("ksd_test", 30, 2, 19), 5, part=1)]
    alone, shared = (dict(perform(tasks, workers, silent)) for workers in (1, 2))
    assert alone == shared
