"""Whatever a file holds and a disk does: one line and an exit code that is earned."""

import ast
import errno
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from bench.cli import main
from bench.commands import report
from bench.commands.folder import MARKER
from bench.report.blocks import Page
from bench.rows import write_rows
from bench.run.cell import run_block
from bench.run.store import Store
from bench.run.summary import Summary
from tests.bench.commands.test_report import MATRIX
from tests.bench.fakes import job_of
from tests.bench.synthetic import synthetic_rows
from tests.vaelib.test_files import leftover
from vaelib.files import write_atomically
from vaelib.sealed import CacheWarning

ROOT = Path(__file__).parents[2]
SMALL = """
[matrix]
name = "small"
seeds = 2
[base]
dataset = { name = "gaussian_mixture", size = 300, dimensions = 3 }
encoder = { name = "mlp", hidden = [8] }
decoder = { name = "mlp", hidden = [8] }
likelihood = { name = "gaussian", scale = 1.0 }
training = { steps = 10 }
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    rows = synthetic_rows(3)
    rows = rows[rows["config"].isin(["base", "latent_dim-3"]) & rows["metric"].ne("frechet")]
    for name in ("first", "second"):
        write_rows(folder / name / "rows.csv", rows)
        (folder / name / "matrix.toml").write_text(MATRIX.format(name=name), "utf-8")
    (folder / MARKER).write_text("first\nsecond\n", "utf-8")
    return folder


@pytest.fixture
def results(pages, tmp_path):
    return shutil.copytree(pages, tmp_path / "results")


@pytest.fixture
def unrendered(monkeypatch):
    """What a report writes, without the seconds that it takes to draw it."""
    monkeypatch.setattr(report, "pages", lambda matrix: [Page(f"{matrix.name}.md", "page", ())])
    monkeypatch.setattr(report, "predictors_page", lambda *_: Page("predictors.md", "page", ()))


def said(capfd, *arguments):
    """Exit code and the one line on standard error."""
    code = main([str(argument) for argument in arguments])
    error = capfd.readouterr().err
    assert error.startswith("vaebench: ") and error.count("\n") == 1, error
    return code, error


FULL, READ_ONLY = (errno.ENOSPC, "make room and run"), (errno.EROFS, "choose another path")
FILES = (errno.EMFILE, "allow more with `ulimit -n`")
LIMIT = (errno.EFBIG, "allow larger files with `ulimit -f`")
MACHINE = [(*FULL, 2), (*READ_ONLY, 64), (*FILES, 2), (*LIMIT, 2)]
MACHINE += [(errno.EIO, "run the same command again", 2)]


def refusing(number):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize(("number", "advice", "code"), MACHINE)
def test_a_report_that_cannot_be_written_says_why(
    results, unrendered, monkeypatch, capfd, number, advice, code
):
    before = sorted(path.name for path in results.iterdir())
    monkeypatch.setattr("vaelib.files.os.fsync", refusing(number))
    got, error = said(capfd, "report", "first", "--results", results)
    assert got == code and os.strerror(number) in error and advice in error
    assert str(results / "first.md") in error
    assert sorted(path.name for path in results.iterdir()) == before


@pytest.mark.parametrize(("number", "advice", "code"), MACHINE)
def test_what_cannot_be_read_for_now_is_not_called_damaged(
    results, monkeypatch, capfd, number, advice, code
):
    monkeypatch.setattr("vaelib.reading.only_files", refusing(number))
    got, error = said(capfd, "report", "first", "--results", results)
    assert got == code and os.strerror(number) in error and advice in error
    baseline = results / "first" / "rows.csv"
    got, error = said(capfd, "check", "ci", "--baseline", baseline, "--results", results / "new")
    assert got == code and os.strerror(number) in error and advice in error


def test_a_record_that_cannot_be_opened_for_now_stays(tmp_path, monkeypatch):
    path = tmp_path / "cells" / "a.json"
    write_atomically(path, b"{}")
    with monkeypatch.context() as patch:
        patch.setattr("vaelib.reading.only_files", refusing(errno.EMFILE))
        with pytest.raises(OSError, match="Too many open files"):
            Store(tmp_path).read("a")
    assert path.exists()


def test_a_full_disk_in_a_check_is_no_regression(results, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("bench.commands.check.examine", lambda *_: None)
    monkeypatch.setattr("bench.commands.check.benchmark", refusing(errno.ENOSPC))
    baseline = results / "first" / "rows.csv"
    code, error = said(capfd, "check", "ci", "--baseline", baseline, "--results", tmp_path / "new")
    assert code == 2 and "No space left on device; what ran is kept, so make room" in error


DAMAGES = {
    "rows.csv": b"\0" * 99,
    "matrix.toml": b"\xff",
    "metrics.json": b"[" * 99_999,
    "arrays.npz": b"PK\3\4",
}


@pytest.mark.parametrize("file", DAMAGES)
def test_damage_of_this_matrix_is_64_with_its_path(results, capfd, file):
    (results / "first" / file).write_bytes(DAMAGES[file])
    code, error = said(capfd, "report", "first", "--results", results)
    assert code == 64 and str(results / "first" / file) in error


def special(folder):
    """Paths of every kind that is no file."""
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    (folder / "nowhere").symlink_to(folder / "none")
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "full").symlink_to("/dev/full")
    os.truncate(os.open(folder / "huge", os.O_CREAT | os.O_WRONLY), 1 << 40)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "socket"))
    return [folder / name for name in ("pipe", "folder", "zero", "full", "socket", "huge")]


@pytest.fixture
def kinds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    return special(Path("."))


def test_special_files_are_refused_wherever_a_neighbour_has_them(results, kinds, unrendered):
    for path, file in zip(kinds, 2 * ["rows.csv", "matrix.toml", "metrics.json"], strict=True):
        folder = shutil.copytree(results / "second", results / f"other-{path}")
        (folder / file).unlink(missing_ok=True)
        (folder / file).symlink_to(path.absolute())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert main(["report", "first", "--results", str(results)]) == 0
    texts = [str(one.message) for one in told]
    assert len(texts) == len(kinds)
    assert all(re.search(r"Not a regular file|Larger than [\d,]+ bytes", text) for text in texts)
    assert not any("\n" in text for text in texts)


@pytest.mark.parametrize(
    "command",
    [
        "run PATH.toml",
        "run small.toml --results PATH --workers 1",
        "check small.toml --baseline PATH",
        "check small.toml --baseline b.csv --results PATH",
        "report first --results PATH",
        "audit PATH",
        "audit p.npz --report PATH",
        "validate --quick --results PATH",
        "validate --rebuild --results PATH",
    ],
)
def test_every_path_is_refused_by_its_kind(command, kinds, results, capfd, monkeypatch):
    monkeypatch.setattr("bench.calibration.run.perform", lambda *_: pytest.fail("it began"))
    monkeypatch.setattr("bench.commands.check.examine", lambda *_: None)
    monkeypatch.setattr("bench.commands.audit.audit_archive", lambda *_, **__: pytest.fail("began"))
    Path("small.toml").write_text(SMALL, "utf-8")
    shutil.copy(results / "first" / "rows.csv", "b.csv")
    np.savez("p.npz", z=np.random.default_rng(0).normal(size=(40, 2)))
    made = "--results" in command or "--report" in command
    for path in kinds:
        if made and path.name == "folder":
            continue  # which is what it should be
        if "toml" in command.split()[1] and "PATH" in command.split()[1]:
            os.rename(path, path := path.with_suffix(".toml"))
        before = sorted(path.parent.iterdir())
        code, error = said(
            capfd, *command.replace("PATH.toml", str(path)).replace("PATH", str(path)).split()
        )
        assert code in (2, 64) and path.name in error, error
        assert sorted(path.parent.iterdir()) == before


def python(*arguments, **options):
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output="stdout" not in options, **options)


def test_a_reader_that_leaves_is_no_regression():
    for arguments in (["list", "metrics"], ["--help"]):
        read, write = os.pipe()
        os.close(read)
        done = python(*arguments, stdout=write, stderr=subprocess.PIPE)
        os.close(write)
        assert (done.returncode, done.stderr) == (141, b""), arguments


def test_an_answer_that_cannot_be_written_is_2():
    with open("/dev/full", "wb") as full:
        done = python("list", "metrics", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr == b"vaebench: cannot write the answer: No space left on device\n"


def test_closed_streams_and_poor_letters_are_no_matter():
    poor = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for more in ({}, {"PYTHONIOENCODING": "ascii"}):
        done = python("list", "metrics", env=os.environ | poor | more)
        assert (done.returncode, done.stderr) == (0, b"") and b"KL" in done.stdout
    script = f"exec {sys.executable} -m bench list metrics >&- 2>&-"
    assert subprocess.run(["sh", "-c", script], cwd=ROOT).returncode == 0


@pytest.mark.parametrize(
    "error", [SystemExit(0), SystemExit(1), RuntimeError("a\nb"), MemoryError()]
)
def test_what_a_command_raises_is_2_and_one_line(error, tmp_path, capfd, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr("bench.commands.list.execute", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, line = said(capfd, "list")
    assert code == 2
    if not isinstance(error, MemoryError):
        log = Path(re.search(r"the traceback is in (\S+)", line)[1])
        assert log.parent == tmp_path and type(error).__name__ in log.read_text("utf-8")


def test_a_dry_run_renames_nothing(tmp_path, capfd):
    (tmp_path / "small.toml").write_text(SMALL, "utf-8")
    results = tmp_path / "results"
    command = ["run", str(tmp_path / "small.toml"), "--results", str(results), "--dry-run"]
    assert main(command) == 0
    results.mkdir()
    (results / MARKER).write_text("small\n", "utf-8")
    for part in ("cells", "models", "code"):
        write_atomically(results / "small" / part / f"{'a' * 16}.json", b"damaged")
        leftover(results / "small" / part / "x").touch()
    cells = re.findall(r"[0-9a-f]{16,}", json.dumps(_cells(tmp_path / "small.toml", results)))
    for cell in cells:
        write_atomically(results / "small" / "cells" / f"{cell}.json", b"damaged")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.warns(UserWarning, match="cannot be used"):
        assert main(command) == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def _cells(matrix, results):
    from bench.matrix.language import load
    from bench.run.plan import plan

    return [cell.id for cell in plan(load(matrix), results).cells]


def test_what_killed_writers_left_is_swept_by_the_next_run(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("bench.commands.benchmark.run", lambda *_, **__: Summary())
    monkeypatch.delenv("VAEBENCH_CACHE")
    (tmp_path / "small.toml").write_text(SMALL, "utf-8")
    results = tmp_path / "results"
    left = [
        leftover(results / part / "x")
        for part in (".", "cache/nulls", "cache/features", "small", "small/cells", "small/models")
        + ("small/code", "small/figures", "predictors/figures")
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (results / MARKER).write_text("cache\nsmall\npredictors\n", "utf-8")
    main(["run", str(tmp_path / "small.toml"), "--results", str(results)])
    assert [str(path) for path in left if path.exists()] == []


@pytest.mark.slow
def test_a_cache_that_cannot_be_used_costs_no_cell(tmp_path, monkeypatch):
    values = {
        "dataset": {"name": "gaussian_mixture", "size": 300, "dimensions": 3},
        "encoder": {"name": "mlp", "hidden": [8], "activation": "relu"},
        "decoder": {"name": "mlp", "hidden": [8], "activation": "relu"},
        "latent_dim": 2,
        "prior": {"name": "normal"},
        "likelihood": {"name": "gaussian", "scale": 1.0},
        "objective": {"name": "elbo", "beta": 1.0},
        "training": {"steps": 10, "batch_size": 64, "learning_rate": 1e-3},
        "quality": {"sources": [], "bound_inputs": 0},
    }

    def measured(place):
        (one,) = run_block(job_of(values, place, trains="code"))
        assert one.status == "ok"
        return one.measurements

    expected = measured(tmp_path / "whole")
    (tmp_path / "file").touch()
    monkeypatch.setenv("VAEBENCH_CACHE", str(tmp_path / "file" / "below"))
    monkeypatch.setattr("vaelib.stats.nulls._MEMORY", {})
    write_atomically(tmp_path / "broken" / "models", b"no folder")
    with pytest.warns(CacheWarning) as told:
        assert measured(tmp_path / "broken") == expected
    assert all(
        "computed again" in str(one.message) or "trained" in str(one.message) for one in told
    )


TEXT = {"open": 3, "read_text": 0, "write_text": 1, "fdopen": 3}  # where encoding would stand
NOT_TEXT = {"os", "Image", "file"}  # whose open is of bytes


def _unnamed(tree):
    """Calls that open a file as text in the encoding of whoever runs them."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        name = getattr(function, "attr", getattr(function, "id", ""))
        if name not in TEXT or any(word.arg in ("encoding", "opener") for word in node.keywords):
            continue
        texts = [a.value for a in node.args if isinstance(a, ast.Constant)]
        binary = any(
            isinstance(text, str) and re.fullmatch("[rwax+]*b[rwax+]*", text) for text in texts
        )
        owner = ast.unparse(function).rpartition(".")[0]
        if binary or len(node.args) > TEXT[name] or owner in NOT_TEXT or "/proc/" in owner:
            continue
        yield node.lineno


@pytest.mark.parametrize("package", ["bench", "vaelib"])
def test_every_file_is_opened_as_utf_8(package):
    files = sorted((ROOT / package).rglob("*.py"))
    found = [
        f"{file.relative_to(ROOT)}:{line}"
        for file in files
        for line in _unnamed(ast.parse(file.read_text("utf-8")))
    ]
    assert found == []
    assert list(
        _unnamed(ast.parse("open(a)\nopen(a, 'rb')\nb.read_text()\nb.read_text('utf-8')"))
    ) == [1, 3]
