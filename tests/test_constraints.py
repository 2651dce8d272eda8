"""The versions that tox installs are fixed, all of them, and no file says from where."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
ACCELERATOR = re.compile(r"nvidia-|cuda-|triton$")  # what torch with CUDA brings along


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(name):
    """What a package says that it needs; nothing of one that is not here."""
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []


def needed(lines, extras, found):
    """What is needed in this environment, and what that needs."""
    for requirement in map(Requirement, lines):
        marker, known = requirement.marker, plain(requirement.name)
        if marker and not any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            continue
        if known not in found and not ACCELERATOR.match(known):
            found.add(known)
            needed(installed(known), requirement.extras, found)


def versions():
    """The fixed version of each package, all of them with hashes and without an address."""
    text = re.sub(r"^#.*\n", "", (ROOT / "constraints.txt").read_text(), flags=re.M)
    entries = text.replace(" \\\n", "").splitlines()
    matches = [
        re.fullmatch(r"([\w.-]+)==([\w.+]+)(    --hash=sha256:[0-9a-f]{64})+", one)
        for one in entries
    ]
    assert all(matches)
    return {match[1]: match[2] for match in matches}


def test_every_package_of_the_tests_has_a_version():
    fixed = versions()
    found = set()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed([*project["dependencies"], *project["optional-dependencies"]["test"]], (), found)
    assert len(found) > 40
    assert found <= set(map(plain, fixed))
    assert fixed.keys() >= {"tox", "tox-uv", "uv"}


def test_tox_uv_and_the_actions_of_the_workflow_are_pinned():
    version = versions()["tox-uv"]
    workflows = [f".github/workflows/{name}.yml" for name in ("check", "commands")]
    for path in (".ci/run", *workflows, "docs/ci.md"):
        text = (ROOT / path).read_text()
        assert set(re.findall(r"tox-uv\S*", text)) == {f"tox-uv=={version}"}, path
    uses = re.findall(r"uses: \S+@(\S+)", "".join((ROOT / p).read_text() for p in workflows))
    assert len(uses) == 5 and all(re.fullmatch(r"[0-9a-f]{40}|v\d+\.\d+\.\d+", tag) for tag in uses)
