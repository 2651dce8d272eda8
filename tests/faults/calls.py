"""Hostile calls of every public function: good arguments, of which one is replaced by a bad one.

Functions are found by the ``__all__`` of their modules, so that a new one is tried too. A call may
give an answer, or raise ValueError or TypeError in one line by a ``raise`` of the package's own:
what torch, NumPy, SciPy or the language say of it is a fault.
"""

import importlib
import inspect
import linecache
import pkgutil
import random
import tempfile
import traceback
import types
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import vaelib
import vaelib.stats
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal
from vaelib.samplers.file import as_bytes
from vaelib.stats.frechet import FeatureGaussians
from vaelib.stats.image_mmd import KernelReference
from vaelib.stats.kernels import laplace
from vaelib.stats.neighbours import Balls
from vaelib.stats.nulls import NormalNull
from vaelib.stats.stack.candidates import Posteriors
from vaelib.stats.stack.fitted import fit_candidates
from vaelib.stats.stein import imq_stein

ROWS, DIMENSIONS = 9, 3
HOME = Path(vaelib.__file__).parent
LONGEST = 300  # characters of an error
LONG = {  # what measures much, or learns
    *("answers", "answers_by_condition", "audit", "audit_samples", "fit_density"),
    "repair",
    *("stats.stack.certify.certify", "stats.stack.certify.certify_in_sequence"),
}
TENSORS_ALONE = (  # called in loops, they ask for the kind and convert nothing
    *("stats.kernels.inverse_multiquadric", "stats.kernels.kernel_sums", "stats.kernels.laplace"),
    *("stats.kernels.of_kernel", "stats.kernels.pair_total", "stats.kernels.squared_distances"),
    *("stats.stack.candidates.log_standard_normal", "stats.stein.gaussian_stein"),
    "stats.stein.imq_stein",
)


def seeded():
    return torch.Generator().manual_seed(0)


def points(n=ROWS, dimensions=DIMENSIONS):
    return torch.randn(n, dimensions, generator=seeded(), dtype=torch.float64)


def scales(n=ROWS, dimensions=DIMENSIONS):
    return 0.3 + 0.4 * torch.rand(n, dimensions, generator=seeded(), dtype=torch.float64)


def posterior():
    return AggregatePosterior(points(), scales())


def fitted(n=ROWS):
    return Posteriors(points(n), scales(n))


def ratios(n=ROWS):
    return torch.cat([torch.zeros(n, 1, dtype=torch.float64), points(n, 2)], 1)


def draw(n, generator):
    return torch.randn(n, DIMENSIONS, generator=generator)


def modules():
    """Names of the modules of vaelib.stats, of its folders too."""
    for module in pkgutil.walk_packages(vaelib.stats.__path__, "vaelib.stats."):
        if not module.ispkg:
            yield module.name


def functions():
    """Every public function by its name: of vaelib, of vaelib.stats, and of its posterior."""
    found = {name: getattr(vaelib, name) for name in vaelib.__all__}
    for name in modules():
        loaded = importlib.import_module(name)
        short = name.removeprefix("vaelib.")
        found |= {f"{short}.{item}": getattr(loaded, item) for item in loaded.__all__}
    for kind in (FeatureGaussians, KernelReference, Balls, NormalNull):
        assert kind in found.values()
    kept = {
        name: thing
        for name, thing in found.items()
        if inspect.isfunction(thing) or (inspect.isclass(thing) and "stack" not in name)
    }
    methods = ("component_log_prob", "log_prob", "marginal", "part", "sample")
    kept |= {f"AggregatePosterior.{name}": getattr(posterior(), name) for name in methods}
    return {name: thing for name, thing in kept.items() if name not in RECORDS | SLOW}


RECORDS = {  # what holds numbers, and asks for none
    "Report",
    *("stats.crossed.CrossedMean", "stats.divergences.Decomposition", "stats.finite_sample.Null"),
    *("stats.jackknife.Estimate", "stats.nulls.SignificanceResult", "stats.sbc.Calibration"),
    "stats.paired_frechet.Difference",
}

SLOW = {"price"}  # decodes and judges for seconds; its own tests call it badly

LATENTS = tempfile.NamedTemporaryFile("w", suffix=".csv")  # noqa: SIM115  # until the end
np.savetxt(LATENTS, points(), delimiter=",")
LATENTS.flush()
SAMPLER = tempfile.NamedTemporaryFile(suffix=".safetensors")  # noqa: SIM115
SAMPLER.write(as_bytes({None: vaelib.fit_density(points())}))
SAMPLER.flush()

