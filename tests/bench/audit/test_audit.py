"""What `vaebench audit` prints and writes."""

import dataclasses
import json
import re

import numpy as np
import pytest
import torch
from rich.console import Console

from bench.audit import audit, planted
from bench.audit import page as audit_figures
from bench.audit.archive import read_archive
from bench.cli import main
from vaelib.audits.measurement import Measurement, silent
from vaelib.audits.moment_answers import Moments

NAMES = re.compile(r"[a-z]\w+_\w+")


def run(*arguments):
    return main(["audit", *map(str, arguments)])


def gaussian(seed, factor=1.0, shape=(200, 2)):
    return factor * np.random.default_rng(seed).standard_normal(shape)


def posterior(path, factor=1.0, dtype=np.float64):
    train, heldout = gaussian(0, 0.8 * factor), gaussian(1, 0.8 * factor)
    scale = np.full_like(train, 0.6 * factor)
    arrays = {"mean": train, "scale": scale, "heldout_mean": heldout, "heldout_scale": scale}
    np.savez(path, **{name: array.astype(dtype) for name, array in arrays.items()})
    return path


def test_keys_of_a_file_are_said_by_options(tmp_path, capfd):
    path = tmp_path / "p.npz"
    np.savez(path, gaussian(0), np.log(0.36) + 0 * gaussian(1))
    assert run(path) == 64
    assert "--mean arr_0 --scale arr_1 --scale-is logvar or --scale-is logstd" in (
        capfd.readouterr().err
    )
    assert run(path, "--mean", "arr_0", "--scale", "arr_1", "--scale-is", "logvar") == 0
    read = capfd.readouterr().out.splitlines()[-2]
    assert read == "read: mean from arr_0, scale from exp(arr_1 / 2), 200 x 2"
    assert run(path, "--z", "arr_0", "--json") == 0
    json.loads(capfd.readouterr().out)
    for wrong, said in (
        (("--scale-is", "variance"), '--scale-is: unknown kind "variance"'),
        (("--z", "arr_0", "--mean", "arr_1"), "--z is for latents alone; leave --mean, --scale"),
        (("--z", "mean"), "expected z to be a key of the file, got 'mean'; it holds arr_0 float64"),
    ):
        assert run(path, *wrong) == 64
        assert said in capfd.readouterr().err
    assert run("--plan", "--dimensions", "2", "--mean", "a") == 64


def test_steps_of_one_input_are_warned_of_and_count_as_one(tmp_path, capfd):
    path = tmp_path / "p.npz"
    np.savez(path, mu=gaussian(0).reshape(4, 50, 2), std=np.full((4, 50, 2), 0.6))
    assert run(path) == 0
    out, err = capfd.readouterr()
    assert err == (
        "warning: (4, 50, 2) are 50 steps of each of 4 inputs, and steps of one input are not "
        "independent draws: each input counts as one group\n"
    )
    assert "at least 20 independent groups of z are needed to bound the KL, got 4" in out


@pytest.fixture
def bare(tmp_path):
    """Latents alone, of N(0, 2I)."""
    np.savez(tmp_path / "z.npz", z=gaussian(0, 2**0.5))
    return tmp_path / "z.npz"


