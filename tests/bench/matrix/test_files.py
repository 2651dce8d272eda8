import re

import pytest

from bench.errors import MatrixError
from bench.matrix.files import shipped
from bench.matrix.language import load
from tests.bench.matrix.examples import EXAMPLE


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, r"expected a TOML file, got a directory"),
        (b"\x80\x04\x95PK", r"expected a TOML file in UTF-8, got other bytes at 0"),
        (b"[matrix", r"expected TOML, got: Expected ']' at the end of a table declaration .*"),
        (b"[matrix]\nname = ", r"expected TOML, got: Invalid value .*"),
        (b"a = " + b"[" * 5000, r"expected TOML, got: .*"),
        (b"a = " + b"9" * 5000, r"expected TOML, got: .*"),
    ],
)
def test_files_that_are_no_matrix(tmp_path, content, sentence):
    path = tmp_path / "bad.toml"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(MatrixError) as caught:
        load(path)
    assert re.fullmatch(f"{re.escape(str(path))}: {sentence}", str(caught.value))


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        (
            "digts",
            f'digts: unknown matrix, did you mean "digits"? Known: {", ".join(shipped())}; '
            "or the path of a TOML file",
        ),
        (
            "nowhere.toml",
            "nowhere.toml: expected a TOML file that can be read, got: No such file or directory",
        ),
        ("/dev/zero", "/dev/zero: expected a TOML file, got something else"),
        ("", ".: expected a TOML file, got a directory"),
        (
            "x" * 300 + ".toml",
            "x" * 300 + ".toml: expected a TOML file that can be read, got: File name too long",
        ),
        ("a\0/b", "a /b: expected a TOML file that can be read, got: embedded null byte"),
    ],
)
def test_paths_that_lead_nowhere(path, sentence):
    with pytest.raises(MatrixError) as caught:
        load(path)
    assert str(caught.value) == sentence


def test_a_link_that_leads_nowhere_is_called_so(tmp_path):
    link = tmp_path / "link.toml"
    link.symlink_to(tmp_path / "nowhere.toml")
    with pytest.raises(MatrixError, match="link.toml: expected a TOML file, got a link that leads"):
        load(link)


def test_windows_files_load(read, tmp_path):
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + EXAMPLE.replace("\n", "\r\n").encode())
    assert load(path) == read(EXAMPLE)
