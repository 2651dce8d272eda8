"""What the site takes from outside its folder: the pages, and all that they link to."""

import importlib.util
import os
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]
STAND_INS = {
    "mkdocs.config.defaults": "MkDocsConfig",
    "mkdocs.structure.files": "File Files",
    "mkdocs.structure.pages": "Page",
}
"""What the site's own module imports, which the tests do without."""


class File:
    def __init__(self, name, path):
        self.src_uri, self.path = name, path

    @classmethod
    def generated(cls, config, name, *, abs_src_path):
        return cls(name, Path(abs_src_path))


@pytest.fixture
def site(monkeypatch):
    for name, held in STAND_INS.items():
        module = ModuleType(name)
        for one in held.split():
            setattr(module, one, File if one == "File" else object)
        monkeypatch.setitem(sys.modules, name, module)
    spec = importlib.util.spec_from_file_location("site_of_the_docs", ROOT / "docs" / "site.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def files(site):
    """Those that the site takes from elsewhere, and those beside it."""
    beside = [path for path in (ROOT / "docs").rglob("*.*") if path.suffix != ".py"]
    own = [File(path.relative_to(ROOT / "docs").as_posix(), path) for path in beside]
    return [*own, *site.on_files([], None)]


def shown(site, file, files):
    return site.on_page_markdown(file.path.read_text(), SimpleNamespace(file=file), None, files)


def test_every_link_of_a_page_leads_somewhere_in_the_site(site, files):
    there = {file.src_uri for file in files}
    assert {"results/validity/levels.md", "results/performance/amd-epyc.md"} <= there
    for page in (file for file in files if file.src_uri.endswith(".md")):
        for link in re.findall(r"\]\(([^):#]+)[)#]", shown(site, page, files)):
            target = os.path.normpath(os.path.join(os.path.dirname(page.src_uri), link))
            assert target in there, f"{page.src_uri}: {link}"


def test_all_pages_of_the_results_are_taken_and_of_a_folder_the_text_stays(site, files):
    pages = {file.src_uri: file for file in files if file.src_uri.startswith("results/")}
    every = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("results/**/*.md")}
    assert every == {name for name in pages if name.endswith(".md")}
    assert "raw numbers in validity/." in shown(site, pages["results/validity.md"], files)