@pytest.mark.parametrize("columns", [60, 80])
def test_no_name_is_cut_on_a_narrow_terminal(columns, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    path = posterior(tmp_path / "p.npz")
    assert run(path, "--json") == 0
    names = {row["metric"] for row in json.loads(capfd.readouterr().out)["rows"]}
    assert run(path, "--all") == 0
    lines = capfd.readouterr().out.splitlines()
    assert not any("…" in line for line in lines)
    assert names <= set(NAMES.findall("\n".join(lines))) | {
        "rate",
        "saturated",
        "negentropy",
        "copies",
    }
    assert max(len(line) for line in lines if line[:1] in set("┏┃┡│└")) <= columns


def test_the_answer_comes_first_then_questions_then_numbers_then_again(
    tmp_path, capfd, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "120")
    assert run(posterior(tmp_path / "p.npz", factor=2**0.5), "--all") == 0
    out = capfd.readouterr().out
    assert out.startswith("May I sample from N(0, I)? NO. ")
    assert re.search(r"│ scale +│ too wide +│ variance 1\.\d+ \(1\.\d+ to 2\.\d+\) ", out)
    assert "\nscale: The variance per dimension averages 1." in out
    assert out.index("test: 200 inputs, D = 2") < out.index("train: 200 inputs, D = 2")
    assert re.search(r"marginal_kl_excess +│ 0\.\d+ ± 0\.\d+ nats ", out)
    for split, until in (("test", "train: 200 inputs"), ("train", " s on 1 thread")):
        named, apart = out.split(f"{split}: diagnostics, which decide nothing")
        assert "marginal_kl_null" not in named.rpartition(f"{split}: 200 inputs")[2]
        told = re.findall(r"│ (marginal_kl\w+|rate) ", apart.partition(until)[0])
        assert set(told) == {"marginal_kl_null", "marginal_kl_excess", "marginal_kl_null_test"}
    assert re.search(r"\nmardia_test: power of \.5 .* up to D = 2 for clusters; at no D for", out)
    assert out.count("_test: power of .5") == 8
    assert "mutual_information, marginal_kl, " not in out  # every input was evaluated
    first = out.splitlines()[0]
    assert re.search(rf"\n\d+\.\d s on 1 thread\n{re.escape(first)}\n$", out)


def test_bare_latents_say_what_they_cannot_tell(bare, capfd):
    assert run(bare, "--all") == 0
    out = capfd.readouterr().out
    assert out.startswith("May I sample from N(0, I)? NO. ")
    assert re.search(r"what was given +│ z only ", out)
    assert "marginal_kl_loo, kl_per_dimension" in " ".join(out.split())
    assert "hole_mass: needs the mean and scale of every posterior" in " ".join(out.split())
    assert run(bare, "--json") == 0
    rows = json.loads(capfd.readouterr().out)["rows"]
    assert {row["split"] for row in rows} == {"sample"}
    values = {row["metric"]: row["value"] for row in rows}
    assert values["second_moment"] == pytest.approx(2, abs=0.4)
    assert values["marginal_kl_excess"] is None
    assert {
        "split",
        "metric",
        "value",
        "standard_error",
        "p_value",
        "source",
        "message",
        "unit",
    } == (rows[0].keys())


@pytest.mark.parametrize("kind", ["posterior", "bare"])
def test_a_report_is_a_page_with_its_figures(kind, bare, tmp_path, capfd):
    path = posterior(tmp_path / "p.npz", 2**0.5) if kind == "posterior" else bare
    folder = tmp_path / "deep" / "report"
    assert run(path, "--json", "--report", folder) == 0
    captured = capfd.readouterr()
    rows = json.loads(captured.out)["rows"]
    assert captured.err == f"{folder / 'audit.md'}\n"
    text = (folder / "audit.md").read_text()
    assert text.startswith(f"# Audit of {path.name}\n\n**May I sample from N(0, I)? NO. ")
    linked = re.findall(r"!\[.+?\]\((figures/.+?\.png)\)", text)
    assert {folder / link for link in linked} == set((folder / "figures").iterdir())
    quilts = ["figures/quilt-train.png", "figures/quilt-test.png"]
    drawn = [*quilts, "figures/quantiles.png", "figures/kl-test.png"]
    assert linked == (
        drawn if kind == "posterior" else ["figures/quantiles.png", "figures/kl-sample.png"]
    )
    tables = re.sub(r"<details><summary>Diagnostics</summary>.*?</details>", "", text, flags=re.S)
    for name in ("marginal_kl_null", "marginal_kl_excess", "marginal_kl_null_test"):
        assert tables.count(f"| {name} ") <= 1  # in the glossary
    assert text.count("which trained encoders break: it decides nothing.") == text.count(
        "<details>"
    )
    for link in linked:
        assert (folder / link).stat().st_size > 5000
    for row in rows:
        assert text.count(f"| {row['metric']} ") >= 2  # its value and what it is
    again = tmp_path / "again"
    assert run(path, "--json", "--report", again) == 0
    assert (again / "audit.md").read_text() == text


@pytest.mark.parametrize(
    ("prior", "width", "drawn"),
    [("normal", 0.0, ["quantiles", "kl-test"]), ("uniform", 0.3, ["kl-test"])],
)
def test_a_report_draws_what_there_is_of_points_and_of_another_prior(prior, width, drawn, tmp_path):
    mean, held = 5 + gaussian(0, shape=(60, 2)).clip(-4, 4), 5 + gaussian(1, shape=(40, 2)) / 2
    widths = {"scale": np.full_like(mean, width), "heldout_scale": np.full_like(held, width)}
    np.savez(tmp_path / "p.npz", mean=mean, heldout_mean=held, **widths)
    assert run(tmp_path / "p.npz", "--prior", prior, "--report", tmp_path / "page") == 0
    text = (tmp_path / "page" / "audit.md").read_text()
    assert re.findall(r"\(figures/(.+?)\.png\)", text) == drawn


def test_what_saw_some_of_many_inputs_says_so_everywhere(tmp_path, capfd):
    np.savez(tmp_path / "z.npz", z=gaussian(0, shape=(2500, 1)))
    folder = tmp_path / "report"
    assert run(tmp_path / "z.npz", "--json", "--report", folder) == 0
    rows = {row["metric"]: row["message"] for row in json.loads(capfd.readouterr().out)["rows"]}
    page = (folder / "audit.md").read_text()
    assert run(tmp_path / "z.npz", "--all") == 0
    terminal = " ".join(capfd.readouterr().out.split())
    tests = "mmd likelihood_ratio henze_zirkler mardia ks ksd energy".split()
    for names, some in (
        (["c2st_auc", "c2st_test"], "of 2,000 random inputs"),
        ([f"{test}_test" for test in tests], "of 500 random inputs"),
        (["mmd_squared", "second_moment"], ""),
    ):
        assert {rows[name] for name in names} == {some}
        for name in names:
            assert bool(some) == bool(re.search(rf"\| {name} .*\| +{some or 'of'}", page))
        assert (f"{', '.join(names)}: {some}" in terminal) == bool(some)


def test_figures_of_many_inputs_say_that_they_show_some(tmp_path, monkeypatch):
    monkeypatch.setattr(audit_figures, "_DRAWN", 100)
    path = posterior(tmp_path / "p.npz")
    audited = audit.audit_archive(read_archive(path), "normal", audit.Console(stderr=True))
    audit_figures.write_report(tmp_path / "report", audited, path.name)
    text = (tmp_path / "report" / "audit.md").read_text()
    captions = re.findall(r"!\[(.+?)\]", text)
    assert [("100 random inputs" in caption) for caption in captions] == [True] * 3 + [False]


def test_half_precision_gives_the_same_answers(tmp_path, capfd):
    values = {}
    for dtype in (np.float16, np.float64):
        assert run(posterior(tmp_path / "p.npz", dtype=dtype), "--json") == 0
        rows = json.loads(capfd.readouterr().out)["rows"]
        values[dtype] = [row["value"] for row in rows if row["metric"] == "second_moment"]
    assert values[np.float16] == pytest.approx(values[np.float64], rel=1e-3)
    assert values[np.float16] != values[np.float64]


def test_swapped_axes_are_warned_of_aside(tmp_path, capfd):
    np.savez(tmp_path / "z.npz", z=gaussian(0).T)
    assert run(tmp_path / "z.npz", "--json") == 0
    captured = capfd.readouterr()
    assert captured.err == (
        "warning: z has shape (2, 200), fewer inputs than dimensions: are its axes swapped?\n"
    )
    assert json.loads(captured.out)


NAN = gaussian(0)
NAN[3::9, 1] = np.nan


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"z": NAN},
            r"z must be finite, got NaN or infinity in 22 of 200 rows \(3, 12, .*, …\), more",
        ),
        ({"z": NAN[:, 0]}, r"z must have shape \(N, D\) with N and D at least 1, got \(200,\)"),
        (
            {"latents": NAN},
            r"latents must be finite, got NaN or infinity in 22 of 200 rows \(3, 12, ",
        ),
        ({"z": np.array([[{}, 1]] * 9, dtype=object)}, "z holds pickled objects, which are never"),
        ({"mean": gaussian(0), "scale": gaussian(1)}, r"got min -\d\.\d+; if these are log varia"),
        ({"mean": gaussian(0), "logvar": gaussian(1, 1e4)}, "logvar must lie between -220 and 220"),
        (b"", "expected an .npz archive, got an empty file; save with np.savez"),
        (b"0.1, 0.2\n", "expected an .npz archive, got a file of another kind; save with np.savez"),
    ],
)
def test_a_bad_file_is_one_line(arrays, message, tmp_path, capfd):
    path, folder = tmp_path / "p.npz", tmp_path / "report"
    if isinstance(arrays, bytes):
        path.write_bytes(arrays)
    else:
        np.savez(path, **arrays)
    assert run(path, "--json", "--report", folder) == 64
    captured = capfd.readouterr()
    assert captured.out == ""
    assert re.search(
        rf"^vaebench: Invalid value: {re.escape(str(path))}: .*{message}", captured.err
    )
    assert captured.err.count("\n") == 1
    assert not folder.exists()


