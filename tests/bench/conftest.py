"""Fixtures that several files share."""

import ctypes
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

_VERSION, _OVERRIDE = 0x20080522, 1 << 1  # of linux/capability.h: version 3, CAP_DAC_OVERRIDE


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Data(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


@contextmanager
def _bound_by_permissions():
    """Takes from root, in this thread, the right to write where modes forbid it."""
    libc, header, data = ctypes.CDLL(None), _Header(_VERSION, 0), (_Data * 2)()
    assert libc.capget(ctypes.byref(header), data) == 0
    before = data[0].effective
    data[0].effective = before & ~_OVERRIDE
    assert libc.capset(ctypes.byref(header), data) == 0
    try:
        yield
    finally:
        data[0].effective = before
        assert libc.capset(ctypes.byref(header), data) == 0


@pytest.fixture
def read_only():
    """A folder that cannot be written, for root neither."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    with _bound_by_permissions():
        yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)
