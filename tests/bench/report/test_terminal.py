import io

import pytest
from rich.console import Console

from bench.report.terminal import table

ROWS = [
    ["marginal_kl_null_test", "a text of several words, [nats] and all", "0.001"],
    ["rate", "short", ""],
]


def printed(width, rows=ROWS, **options):
    out = io.StringIO()
    Console(file=out, width=width).print(
        table(["metric", "what it is", "p-value"], rows, **options)
    )
    return out.getvalue()


@pytest.mark.parametrize("width", [50, 60, 80, 200])
def test_names_and_words_are_whole_and_no_line_is_too_long(width):
    text = printed(width)
    assert "…" not in text
    for word in " ".join(map(" ".join, ROWS)).split():
        assert any(word in line for line in text.splitlines())
    assert max(map(len, text.splitlines())) <= width


def test_a_word_longer_than_thirty_characters_folds_and_loses_nothing():
    name = "latent_dim-16--encoder-hidden-200-200-200--objective-beta-2"
    lines = printed(60, [[name, "", ""]]).splitlines()
    assert "".join(line.split("│")[1].strip() for line in lines if "│" in line) == name


def test_title_and_caption_stand_on_the_left_as_they_are():
    lines = printed(80, title="test: [5] inputs", caption="or your own: [x]").splitlines()
    assert lines[0].rstrip() == "test: [5] inputs"
    assert lines[-1].rstrip() == "or your own: [x]"
