import time
from pathlib import Path

import pytest

from tests.benchmarks.page import Finding, page
from tests.benchmarks.timing import like_a_worker, ratios

FINDINGS = pytest.StashKey()
SELECTED = pytest.StashKey()


def pytest_addoption(parser):
    group = parser.getgroup("performance")
    group.addoption("--page", type=Path, help="Markdown page to write, once all benchmarks ran")
    group.addoption(
        "--check", action="store_true", help="fail where a target is missed by more than the noise"
    )


def pytest_configure(config):
    config.stash[FINDINGS] = []
    config.stash[SELECTED] = False


def pytest_collection_modifyitems(items):
    for item in items:
        if "compare" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.benchmark(timer=time.process_time))


def pytest_deselected(items):
    if items:
        items[0].config.stash[SELECTED] = True


def pytest_sessionfinish(session, exitstatus):
    """Writes the page; a selection or a benchmark that broke would leave rows out."""
    config = session.config
    path, findings = config.getoption("page", None), config.stash[FINDINGS]
    wanted = [item for item in session.items if "compare" in getattr(item, "fixturenames", ())]
    if path and findings and len(findings) == len(wanted) and not config.stash[SELECTED]:
        path.write_text(page(findings), encoding="utf-8")
        print(f"\nwrote {path}")


@pytest.fixture
def compare(benchmark, request):
    """Times one thing against another and keeps the finding for the page."""
    config = request.config

    def run(what, measured, against, **details):
        with like_a_worker():
            found, noise = ratios(benchmark, measured, against)
        finding = Finding(what, ratios=found, noise=noise, **details)
        benchmark.extra_info["ratio"] = finding.ratio
        config.stash[FINDINGS].append(finding)
        print(f"\n{what}: {finding.ratio:.3g} of {finding.reference} (target {finding.target})")
        if config.getoption("check", False) and finding.worse_than_noise:
            pytest.fail(
                f"{what} takes {finding.ratio:.3g} of {finding.reference}, target "
                f"{finding.target:g}, noise {100 * noise:.0f} %",
                pytrace=False,
            )

    return run
