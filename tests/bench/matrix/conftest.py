"""Fixtures of matrices."""

import pytest

from bench.matrix.language import Matrix, load


@pytest.fixture
def read(tmp_path):
    def read(text: str, **options) -> Matrix:
        path = tmp_path / "matrix.toml"
        path.write_text(text, encoding="utf-8")
        return load(path, **options)

    return read
