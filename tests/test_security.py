"""Every sentence of SECURITY.md that promises something, put to the test."""

import ast
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from bench.analysis.arrays import read_arrays, write_arrays
from bench.analysis.results import Results
from bench.calibration.verdicts import raw_table
from bench.cli import main
from bench.commands.folder import MARKER, check_names, claim
from bench.commands.report import outdated, write_overviews, write_pages
from bench.errors import DamagedWarning, UserError
from bench.matrix import kept
from bench.matrix.language import load, parsed
from bench.metrics.metric import Metric
from bench.metrics.registry import METRICS, remember
from bench.report.figures.style import as_it_is, png
from bench.report.index import index
from bench.report.markdown import code, markdown, prose
from bench.report.names import file_name, of_configuration
from bench.rows import write_rows
from bench.run.kept_rows import described
from bench.run.provenance import provenance, set_aside, with_session
from bench.run.record import one_line
from bench.run.store import CorruptRecord, Store
from tests.bench.fakes import keep, outcome
from tests.bench.synthetic import synthetic_rows
from vaelib import datasets, sealed

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
PROMISES = [" ".join(item.split()) for item in re.findall(r"(?ms)^- (.*?)(?=^- |^\n|\Z)", TEXT)]
TESTED: dict[str, object] = {}

EVIL = "open({mark!r}, 'w').close()\nimport vaelib.priors as p\nclass Mine(p.Normal): pass\n"
MATRIX = """
[matrix]
name = "named"
[base]
prior = { name = "vb_evil:Mine" }
[[study]]
name = "latent size"
grid = { latent_dim = [2, 3] }
[[claim]]
id = "x"
says = "more dimensions match better"
study = "latent size"
metric = "kl_per_dimension"
expect = "decreasing"
margin = 0.05
"""


def keeps(beginning):
    """Says which promise a test is of."""

    def marked(test):
        found = [promise for promise in PROMISES if promise.startswith(beginning)]
        assert len(found) == 1, f"one promise begins with {beginning!r}"
        assert TESTED.setdefault(found[0], test) is test
        return test

    return marked


def test_no_promise_is_without_a_test():
    assert len(PROMISES) > 10
    assert set(PROMISES) == set(TESTED)


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """A module in the working folder that leaves a mark when it is imported, and that mark."""
    mark = tmp_path / "was-run"
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "vb_evil.py").write_text(EVIL.format(mark=str(mark)))
    (folder / "named.toml").write_text(MATRIX)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    sys.modules.pop("vb_evil", None)
    yield mark
    sys.modules.pop("vb_evil", None)


@keeps("An import path in a matrix")
def test_an_import_path_is_imported_by_a_dry_run(evil):
    assert main(["run", "named.toml", "--dry-run", "--seeds", "1", "--workers", "1"]) == 0
    assert evil.exists()


@keeps("An import path that a command is handed")
def test_an_import_path_is_imported_by_the_command_that_is_handed_it(evil):
    before = [*sys.path]
    assert main(["conform", "vb_evil:absent"]) == 64
    assert evil.exists() and sys.path == [*before, os.getcwd()]


SHADOWS = ("rich", "torch", "typer", "numpy", "bench", "vaelib", "logging", "json", "pathlib")


@keeps("Modules of the working folder")
def test_the_working_folder_is_last_or_not_on_the_path(evil):
    for name in SHADOWS:
        Path(f"{name}.py").write_text(f"open({str(evil)!r}, 'w').close()\n")
    command = [sys.executable, "-m", "bench", "audit", "none.npz"]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    # the suite itself is found by PYTHONPATH, after the working folder that -m puts first
    for shadow in ("bench", "vaelib"):
        Path(f"{shadow}.py").unlink()
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 64 and "none.npz" in done.stderr
    assert not evil.exists()
    for arguments in (
        ["list", "matrices"],
        ["report", "nothing"],
        ["audit", "none.npz"],
        ["validate", "--only", "nothing"],
        ["check", "nowhere.toml", "--baseline", "none.csv"],
        ["run", "ci", "--dry-run"],
        ["run", "named.toml", "--dry-run"],
    ):
        main(arguments)
        assert os.getcwd() not in sys.path and "vb_evil" not in sys.modules
    assert evil.exists(), "only in a process of its own"


def test_workers_start_without_the_working_folder(evil):
    program = (
        "from bench.run.isolation import server\n"
        "if __name__ == '__main__':\n"
        "    process = server(['vb_evil']).Process(target=print, args=(3,))\n"
        "    process.start(); process.join()\n"
    )
    Path("pickle.py").write_text(f"open({str(evil)!r}, 'w').close()\n")
    script = evil.parent / "start.py"  # of another folder, which is then the first of the path
    script.write_text(program)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True
    )
    assert done.stdout == "3\n", done.stderr
    assert not evil.exists()


