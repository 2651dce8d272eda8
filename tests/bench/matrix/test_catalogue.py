import inspect
import json
import subprocess
import sys

import pytest

from bench.matrix.catalogue import KINDS, also, entries, matrices, names
from bench.matrix.components import schema
from bench.matrix.registry import FAMILIES
from bench.matrix.sources import sources


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_of_every_kind_says_in_one_line_what_it_is(kind):
    found = entries(kind)
    assert found
    for entry in found.values():
        assert entry.summary and "\n" not in entry.summary + entry.reference
    assert also(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_known_without_what_they_stand_for(kind):
    assert names(kind) == list(entries(kind))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_source_says_what_a_component_is_when_imported(family):
    module = "networks" if family in ("encoder", "decoder") else f"{family}s"
    found = sources(f"vaelib.{module}", f"{family.upper()}S")
    assert list(found) == list(FAMILIES[family])
    for name, component in FAMILIES[family].items():
        options = schema(component)
        assert found[name].text == (inspect.getdoc(component) or "")
        assert list(found[name].options) == list(options)
        for option, given in found[name].options.items():
            default = options[option].default
            if given:
                assert json.loads(given) == default
            else:
                assert default in (None, inspect.Parameter.empty)


def test_options_are_listed_with_their_defaults():
    assert entries("priors")["flow"].options == "transforms = 3, hidden = [32, 32], bins = 8"
    assert entries("priors")["normal"].options == ""
    assert entries("datasets")["images"].options == "path, size, grey = false"
    assert entries("objectives")["wae"].options.startswith('weight = 100.0, encoder = "determ')


def test_references_come_from_the_docstrings():
    assert entries("objectives")["elbo"].reference.startswith("Kingma and Welling, Auto-encoding")
    assert "Hoffman & Johnson" in entries("metrics")["rate"].reference


def test_matrices_complete_by_name_and_by_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "one.toml").touch()
    (tmp_path / "mine" / "other.md").touch()
    (tmp_path / "mnist.toml").touch()
    (tmp_path / ".hidden").mkdir()
    assert matrices("mn") == ["mnist", "mnist5k", "mnist.toml"]
    assert matrices("mi") == ["mine/"]
    assert matrices("mine/") == ["mine/one.toml"]
    assert not any(name.startswith(".") for name in matrices(""))


COMPLETE = """
import os, sys
os.environ |= {"_VAEBENCH_COMPLETE": "complete_bash", "COMP_WORDS": sys.argv[1], "COMP_CWORD": "2"}
sys.argv = ["vaebench"]
from bench.cli import main
try:
    main()
finally:
    print("torch" in sys.modules, "pandas" in sys.modules)
"""


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("vaebench run dig", ["digits"]),
        ("vaebench list pri", ["priors"]),
        ("vaebench audit --prior", None),
    ],
)
def test_a_shell_completes_without_waiting_for_torch(words, found):
    done = subprocess.run(
        [sys.executable, "-c", COMPLETE, words], capture_output=True, text=True, check=False
    )
    *lines, imported = done.stdout.split("\n")[:-1]
    assert imported == "False False", done.stderr
    if found is not None:
        assert lines == found
