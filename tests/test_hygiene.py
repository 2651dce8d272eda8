"""What stands around the code agrees: versions, citation, badges, hooks, forms, archives."""

import datetime
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

from tests import packed

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def citation():
    return yaml.load(text("CITATION.cff"), yaml.BaseLoader)  # noqa: S506


def releases(changelog):
    """Version and day of each, newest first; what is wrong with a heading is an error."""
    headings = re.findall(r"^## (.*)$", changelog, re.M)
    assert headings[0] == "Unreleased"
    found = [re.fullmatch(r"(\d+)\.(\d+)\.(\d+) - (\d{4}-\d\d-\d\d)", one) for one in headings[1:]]
    assert all(found), f"expected VERSION - YYYY-MM-DD, got {headings[1:]}"
    dated = [(tuple(map(int, one.groups()[:3])), one[4]) for one in found]
    assert dated == sorted(dated, reverse=True) and len({version for version, _ in dated}) == len(
        dated
    )
    assert all(datetime.date.fromisoformat(day) for _, day in dated)
    return [(".".join(map(str, version)), day) for version, day in dated]


def test_the_changelog_has_the_form_of_keep_a_changelog():
    changelog = text("CHANGELOG.md")
    releases(changelog)
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    for part in re.split(r"^## ", changelog, flags=re.M)[1:]:
        headings = re.findall(r"^### (.*)$", part, re.M)
        assert set(headings) <= kinds and len(set(headings)) == len(headings)
        first = part.split("\n", 1)[1].strip()
        assert not first or first.startswith("### ")


def test_versions_are_read_and_what_is_no_version_is_found():
    good = "# C\n## Unreleased\n## 0.2.0 - 2030-01-02\n## 0.1.0 - 2029-01-02\n"
    assert releases(good) == [("0.2.0", "2030-01-02"), ("0.1.0", "2029-01-02")]
    for bad in (
        "## 0.1.0\n",
        "## Unreleased\n## 0.1.0\n",
        "## Unreleased\n## 0.1.0 - 2029-13-02\n",
    ):
        with pytest.raises((AssertionError, ValueError)):
            releases(bad)
    with pytest.raises(AssertionError):
        releases("## Unreleased\n## 0.1.0 - 2029-01-02\n## 0.2.0 - 2030-01-02\n")


def test_the_citation_is_of_this_version_and_names_who_the_licence_names():
    cited = citation()
    assert {"cff-version", "message", "title", "abstract", "authors"} <= cited.keys()
    assert cited["cff-version"] == "1.2.0" and cited["type"] == "software"
    assert cited["version"] == PROJECT["version"] and cited["license"] == PROJECT["license"]
    assert cited["keywords"] == PROJECT["keywords"]
    assert cited["authors"] == PROJECT["authors"]
    for author in cited["authors"]:
        assert f"(c) 2026 {author['name']}" in text("LICENSE")
    released = dict(releases(text("CHANGELOG.md")))
    assert cited.get("date-released") == released.get(PROJECT["version"])
    assert not released or next(iter(released)) == PROJECT["version"]


def test_badges_say_what_the_project_says():
    systems = [c.split(" :: ")[-1] for c in PROJECT["classifiers"] if c.startswith("Operating")]
    names = ["macOS" if one == "MacOS" else one for one in systems]
    expected = {
        "python": f"Python: {PROJECT['requires-python'].removeprefix('>=')} or newer",
        "licence": f"licence: {PROJECT['license']}",
        "systems": f"systems: {', '.join(sorted(names))}",
    }
    for name, says in expected.items():
        badge = ET.parse(ROOT / "docs" / "figures" / f"{name}.svg").getroot()
        space = "{http://www.w3.org/2000/svg}"
        assert badge.findtext(f"{space}title") == badge.get("aria-label") == says
        assert ": ".join(one.text for one in badge.iter(f"{space}text")) == says
    shown = re.findall(r"!\[[^]]*\]\(([^)]*)\)", README)
    assert not [path for path in shown if "//" in path], "a picture of another host"


