import os

import pytest
import torch


def pytest_runtest_setup():
    """The same for every test, whatever came before: one thread, as more take far longer here, and
    the global stream of random numbers from its start."""
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """Simulated nulls are drawn once for all tests, in every process of theirs."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    os.environ["VAEBENCH_CACHE"] = str(folder)
    yield folder
    del os.environ["VAEBENCH_CACHE"]
