import json
import subprocess
import sys

import pytest

from bench.run.code_roots import MEASURES, TRAINS, plugins
from vaelib import code_hash as sources
from vaelib.code_hash import code_digests, code_hash, modules

CACHED = (code_hash, code_digests, modules, sources._read)  # once in a process, for good

# An empty vaelib, whose own __init__ would import the audit and with it all statistics.
LOADED = """
import importlib, importlib.util, json, sys, types
spec = importlib.util.find_spec("vaelib")
package = types.ModuleType("vaelib")
package.__path__ = spec.submodule_search_locations
sys.modules["vaelib"] = package
importlib.import_module(sys.argv[1])
print(json.dumps([name for name in sys.modules if name.startswith(("bench.", "vaelib."))]))
"""


@pytest.mark.parametrize("module", [MEASURES, TRAINS])
def test_what_is_hashed_is_what_is_loaded(module):
    done = subprocess.run(
        [sys.executable, "-c", LOADED, module], capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(done.stdout))
    found = set(modules(module))
    assert loaded <= found
    assert {name for name in found - loaded if name.count(".")} == set()


def test_pages_and_the_runner_decide_no_number_and_statistics_train_nothing():
    assert not {"bench.run.runner", "bench.report.page", "bench.run.store", "bench.cli"} & set(
        modules(MEASURES)
    )
    trains = set(modules(TRAINS))
    assert not {"vaelib.audits.audit", MEASURES} & trains
    assert not [name for name in trains if name.startswith("vaelib.stats")]
    assert {"vaelib.training", "vaelib.seeding", "vaelib.datasets"} <= trains


@pytest.fixture
def hash_of(tmp_path, monkeypatch):
    """Writes packages and hashes one of their modules as a new process would."""
    monkeypatch.syspath_prepend(tmp_path)
    # The suite's own sources cannot be changed here, and whatever hashes them does so once.
    monkeypatch.setattr(sources, "_SUITE", ("some_bench", "some_vaelib"))

    def hash_now(plugins=(), **files):
        for name, text in files.items():
            path = tmp_path.joinpath(*name.split("__")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            (path.parent / "__init__.py").touch()
        for cached in CACHED:
            cached.cache_clear()
        return code_hash("some_bench.cell", plugins)

    yield hash_now
    for cached in CACHED:
        cached.cache_clear()


def test_the_hash_sees_meaning_not_layout_of_what_is_imported(hash_of):
    cell = "def f():\n    from some_vaelib import deep\n    return deep\n"
    first = hash_of(some_bench__cell=cell, some_vaelib__deep="import some_vaelib.deeper\n")
    hashes = [first, hash_of(some_vaelib__deeper="x = 1\n")]
    same = '"""What it is."""\nimport some_vaelib.deeper  # why\n\n\n'
    assert hash_of(some_vaelib__deep=same) == hashes[-1]
    assert hash_of(some_vaelib__page="raise ImportError") == hashes[-1]
    hashes.append(hash_of(some_vaelib__deeper="x = 2\n"))
    hashes.append(hash_of(some_bench__cell=cell.replace("return", "yield")))
    hashes.append(hash_of(some_bench__cell="import some_vaelib.page\n"))
    assert len(set(hashes)) == 5


def test_the_file_of_a_plug_in_belongs_to_the_code_of_its_cells(hash_of):
    plain = hash_of(some_bench__cell="x = 1\n", mine__prior="class Mine: ...\n")
    first = hash_of(("mine.prior",))
    assert first != plain
    assert first == hash_of(("mine.prior", "mine.prior"))
    assert hash_of(("mine.prior",), mine__prior="class Mine: pass\n") not in (first, plain)
    assert hash_of(mine__prior="") == plain
    assert hash_of(("sys",)) != plain


def test_what_a_plug_in_imports_belongs_to_it(hash_of):
    files = {
        "some_bench__cell": "x = 1\n",
        "mine__prior": "from . import help\nfrom some_vaelib import mmd\nimport torch\n",
        "mine__help": "SHIFT = 0\n",
        "some_vaelib__mmd": "y = 1\n",
    }
    first = hash_of(("mine.prior",), **files)
    shifted = hash_of(("mine.prior",), mine__help="SHIFT = 3\n")
    assert shifted != first
    assert hash_of(("mine.prior",), some_vaelib__mmd="y = 2\n") not in (first, shifted)


DECIDE = {
    "a global": "def use():\n    global M\n    M = 'relu'\n",
    "a class inside": "def make():\n    class Net:\n        act = 'relu'\n    return Net\n",
    "a nonlocal": (
        "def f():\n    k = 'a'\n    def g():\n        nonlocal k\n"
        "        k = 'relu'\n    return k\n"
    ),
    "all locals": "def f():\n    mode = 'relu'\n    return dict(**locals())\n",
    "a key": "def f(k):\n    raise ERRORS['relu'](k)\n",
    "an argument of a call": "def f(x):\n    raise Done(x.fit(mode='relu'))\n",
    "a public name": "M = 'relu'\n\ndef f():\n    raise ValueError(M)\n",
    "read elsewhere": "def f():\n    m = 'relu'\n    if m:\n        raise ValueError(m)\n",
}


@pytest.mark.parametrize("text", DECIDE.values(), ids=DECIDE)
def test_texts_that_decide_count(hash_of, text):
    assert hash_of(some_bench__cell=text) != hash_of(some_bench__cell=text.replace("relu", "tanh"))


TELL = {
    "formatted": "def f(x):\n    raise ValueError(f'old {x}')\n",
    "joined": "async def f(x):\n    raise ValueError('old' + f' {x}')\n",
    "chosen": "def f(x):\n    text = 'old' if x else 'other'\n    raise ValueError(text)\n",
    "of the module": "_M = 'old'\n\ndef f():\n    raise ValueError(_M)\n",
    "below an attribute": "X = 1\n'''old words on X'''\n",
    "asserted": "def f(x):\n    assert x, 'old'\n",
    "of a class": "class E(Exception):\n    '''old'''\n    pass\n",
}


@pytest.mark.parametrize("text", TELL.values(), ids=TELL)
def test_texts_that_only_tell_do_not(hash_of, text):
    assert hash_of(some_bench__cell=text) == hash_of(some_bench__cell=text.replace("old", "new"))


def test_a_root_of_a_user_s_own_is_followed(hash_of):
    hash_of(some_bench__cell="x = 1\n", mine__statistic="y = 1\n")
    first = code_hash("mine.statistic")
    hash_of(mine__statistic="y = 2\n")
    assert code_hash("mine.statistic") != first
    assert code_hash("__main__") == code_hash("no_such_module")  # nothing is known of either


def test_a_root_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="must be there, got 'bench.run.nosuch'"):
        code_hash("bench.run.nosuch")


def test_plug_ins_are_the_components_named_by_import_path():
    values = {"latent_dim": 2, "prior": {"name": "mine.prior:Mine.Inner"}, "training": {"steps": 1}}
    assert plugins(values | {"encoder": {"name": "mlp"}}) == ("mine.prior",)