@keeps("Who reaches the port")
def test_every_example_of_a_cluster_listens_here_alone_or_speaks_tls():
    pages = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*")]
    text = "\n".join(page.read_text() for page in pages if page.is_file())
    assert "0.0.0.0" not in text
    hosts = re.findall(r"dask scheduler .*?--host (\S+)", text)
    assert len(hosts) == len(re.findall(r"^ *dask scheduler", text, re.M)) and len(hosts) >= 3
    assert set(hosts) == {"127.0.0.1"}
    assert set(re.findall(r"(?:tcp|tls|dask|dask\+tls)://([\d.]+)", text)) == {"127.0.0.1"}
    assert "runs code there" in (ROOT / "docs" / "clusters.md").read_text()


class Bomb:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return open, (self.mark, "w")


@keeps("An archive that `vaebench audit` reads")
def test_an_archive_with_a_pickle_is_refused(tmp_path, capsys):
    mark = tmp_path / "was-run"
    for name in ("z", "mean", "unknown"):
        arrays = {"z": np.zeros((9, 2))} | {name: np.array([Bomb(mark)], dtype=object)}
        np.savez(tmp_path / "p.npz", **arrays)
        np.save(tmp_path / "p.npy", arrays[name])
        torch.save({"z": torch.zeros(9, 2), name: Bomb(mark)}, tmp_path / "p.pt")
        for suffix in ("npz", "npy", "pt"):
            assert main(["audit", str(tmp_path / f"p.{suffix}")]) == 64
            assert capsys.readouterr().err.count("\n") == 1
    assert not mark.exists()


@keeps("Results that are read")
def test_reading_results_imports_nothing(evil, monkeypatch):
    sys.path.append(os.getcwd())
    rows = synthetic_rows(3)
    rows = rows[rows["config"].isin(["base", "latent_dim-3"])]
    folder = Path("results/named")
    write_rows(folder / "rows.csv", rows)
    (folder / "matrix.toml").write_text(MATRIX)
    for whole in (True, False):
        with pytest.warns(UserWarning, match="configurations.json of a run .* got none"):
            assert Results.read(folder, whole=whole).findings == []
    assert not evil.exists() and "vb_evil" not in sys.modules
    matrix = load("named.toml")
    assert evil.exists(), "a run imports it, and keeps what came of it"
    document = parsed(matrix.text, "named")
    kept.remember(folder, document, matrix.studies, matrix.configurations)
    sys.modules.pop("vb_evil")
    evil.unlink()
    for whole in (True, False):
        results = Results.read(folder, whole=whole)
        assert results.matrix == matrix or results.matrix.studies == matrix.studies
        assert [finding.claim.id for finding in results.findings] == ["x"]
    (folder / "matrix.toml").write_text(MATRIX.replace("[2, 3]", "[2, 4]"))
    with pytest.warns(UserWarning, match="got that of another matrix"):
        assert Results.read(folder).findings == []
    (folder / "configurations.json").write_text('{"of": "x", "studies": []}')
    with pytest.raises(UserError, match="expected the configurations of a matrix in"):
        Results.read(folder)
    assert not evil.exists() and "vb_evil" not in sys.modules


SAFE = ("weights_only", "True")  # torch makes tensors and plain containers, and refuses all else


