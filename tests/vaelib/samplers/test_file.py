"""A sampler's file: what is read is what was written; all else is refused in one sentence."""

import json
import math
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vaelib import fit_density, load_sampler
from vaelib.samplers import file as files
from vaelib.samplers.candidates import repair_candidates
from vaelib.samplers.file import as_bytes, conditions_of, is_sampler, write_samplers
from vaelib.samplers.sampler import About, Sampler
from vaelib.stats.stack.candidates import Posteriors
from vaelib.worlds.world import normal

safetensors = pytest.importorskip("safetensors.torch")
PAGE = Path(__file__).parents[3] / "docs" / "sampler.md"


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def made(dimensions=3, seed=0):
    """A sampler of every kind of candidate, each with a share."""
    z = normal(300, dimensions, seeded(seed)).sign() + 0.3 * normal(300, dimensions, seeded(1))
    candidates = repair_candidates(Posteriors(z, 0 * z), seeded())
    weights = torch.linspace(1, 2, len(candidates), dtype=torch.float64)
    gains = dict.fromkeys(candidates, 0.25)
    about = About(300, 77, (0.5, 0.25, 0.75), (0.1, 0.0, 0.2), gains, "c0de")
    gauge = z.mean(0), z.std(0)
    return Sampler(candidates, weights / weights.sum(), dimensions, gauge=gauge, about=about)


@pytest.fixture(scope="module")
def sampler():
    return made()


@pytest.fixture(scope="module")
def parts(sampler):
    """Metadata and tensors of a good file."""
    data = as_bytes({None: sampler})
    size = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + size])["__metadata__"]
    return metadata, safetensors.load(data)


def test_what_is_read_is_what_was_written(sampler, tmp_path):
    path = sampler.save(str(tmp_path / "s.safetensors"))
    again = load_sampler(path)
    z = torch.cat([sampler.sample(200, seeded()), 5 * normal(50, 3, seeded(4))])
    assert torch.equal(again.log_prob(z), sampler.log_prob(z))
    assert torch.equal(again.sample(100, seeded(5)), sampler.sample(100, seeded(5)))
    assert again.weights == sampler.weights and again.about == sampler.about
    assert all(map(torch.equal, again.gauge, sampler.gauge))
    assert again.save(path) == path and conditions_of(path) == []


def test_one_for_each_condition(sampler, tmp_path):
    other = made(seed=9)
    path = write_samplers(tmp_path / "c.safetensors", {3: sampler, -1: other})
    z = normal(20, 3, seeded())
    assert conditions_of(path) == [-1, 3]
    for label, one in ((3, sampler), (-1, other)):
        assert torch.equal(load_sampler(path, condition=label).log_prob(z), one.log_prob(z))
    with pytest.raises(ValueError, match=r"expected a condition, one of 3, -1, got none"):
        load_sampler(path)
    with pytest.raises(ValueError, match=r"expected one of the conditions 3, -1, got 4"):
        load_sampler(path, condition=4)
    alone = sampler.save(tmp_path / "s.safetensors")
    with pytest.raises(ValueError, match=r"expected no condition, as one sampler is for all"):
        load_sampler(alone, condition=4)


def first(tensors, field):
    return next(key for key in tensors if key.endswith(f"/{field}"))


def edited(field, change):
    """The tensors, of which one is changed, and the checksum made to fit."""

    def edit(metadata, tensors):
        key = first(tensors, field)
        tensors[key] = change(tensors[key].clone())

    return edit


def filled(value):
    def change(x):
        x.view(-1)[0] = value
        return x

    return change


def said(change):
    def edit(metadata, tensors):
        about = json.loads(metadata["about"])
        change(about)
        metadata["about"] = json.dumps(about)

    return edit


def row(about, **values):
    about["samplers"]["all"]["candidates"][1] |= values


