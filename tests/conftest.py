import os

import hypothesis
import pytest
import torch

# The same examples in every run, however long one takes.
hypothesis.settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("suite")


def pytest_runtest_setup():
    """The same for every test, whatever came before: one thread, as more take far longer here, and
    the global stream of random numbers from its start."""
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef):
    """What several tests share takes nothing from the stream of the one that happens to be first,
    and is the same whichever that is."""
    if fixturedef.scope == "function":
        return (yield)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """Simulated nulls are drawn once for all tests, in every process of theirs."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    os.environ["VAEBENCH_CACHE"] = str(folder)
    yield folder
    del os.environ["VAEBENCH_CACHE"]


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """However long it takes here, no line more is printed than is expected."""
    monkeypatch.setattr("bench.run.progress.QUIET", 1e6)


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    """Who runs the tests has no say: neither a terminal, its width and what it can do, nor a folder
    of results."""
    names = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "VAEBENCH_RESULTS")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
