"""Figures are saved in few bytes, and nobody can tell."""

import io

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from bench.report.figures.style import STYLE, VECTORS, png, vector


def figure(colours):
    """Lines and a text, and an image of so many colours."""
    drawn = Figure(figsize=(4, 2))
    left, right = drawn.subplots(1, 2)
    left.plot(np.sin(np.arange(50)), label="sine")
    left.legend()
    shades = np.random.default_rng(0).random((colours // 8, 8, 3))
    right.imshow(shades, interpolation="nearest", aspect="auto")
    return drawn


def as_drawn(drawn):
    """What matplotlib itself makes of it."""
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        drawn.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def pixels(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB")).astype(int), image.mode, image.info


@pytest.mark.parametrize(("colours", "mode", "most"), [(64, "P", 4), (4096, "RGB", 0)])
def test_a_palette_is_used_where_nobody_sees_it(colours, mode, most):
    whole, data = as_drawn(figure(colours)), png(figure(colours))
    before, _, told = pixels(whole)
    after, found, info = pixels(data)
    assert found == mode and info == told
    assert np.abs(after - before).max() <= most
    assert len(data) < (0.75 if mode == "P" else 1) * len(whole)
    assert png(figure(colours)) == data


def test_what_is_transparent_stays_so():
    drawn = figure(64)
    drawn.patch.set_alpha(0)
    data = png(drawn)
    assert Image.open(io.BytesIO(data)).getchannel("A").getextrema() == (0, 255)


@pytest.mark.parametrize("form", VECTORS)
def test_a_figure_has_a_form_without_pixels_that_tells_no_time(form):
    data = vector(figure(64), form)
    assert data.startswith({"svg": b"<?xml", "pdf": b"%PDF"}[form])
    assert vector(figure(64), form) == data
    assert b"CreationDate" not in data and b"<dc:date>" not in data and b"/Type3" not in data
