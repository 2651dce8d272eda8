"""What a change of the code makes stale, on a copy of the suite, in the words of the commands."""

import pytest

from tests.copies import copy_suite, tiny_matrix, vaebench


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.slow
def test_words_run_nothing_statistics_measure_again_and_an_optimiser_trains(tmp_path):
    matrix = tiny_matrix(copy_suite(tmp_path))

    def run(*more):
        return vaebench(tmp_path, "run", matrix, "--workers", "1", "--results", "results", *more)

    def models():
        return {path: path.stat().st_mtime_ns for path in tmp_path.glob("results/*/models/*.npz")}

    assert "1 ok" in run()
    trained = models()
    assert len(trained) == 1

    replace(tmp_path / "bench/metrics/latents.py", "Mean KL(q(z|x)‖p)", "Average KL(q(z|x)‖p)")
    text = run()
    assert "0 jobs to run, 1 cell cached" in text and "1 cached (0 stale) in" in text

    replace(tmp_path / "vaelib/stats/moments.py", "import torch\n", "import torch\n\nEXTRA = 1\n")
    text = run("--dry-run")
    assert "1 cell is stale, vaelib/stats/moments.py changed: base" in text
    assert "the model of 1 of them serves: it is only measured again" in text

    replace(tmp_path / "vaelib/training.py", "batch_size: int = ", "batch_size: int = 0 + ")
    text = run("--dry-run")
    assert "vaelib/stats/moments.py, vaelib/training.py changed: base" in text
    assert "only measured again" not in text and models() == trained