LINE = {"mean": points(ROWS, 1)[:, 0], "scale": scales(ROWS, 1)[:, 0]}
PAIRS = {"squared": points(5, 5).square(), "product": points(5, 5), "bandwidth": 1.0}
OF_FEATURES = {"features": points(40), "generated": points(40), "training": points(40)}
OWN = {  # arguments of functions whose names say too little
    "AggregatePosterior.component_log_prob": {"z": points()},
    "AggregatePosterior.part": {"index": torch.arange(5)},
    "answers_by_condition": {"conditions": torch.arange(ROWS) % 2},
    "repair": {"mean": points(100), "scale": scales(100), "plain": True},
    "read_latents": {"path": LATENTS.name, "mean": None, "scale": None, "z": None},
    "load_sampler": {"path": SAMPLER.name, "condition": None},
    "encode": {"model": lambda x: (x, x - 9), "data": points(), "second": "logvar"},
    "stats.paired_frechet.most_features": {"rows": 160},
    "stats.paired_frechet.FrechetDistances": {
        "samples": {"prior": points(200)},
        "real": points(200),
    },
    "stats.binned.binned_kl": LINE,
    "stats.binned.grid_over": LINE,
    "stats.checks.as_pair": {"rows": 2},
    "stats.checks.check_positive": {"value": 0.5},
    "stats.checks.check_prior": {"dimensions": DIMENSIONS},
    "stats.checks.check_same_nets": {"ours": points()[None], "theirs": points()[None]},
    "stats.crossed.crossed_mean": {"values": points().numpy()},
    "stats.finite_sample.is_saturated": {"components": 24, "rate": 1.0},
    "stats.finite_sample.marginal_kl_floor": {"components": 24, "rate": 1.0},
    "stats.finite_sample.marginal_kl_null": {"draws": 2},
    "stats.frechet.frechet_distance": {
        "generated": FeatureGaussians(points(40)),
        "real": FeatureGaussians(points(40)),
    },
    "stats.frechet.frechet_gaussians": {
        f"{what}_{of}": torch.ones(2) if what == "mean" else torch.eye(2)
        for what in ("mean", "covariance")
        for of in "xy"
    },
    "stats.goodness_of_fit.henze_zirkler_spread": {"n": 24, "dimensions": 3},
    "stats.holes.hole_mass": {"heldout": points(100), "draws": 20},
    "stats.image_mmd.image_mmd": {"real": KernelReference(points(40))},
    "stats.jackknife.group_of": {"rows": 40},
    "stats.jackknife.jackknife_error": {"without": points()[:, 0]},
    "stats.jackknife.mean_of": {"values": points()[:, 0]},
    "stats.kernels.bandwidth_grid": {"dimensions": 3},
    "stats.kernels.kernel_sums": {"kernel": laplace},
    "stats.kernels.of_kernel": {"values": points(5, 5), "squared": points(5, 5)},
    "stats.kernels.pair_total": {"values": points(5, 5)},
    "stats.marginals.total_correlation": {"marginal_kl": 1.0, "per_dimension": points()[0]},
    "stats.moments.gaussian_kl": {"centre": points()[0], "covariance": torch.eye(3).double()},
    "stats.moments.largest_departure": {"squares": points()[0], "centre": points()[0]},
    "stats.multiple_testing.holm": {"p_values": np.array([0.01, 0.2])},
    "stats.neighbours.expected_coverage": {"real": 24, "generated": 24},
    "stats.neighbours.neighbour_shares": {"real": Balls(points(40))},
    "stats.nulls.largest_standardized": {"observed": points()[0], "null": points()},
    "stats.nulls.p_value": {"statistic": 0.5, "null": points()[:, 0]},
    "stats.goodness_of_fit.panel_nulls": {"n": 24, "dimensions": 3},
    "stats.nulls.NormalNull": {"draws": 19},
    "stats.nulls.NullStatistic": {"name": "norm", "function": torch.norm, "rows": 8},
    "stats.sample_moments.jackknife": {"statistic": lambda z: float(z.mean()), "z": points(40)},
    "stats.sbc.band": {"n": 24},
    "stats.sbc.calibration": {"joint": torch.linspace(0, 1, ROWS)},
    "stats.stack.betting.e_process": {"log_factors": points()[:, 0]},
    "stats.stack.betting.gains_in_order": {"place": torch.arange(ROWS)},
    "stats.stack.betting.log_capital": {"mean": 0.1},
    "stats.stack.betting.mean_lower_end": {
        "plays": [(torch.ones(4), torch.zeros(4)), (torch.ones(5), torch.zeros(5))]
    },
    "stats.stack.candidates.shrunk_covariance": {"covariance": torch.eye(3).double(), "count": 24},
    "stats.stack.certify.certify": {"fitted": fitted(24), "z": points(24) + 0.1},
    "stats.stack.certify.certify_in_sequence": {"data": fitted(24), "z": points(24)},
    "stats.stack.fitted.log_ratios": {"candidates": fit_candidates(fitted(), seeded())},
    "stats.stack.groups.as_groups": {"groups": torch.arange(ROWS), "rows": ROWS},
    "stats.stack.groups.as_numbers": {"groups": torch.arange(ROWS), "rows": ROWS},
    "stats.stack.groups.group_log_mean_exp": {
        "logs": points()[:, 0],
        "groups": torch.arange(ROWS) % 5,
    },
    "stats.stack.groups.group_mean": {
        "values": points()[:, 0],
        "groups": torch.arange(ROWS) % 5,
    },
    "stats.stack.mixtures.fit_mixture": {"components": 2, "data": fitted()},
    "stats.stack.near.unrecited": {"ratio": ratios(), "distance": 0.5},
    "stats.stack.upper.mean_upper_end": {"terms": points()[:, 0]},
    "stats.stack.weights.with_prior": {"share": 0.1},
    "stats.stein.ksd_squared": {"kernel": imq_stein},
}
NAMED = {  # of all other functions, by the name of the argument
    "posterior": posterior,
    "prior": lambda: Normal(DIMENSIONS),
    "generator": seeded,
    "draw": lambda: draw,
    "null": lambda: NormalNull(draws=19),
    "bandwidths": lambda: [1.0, 2.0],
    "dimension": lambda: 1,
    "dimensions": lambda: DIMENSIONS,
    "scores": points,
    "log_ratio": ratios,
    "weights": lambda: torch.full((3,), 1 / 3, dtype=torch.float64),
    "gains": lambda: torch.ones(ROWS),
    "floors": lambda: torch.zeros(ROWS),
    "fitted": fitted,
    "data": fitted,
    "device": lambda: None,
    "null_draws": lambda: 2,
    "permutations": lambda: 19,
    "projections": lambda: 5,
    "ratio": lambda: 1,
    "steps": lambda: 3,
    "name": lambda: "z",
    "alpha": lambda: 0.1,
    "columns": points,
    **{name: lambda value=value: value for name, value in {**PAIRS, **OF_FEATURES}.items()},
    **{name: points for name in ("x", "y", "z", "train", "heldout", "points", "mean", "value")},
    "scale": scales,
}
OPTIONAL = {"points", "groups", "means", "heldout", "joint", "value", "device", "y", "ends"}


