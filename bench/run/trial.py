"""Whether a matrix that names code of a user's own can be planned: tried in a process of its own.

While it is imported, code may end its process, crash it or never come back, none of which raises.
"""

import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from bench.errors import MatrixError
from bench.matrix.files import read
from bench.matrix.language import load, parsed
from bench.metrics.registry import METRICS
from bench.run.executors import PRELOAD
from bench.run.isolation import Alone, Died
from bench.run.plan import plan
from bench.run.request import Request

__all__ = ["check_code"]

_LONGEST = 600.0  # seconds; a data set of a user's own may be read from far away
_SECTIONS = ("matrix", "base", "study")


def check_code(request: Request) -> None:
    """Refuse a matrix whose code ends the process that imports it; whatever it raises is left.

    A matrix that names no code costs nothing; another is planned once more than is needed.

    Args:
        request: what is to be run.

    Raises:
        MatrixError: for code that ends the process, or takes longer than the request's timeout, 10
            minutes by default.
    """
    document = parsed(read(request.matrix), str(request.matrix))
    sections = {name: document.get(name) for name in _SECTIONS}
    keys = list(_colons(sections, ""))
    keys += [f"--set {text.partition('=')[0]}" for text in request.overrides if ":" in text]
    if not keys:
        return
    at, seconds = " and ".join(keys), request.timeout or _LONGEST
    trial = Alone(_plan, request, ("bench.run.worker", *PRELOAD))
    try:
        trial.result(seconds)
    except Died as error:
        how = f"with code {error.exitcode}"
        if error.exitcode < 0:
            how = f"by signal {-error.exitcode} ({signal.strsignal(-error.exitcode)})"
        raise MatrixError(
            f"{at}: expected code that can be imported and used, got the end of its process {how}; "
            "remove what ends it"
        ) from error
    except TimeoutError as error:
        raise MatrixError(
            f"{at}: expected code that can be imported and used in {seconds:g} s, got no answer; "
            "allow more with --timeout"
        ) from error
    finally:
        trial.end()


def _plan(request: Request) -> None:
    """Plans what is asked for in silence; what is raised is raised again where it can be kept."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    with suppress(BaseException):
        matrix = load(
            request.matrix,
            overrides=request.overrides,
            seeds=request.seeds,
            first_seed=request.first_seed,
            metrics=METRICS,
            large=request.yes,
        )
        plan(matrix, request.results, large=request.yes)


def _colons(value: object, key: str) -> Iterator[str]:
    """Dotted keys of texts that may be import paths, all of which have a colon."""
    if isinstance(value, str) and ":" in value:
        yield key.removesuffix(".name")
    inner: Iterable[tuple[object, object]] = value.items() if isinstance(value, Mapping) else ()
    if isinstance(value, list):
        inner = enumerate(value, 1 if key == "study" else 0)
    for name, part in inner:
        between = " " if key == "study" else "."
        yield from _colons(part, f"{key}{between}{name}" if key else str(name))
