import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.findings import Finding, Gap
from tests.benchmarks.page import write_pages
from tests.benchmarks.runs import here, save
from tests.benchmarks.timing import cpu_seconds, like_a_worker, quotient, ratios

RESULTS = pytest.StashKey()  # findings, quantities, growths and gaps
DONE = pytest.StashKey()
SELECTED = pytest.StashKey()
NEAR = 1.4  # times a floor


def pytest_addoption(parser):
    group = parser.getgroup("performance")
    group.addoption(
        "--page",
        type=Path,
        help="Markdown page to write, once all ran, with JSON and more pages beside",
    )
    group.addoption(
        "--check", action="store_true", help="fail where a target is missed by more than the noise"
    )


def pytest_configure(config):
    config.stash[RESULTS] = []
    config.stash[DONE] = set()
    config.stash[SELECTED] = False


def _is_benchmark(item):
    return "benchmark" in getattr(item, "fixturenames", ())


def pytest_collection_modifyitems(items):
    for item in items:
        if {"compare", "compare_once"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.benchmark(timer=time.process_time))


def pytest_deselected(items):
    if items:
        items[0].config.stash[SELECTED] = True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped and _is_benchmark(item):
        _keep(item, [Gap(report.longrepr[2].removeprefix("Skipped: "))])
    return report


def pytest_sessionfinish(session, exitstatus):
    """Writes the page; a selection or a benchmark that broke would leave rows out."""
    config = session.config
    path, results = config.getoption("page", None), config.stash[RESULTS]
    wanted = {item.nodeid for item in session.items if _is_benchmark(item)}
    whole = wanted == config.stash[DONE] and not config.stash[SELECTED]
    if path and whole and any(isinstance(result, Finding) for result in results):
        folder = path.with_suffix("")
        for run in here(results):
            save(run, folder)
        write_pages(path)
        print(f"\nwrote {path}")


def _keep(item, results):
    item.config.stash[RESULTS].extend(results)
    item.config.stash[DONE].add(item.nodeid)


def _report(request, *results):
    """Keeps what one benchmark found, and fails a check of it."""
    _keep(request.node, results)
    for result in results:
        target = getattr(result, "target", None)
        print(f"\n{result}" + ("" if target is None else f" (target {target:g})"))
    worse = [result for result in results if getattr(result, "worse_than_noise", False)]
    if worse and request.config.getoption("check", False):
        noted = (f"{bad}, target {bad.target:g}, noise {100 * bad.noise:.0f} %" for bad in worse)
        pytest.fail("; ".join(noted), pytrace=False)


@pytest.fixture
def compare(benchmark, request):
    """Times one thing against another and keeps the finding for the page.

    A floor is what nothing can do without, and a call of it: its ratio is found too, and a check
    lets pass what comes near it.
    """

    def run(what, measured, against, *, floor=None, **details):
        with like_a_worker():
            of_rounds, noise = ratios(benchmark, measured, against)
            least = None if floor is None else quotient(floor[1], against)
        finding = Finding(what, ratios=of_rounds, noise=noise, **details)
        benchmark.extra_info["ratio"] = finding.ratio
        if least is None:
            _report(request, finding)
            return
        finding = replace(finding, accepted=max(finding.target, NEAR * least))
        _report(request, finding, Finding(floor[0], finding.reference, [least], noise=0.0))

    return run


@pytest.fixture
def compare_once(benchmark, request):
    """Times one thing against several that take long, each once, and keeps the findings.

    A floor is what nothing can do without, and its seconds. Where there is a target its ratio is
    found too, and a check lets pass what comes near it.
    """

    def run(what, measured, references, *, warm, targets, floor=None, **details):
        findings = []
        with like_a_worker():
            warm()
            benchmark.pedantic(measured, rounds=1)
            taken = benchmark.stats.stats.data[0]
            for reference, other in references.items():
                seconds, target = cpu_seconds(other), targets.get(reference)
                finding = Finding(what, reference, [taken / seconds], 0.0, target, **details)
                if floor and target is not None:
                    name, least = floor[0], floor[1] / seconds
                    findings.append(replace(finding, accepted=max(target, NEAR * least)))
                    findings.append(Finding(name, reference, [least], noise=0.0))
                else:
                    findings.append(finding)
        _report(request, *findings)

    return run


@pytest.fixture
def observe(benchmark, request):
    """Calls once what returns findings, quantities or growths, keeps them for the page, and returns
    them."""

    def run(measured, *arguments):
        results = benchmark.pedantic(measured, arguments, rounds=1)
        _report(request, *results)
        return results

    return run