def called(node):
    """The dotted name of what is called."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


@keeps("Records, models, arrays")
def test_nothing_in_the_packages_unpickles_or_evaluates():
    modules = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
    calls = {"eval", "exec", "compile", "os.system", "__import__", "yaml.load"}
    loads = 0
    for path in [*ROOT.glob("bench/**/*.py"), *ROOT.glob("vaelib/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {getattr(node, "module", None), *(alias.name for alias in node.names)}
                if (
                    path != ROOT / "bench" / "run" / "isolation.py"
                ):  # a pipe to a process of its own
                    assert not names & modules, path
            assert called(node) not in calls, path
            if isinstance(node, ast.keyword):
                assert (node.arg, ast.unparse(node.value)) not in {
                    ("allow_pickle", "True"),
                    ("shell", "True"),
                }, path
            if called(node) in ("np.load", "torch.load"):
                words = {word.arg: ast.unparse(word.value) for word in node.keywords}
                safe = ("allow_pickle", "False") if called(node) == "np.load" else SAFE
                assert words.get(safe[0]) == safe[1], path
                loads += 1
    assert loads >= 3


@keeps("What is stored under another identity")
def test_what_is_stored_is_what_was_written(tmp_path):
    path, identity = tmp_path / "x.npz", {"null": "a"}
    sealed.keep(path, {"draws": np.arange(9.0)}, identity)
    assert sealed.recall(path, identity) is not None
    with pytest.warns(sealed.CacheWarning, match="computed again: it is of another null"):
        assert sealed.recall(path, {"null": "b"}) is None
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.warns(sealed.CacheWarning, match="its checksum is not that"):
        assert sealed.recall(path, identity) is None


@pytest.fixture
def written(tmp_path):
    """The results of a matrix as a run leaves them, all of its files with checksums."""
    folder = tmp_path / "results" / "named"
    claim(folder.parent, ["named", "named.md", "README.md"])
    rows = synthetic_rows(3)
    write_rows(folder / "rows.csv", rows[rows["config"] == "base"])
    (folder / "matrix.toml").write_text('[matrix]\nname = "named"\n')
    metric = Metric("own", "nats", "lower", 0.1, "o", "an own one", "none", measure=len)
    remember(folder, METRICS.with_own([metric]))
    (folder / "rows.json").write_bytes(described([], folder))
    return folder


@keeps("`rows.json` holds the checksums")
def test_what_pages_are_made_of_is_what_was_written(written):
    assert Results.read(written).metrics["own"].margin == 0.1
    for name, old, new in (
        ("rows.csv", b"0", b"1"),
        ("matrix.toml", b"[matrix]", b"# no\n[matrix]"),
        ("metrics.json", b'"lower"', b'"higher"'),
        ("metrics.json", b"0.1", b"9.1"),
        ("configurations.json", b"", b"{}"),
    ):
        path = written / name
        data = path.read_bytes() if path.exists() else None
        path.write_bytes((data or b"").replace(old, new, 1))
        with pytest.raises(UserError, match=f"^expected .*{name} as a run wrote it, got [^\n]*$"):
            write_pages(written.parent, "named")
        with pytest.warns(DamagedWarning, match=f"named is left out of the overviews: .*{name}"):
            write_overviews(written.parent)
        path.unlink() if data is None else path.write_bytes(data)
    Results.read(written)


@keeps("Records, their arrays, models")
def test_what_carries_a_checksum_of_its_own(tmp_path):
    store = Store(tmp_path)
    keep(store, outcome("c", 0.1, arrays={"mean": np.zeros(3)}))
    write_arrays(tmp_path / "arrays.npz", {"base/sbc": np.ones((2, 3))}, "m")
    sealed.keep(tmp_path / "models" / "x.npz", {"x": 1.0}, {"model": "a"})  # nulls and nets, too
    (tmp_path / "provenance.json").write_bytes(with_session([], {"command": "mine"}, ["c"], ["c"]))

    def flip(path):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    for path in [path for path in tmp_path.rglob("*") if path.is_file()]:
        flip(path)
    with pytest.raises(UserError, match="expected the arrays of figures"):
        read_arrays(tmp_path / "arrays.npz", "m")
    with pytest.warns(sealed.CacheWarning):
        assert sealed.recall(tmp_path / "models" / "x.npz", {"model": "a"}) is None
    with pytest.warns(DamagedWarning, match="not what a run wrote"):
        assert set_aside(tmp_path / "provenance.json") == []
    with pytest.warns(CorruptRecord):
        assert store.read("c") is None
    keep(store, outcome("c", 0.1, arrays={"mean": np.zeros(3)}))
    flip(tmp_path / "cells" / "c.npz")
    with pytest.warns(CorruptRecord, match="of its arrays"):
        assert store.read("c") is None


@keeps("What carries no checksum")
def test_results_without_checksums_are_read_as_they_are(written):
    (written / "rows.json").unlink()
    path = written / "metrics.json"
    path.write_text(path.read_text().replace("0.1", "9.1"))
    np.savez(written / "arrays.npz", **{"base/sbc": np.ones((2, 3))})
    found = Results.read(written)
    assert found.metrics["own"].margin == 9.1 and list(found.arrays) == ["base/sbc"]
    (written / "levels.csv").write_text("a,b\n1,2\n")
    assert raw_table(written, "levels")["b"].tolist() == [2]
    (written / ".pages.json").write_text("[" * 100_000)
    assert outdated(written.parent, "named")
    store = Store(written)
    store.keep_code("a", {"x.py": "1"})
    (written / "code" / "a.json").write_text('{"x.py": "2"}')
    assert store.code("a") == {"x.py": "2"}, "only names what changed"
    (written / ".lock").write_text("[" * 100_000)
    with store.lock():
        pass


@keeps("The files of `cifar10`")
def test_a_pickle_in_the_place_of_cifar_is_not_opened(tmp_path, monkeypatch):
    import pickle

    from torchvision.datasets import cifar

    mark = tmp_path / "was-run"
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for number in range(1, 6):
        (folder / f"data_batch_{number}").write_bytes(pickle.dumps(Bomb(mark)))
    for name in ("test_batch", "batches.meta"):
        (folder / name).write_bytes(pickle.dumps(Bomb(mark)))
    monkeypatch.setattr(cifar, "download_and_extract_archive", lambda *_, **__: None)
    monkeypatch.setenv("VAEBENCH_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="expected the files of CIFAR10"):
        datasets.DATASETS["cifar10"]()
    assert not mark.exists()


@keeps("The suite writes into a folder")
def test_nothing_of_a_user_is_replaced(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "README.md").write_text("mine")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    commands = (["run", "ci"], ["run", "ci", "--dry-run"], ["validate", "--quick"])
    for command in commands:
        assert main([*command, "--results", "."]) == 64
        said = capsys.readouterr().err
        assert said == (
            f"vaebench: expected a new or empty folder, or one with {MARKER}, got ., which holds "
            "'README.md'; choose another folder with --results\n"
        )
    np.savez(tmp_path / "z.npz", z=np.random.default_rng(0).normal(size=(50, 2)))
    assert main(["audit", str(tmp_path / "z.npz"), "--report", "."]) == 64
    assert "choose another folder with --report" in capsys.readouterr().err
    (folder / "ci").mkdir()
    (folder / "ci" / "rows.csv").write_text("not of a run")
    assert main(["report", "ci", "--results", "."]) == 64
    assert [path.name for path in sorted(folder.rglob("*"))] == ["README.md", "ci", "rows.csv"]
    (folder / MARKER).touch()  # may be written into, and what is there is still the user's
    for name in ("ci", "README.md"):
        with pytest.raises(UserError, match=f"{name} would be replaced, and .*{MARKER} does not"):
            check_names(folder, [name])
    assert (folder / "README.md").read_text() == "mine" and (folder / MARKER).read_text() == ""


def test_a_marker_lists_what_may_be_replaced(tmp_path):
    folder = tmp_path / "new" / "results"
    claim(folder, ["a", "a.md"])
    claim(folder, ["b.md", "a.md"])
    lines = (folder / MARKER).read_text().splitlines()
    assert lines[-3:] == ["a", "a.md", "b.md"] and "replaces" in lines[0]
    (folder / "a.md").write_text("a page")
    claim(folder, ["a.md"])
    (folder / "c.md").write_text("a note")
    with pytest.raises(UserError, match="c.md would be replaced"):
        claim(folder, ["a.md", "c.md"])
    (folder / MARKER).unlink()
    with pytest.raises(UserError, match="expected a new or empty folder"):
        claim(folder, ["a.md"])
    (tmp_path / "outside").write_text("mine")
    (folder / MARKER).symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match="cannot write to"):
        claim(folder, ["d.md"])
    assert (tmp_path / "outside").read_text() == "mine"


def test_the_committed_results_are_the_suite_s():
    names = {path.name for path in (ROOT / "results").iterdir() if not path.name.startswith(".")}
    listed = set((ROOT / "results" / MARKER).read_text().splitlines())
    own = {MARKER, "performance", "performance.md", "cache"}  # `tox -e perf` is told its page
    strays = {name for name in names if name.startswith("validity-quick")}
    assert names - own - strays <= listed


@keeps("Names in a matrix or an archive")
def test_names_are_different_files_in_their_folder(tmp_path):
    names = ["width 2", "width-2", "Width 2", "../x", "/etc/passwd", "ранг", "日本", "Ranks", "a;b"]
    for made in (file_name, of_configuration):
        files = [made(name) for name in names]
        assert len({file.lower() for file in files}) == len(names)
        assert all(re.fullmatch(r"[A-Za-z0-9_-]+", file) for file in files)
    for name in ("../up", "a/b", ".hidden", "README"):
        with pytest.raises(UserError):
            (tmp_path / "m.toml").write_text(f'[matrix]\nname = "{name}"\n')
            load(tmp_path / "m.toml")
    assert main(["report", "../results", "--results", str(tmp_path)]) == 64


HOSTILE = "<script>alert(1)</script> [x](javascript:y) ![i](//e) `c` *b* | $\\frac{$ \x1b[2J\u202e"


@keeps("Names, claims, messages and paths")
def test_texts_are_shown_as_they_are(tmp_path, capsys):
    said = prose(HOSTILE)
    assert not set("<>[]`*$") & set(re.sub(r"\\.", "", said))
    assert said.isprintable() and code(HOSTILE).isprintable()
    assert code(HOSTILE).count("`") == 2
    lines = markdown(["a", HOSTILE], [["b", HOSTILE]]).splitlines()
    assert len(lines) == 3
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 3 for line in lines)
    link = index([], ["<b>](x) ["], {}, "").split("Other pages: ")[1]
    assert link == "[\\<b\\>\\](x) \\[](%3Cb%3E%5D%28x%29%20%5B.md).\n"
    (tmp_path / "bad\x1b[2J.toml").write_text("nonsense")
    assert main(["run", str(tmp_path / "bad\x1b[2J.toml"), "--dry-run"]) == 64
    error = capsys.readouterr().err
    assert error.rstrip("\n").isprintable() and "nonsense" not in error


def test_no_text_is_a_formula_in_a_figure():
    figure = Figure(figsize=(2, 1))
    figure.suptitle(as_it_is("a $\\frac{$ b"))  # which does not parse
    assert png(figure)[:4] == b"\x89PNG"
    figure.suptitle("a $\\frac{$ b")
    with pytest.raises(ValueError, match="ParseFatalException|Expected"):
        png(figure)


@keeps("A cache that several users share")
def test_a_file_of_another_user_is_stepped_around(tmp_path, monkeypatch, recwarn):
    path, identity = tmp_path / "x.npz", {"null": "a"}
    sealed.keep(path, {"draws": np.arange(3.0)}, identity)
    read, write = sealed.read_bytes, sealed.write_atomically

    def refused(function):
        def called(file, *more):
            if file == path:  # mode 0600, in a folder where only who made a file may replace it
                raise PermissionError(1, "Operation not permitted", str(file))
            return function(file, *more)

        return called

    monkeypatch.setattr(sealed, "read_bytes", refused(read))
    monkeypatch.setattr(sealed, "write_atomically", refused(write))
    assert sealed.recall(path, identity) is None
    sealed.keep(path, {"draws": np.arange(5.0)}, identity)
    assert len(sealed.recall(path, identity)["draws"]) == 5
    assert not recwarn.list
    assert len(sealed.unpacked(read(path), identity)["draws"]) == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to be two users")
def test_two_users_share_a_cache(recwarn):
    identity, before = {"null": "a"}, os.umask(0o077)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o1777)
        path, found = Path(folder) / "x.npz", []
        try:
            for user in (65534, 65533, 65533, 65534):
                os.seteuid(user)
                kept = sealed.recall(path, identity)
                found.append(None if kept is None else int(kept["draws"]))
                if kept is None:
                    sealed.keep(path, {"draws": user}, identity)
                os.seteuid(0)
        finally:
            os.seteuid(0)
            os.umask(before)
        owners = {file.stat().st_uid for file in Path(folder).iterdir()}
    assert found == [None, None, 65533, 65534] and owners == {65533, 65534}
    assert not recwarn.list


@keeps("What a run writes about itself")
def test_provenance_names_no_host_and_no_home(monkeypatch, tmp_path):
    from datetime import UTC, datetime
    from platform import node

    home = tmp_path / "home" / "alice"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(
        sys, "argv", [f"{home}/bin/vaebench", "run", f"{home}/m.toml", f"--results={home}/r"]
    )
    record = provenance(datetime.now(UTC), workers=1)
    assert record["command"] == "vaebench run ~/m.toml --results=~/r"
    assert "alice" not in str(record)
    for address in ("dask://login7.example.org:8786", "dask+tls://bob@10.1.2.3:1/x", "s3://b.c/d"):
        monkeypatch.setattr(
            sys, "argv", ["vaebench", "run", "--executor", address, f"-x={address}"]
        )
        scheme = address.partition("://")[0]
        command = provenance(datetime.now(UTC), workers=1)["command"]
        assert command == f"vaebench run --executor {scheme}://... -x={scheme}://..."
    assert len(node()) < 4 or not re.search(rf"\b{re.escape(node())}\b", str(record))
    assert one_line(ValueError(f"no {home}/x, {home}")) == "ValueError: no ~/x, ~"
    assert one_line(ValueError(f"no {home}s/x")) == f"ValueError: no {home}s/x"