def arguments(name, function):
    """Arguments that are fine."""
    given = {}
    for key, parameter in inspect.signature(function).parameters.items():
        own = OWN.get(name, {})
        default = parameter.default
        if key in own:
            given[key] = own[key]
        elif default is not inspect.Parameter.empty and (key in OPTIONAL or key not in NAMED):
            given[key] = default
        else:
            given[key] = NAMED[key]()
    return given


def called(function, given):
    """What a function gives for arguments by name, those behind a star spread out."""
    bound = inspect.signature(function).bind_partial()
    for key, parameter in inspect.signature(function).parameters.items():
        if key in given:
            star = parameter.kind is inspect.Parameter.VAR_POSITIONAL
            bound.arguments[key] = (given[key],) if star else given[key]
    return function(*bound.args, **bound.kwargs)


BY_CODE = {"device", "dimensions", "least", "name", "of", "rows"}  # never from a user
CALLED = {"draw", "kernel", "model", "progress", "statistic", "terms", "tick"}
THEIRS = {"a class", "a function", "a prior"}  # called, they raise what they like


def skipped(name, key, kind):
    """What is not tried: arguments that code hands to checks, and the errors of others' code."""
    checks = name.startswith(("stats.checks.", "stats.stack.groups.as_"))
    return (checks and key in BY_CODE) or (key in CALLED and kind in THEIRS)