EDITS = {
    "NaN": (edited("means", filled(math.nan)), "finite numbers"),
    "infinite": (edited("factors", filled(math.inf)), "finite numbers"),
    "float32": (edited("means", lambda x: x.float()), "expected float64"),
    "integers": (edited("shares", lambda x: x.long()), "expected float64"),
    "a row less": (edited("means", lambda x: x[:, 1:].contiguous()), "means must have shape"),
    "another rank": (edited("shares", lambda x: x[None]), "shares must have shape"),
    "a negative root": (edited("factors", lambda x: -x), "factors must be"),
    "shares of 2": (edited("shares", lambda x: 2 * x), "shares must sum to 1"),
    "upper factor": (edited("factor", lambda x: x + x.T), "factors must be lower"),
    "long directions": (edited("directions", lambda x: 2 * x), "orthonormal"),
    "wide directions": (edited("directions", lambda x: torch.cat([x, x], 1)), "shape of dir|orth"),
    "a share of 2": (edited("share", lambda x: x + 2), "share must lie"),
    "negative height": (edited("height", lambda x: -x), "height must not be negative"),
    "another mass": (edited("mass", lambda x: x / 2), "mass must be the integral"),
    "no step": (edited("step", lambda x: 0 * x), "step must be positive"),
    "scale of 0": (edited("scale", lambda x: 0 * x), "scale must be positive|shift and scale"),
    "one tensor less": (lambda m, t: t.pop(first(t, "means")), "means"),
    "one too many": (lambda m, t: t.update({"all/0/x": 1 + t[first(t, "shares")]}), "none of them"),
    "a candidate too many": (
        lambda m, t: t.update({"all/99/x": 1 + t[first(t, "shares")]}), "tensors of .* candidates"
    ),
    "another owner": (lambda m, t: t.update({"code": 1 + t[first(t, "shares")]}), "its samplers"),
    "another format": (lambda m, t: m.update(format="pt"), "do not say they are one"),
    "another version": (lambda m, t: m.update(version="2"), "expected version 1 of vaebench"),
    "no about": (lambda m, t: m.pop("about"), "expected the fields"),
    "no JSON": (lambda m, t: m.update(about="{"), "expected the fields"),
    "deep JSON": (lambda m, t: m.update(about="[" * 50_000), "expected the fields"),
    "a list": (lambda m, t: m.update(about="[]"), "expected the fields"),
    "no dimensions": (said(lambda a: a.pop("dimensions")), "expected the fields"),
    "wrong dimensions": (said(lambda a: a.update(dimensions=4)), "expected the fields"),
    "boolean dimensions": (said(lambda a: a.update(dimensions=True)), "expected the fields"),
    "another kind": (said(lambda a: row(a, kind="flow")), "expected the fields"),
    "weight of 2": (said(lambda a: row(a, weight=2.0)), "expected the fields"),
    "weight NaN": (said(lambda a: row(a, weight=math.nan)), "expected the fields"),
    "two of one name": (said(lambda a: row(a, name="prior")), "expected the fields"),
    "another prior": (said(lambda a: a.update(prior={"name": "flow"})), "expected the fields"),
    "an empty box": (
        said(lambda a: a.update(prior={"name": "uniform", "low": 1, "high": 1})),
        "expected the fields",
    ),
    "no samplers": (said(lambda a: a.update(samplers={})), "expected the fields"),
    "a path for a label": (
        said(lambda a: a.update(samplers={"../x": a["samplers"]["all"]})),
        "expected the fields",
    ),
    "gain of one number": (
        said(lambda a: a["samplers"]["all"].update(gain=[1])), "expected the fields"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_what_no_writer_writes_is_refused_in_one_sentence(name, parts, tmp_path):
    edit, sentence = EDITS[name]
    metadata, tensors = dict(parts[0]), dict(parts[1])
    edit(metadata, tensors)
    if "about" in metadata:
        metadata["sha256"] = files._digest(metadata["about"], tensors)
    path = tmp_path / "s.safetensors"
    path.write_bytes(safetensors.save(tensors, metadata))
    with pytest.raises(ValueError, match=sentence) as refused:
        load_sampler(path)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300 + len(str(path))


def test_an_edit_without_its_checksum_is_seen(parts, tmp_path):
    path = tmp_path / "s.safetensors"
    about = parts[0]["about"].replace("0.75", "9.75")
    assert about != parts[0]["about"]
    for metadata, tensors in (
        (parts[0] | {"about": about}, parts[1]),
        (parts[0], {name: value + 1e-12 for name, value in parts[1].items()}),
    ):
        path.write_bytes(safetensors.save(tensors, metadata))
        with pytest.raises(ValueError, match=r"its checksum is not that of what it holds"):
            load_sampler(path)


class Trap:
    def __reduce__(self):
        return (Path.touch, (Path("trapped"),))


@pytest.mark.parametrize("what", ["empty", "pickle", "torch", "text", "cut", "longer", "folder"])
def test_what_is_no_such_file_is_refused_and_never_executed(what, sampler, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, good = tmp_path / "s.safetensors", as_bytes({None: sampler})
    if what == "torch":
        torch.save({"trap": Trap()}, path)
    elif what == "folder":
        path.mkdir()
    else:
        path.write_bytes(
            {
                "empty": b"",
                "pickle": pickle.dumps(Trap()),
                "text": b"x" * 99,
                "cut": good[:-9],
                "longer": good + b"x",
            }[what]
        )
    with pytest.raises(ValueError, match=r"expected a ") as refused:
        load_sampler(path)
    assert "\n" not in str(refused.value) and not Path("trapped").exists()
    assert not is_sampler(path) or what in ("cut", "longer")


def test_every_cut_is_refused(sampler, tmp_path):
    path, good = tmp_path / "s.safetensors", as_bytes({None: sampler})
    for end in (1, 7, 8, 9, 100, 1000, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:end])
        with pytest.raises(ValueError, match=r"expected a \.safetensors file"):
            load_sampler(path)


def test_a_file_that_is_not_ours_is_not_replaced(sampler, tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(safetensors.save({"w": torch.ones(2)}))
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"^path must be that of a new file or of an earlier"):
        sampler.save(path)
    assert path.read_bytes() == before
    with pytest.raises(ValueError, match=r"^path of a sampler must end in \.safetensors"):
        sampler.save(tmp_path / "sampler.pt")
    with pytest.raises(TypeError, match=r"^path must be that of a file, got int"):
        sampler.save(3)
    with pytest.raises(ValueError, match=r"expected a sampler, got: No such file"):
        load_sampler(tmp_path / "none.safetensors")


def test_without_safetensors_it_is_said_what_to_install(sampler, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    for call in (
        lambda: load_sampler(tmp_path / "s.safetensors"),
        lambda: as_bytes({None: sampler}),
    ):
        with pytest.raises(ValueError, match=r"python -m pip install safetensors$"):
            call()


def test_log_prob_says_what_it_wants(sampler):
    with pytest.raises(ValueError, match=r"^z must have shape \(n, 3\), got \(2, 4\)"):
        sampler.log_prob(torch.zeros(2, 4))
    with pytest.raises(ValueError, match=r"^z must be finite"):
        sampler.log_prob(torch.full((2, 3), math.nan))
    with pytest.raises(ValueError, match=r"^n must be"):
        sampler.sample(0, seeded())


def test_the_reader_of_the_docs_needs_torch_alone_and_draws_the_same_law(sampler, tmp_path):
    """Each candidate alone: moments of its draws beside those of the suite's own."""
    path = sampler.save(tmp_path / "s.safetensors")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 2 and len(blocks[0].splitlines()) < 50
    short = fit_density(2 * normal(300, 2, seeded())).save(tmp_path / "d.safetensors")
    code = f"""
torch.manual_seed(0)
parts = read({str(path)!r})
drawn = {{p["name"]: draw(p, 6_000) for p in parts}} | {{"all": sample(parts, 6_000)}}
torch.save(drawn, {str(tmp_path / "drawn.pt")!r})
assert sample(read({str(short)!r}), 7).shape == (7, 2)
import sys
assert not {{"vaelib", "bench", "scipy"}} & set(sys.modules)
"""
    script = tmp_path / "reader.py"
    script.write_text("\n".join([*blocks, code]))
    subprocess.run([sys.executable, "-I", str(script)], check=True)
    drawn = torch.load(tmp_path / "drawn.pt", weights_only=True)
    own = {name: c.sample(6_000, seeded(1)) for name, c in sampler.candidates.items()}
    own["all"] = sampler.sample(6_000, seeded(1))
    assert set(drawn) == set(own) and len(own) > 8
    for name, z in own.items():
        for moment in (lambda z: z, torch.square, torch.abs, lambda z: z * z.roll(1, 1), torch.cos):
            one, other = moment(z), moment(drawn[name])
            error = ((one.var(0) + other.var(0)) / 6_000).sqrt()
            assert float(((one.mean(0) - other.mean(0)) / error).abs().max()) < 4.5, name
        logs = sampler.candidates[name].log_prob if name != "all" else sampler.log_prob
        one, other = logs(z), logs(drawn[name])
        error = float(((one.var() + other.var()) / 6_000).sqrt())
        assert abs(float(one.mean() - other.mean())) < 4.5 * error, name


def test_a_pipe_is_neither_waited_for_nor_replaced(sampler, tmp_path):
    pipe = tmp_path / "p.safetensors"
    os.mkfifo(pipe)
    with pytest.raises(ValueError, match=r"which is neither"):
        sampler.save(pipe)
    with pytest.raises(ValueError, match=r"expected a sampler, got: Not a regular file"):
        load_sampler(pipe)
