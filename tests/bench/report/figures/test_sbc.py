import numpy as np
import pytest

from bench.report.figures.sbc import rank_ecdf_plot
from vaelib.stats.sbc import GRID, band


def test_lines_are_shares_less_the_uniform_in_their_own_band():
    even = np.arange(1, GRID + 1)
    narrow = np.rint(200 * np.arange(1, GRID + 1) / GRID).astype(int)
    narrow[:50] += 30
    panels = rank_ecdf_plot({"a": np.stack([even, even]), "b": np.stack([narrow] * 3)}).axes
    titles = [axes.get_title(loc="left").replace("\u00a0", " ") for axes in panels]
    assert titles == ["a  (n = 100)", "b  (n = 200)"]
    level, joint = panels[0].get_lines()[1:]
    assert level.get_ydata() == pytest.approx(0) and joint.get_ydata() == pytest.approx(0)
    lines = panels[1].get_lines()[1:]
    assert len(lines) == 3
    assert lines[0].get_ydata()[1:51] == pytest.approx(0.15)
    (shade,) = panels[1].collections
    ends = shade.get_paths()[0].vertices
    assert ends[:, 1].max() == pytest.approx((band(200)[1] - np.arange(1, GRID) / GRID).max())
    assert panels[0].get_ylim()[1] > (band(100)[1] - np.arange(1, GRID) / GRID).max()
