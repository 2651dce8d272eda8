"""The plan of a request; code of a user's own is imported in a process of its own, never in this.

While it is imported, code may end its process, crash it, copy it, leave threads or never come back,
none of which raises; and what it changes in its process would reach all that runs there after it.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from bench.errors import ForeignError, MatrixError, NotDoneError, UserError, raised
from bench.matrix.configurations import canonical
from bench.matrix.files import read
from bench.matrix.kept import code_keys, paths
from bench.matrix.language import Matrix, load, parsed
from bench.metrics.metric import Metric
from bench.metrics.registry import METRICS
from bench.run.executors import PRELOAD
from bench.run.isolation import Alone, Died
from bench.run.plan import Plan, fingerprints, plan
from bench.run.request import Request
from bench.run.settings import LEAVES, REMEDY, changes, settings

__all__ = ["planned"]

_LONGEST = 600.0  # seconds; a data set of a user's own may be read from far away
_EXPECTED = "expected code that can be imported and used"


class _Asked(NamedTuple):
    request: Request
    device: str
    place: str


def planned(request: Request, device: str = "cpu") -> Plan:
    """What a request comes to.

    Args:
        request: what is to be run.
        device: where to train.

    Returns:
        The plan. Of metrics of a user's own it has no function: jobs import them by their paths.

    Raises:
        MatrixError: for every mistake in the matrix; for code that ends the process that imports
            it, or takes longer than 10 minutes and the request's timeout.
        NotDoneError: for an error of the suite's own in that process.
    """
    asked = _Asked(request, device, os.getcwd())
    keys = list(_keys(request))
    if not keys:
        return _plan(asked)
    at, seconds = " and ".join(keys), max(_LONGEST, request.timeout or 0.0)
    trial = Alone(_apart, asked, ("bench.run.worker", *PRELOAD))
    try:
        found = trial.result(seconds)
    except Died as error:
        how = f"with code {error.exitcode}"
        if error.exitcode < 0:
            how = f"by signal {-error.exitcode} ({signal.strsignal(-error.exitcode)})"
        message = f"{at}: {_EXPECTED}, got the end of its process {how}; remove what ends it"
        raise MatrixError(message) from error
    except TimeoutError as error:
        message = f"{at}: {_EXPECTED} in {seconds:g} s, got no answer; allow more with --timeout"
        raise MatrixError(message) from error
    finally:
        trial.end()
    _check_data(found, at, large=request.yes)
    folder = request.results / found.matrix.name
    jobs = [replace(job, place=asked.place, results=folder) for job in found.jobs]
    return replace(found, folder=folder, jobs=jobs)


def _check_data(found: Plan, at: str, *, large: bool) -> None:
    """Reads the data of the suite's own here, where no user's code runs, and compares them.

    A data set that is a user's own can only be read there.

    Args:
        found: the plan that was made there.
        at: the keys that name code.
        large: as for `fingerprints`.

    Raises:
        MatrixError: where they were others there.
    """
    theirs = {canonical(job.configuration["dataset"]): job.data for job in found.jobs}
    for table, ours in fingerprints(found.matrix, own=False, large=large).items():
        if theirs[table] != ours:
            name = json.loads(table)["name"]
            raise MatrixError(
                f"{at}: expected code that changes no function of others, got another {name} where "
                "it was imported; change nothing outside of its own module"
            )


def _plan(asked: _Asked) -> Plan:
    request, before, environment = asked.request, settings(), dict(os.environ)
    matrix = load(
        request.matrix,
        overrides=request.overrides,
        seeds=request.seeds,
        first_seed=request.first_seed,
        metrics=METRICS,
        large=request.yes,
    )
    if changed := changes(before):
        at = " and ".join(_keys(request))
        raise MatrixError(
            f"{at}: expected code that {LEAVES} where it is imported, got {changed}; {REMEDY}"
        )
    os.chdir(asked.place)  # where relative paths of data begin
    os.environ.clear()  # which may say where published data lie
    os.environ.update(environment)
    return plan(matrix, request.results, asked.device, request.timeout, large=request.yes)


def _apart(asked: _Asked) -> Plan:
    """The plan without anything of the user's own, made in silence; errors keep their traceback."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    sys.path.append(asked.place)
    try:
        found = _plan(asked)
        codes: dict[str, Mapping[str, str]] = {
            code: dict(digests) for code, digests in found.codes.items()
        }
        return replace(found, matrix=_plain(found.matrix), codes=codes)
    except ForeignError as error:
        error.trace = "".join(traceback.format_exception(error.__cause__ or error))
        raise
    except (UserError, NotDoneError, OSError, MemoryError):
        raise
    except BaseException as error:
        unknown = NotDoneError(f"not done for an error of the suite's own, {raised(error)}")
        unknown.trace = "".join(traceback.format_exception(error))
        raise unknown from error


def _plain(matrix: Matrix) -> Matrix:
    """A matrix whose metrics are the suite's class, and say no more than pages must know."""
    kept = [asdict(replace(metric, measure=None)) for metric in matrix.metrics.own]
    adapter = TypeAdapter(list[Metric])
    own = adapter.validate_json(adapter.dump_json(adapter.validate_python(kept)))
    return replace(matrix, metrics=METRICS.with_own(own))


def _keys(request: Request) -> Iterator[str]:
    """Where a request may name code."""
    document: dict[str, Any] = parsed(read(request.matrix), str(request.matrix))
    header = document.get("matrix")
    named = header.get("metrics") if isinstance(header, Mapping) else None
    yield from paths(named, "matrix.metrics")
    yield from code_keys(document)
    for text in request.overrides:
        if ":" in text:
            yield f"--set {text.partition('=')[0]}"