def test_another_prior_is_answered_by_the_bracket_alone(tmp_path, capfd):
    uniform = np.random.default_rng(0).uniform(size=(200, 2))
    np.savez(tmp_path / "z.npz", z=uniform)
    assert run(tmp_path / "z.npz", "--prior", "uniform", "--all") == 0
    out = capfd.readouterr().out
    assert out.startswith("May I sample from the uniform prior? NO. ")  # that of 0 to 10
    assert "energy_test" in out
    assert not re.search(r"│ (scale|location|correlation|shape) ", out)
    np.savez(tmp_path / "z.npz", z=uniform - 1)
    assert run(tmp_path / "z.npz", "--prior", "uniform") == 0
    out = capfd.readouterr().out
    assert out.startswith(
        "May I sample from the uniform prior? NO. The KL is infinite: 200 z of 200 lie where the "
        "prior has no mass."
    )


def test_margin_and_level_are_parameters_and_an_answer_may_be_a_failure(bare, capfd):
    assert run(bare, "--fail-on", "no") == 1
    assert run(bare, "--fail-on", "no", "--margin", "5") == 0
    assert run(bare, "--fail-on", "undecided", "--margin", "5") == 1
    assert ", which is not more than 5;" in capfd.readouterr().out
    assert run(bare, "--json", "--alpha", "0.4") == 0
    loose = json.loads(capfd.readouterr().out)["rows"]
    assert run(bare, "--json") == 0
    strict = json.loads(capfd.readouterr().out)["rows"]
    ends = [
        next(row["value"] for row in rows if row["metric"] == "certified_kl_lower")
        for rows in (loose, strict)
    ]
    assert ends[0] > ends[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--margin", "0"], "--margin must be a positive number of nats, got 0.0"),
        (["--margin", "-1"], "--margin must be a positive number of nats, got -1.0"),
        (["--margin", "nan"], "--margin must be a positive number of nats, got nan"),
        (["--alpha", "1"], "--alpha must lie between 0 and 1, got 1.0"),
        (["--fail-on", "maybe"], "--fail-on must be no or undecided, got 'maybe'"),
    ],
)
def test_options_that_cannot_be_are_one_line(options, said, bare, capfd):
    assert run(bare, *options) == 64
    assert capfd.readouterr().err == f"vaebench: {said}\n"