class Odd:
    """An object that is nothing."""


class Unreadable(float):
    """A number whose value cannot be had."""

    def __float__(self):
        raise ZeroDivisionError


def nested(layout):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it may change in the next version
        return torch.nested.nested_tensor([points(2), points(3)], layout=layout)


def read_only():
    array = points().numpy().copy()
    array.flags.writeable = False
    return array


HOSTILE = {
    "None": lambda: None,
    "text": lambda: "abc",
    "bytes": lambda: b"abc",
    "a list": lambda: [[1.0, 2.0], [3.0, 4.0]],
    "an empty list": lambda: [],
    "a list of text": lambda: ["a", "b"],
    "a dictionary": dict,
    "an object": Odd,
    "a class": lambda: Odd,
    "a function": lambda: Odd.__init__,
    "a function of nothing": lambda: lambda *_, **__: None,
    "a function of text": lambda: lambda *_, **__: "abc",
    "a function of a number": lambda: lambda *_, **__: 1.0,
    "a function of a pair": lambda: lambda *_, **__: (points(), points().to_sparse()),
    "a function of points": lambda: lambda *_, **__: points(5, 7),
    "a module": lambda: types,
    "a data frame": lambda: pd.DataFrame(points().numpy()),
    "a series": lambda: pd.Series([1.0, 2.0]),
    "an array": lambda: points().numpy(),
    "a read-only array": read_only,
    "a reversed array": lambda: points().numpy()[::-1],
    "an array of another byte order": lambda: points().numpy().astype(">f4"),
    "an array of objects": lambda: np.array([None, 1], dtype=object),
    "an array of text": lambda: np.array([["a"], ["b"]]),
    "a masked array": lambda: np.ma.masked_array(points().numpy(), points().numpy() > 0),
    "an array of no axes": lambda: np.array(0.5),
    "an empty array": lambda: np.empty((0, 3)),
    "half": lambda: points().half(),
    "bfloat16": lambda: points().bfloat16(),
    "float32": lambda: points().float(),
    "integers": lambda: points().int(),
    "bytes of a tensor": lambda: points().abs().byte(),
    "truths": lambda: points() > 0,
    "complex": lambda: points().to(torch.complex64),
    "negated": lambda: torch.view_as_complex(points(ROWS, 2).contiguous()).conj().imag,
    "sparse": lambda: points().to_sparse(),
    "meta": lambda: points().to("meta"),
    "not contiguous": lambda: points(DIMENSIONS, ROWS).T,
    "expanded": lambda: points(1).expand(ROWS, DIMENSIONS),
    "gradients": lambda: points().requires_grad_(),
    "a vector": lambda: points()[:, 0],
    "a vector of integers": lambda: torch.arange(ROWS),
    "a vector of huge integers": lambda: torch.full((ROWS,), 2**62),
    "a vector of negative integers": lambda: -torch.arange(ROWS),
    "a tensor of no axes": lambda: torch.tensor(0.5),
    "an integer of no axes": lambda: torch.tensor(3),
    "a batch": lambda: points()[None],
    "no rows": lambda: points()[:0],
    "no dimensions": lambda: points()[:, :0],
    "one row": lambda: points()[:1],
    "another dimension": lambda: points()[:, :2],
    "NaN": lambda: points() * float("nan"),
    "one NaN": lambda: points().index_fill(0, torch.tensor([2]), float("nan")),
    "infinite": lambda: points() * float("inf"),
    "huge": lambda: points() * 1e200,
    "tiny": lambda: points() * 1e-310,
    "zeros": lambda: torch.zeros(ROWS, DIMENSIONS),
    "equal rows": lambda: torch.ones(ROWS, DIMENSIONS),
    "0": lambda: 0,
    "-1": lambda: -1,
    "1.5": lambda: 1.5,
    "1e308": lambda: 1e308,
    "not a number": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "i": lambda: 1j,
    "True": lambda: True,
    "a huge integer": lambda: 10**400,
    "an integer beyond text": lambda: 10**5000,
    "2^63": lambda: 2**63,
    "a generator": seeded,
    "a posterior": posterior,
    "a prior": lambda: Normal(DIMENSIONS),
    "a pair": lambda: (points(), scales()),
    "a pair of nothing": lambda: (None, None),
    "a triple": lambda: (points(), scales(), torch.arange(ROWS) % 2),
    "long text": lambda: "x" * 10**6,
    "nested": lambda: nested(torch.strided),
    "nested and jagged": lambda: nested(torch.jagged),
    "a number that is none": lambda: Unreadable(1.0),
}


