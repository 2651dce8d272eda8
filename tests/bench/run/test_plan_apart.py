import os
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench.cli import main
from bench.errors import MatrixError
from bench.run import plan_apart
from bench.run.plan_apart import planned
from bench.run.request import Request
from tests.faults.matrices import document, importing, toml

NEVER = "from threading import Event\nEvent().wait()\n"


def written(folder, code, **changes):
    """A matrix in a folder with a module of a user's own, `mine`."""
    (folder / "own_code.py").write_text(code)
    path = folder / "matrix.toml"
    path.write_text(toml(document(**changes)))
    return path


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("import os; os._exit(0)", "with code 0"),
        ("import os; Part = lambda *_: os._exit(3)", "with code 3"),
        ("import ctypes; ctypes.string_at(0)", "by signal 11 (Segmentation fault)"),
    ],
)
@pytest.mark.parametrize("command", ["run", "check"])
def test_code_that_ends_its_process_is_one_line_and_exit_code_64(
    code, how, command, tmp_path, capfd
):
    path = written(tmp_path, code, prior={"name": "own_code:Part"})
    baseline = tmp_path / "rows.csv"
    baseline.touch()
    options = {"run": ["--results"], "check": ["--baseline", f"{baseline}", "--results"]}[command]
    with importing(tmp_path):
        assert main([command, f"{path}", *options, f"{tmp_path / 'results'}"]) == 64
    said = capfd.readouterr()
    assert said.out == "" and said.err == (
        f"vaebench: base.prior: expected code that can be imported and used, got the end of its "
        f"process {how}; remove what ends it\n"
    )
    assert not (tmp_path / "results").exists()


def test_code_that_never_comes_back_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(plan_apart, "_LONGEST", 1.0)
    path = written(tmp_path, NEVER, prior={"name": "own_code:Part"})
    with importing(tmp_path), pytest.raises(MatrixError, match=r"^base\.prior: .* in 2 s, got no"):
        planned(Request(f"{path}", timeout=2.0))  # why: nothing that is waited for ever comes


def test_all_keys_that_name_code_are_named(tmp_path):
    path = written(tmp_path, "import os; os._exit(0)", encoder={"name": "own_code:Part"})
    at = r"^base\.encoder and --set prior\.name: expected code"
    with importing(tmp_path), pytest.raises(MatrixError, match=at):
        planned(Request(f"{path}", overrides=('prior.name="own_code:Part"',)))


HARM = """
import atexit, os, threading
import torch
from vaelib.priors import Normal as Part
print("loud")
atexit.register(os._exit, 0)
threading.Thread(target=threading.Event().wait).start()
torch.set_float32_matmul_precision("medium")
os.chdir("/")
os.environ.clear()
os.fork()
"""


def test_nothing_that_code_does_to_its_process_reaches_the_command(tmp_path, capfd, monkeypatch):
    path = written(tmp_path, HARM, prior={"name": "own_code:Part"})
    monkeypatch.chdir(tmp_path)
    environment, before = dict(os.environ), set(threading.enumerate())
    with importing(tmp_path):
        plan = planned(Request(f"{path}"))
        assert "own_code" not in sys.modules
    assert capfd.readouterr() == ("", "")
    assert {one.name for one in tmp_path.iterdir()} <= {"matrix.toml", "own_code.py", "__pycache__"}
    assert os.getcwd() == f"{tmp_path}" and dict(os.environ) == environment
    assert torch.get_float32_matmul_precision() == "highest"
    assert set(threading.enumerate()) == before
    assert {job.place for job in plan.jobs} == {f"{tmp_path}"}
    (results,) = {job.to_dict()["results"] for job in plan.jobs}
    assert results == f"{tmp_path / 'vaebench-results' / 'small'}"


OWN = """
from bench.metrics.metric import Metric
from vaelib.priors import Normal as Part
mine = Metric("mine", "nats", None, None, "m", "mine", "me", measure=len)
"""


def test_a_plan_made_apart_is_the_one_that_is_made_here(tmp_path):
    """Of own metrics it has all but the function."""
    path = written(tmp_path, OWN, prior={"name": "own_code:Part"})
    path.write_text(path.read_text().replace("[matrix]", '[matrix]\nmetrics = ["own_code:mine"]'))
    request = Request(f"{path}", seeds=3)
    with importing(tmp_path):
        asked = plan_apart._Asked(request, "cpu", os.getcwd())
        apart, here = planned(request), plan_apart._plan(asked)
    assert apart.jobs == here.jobs and apart.cells == here.cells and apart.codes == here.codes
    assert list(apart.matrix.metrics) == list(here.matrix.metrics)
    assert apart.matrix.metrics["mine"] == replace(here.matrix.metrics["mine"], measure=None)
    assert replace(apart.matrix, metrics=here.matrix.metrics) == here.matrix


@pytest.mark.parametrize(
    "error", ["SystemExit(0)", "KeyboardInterrupt()", "BrokenPipeError('gone')", "UserError('no')"]
)
def test_whatever_code_raises_is_one_line_with_its_key_and_a_traceback(error, tmp_path, capfd):
    code = f"from bench.errors import UserError\nraise {error}\n"
    path = written(tmp_path, code, prior={"name": "own_code:Part"})
    with importing(tmp_path):
        assert main(["run", f"{path}", "--dry-run", "--results", f"{tmp_path / 'r'}"]) == 64
        said, name = capfd.readouterr().err.split("; the traceback is in ")
        assert "own_code.py" in Path(name.strip()).read_text()
    assert said.startswith('vaebench: base.prior.name: cannot import "own_code:Part" (')


def test_a_colon_in_the_name_of_a_study_names_no_code(tmp_path):
    path = written(tmp_path, "")
    path.write_text(path.read_text().replace('"width"', '"width: of one"'))
    assert list(plan_apart._keys(Request(f"{path}"))) == []
