"""What the site takes from outside its folder: the pages, and all that they link to."""

import importlib
import importlib.util
import inspect
import json
import os
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import typer
import yaml

import vaelib
from bench.cli import app
from vaelib.audits.certified import _DRAWN, _DRAWS
from vaelib.audits.verdict import LEAST_FOR_YES, MARGIN
from vaelib.stats.jackknife import GROUPS
from vaelib.stats.nulls import NormalNull
from vaelib.stats.stack import betting, certify, weights

ROOT = Path(__file__).parents[1]
STAND_INS = {
    "mkdocs.config.defaults": "MkDocsConfig",
    "mkdocs.structure.files": "File Files",
    "mkdocs.structure.pages": "Page",
    "nbformat": "",
    "nbconvert": "MarkdownExporter",
    "griffe": "Extension Object",
}
"""What the site's own modules import, which the tests do without."""


class File:
    def __init__(self, name, text):
        self.src_uri, self.text = name, text

    @classmethod
    def generated(cls, config, name, *, abs_src_path=None, content=None):
        return cls(name, content if abs_src_path is None else text_of(Path(abs_src_path)))


def text_of(path):
    return path.read_text(encoding="utf-8") if path.suffix == ".md" else ""


def cells_of(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


@pytest.fixture
def module_of(monkeypatch):
    """Imports a module of the site by its path in docs/."""
    for name, held in STAND_INS.items():
        module = ModuleType(name)
        for one in held.split():
            setattr(module, one, File if one == "File" else object)
        monkeypatch.setitem(sys.modules, name, module)

    def load(name):
        spec = importlib.util.spec_from_file_location("of_the_site", ROOT / "docs" / name)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def site(module_of):
    return module_of("site.py")


@pytest.fixture
def tables(module_of, monkeypatch):
    module = module_of("hooks/tables.py")
    monkeypatch.setattr(module, "exported", lambda name: f"<title>{name}</title>")
    return module


@pytest.fixture
def files(site, tables, module_of):
    """Those beside the site's modules, those taken from elsewhere, and those made."""
    beside = [path for path in (ROOT / "docs").rglob("*.*") if path.suffix != ".py"]
    own = [File(path.relative_to(ROOT / "docs").as_posix(), text_of(path)) for path in beside]
    for path in (ROOT / "docs" / "notebooks").glob("*.ipynb"):
        text = "\n\n".join("".join(cell["source"]) for cell in cells_of(path))
        own.append(File(f"notebooks/{path.stem}.md", text))
    for module in (site, tables, module_of("hooks/commands.py")):
        module.on_files(own, None)
    return own


def shown(site, file, files):
    return site.on_page_markdown(file.text, SimpleNamespace(file=file), None, files)


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
    assert every == {name for name in pages if name.endswith(".md")} - {"results/tables.md"}
    assert "raw numbers in validity/." in shown(site, pages["results/validity.md"], files)


def pages_of(nav):
    """Every page that a part of the navigation names."""
    for entry in nav:
        for place in entry.values():
            yield from [place] if isinstance(place, str) else pages_of(place)


def test_the_navigation_names_what_is_there_and_every_page_of_results_and_docs(site, files):
    told = yaml.safe_load(
        (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("nav:")[1].split("\n", 1)[1]
    )
    named = list(pages_of(site.on_config({"nav": told})["nav"]))
    there = {file.src_uri for file in files}
    assert set(named) <= there and len(named) == len(set(named))
    first = [name for name in there if re.fullmatch(r"results/[^/]+\.md|[^/]+\.md", name)]
    assert set(first) <= set(named)
    results = [name for name in named if name.startswith("results/")]
    assert results[:3] == ["results/README.md", "results/mnist.md", "results/mnist-claims.md"]


def test_each_matrix_has_a_file_of_its_own_and_its_page_a_link_to_it(tables, files):
    names = tables.matrices()
    assert {"mnist", "replication", "digits"} <= set(names)
    there = {file.src_uri: file for file in files}
    for name in names:
        assert there[f"results/{name}/table.html"].text == f"<title>{name}</title>"
        assert f"]({name}/table.html)" in there["results/tables.md"].text
        page = SimpleNamespace(file=there[f"results/{name}.md"])
        text = tables.on_page_markdown(page.file.text, page, None, files)
        title, rest = page.file.text.split("\n", 1)
        assert text.startswith(f"{title}\n\n[Interactive table]({name}/table.html)")
        assert text.endswith(rest)
    other = SimpleNamespace(file=there["results/validity.md"])
    assert tables.on_page_markdown(other.file.text, other, None, files) == other.file.text


def test_every_command_and_option_is_on_the_page_of_commands_with_its_default(module_of):
    page = module_of("hooks/commands.py").as_markdown()
    parts = dict(re.findall(r"^## (vaebench.*)\n((?:(?!^## ).*\n)*)", page, re.M))
    group = typer.main.get_command(app)
    assert list(parts) == ["vaebench", *(f"vaebench {name}" for name in group.commands)]
    for title, command in zip(parts, [group, *group.commands.values()], strict=True):
        for one in command.params:
            names = one.opts if one.param_type_name == "option" else [one.name]
            (row,) = [
                line
                for line in parts[title].splitlines()
                if re.match(rf"\| (`[^|]*, )?`{re.escape(names[0])}[ `]", line)
            ]
            assert not one.help or " ".join(one.help.split()) in row
            if isinstance(one.show_default, str):
                assert row.endswith(f"| {one.show_default} |")
            if one.required:
                assert row.endswith("| required |")
        assert "--help" in parts[title]
    assert "| `--prior STR` | normal, or uniform on a box. | `normal` |" in page
    assert "\n    vaebench audit posterior.npz\n    vaebench audit posterior.npz --all\n" in page
    assert "64 usage" in page


def test_every_name_that_vaelib_shows_is_documented_on_the_reference_page():
    page = (ROOT / "docs" / "reference" / "vaelib.md").read_text(encoding="utf-8")
    modules = re.findall(r"^::: (\S+)$", page, re.M)
    for name in vaelib.__all__:
        thing = getattr(vaelib, name)
        assert thing.__module__ in modules, f"{name}: `::: {thing.__module__}` is not there"
        assert name in importlib.import_module(thing.__module__).__all__
        assert inspect.getdoc(thing)


def test_docstrings_are_shown_without_roles(module_of):
    shown = module_of("doctest_examples.py").shown
    text = (
        "Example:\n    As :func:`~vaelib.asking.audit`, :class:`vaelib.Report` and :func:`audit`."
    )
    assert shown(text) == "Examples:\n    As `audit`, `vaelib.Report` and `audit`."


def test_a_notebook_is_a_page_wherever_it_is_linked(site, files):
    pages = [file for file in files if file.src_uri.endswith(".md")]
    linked = [one for one in pages if "notebooks/your_model.ipynb)" in one.text]
    assert {"README.md", "audit.md"} <= {one.src_uri for one in linked}
    assert all("](notebooks/your_model.md)" in shown(site, one, files) for one in linked)


def test_every_word_of_the_glossary_says_where_it_is_explained():
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    words = re.findall(r"^### (.*)\n\n((?:(?!^#).*\n)*)", text, re.M)
    assert len(words) > 40 and len(dict(words)) == len(words)
    for word, said in words:
        assert re.search(r"\]\([^)]+\)", said), word
        assert len(said.split()) < 75, word


def test_links_of_the_page_for_what_is_not_there_lead_to_pages(files):
    page = (ROOT / "docs" / "theme" / "404.html").read_text(encoding="utf-8")
    there = {re.sub(r"README\.md$", "index.md", file.src_uri) for file in files}
    links = re.findall(r"'([^']+)\.html' \| url", page)
    assert len(links) >= 4 and {f"{link}.md" for link in links} <= there


def test_nothing_is_loaded_from_another_host(module_of):
    told = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "font: false" in told and "- offline" in told
    (script,) = re.findall(r"polyfills: \[(.*)\]", told)
    assert "iframe-worker" in script  # else the plugin names one that lies elsewhere
    assert "IFrameWorker" in (ROOT / "docs" / script).read_text(encoding="utf-8")
    assert "Martin Donath" in (ROOT / "docs" / script).with_suffix(".LICENSE").read_text()
    assert not re.search(r"https?://", told)


def formulas():
    text = (ROOT / "docs" / "mathematics.md").read_text(encoding="utf-8")
    text = re.sub(r"`[^`]*`", "", text)
    blocks = re.findall(r"^\$\$ (.*?) \$\$$", text, re.M | re.S)
    rest = re.sub(r"^\$\$ .*? \$\$$", "", text, flags=re.M | re.S)
    return blocks, re.findall(r"\$([^$]+)\$", rest), rest


def test_every_formula_can_be_drawn(module_of):
    pytest.importorskip("latex2mathml", reason="latex2mathml is not installed")
    hook = module_of("hooks/formulas.py")
    blocks, inline, rest = formulas()
    assert len(blocks) > 20 and len(inline) > 100 and rest.count("$") == 2 * len(inline)
    for latex in [*blocks, *inline]:
        drawn = hook.as_mathml(latex, "inline")
        assert drawn.startswith("<math alttext=") and drawn.endswith("</math>")
    page = '<p>So <span class="arithmatex">\\(a &lt; \\mathrm{E}\\)</span>.</p>'
    drawn = hook.on_page_content(page, None, None, None)
    assert drawn.startswith('<p>So <math alttext="a &lt; \\mathrm{E}"')
    assert '<mi mathvariant="normal">E</mi>' in drawn and "arithmatex" not in drawn
    with pytest.raises(ValueError, match="nonsense"):
        hook.as_mathml(r"a \nonsense b", "inline")


def test_the_mathematics_names_the_numbers_of_the_code():
    text = " ".join((ROOT / "docs" / "mathematics.md").read_text(encoding="utf-8").split())
    *ends, last = (f"{100 * end:g}" for end in betting.ENDS)
    shares = ", ".join(f"{share:g}"[1:] for share in betting._SHARES)
    fits = " ".join(f"{100 * share:g} %" for share in certify._FITS)
    said = [
        f"blocks that end at {', '.join(ends)} and {last} %",
        f"one of {shares})",
        f"{len(betting._STAKES)} stakes",
        "$c = " + f"{weights._SHARE:g}"[1:] + "$",
        f"$n \\ge {certify.LEAST}$",
        f"$n \\ge {LEAST_FOR_YES}$",
        "With a margin $m$, " + f"{MARGIN:g}"[1:],
        f"$J = {_DRAWS}$ of up to {_DRAWN:,} inputs",
        f"jackknife over {GROUPS} groups",
        f"{NormalNull().draws} by default",
    ]
    assert [one for one in said if one not in text] == []
    assert re.findall(r"\d+ %", fits) == re.findall(r"(?:30|60|80) %", text)
    assert betting._STAKES[:2] == (2.0**-0.1, 2.0**-0.4)


def test_notebooks_hold_what_they_printed_and_nothing_of_the_machine():
    books = list((ROOT / "docs" / "notebooks").glob("*.ipynb"))
    assert books
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in books:
        book = json.loads(path.read_text(encoding="utf-8"))
        assert book["metadata"] == {"language_info": {"name": "python"}}
        code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
        assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
        outputs = [output for cell in code for output in cell["outputs"]]
        assert {one["output_type"] for one in outputs} <= {"stream", "display_data"}
        assert not any(cell["metadata"] for cell in code)
        printed = "".join("".join(one["text"]) for one in outputs if "text" in one)
        assert not re.search(r"/home|/root|/tmp|/work|/usr|\\Users|0x[0-9a-f]{6}", printed)
        assert not re.search(r"\d{4}-\d\d-\d\d|\d\d:\d\d", printed)
        # the same codes as in README, whose numbers are tested there
        for ends in re.findall(r"KL\(q‖p\): ([\d.]+ to [\d.]+ nats)", readme):
            assert ends in printed
