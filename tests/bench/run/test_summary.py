import pytest

from bench.run.summary import Summary
from tests.bench.fakes import job
from tests.bench.run.runs import run_all


def test_nothing_to_measure_is_not_a_pass(folder, lines, clock):
    summary = run_all([], folder, lines)
    assert summary.exit_code == 2
    assert summary.line("page") == "nothing to run in 0.0s -> page"


@pytest.mark.parametrize("status", ["diverged", "failed", "timeout", "died", "missing"])
def test_one_cell_that_is_not_ok_is_not_a_pass(status):
    assert Summary(statuses={"a": "ok"}).exit_code == 0
    assert Summary(statuses={"a": "ok", "b": status}).exit_code == 2


def test_the_summary_names_cause_log_and_command(folder, lines, clock):
    jobs = [
        job("a", folder, does="raises", seeds=3),
        job("b", folder, does="diverges"),
    ]
    summary = run_all(jobs, folder, lines)
    for name in ("a", "b"):
        (folder / "logs" / f"{name}-0.log").write_text("Traceback ...")
    text = summary.text("results/digits.md", "vaebench run {x} --only {name}")
    assert text.splitlines()[:-2] == [
        "failed a seeds 0-2",
        "  cause: ValueError: scale must be positive, got min -0.3",
        f"  log:   {folder / 'logs' / 'a-0.log'}",
        "  again: vaebench run {x} --only a",
        "diverged b seed 0",
        "  cause: the loss was not finite at step 3",
        f"  log:   {folder / 'logs' / 'b-0.log'}",
    ]
    assert text.splitlines()[-1] == "1 ok, 1 diverged, 3 failed in 0.0s -> results/digits.md"