def test_the_oldest_python_is_the_same_everywhere():
    oldest = PROJECT["requires-python"].removeprefix(">=")
    versions = [c.split(" :: ")[-1] for c in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", c)]
    assert versions[0] == oldest
    assert PYPROJECT["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    for name in ("check", "commands"):
        assert f'python-version: "{oldest}"' in text(f".github/workflows/{name}.yml")
    assert f"Python {oldest} or newer" in README


def test_every_hook_is_a_command_of_tox():
    hooks = yaml.safe_load(text(".pre-commit-config.yaml"))["repos"]
    environments = set(re.findall(r"^\[testenv:(\w+)\]", text("tox.ini"), re.M))
    assert {repository["repo"] for repository in hooks} == {"local"}
    for hook in (hook for repository in hooks for hook in repository["hooks"]):
        command, option, name = hook["entry"].split()
        assert (command, option, hook["language"]) == ("tox", "-e", "system")
        assert name in environments and hook["pass_filenames"] is False
    for name in re.findall(r"(?<=in ).*(?=; do)", text(".ci/run"))[0].split():
        assert name in environments | {"test"}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_forms_are_what_a_host_reads(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.stem == "config":
        assert form == {"blank_issues_enabled": True}
        return
    assert form["name"] and form["description"] and form["body"]
    ids = [field["id"] for field in form["body"] if field["type"] != "markdown"]
    labels = [f["attributes"]["label"] for f in form["body"] if f["type"] != "markdown"]
    assert ids and len(set(ids)) == len(ids) and len(set(labels)) == len(labels)
    for field in form["body"]:
        assert field["type"] in {"markdown", "input", "textarea"}
        assert set(field) <= {"type", "id", "attributes", "validations"}
        assert set(field["attributes"]) <= {"label", "description", "render", "value"}


def test_what_a_form_or_a_checklist_names_is_there():
    pages = [*FORMS, ROOT / ".github" / "PULL_REQUEST_TEMPLATE.md", ROOT / "docs" / "releasing.md"]
    environments = set(re.findall(r"^\[testenv:(\w+)\]", text("tox.ini"), re.M)) | {"test"}
    for path in pages:
        said = path.read_text(encoding="utf-8")
        assert set(re.findall(r"tox -e (\w+)", said)) <= environments
        for name in re.findall(r"(?:bench|docs|results|tests)/[\w./-]*\w/?", said):
            assert (ROOT / name).exists() or name == "results/digits.md", f"{path.name}: {name}"
        for link in re.findall(r"\]\(([^):#]+)\)", said):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_a_weakness_is_told_in_private_and_no_address_is_invented():
    section = text("SECURITY.md").split("## Report a weakness")[1]
    assert "*Report a vulnerability*" in section and "Put in it" in section and "Expect" in section
    places = [
        "SECURITY.md",
        "CITATION.cff",
        "pyproject.toml",
        "docs/releasing.md",
        "CONTRIBUTING.md",
    ]
    for name in places:
        assert not re.search(r"[\w.]+@[\w-]+\.\w+", text(name)), f"{name} names an address"
    assert "urls" not in PROJECT or all(
        url.startswith("https://") for url in PROJECT["urls"].values()
    )


def test_an_sdist_has_no_results_and_a_wheel_all_that_it_needs():
    targets = PYPROJECT["tool"]["hatch"]["build"]["targets"]
    assert {"/results", "/.ci", "/.github"} <= set(targets["sdist"]["exclude"])
    assert targets["wheel"] == {"packages": ["bench", "vaelib"]}
    ignored = text(".gitignore").split()  # which hatchling leaves out of both
    assert {"__pycache__/", ".tox/", ".mypy_cache/", ".pytest_cache/", "build/"} <= set(ignored)
    shipped = packed.shipped()
    assert shipped and all((ROOT / name).is_file() for name in (*packed.DATA, *shipped))


def test_what_is_wrong_in_an_archive_is_found():
    good = {*packed.DATA, *packed.shipped(), *packed.modules()}
    licence = "vaebench-0.1.0.dist-info/licenses/LICENSE"
    assert list(packed.wrong_of_wheel(good | {licence})) == []
    found = list(packed.wrong_of_wheel(good - {"bench/py.typed"} | {"results/digits.md"}))
    assert found == ["bench/py.typed lacks", "results/digits.md is too much", "the licence lacks"]
    source = {*good, "pyproject.toml", "README.md", "LICENSE", "CITATION.cff"}
    names = {f"vaebench-0.1.0/{name}" for name in source}
    assert list(packed.wrong_of_sdist(names)) == []
    wrong = {"v/results/ci/rows.csv", "v/bench/__pycache__/cli.pyc", "v/.ci/run"}
    less = names - {"vaebench-0.1.0/vaelib/audits/power.csv"} | wrong
    assert len(list(packed.wrong_of_sdist(less))) == 4


LACKS = "import sys; sys.platform = 'win32'; sys.modules.update(fcntl=None, pwd=None, torch=None); "
"""What there is not on Windows; nor may torch be waited for."""


def on_windows(code):
    return subprocess.run(
        [sys.executable, "-c", LACKS + code], capture_output=True, text=True, cwd=ROOT
    )


@pytest.mark.parametrize(
    "code",
    [
        "from bench.start import main; raise SystemExit(main())",
        "import runpy; runpy.run_module('bench', run_name='__main__')",
    ],
)
def test_windows_is_refused_in_one_sentence(code):
    done = on_windows(code)
    assert done.returncode == 64 and done.stdout == ""
    assert re.fullmatch(r"vaebench: the suite needs Linux or macOS, .* WSL, [^.]*\n", done.stderr)


@pytest.mark.parametrize("module", ["vaelib", "vaelib.priors", "vaelib.files"])
def test_the_library_is_refused_there_with_the_same_sentence(module):
    done = on_windows(f"import {module}")
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1 and last.startswith("ImportError: the suite needs Linux or macOS, ")


def test_the_command_begins_where_windows_is_refused():
    assert PROJECT["scripts"] == {"vaebench": "bench.start:main"}
    assert not [c for c in PROJECT["classifiers"] if "Windows" in c or c.endswith("Independent")]
    assert "Windows" in README and "Windows" in text("docs/clusters.md")
