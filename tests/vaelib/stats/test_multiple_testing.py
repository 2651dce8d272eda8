import numpy as np
import pytest

from vaelib.stats.multiple_testing import holm


def test_holm_is_pingouins():
    pingouin = pytest.importorskip("pingouin")
    for count in (1, 2, 7, 30):
        p_values = np.random.default_rng(count).random(count) ** 3
        assert holm(p_values) == pytest.approx(pingouin.multicomp(p_values, method="holm")[1])
    assert holm(np.array([])).shape == (0,)
