"""The systems that the suite runs on; imported first of all, so that another one is refused."""

import sys

__all__: list[str] = []

if sys.platform == "win32":
    raise ImportError(
        "the suite needs Linux or macOS, and this is Windows, which lacks the file locks and the "
        "server of processes that it is built on; run it in WSL, the Windows Subsystem for Linux"
    )
