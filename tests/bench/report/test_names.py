"""Different names are different files, and no name leaves its folder."""

import itertools
import re

from bench.report.names import file_name, of_configuration

HOSTILE = [
    *("width 2", "width-2", "Width 2", "width  2", "width_2", "width 2 ", " width 2", "WIDTH 2"),
    *("Ranks", "ranks", "brackets", "x kl", "x", "quilt base", "samples a", "correlations"),
    *("日本", "中国", "é", "e", "", "-", "..", "../x", "/etc/passwd", "a/b", "a\\b", "con:"),
    *("<b>", "a" * 300, "a" * 299, "a\nb", "a\tb", "x 81185af8", "match cost", "a; b"),
]


def test_names_become_different_files_of_plain_characters():
    made = [file_name(text) for text in HOSTILE]
    assert len(set(made)) == len(HOSTILE)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,80}", name) for name in made)


def test_no_study_is_called_like_a_figure_of_another_kind():
    others = {"ranks", "brackets", "correlations", "match-cost"}
    kinds = [f"{name}-{kind}" for name in ("x", "width-2") for kind in ("kl", "quantiles", "sbc")]
    named = [f"{kind}-base" for kind in ("quilt", "samples", "holes")]
    for taken in (*others, *kinds, *named):
        assert file_name(taken.replace("-", " ")) != taken and file_name(taken) != taken


def test_configurations_keep_their_names_and_others_cannot_leave():
    assert of_configuration("latent_dim-16--objective-ae") == "latent_dim-16--objective-ae"
    made = [of_configuration(name) for name in ("../../x", "a/b", "a b", "a-b", "Ab", "ab", "")]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", name) for name in made)
    assert not any(a == b for a, b in itertools.combinations(made, 2))