def test_a_deterministic_encoder_is_answered(tmp_path, capfd):
    mean, none = gaussian(0), np.zeros((200, 2))
    np.savez(tmp_path / "p.npz", mean=mean, scale=none, heldout_mean=1.5 * mean, heldout_scale=none)
    assert run(tmp_path / "p.npz") == 0
    out = " ".join(capfd.readouterr().out.split())
    assert "a yes needs posteriors" in out or "NO. " in out


def test_copies_of_training_inputs_are_no_answer(tmp_path, capfd):
    mean, none = gaussian(0, shape=(400, 4)), np.zeros((400, 4))
    near = mean[:100] + 1e-3
    np.savez(tmp_path / "p.npz", mean=mean, scale=none, heldout_mean=near, heldout_scale=none[:100])
    assert run(tmp_path / "p.npz", "--fail-on", "undecided") == 1
    out = capfd.readouterr().out
    assert out.startswith("May I sample from N(0, I)? FLAGGED. No answer: some held-out inputs are")


def test_groups_are_read(tmp_path, capfd):
    z = np.repeat(gaussian(0, 1.5), 5, axis=0)
    np.savez(tmp_path / "z.npz", z=z, groups=np.repeat(np.arange(200), 5))
    assert run(tmp_path / "z.npz", "--json") == 0
    rows = {row["metric"]: row["value"] for row in json.loads(capfd.readouterr().out)["rows"]}
    assert rows["certified_inputs"] == 200
    np.savez(tmp_path / "z.npz", z=z)
    assert run(tmp_path / "z.npz") == 0
    assert "800 of 1,000 inputs repeat others exactly, and each counts" in capfd.readouterr().out
    for groups, said in (
        (np.arange(3), "groups must hold one label for each of the 1,000 rows of z, got 3"),
        (np.arange(1000.0), "groups must be integers of shape (n,), one label per input, got f"),
    ):
        np.savez(tmp_path / "z.npz", z=z, groups=groups)
        assert run(tmp_path / "z.npz") == 64
        assert said in capfd.readouterr().err


