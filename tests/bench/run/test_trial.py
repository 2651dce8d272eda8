import pytest

from bench.cli import main
from bench.errors import MatrixError
from bench.run.request import Request
from bench.run.trial import check_code
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
    options = {"run": ["--results"], "check": ["--baseline", "rows.csv", "--results"]}[command]
    with importing(tmp_path):
        assert main([command, f"{path}", *options, f"{tmp_path / 'results'}"]) == 64
    said = capfd.readouterr()
    assert said.out == "" and said.err == (
        f"vaebench: base.prior: expected code that can be imported and used, got the end of its "
        f"process {how}; remove what ends it\n"
    )
    assert not (tmp_path / "results").exists()


def test_code_that_never_comes_back_is_given_up(tmp_path):
    path = written(tmp_path, NEVER, prior={"name": "own_code:Part"})
    with importing(tmp_path), pytest.raises(MatrixError, match=r"^base\.prior: .* in 2 s, got no"):
        check_code(Request(f"{path}", timeout=2.0))  # why: nothing that is waited for ever comes


def test_all_keys_that_name_code_are_named(tmp_path):
    path = written(tmp_path, "import os; os._exit(0)", encoder={"name": "own_code:Part"})
    at = r"^base\.encoder and --set prior\.name: expected code"
    with importing(tmp_path), pytest.raises(MatrixError, match=at):
        check_code(Request(f"{path}", overrides=('prior.name="own_code:Part"',)))


@pytest.mark.parametrize("name", ["normal", "own_code:Part"])
def test_what_does_not_end_its_process_is_left_to_the_plan(name, tmp_path, capfd):
    """Nothing is printed, and what code raises is raised where its traceback is kept."""
    code = "print('loud')\nraise SystemExit(0)\n"
    path = written(tmp_path, code, prior={"name": name})
    with importing(tmp_path):
        check_code(Request(f"{path}"))
    assert capfd.readouterr() == ("", "")
