"""Fixtures that several files share."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def read_only():
    """A folder that cannot be written, for root neither: it steps down meanwhile."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield folder
    if root:
        os.seteuid(0)
    folder.chmod(0o755)
    shutil.rmtree(folder)
