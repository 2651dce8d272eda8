"""What counts in the hash of the code, on the suite's own sources with one line changed."""

from types import SimpleNamespace

import pytest

from bench.run.code_roots import MEASURES, TRAINS
from tests.copies import copy_suite
from vaelib import code_hash as module
from vaelib.code_hash import code_digests, code_hash, modules


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A copy of both packages, which are hashed instead of those that are imported."""
    copy_suite(tmp_path)

    def of_the_copy(name):
        return SimpleNamespace(origin=str(tmp_path / name / "__init__.py"))

    # The one place where a module's file is looked up.
    monkeypatch.setattr(module.importlib.util, "find_spec", of_the_copy)
    forget()
    yield tmp_path
    forget()


def forget():
    # _read keeps what files said, as no file changes while a process runs.
    for cached in (code_hash, code_digests, modules, module._read):
        cached.cache_clear()


def hashes():
    forget()
    return code_hash(MEASURES), code_hash(TRAINS)


def changed(folder, file, old, new):
    """Hashes after a change of one file, which is then taken back."""
    path = folder / file
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new, 1))
    try:
        return hashes()
    finally:
        path.write_text(before)


WORDS = {
    "a summary": ("bench/metrics/latents.py", "Mean KL(q(z|x)‖p)", "Average KL(q(z|x)‖p)"),
    "a docstring": ("vaelib/training.py", '"""', '"""Once more: '),
    "a comment": ("vaelib/training.py", "import torch\n", "import torch  # the tensors\n"),
    "an error": ("vaelib/replicates.py", "must be a list of", "has to be a list of"),
    "the wording of a matrix": ("bench/matrix/components.py", "cannot import", "could not import"),
    "a listing": ("bench/matrix/catalogue.py", "or the path of a TOML file", "or a path"),
    "the store": ("bench/run/store.py", "is in use", "is used"),
    "an atomic write": ("vaelib/files.py", "os.fsync(file.fileno())", "pass"),
    "a page": ("bench/report/page.py", "# ", "## "),
}


@pytest.mark.parametrize("what", WORDS)
def test_words_make_nothing_stale(sources, what):
    before = hashes()
    file, old, new = WORDS[what]
    after = changed(sources, file, old, new)
    if what == "an atomic write":  # models are kept by it: their rows are measured again
        assert after[1] == before[1]
    else:
        assert after == before


def test_a_text_that_is_only_raised_does_not_count_even_by_its_name(sources):
    path = sources / "vaelib" / "seeding.py"
    text = path.read_text()
    function = '\n\ndef _check(x):\n    text = "expected"\n    if x: raise ValueError(text)\n'
    path.write_text(text + function)
    first = hashes()
    path.write_text(text + function.replace("expected", "we expect"))
    assert hashes() == first
    used = function.replace("if x:", "if x == text:")
    path.write_text(text + used)
    second = hashes()
    path.write_text(text + used.replace("expected", "we expect"))
    assert hashes() != second


def test_a_constant_of_the_optimiser_makes_all_models_stale(sources):
    before = hashes()
    after = changed(sources, "vaelib/training.py", "batch_size: int = ", "batch_size: int = 1 + ")
    assert after[0] != before[0] and after[1] != before[1]


@pytest.mark.parametrize("file", ["stats/mmd.py", "stats/divergences.py", "stats/checks.py"])
def test_a_statistic_measures_again_and_trains_nothing(sources, file):
    before = hashes()
    after = changed(sources, f"vaelib/{file}", "import torch\n", "import torch\n\nEXTRA = 1\n")
    assert after[0] != before[0] and after[1] == before[1]


def test_digests_name_the_file_that_changed(sources):
    before = dict(code_digests(MEASURES))
    path = sources / "vaelib" / "stats" / "mmd.py"
    path.write_text(path.read_text() + "\nEXTRA = 1\n")
    forget()
    now = code_digests(MEASURES)
    assert {name for name in now if now[name] != before[name]} == {"vaelib/stats/mmd.py"}


def test_what_trains_words_and_lists_nothing():
    names = set(modules(TRAINS))
    assert {name for name in names if name.startswith("bench.")} == {
        *("bench.run", "bench.run.models", "bench.matrix", "bench.matrix.registry")
    }
    assert not {name for name in names if name.startswith(("vaelib.stats", "vaelib.audits"))}
    assert {"vaelib.training", "vaelib.seeding", "vaelib.datasets"} <= names
