import pandas as pd

from bench.calibration.verdicts import judged


def test_a_biased_estimator_is_found_and_a_bound_is_no_bias():
    rows = {"promise": ["unbiased", "at most", "at most", "exact", "exact"]}
    rows |= {"oracle": [0.0] * 5, "mean": [0.4, -0.4, 0.4, 0.0, 1e-9], "error": [0.1] * 4 + [1e-20]}
    frame = pd.DataFrame(rows | {"largest": [0.5, 0.5, 0.5, 1e-5, 1e-9]})
    outside = judged("estimators", frame)["outside"]
    assert outside.tolist() == [True, False, True, True, False]


def test_intervals_that_fall_short_are_found():
    promises = ["exact", "exact", "exact", "at least", "at least", "about", "no promise"]
    held = [9400, 9500, 9600, 9990, 9400, 9200, 5000]
    columns = {"nominal": 0.95, "repetitions": 10_000}
    frame = pd.DataFrame({"promise": promises, "held": held}).assign(**columns)
    outside = judged("intervals", frame)["outside"]
    assert outside.tolist() == [True, False, True, False, True, False, False]
