"""Any file loads or is refused in one line."""

import re
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import MatrixError
from bench.matrix.files import shipped
from bench.matrix.language import load
from bench.metrics.registry import METRICS
from tests.bench.matrix.examples import identities, names
from tests.bench.matrix.mutations import KEYS_OF, LITERALS, mutated

OUTCOMES: list[str] = []


@settings(max_examples=300)
@given(text=mutated())
def check_mutated(text: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".toml", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        outcome(Path(file.name), [])


def outcome(path: Path, overrides: list[str]) -> None:
    try:
        matrix = load(path, overrides=overrides, metrics=METRICS)
    except MatrixError as error:
        assert str(error).isprintable() and len(str(error)) < 1000
        OUTCOMES.append("refused")
    else:
        assert all(re.fullmatch(r"[A-Za-z0-9_-]+", name) for name in names(matrix))
        assert len(set(identities(matrix))) == matrix.seeds * len(matrix.configurations)
        OUTCOMES.append("loaded")


def test_mutated_files_load_or_are_refused_in_one_line():
    OUTCOMES.clear()
    check_mutated()
    assert min(OUTCOMES.count("refused"), OUTCOMES.count("loaded")) > 30


@settings(max_examples=200)
@given(key=KEYS_OF | st.text(max_size=8), value=LITERALS | st.text(max_size=8))
def test_any_override_loads_or_is_refused_in_one_line(key, value):
    outcome(shipped()["mnist5k"], [f"{key}={value}"])
