"""The file of expectations is what the worlds say, and its bands hold what is known."""

import json
import math

from vaelib.worlds.expected import LEAST, SHARE, band, document, shipped
from vaelib.worlds.named import worlds


def rounded(entry):
    """Without what another processor changes: the last digit of a quadrature."""
    return {
        name: rounded(value) if isinstance(value, dict)
        else round(value, 4) if isinstance(value, float) else value
        for name, value in entry.items()
    }  # fmt: skip


def test_the_file_that_comes_with_the_package_is_what_the_code_says():
    now, file = document(), shipped()
    assert json.loads(json.dumps(now)).keys() == file.keys()
    assert {name: now[name] for name in now if name != "worlds"} == {
        name: file[name] for name in file if name != "worlds"
    }
    assert list(map(rounded, now["worlds"])) == list(map(rounded, file["worlds"]))


def test_each_world_has_a_kl_a_band_around_it_and_says_what_it_breaks():
    entries = shipped()["worlds"]
    assert [entry["name"] for entry in entries] == [world.name for world in worlds()]
    for entry, world in zip(entries, worlds(), strict=True):
        assert entry["estimate"]["low"] < entry["kl"] < entry["estimate"]["high"]
        assert entry["lower"]["at_most"] == entry["upper"]["at_least"] == entry["kl"] >= 0
        assert entry["posteriors"] == (world.encode is not None) and entry["breaks"]
        assert entry["known_by"] in ("closed form", "quadrature")


def test_a_band_is_a_share_of_a_large_kl_and_never_narrower_than_its_least():
    assert band(0.0) == (-LEAST, LEAST)
    low, high = band(10.0)
    assert math.isclose(low, 10 * (1 - SHARE)) and math.isclose(high, 10 * (1 + SHARE))
