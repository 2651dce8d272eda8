"""No test depends on how fast or how busy the machine is.

A line that looks as if it did says in a comment ``# why: …`` why it cannot fail for it.
"""

import ast
from contextlib import suppress
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
CLOCKS = {"perf_counter", "monotonic", "time", "process_time", "thread_time"}
CLOCKS |= {f"{name}_ns" for name in CLOCKS}
TAKEN = {"seconds", "stages", "elapsed", "duration", "wall"}  # what records and runs call times
ENOUGH = 600  # seconds: a limit that only bounds a hang
ORDERS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)


def is_clock(node):
    """Whether it reads a clock: ``time.monotonic()``, or ``monotonic()``."""
    function = node.func if isinstance(node, ast.Call) else None
    if isinstance(function, ast.Attribute):
        owner = function.value
        return isinstance(owner, ast.Name) and owner.id == "time" and function.attr in CLOCKS
    return isinstance(function, ast.Name) and function.id in CLOCKS


def reads_clock(node, known=frozenset()):
    """Whether a clock, or a name that holds what one said, is part of an expression."""
    parts = list(ast.walk(node))
    return any(is_clock(part) for part in parts) or any(
        isinstance(part, ast.Name) and part.id in known for part in parts
    )


def is_time(node):
    """Whether it is a time that something took: ``record["seconds"]``, ``run.seconds``."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and part.attr in TAKEN:
            return True
        if isinstance(part, ast.Subscript) and isinstance(part.slice, ast.Constant):
            if part.slice.value in TAKEN:
                return True
    return False


def number(node):
    return (
        node.value if isinstance(node, ast.Constant) and type(node.value) in (int, float) else None
    )


def found_in_call(node):
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name == "sleep":
        yield "sleeps"
    limits = [word.value for word in node.keywords if word.arg == "timeout"]
    if name in ("wait", "join") and not isinstance(getattr(node.func, "value", 0), ast.Constant):
        limits += node.args
    if any((number(limit) or ENOUGH) < ENOUGH for limit in limits):
        yield "waits for a limited time"
    ports = [word.value for word in node.keywords if word.arg == "port"]
    if name in ("bind", "connect", "create_server", "create_connection") and node.args:
        address = node.args[0]
        ports += address.elts[1:2] if isinstance(address, ast.Tuple) else []
    if any(number(port) for port in ports):
        yield "uses a fixed port"


def mistakes(text):
    """Lines of a test file that depend on time, with what they do."""
    tree, lines = ast.parse(text), text.splitlines()
    known = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and reads_clock(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and "\nimport " in f"\n{node.value}":
            yield from mistakes_of_script(node)
        found = []
        if isinstance(node, ast.Call):
            found += found_in_call(node)
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            ordered = any(isinstance(each, ORDERS) for each in node.ops)
            if any(reads_clock(side, known) for side in sides) or (
                ordered and any(map(is_time, sides))
            ):
                found.append("compares times")
        said = "\n".join(lines[node.lineno - 1 : node.end_lineno]) if found else ""
        if "# why: " not in said:
            yield from (f"{node.lineno}: {what}" for what in found)


def mistakes_of_script(node):
    """Those of a text that is the program of another process."""
    with suppress(SyntaxError):
        yield from (f"{node.lineno}: script, {found}" for found in mistakes(node.value))


FILES = sorted(path.relative_to(TESTS) for path in TESTS.glob("**/*.py"))


@pytest.mark.parametrize("file", FILES, ids=str)
def test_no_line_depends_on_time(file):
    assert list(mistakes((TESTS / file).read_text())) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("time.sleep(1)", "sleeps"),
        ("from time import sleep; sleep(x)", "sleeps"),
        ("assert time.perf_counter() - start < 3", "compares times"),
        ("end = time.monotonic() + 3\nwhile end > now(): pass", "compares times"),
        ("assert perf_counter() < 1", "compares times"),
        ("assert one['stages']['training'] < 3", "compares times"),
        ("assert 90 <= run.seconds", "compares times"),
        ("process.communicate(timeout=30)", "waits for a limited time"),
        ("thread.join(10)", "waits for a limited time"),
        ("socket.bind(('', 8080))", "uses a fixed port"),
        ("serve(port=80)", "uses a fixed port"),
        ("SCRIPT = 'import time\\ntime.sleep(1)'", "script, 2: sleeps"),
    ],
)
def test_what_depends_on_time_is_found(line, found):
    assert [one.partition(": ")[2] for one in mistakes(line)] == [found]
    assert line.startswith("SCRIPT") or list(mistakes(f"{line}  # why: a reason")) == []


def test_what_does_not_is_left_alone():
    fine = [
        "time.time(); ', '.join(['a'])",
        "x.join(LIMIT)",
        "run(timeout=600)",
        "y['seconds'] == 3",
    ]
    fine += ["socket.bind(('', 0))", "clock.now = 3; assert clock.now < 4", "text.join(rows)"]
    assert list(mistakes("\n".join(fine))) == []