def fault(function, given):
    """What is wrong with how a call ends; nothing where it ends well."""
    try:
        called(function, given)
    except (ValueError, TypeError) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        line = linecache.getline(last.filename, last.lineno).strip()
        text = str(error)
        own = HOME in Path(last.filename).parents and line.startswith("raise ")
        one = text and "\n" not in text and len(text) <= LONGEST
        if own and one:
            return ""
        return f"{type(error).__name__} in {Path(last.filename).name}: {text[:120]!r} by {line!r}"
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        own = [
            f for f in traceback.extract_tb(error.__traceback__) if HOME in Path(f.filename).parents
        ]
        where = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "here"
        return f"{type(error).__name__} at {where}: {str(error)[:120]!r}"
    return ""


def faults(name, function, seed=None):
    """Hostile values of each argument that end badly.

    Args:
        name: of the function.
        function: what is called.
        seed: of a choice of a third of the values, a tenth for what takes long; None tries all.

    Returns:
        Call -> what is wrong with its end.
    """
    found = {}
    for key in inspect.signature(function).parameters:
        kinds = [kind for kind in HOSTILE if not skipped(name, key, kind)]
        if seed is not None:
            share = 10 if name in LONG else 3
            kinds = random.Random(f"{seed} {name} {key}").sample(kinds, len(kinds) // share)
        for kind in kinds:
            if wrong := fault(function, arguments(name, function) | {key: HOSTILE[kind]()}):
                found[f"{name}({key}={kind})"] = wrong
    return found


FORMS = {  # of the same numbers
    "an array": lambda x: x.numpy().copy(),
    "a read-only array": lambda x: _frozen(x.numpy().copy()),
    "a reversed array": lambda x: x.flip(0).numpy()[::-1] if x.dim() else x.numpy(),
    "an array of another byte order": lambda x: x.numpy().astype(x.numpy().dtype.newbyteorder(">")),
    "not contiguous": lambda x: x.repeat_interleave(2, -1)[..., ::2] if x.dim() else x,
    "gradients": lambda x: x.clone().requires_grad_() if x.is_floating_point() else x,
}


def _frozen(array):
    array.flags.writeable = False
    return array


def parts(value):
    """All numbers and texts in a result, in order."""
    if isinstance(value, torch.Tensor | np.ndarray):
        return [torch.as_tensor(value).detach().tolist()]
    if isinstance(value, dict):
        return [part for item in value.values() for part in parts(item)]
    if isinstance(value, list | tuple):
        return [part for item in value for part in parts(item)]
    if isinstance(value, float | int | str | None):
        return [value]
    if not hasattr(value, "__dict__") or callable(value):
        return [type(value).__name__]
    return parts(vars(value))


def differences(name, function, seed=None):
    """Forms of an argument that change what a function gives, or that it refuses.

    Args:
        name: of the function.
        function: what is called.
        seed: of a choice of one form for each argument; None tries all.

    Returns:
        Call -> what it says.
    """
    good, found = repr(parts(called(function, arguments(name, function)))), {}
    for key, value in arguments(name, function).items():
        if not isinstance(value, torch.Tensor):
            continue
        forms = list(FORMS)
        if seed is not None:
            forms = [random.Random(f"{seed} {name} {key}").choice(forms)]
        for form in forms:
            try:
                given = called(function, arguments(name, function) | {key: FORMS[form](value)})
            except TypeError as error:
                found[f"{name}({key}={form})"] = str(error)
                continue
            if repr(parts(given)) != good:
                found[f"{name}({key}={form})"] = "other numbers"
    return found


def main():
    """Try everything; it takes minutes, and prints what ends badly."""
    warnings.simplefilter("error")
    found, tried = {}, functions()
    for name, function in tried.items():
        found |= faults(name, function)
        found |= {} if name in TENSORS_ALONE else differences(name, function)
    for call, wrong in found.items():
        print(call, wrong, sep=": ")
    print(f"{len(tried)} functions, {len(found)} faults")
    return bool(found)


if __name__ == "__main__":
    raise SystemExit(main())