def test_untrained_priors_are_those_that_the_command_knows():
    from bench.commands.options import UNTRAINED
    from vaelib.priors import PRIORS

    assert [name for name, kind in PRIORS.items() if not kind.learned] == list(UNTRAINED)


def test_a_folder_that_cannot_be_written_is_said_before_the_audit(
    bare, tmp_path, capfd, monkeypatch
):
    monkeypatch.setattr("bench.commands.audit.audit_archive", pytest.fail)
    assert run(bare, "--report", bare) == 64
    assert capfd.readouterr().err == (
        f"vaebench: cannot write to {bare}: Not a directory; choose another folder\n"
    )


def test_a_cache_that_cannot_be_written_costs_time_and_a_warning(bare, capfd, monkeypatch):
    monkeypatch.setenv("VAEBENCH_CACHE", str(bare))
    assert run(bare, "--json") == 0
    captured = capfd.readouterr()
    assert captured.err.startswith(
        f"warning: cannot write to {bare / 'nulls'}: nulls are simulated"
    )
    assert json.loads(captured.out)


def test_power_plants_departures_at_the_n_and_d_of_the_file(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    asked = []

    def count(row, repeats, *, fitted, alpha, progress=None):
        asked.append((row.n, row.dimensions, repeats, fitted, alpha))
        return dataclasses.replace(row, repeats=repeats, seen=repeats, proved=repeats // 2)

    monkeypatch.setattr("bench.audit.planted.count", count)
    np.savez(tmp_path / "z.npz", z=gaussian(0, shape=(60, 1)))
    options = ["--power", "--repeats", 4, "--alpha", 0.1, "--report", tmp_path / "page"]
    assert run(tmp_path / "z.npz", *options) == 0
    captured = capfd.readouterr()
    assert set(asked) == {(60, 1, 1, 0, 0.1), (60, 1, 4, 0, 0.1)}
    assert len(asked) == 1 + 9  # the first is timed; three kinds need no second dimension
    assert re.match(r"planting 9 departures 4 times each at n = 60, D = 1: about ", captured.err)
    assert "0.2 nats are certified with as many inputs and dimensions as here: scale 2 of 4" in (
        captured.out
    )
    assert re.search(r"│ heavy tails +│ 4 · 2 of 4 │", captured.out)
    page = (tmp_path / "page" / "audit.md").read_text()
    assert "## What could have been seen" in page and "4 · 2 of 4" in page


def test_what_was_planted_is_what_the_law_can_hold():
    moments = {"sample": Moments.of_sample(torch.tensor(gaussian(0, shape=(60, 4))))}
    rows = [Measurement("sample", "certified_inputs", 60.0)]
    counted = planted.count_planted(rows, moments, 0.2, 0.1, 0, Console(quiet=True), silent)
    assert {row.kl for row in counted if row.departure == "scale"} == {0.2, 0.4, 0.8}
    assert {row.kl for row in counted if row.departure == "parity"} == {0.2, 0.4}
    assert {row.placed for row in counted if row.departure != "scale"} == {"rotated"}
    assert planted.count_planted([], moments, 0.2, 0.1, 1, Console(quiet=True), silent) == []


def test_every_condition_has_an_answer(tmp_path, capfd):
    labels = np.arange(600) % 2
    z = gaussian(0, shape=(600, 2)) + 2.0 * labels[:, None]
    np.savez(tmp_path / "z.npz", z=z, conditions=labels)
    assert run(tmp_path / "z.npz", "--fail-on", "no", "--all") == 1
    out = capfd.readouterr().out
    answer = "May I sample from N(0, I) given the condition? undecided 1, no 1.\n"
    assert out.startswith(answer) and out.endswith(answer)
    assert "\n1: q lies at least " in out and "level 0.025/2" in out
    assert run(tmp_path / "z.npz", "--json") == 0
    rows = json.loads(capfd.readouterr().out)["rows"]
    lower = {
        row["condition"]: row["value"] for row in rows if row["metric"] == "certified_kl_lower"
    }
    assert lower[0] < 0.05 < lower[1]
    assert run(tmp_path / "z.npz", "--condition", "1", "--json") == 0
    assert all("condition" not in row for row in json.loads(capfd.readouterr().out)["rows"])
    assert run(tmp_path / "z.npz", "--condition", "5") == 64
    assert "expected one of the conditions (0, 1), got 5" in capfd.readouterr().err
    for option in ("--power", "--report"):
        extra = (option, tmp_path / "r") if option == "--report" else (option,)
        assert run(tmp_path / "z.npz", *extra) == 64
        assert f"{option} is for one answer, and" in capfd.readouterr().err
    assert not (tmp_path / "r").exists()


def test_of_many_conditions_the_worst_are_printed(tmp_path, capfd):
    labels = np.repeat(np.arange(23), 40)
    z = gaussian(0, shape=(len(labels), 2)) + 4.0 * (labels == 17)[:, None]
    np.savez(tmp_path / "z.npz", z=z, conditions=labels)
    assert run(tmp_path / "z.npz", "--all") == 0
    out = capfd.readouterr().out
    assert "given the condition? undecided 22, no 1." in out
    assert "17: q lies at least" in out and "3 more, none answered worse" in out
    assert not re.search(r"^22: ", out, re.MULTILINE)
    assert run(tmp_path / "z.npz", "--json") == 0
    assert {row["condition"] for row in json.loads(capfd.readouterr().out)["rows"]} == set(
        range(23)
    )
