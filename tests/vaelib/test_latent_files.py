"""Files of latents as people have them: each is read, or refused with the line that would work."""

import io
import pickle
import re
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from vaelib import read_latents
from vaelib.latent_files.entries import Refused

N, D = 400, 8
RNG = np.random.default_rng(0)
MEAN, HELD = 0.8 * RNG.standard_normal((N, D)), 0.8 * RNG.standard_normal((100, D))
SCALE = 0.3 + 0.5 * RNG.random((N, D))
LOGVAR, Z = 2 * np.log(SCALE), RNG.standard_normal((N, D))
LABELS = np.arange(N) % 10


def npz(**arrays):
    return lambda path: np.savez(path, **arrays)


def packed(**arrays):
    np.savez(stream := io.BytesIO(), **arrays)
    return stream.getvalue()


def npy(array):
    return lambda path: np.save(path, array)


def pt(value):
    return lambda path: torch.save(value, path)


def text(content):
    return lambda path: path.write_text(content)


def csv(array, head="", mark=","):
    def save(path):
        np.savetxt(path, array, delimiter=mark, header=head, comments="")

    return save


def safetensors(**arrays):
    def save(path):
        torch_files = pytest.importorskip("safetensors.torch")
        torch_files.save_file({k: torch.tensor(v) for k, v in arrays.items()}, path)

    return save


def parquet(**columns):
    def save(path):
        pa, module = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        module.write_table(pa.table(columns), path)

    return save


def hdf5(**arrays):
    def save(path):
        with pytest.importorskip("h5py").File(path, "w") as file:
            for name, value in arrays.items():
                file[name.replace("__", "/")] = value

    return save


def numbered(**arrays):
    """Columns of a table, one for each dimension."""
    return {f"{k}_{d}": v[:, d] for k, v in arrays.items() for d in range(v.shape[1])}


def record(**columns):
    """As to_records of a data frame makes it."""
    every = {"index": np.arange(N)} | columns
    found = np.empty(N, [(name, values.dtype) for name, values in every.items()])
    for name, values in every.items():
        found[name] = values
    return found


def brain(values):
    """Brain floats, as NumPy stores those of ml_dtypes."""
    bits = torch.tensor(values).bfloat16().view(torch.int16).numpy()
    return bits.view("V2")


def maps(values):
    """(N · T, D) as N / 16 maps of 4 x 4 positions."""
    return values.reshape(-1, 4, 4, D).transpose(0, 3, 1, 2)


MOMENTS = np.concatenate([maps(MEAN)[0], maps(LOGVAR)[0]])  # (2D, 4, 4), of one image
PLAIN = f"{N} x {D}"

# name, how it is saved, what is said, what a warning says, options
READ = [
    ("fortran.npz", npz(mean=np.asfortranarray(MEAN), scale=np.asfortranarray(SCALE)),
     f"mean from mean, scale from scale, {PLAIN}"),
    ("draw.npz", npz(mean=MEAN, logvar=LOGVAR, z=Z),
     f"mean from mean, scale from exp(logvar / 2), {PLAIN}; also there: z"),
    ("labels.npz", npz(mean=MEAN, scale=SCALE, labels=LABELS, names=LABELS.astype("U3")),
     f"mean from mean, scale from scale, {PLAIN}; also there: labels, names"),
    ("agree.npz", npz(mean=MEAN, scale=SCALE, logvar=LOGVAR.astype(np.float32)),
     f"mean from mean, scale from scale (logvar says the same), {PLAIN}"),
    ("keras.npz", npz(z_mean=MEAN, z_log_var=LOGVAR),
     f"mean from z_mean, scale from exp(z_log_var / 2), {PLAIN}"),
    ("sigma.npz", npz(mu=MEAN, sigma=SCALE), f"mean from mu, scale from sigma, {PLAIN}"),
    ("plural.npz", npz(means=MEAN, stds=SCALE), f"mean from means, scale from stds, {PLAIN}"),
    ("var.npz", npz(qz_m=MEAN, qz_v=SCALE**2), f"mean from qz_m, scale from sqrt(qz_v), {PLAIN}"),
    ("logstd.npz", npz(encLoc=MEAN, enc_log_scale=LOGVAR / 2),
     f"mean from encLoc, scale from exp(enc_log_scale), {PLAIN}"),
    ("pythae.npz", npz(embedding=MEAN, log_covariance=LOGVAR),
     f"mean from embedding, scale from exp(log_covariance / 2), {PLAIN}"),
    ("episodes.npz", npz(mu=MEAN.reshape(4, 100, D).astype(np.float16),
                         logvar=LOGVAR.reshape(4, 100, D).astype(np.float16),
                         action=np.zeros((4, 100, 2))),
     f"mean from mu ((4, 100, 8) read as (N, …, D)), scale from exp(logvar / 2), {PLAIN}; also "
     "there: action", "100 steps of each of 4 inputs, and steps of one input are not independent"),
    ("maps.npz", npz(mean=maps(MEAN), scale=maps(SCALE)),
     f"mean from mean ((25, 8, 4, 4) read as (N, D, …)), scale from scale, {PLAIN}",
     "16 positions of each of 25 inputs, and positions of one input are not independent"),
    ("last.npz", npz(mean=MEAN.reshape(25, 4, 4, D), scale=SCALE.reshape(25, 4, 4, D)),
     f"mean from mean ((25, 4, 4, 8) read as (N, …, D)), scale from scale, {PLAIN}", "positions"),
    ("arr.npz", npz(arr_0=Z), f"z from arr_0, {PLAIN}"),
    ("squeezed.npz", npz(z=Z[:, None]), f"z from z ((400, 1, 8) squeezed), {PLAIN}"),
    ("pooled.npz", npz(z=Z[:, :, None, None]), f"z from z ((400, 8, 1, 1) squeezed), {PLAIN}"),
    ("batch.npz", npz(z=Z[None]), f"z from z ((1, 400, 8) squeezed), {PLAIN}"),
    ("records.npz", npz(z=record(**numbered(z=Z))), f"z from z, {PLAIN}; also there: index"),
    ("frame.npz", npz(mean=record(**numbered(a=MEAN)), scale=record(**numbered(b=SCALE))),
     f"mean from mean, scale from scale, {PLAIN}"),
    ("brain.npz", npz(mean=brain(MEAN), scale=brain(SCALE)),
     f"mean from mean, scale from scale, {PLAIN}"),
    ("shared.npz", npz(mean=MEAN, scale=SCALE[0]),
     f"mean from mean, scale from scale ((8,) broadcast to every row), {PLAIN}"),
    ("each.npz", npz(mean=MEAN, logvar=LOGVAR[:, :1]),
     "mean from mean, scale from exp(logvar / 2) ((400, 1) broadcast to every dimension), 400 x 8"),
    ("one.npz", npz(mean=MEAN, scale=np.array(0.5)),
     f"mean from mean, scale from scale (() broadcast to every number), {PLAIN}"),
    ("channels.npz", npz(mean=maps(MEAN), scale=SCALE[0][None, :, None, None]),
     "mean from mean ((25, 8, 4, 4) read as (N, D, …)), scale from scale ((1, 8, 1, 1) broadcast "
     f"to every row), {PLAIN}", "positions"),
    ("half.npz", npz(mean=MEAN, scale=np.full((N, D), np.exp(-20)).astype(np.float16)),
     f"mean from mean, scale from scale, {PLAIN}", "float16 keeps nothing below 6e-8"),
    ("diagonal.npz", npz(mean=MEAN, covariance=SCALE[:, None] ** 2 * np.eye(D)),
     "mean from mean, scale from the diagonal of covariance, which has nothing beside it, 400 x 8"),
    ("normalised.npz", npz(z=Z, mean=Z.mean(0), std=Z.std(0)),
     f"z from z, {PLAIN}; also there: mean, std"),
    ("alone.npy", npy(Z.astype(np.float32)), f"z from array, {PLAIN}"),
    ("named.csv", csv(np.hstack([MEAN, SCALE]), ",".join(numbered(mean=MEAN, std=SCALE))),
     f"mean from mean, scale from std, {PLAIN}"),
    ("plain.csv", csv(Z), f"z from columns, {PLAIN}"),
    ("index.csv", csv(np.column_stack([LABELS, Z]), ",0,1,2,3,4,5,6,7"),
     f"z from columns, {PLAIN}"),
    ("tabs.tsv", csv(np.column_stack([Z, LABELS]), "\t".join([*numbered(dim=Z), "label"]), "\t"),
     f"z from dim, {PLAIN}; also there: label"),
    ("words.csv", text("name,mean,scale\n" + 'a,1.5,.5\n"b, c",2,.25\n'),
     "mean from mean, scale from scale, 2 x 1; also there: name"),
    ("columns.parquet", parquet(**numbered(mu=MEAN, logvar=LOGVAR)),
     f"mean from mu, scale from exp(logvar / 2), {PLAIN}"),
    ("lists.parquet", parquet(latent=list(Z), label=LABELS),
     f"z from latent, {PLAIN}; also there: label"),
    ("t.safetensors", safetensors(latents=Z), f"z from latents, {PLAIN}"),
    ("d.h5", hdf5(train__mean=MEAN, train__logvar=LOGVAR, label=LABELS),
     f"mean from train/mean, scale from exp(train/logvar / 2), {PLAIN}; also there: label"),
    ("cells.h5ad", hdf5(X=Z, obsm__X_umap=Z[:, :2], obsm__X_scVI=Z),
     f"z from X_scVI, {PLAIN}; also there: X_umap", "holds means, as scvi-tools returns them"),
    ("p.pt", pt({"mean": torch.tensor(MEAN), "logvar": torch.tensor(LOGVAR).half(), "epoch": 3}),
     f"mean from mean, scale from exp(logvar / 2), {PLAIN}; also there: epoch"),
    ("z.pth", pt(torch.nn.Parameter(torch.tensor(Z))), f"z from tensor, {PLAIN}"),
    ("draws.npz", npz(mean=MEAN, std_dev=SCALE, z=Z, samples=Z, mean_out=Z),
     f"mean from mean, scale from std_dev, {PLAIN}; also there: z, samples, mean_out"),
    ("without", lambda path: path.write_bytes(packed(z=Z)), f"z from z, {PLAIN}"),
]  # fmt: skip

MAPPED = [
    ("moments.npz", npz(moments=MOMENTS, moments_flip=MOMENTS),
     {"mean": "moments", "scale_is": "logvar"},
     "mean from moments ((1, 8, 4, 4) read as (N, D, …)), scale from exp(moments / 2), 16 x 8; "
     "also there: moments_flip"),
    ("pair.npz", npz(arr_0=MEAN, arr_1=LOGVAR),
     {"mean": "arr_0", "scale": "arr_1", "scale_is": "logvar"},
     f"mean from arr_0, scale from exp(arr_1 / 2), {PLAIN}"),
    ("tuple.pt", pt((torch.tensor(MEAN), torch.tensor(LOGVAR / 2))),
     {"mean": "0", "scale": "1", "scale_is": "logstd"}, f"mean from 0, scale from exp(1), {PLAIN}"),
    ("misnamed.npz", npz(mean=MEAN, scale=LOGVAR), {"scale_is": "logvar"},
     f"mean from mean, scale from exp(scale / 2), {PLAIN}"),
    ("differ.npz", npz(mean=MEAN, scale=SCALE, logvar=LOGVAR + 1),
     {"mean": "mean", "scale": "scale"},
     f"mean from mean, scale from scale, {PLAIN}; also there: logvar"),
    ("both.npz", npz(a=Z, b=Z), {"z": "b"}, f"z from b, {PLAIN}; also there: a"),
    ("split.npz", npz(a=MEAN, b=SCALE, test_a=HELD, test_b=np.abs(HELD) + 0.1),
     {"mean": "a", "scale": "b", "scale_is": "std"},
     f"mean from a, scale from b, {PLAIN}; held out: mean from test_a, scale from test_b, 100 x 8"),
]  # fmt: skip

ROTATED = SCALE[:, None] ** 2 * np.eye(D) + 0.05 * np.ones((D, D))
REFUSED = [
    ("differ.npz", npz(mean=MEAN, scale=SCALE, logvar=LOGVAR + 1),
     "scale and logvar must say the same, got standard deviations 0"),
    ("pair.npz", npz(arr_0=MEAN, arr_1=LOGVAR),
     "got arr_0 float64 (400, 8) and arr_1 float64 (400, 8), which goes from -2"),
    ("pair.npz", npz(arr_0=MEAN, arr_1=LOGVAR),
     "--mean arr_0 --scale arr_1 --scale-is logvar or --scale-is logstd, or --z arr_0"),
    ("std.npz", npz(arr_0=MEAN, arr_1=SCALE), "--scale-is std or --scale-is var, or --z arr_0"),
    ("tuple.pt", pt([torch.tensor(MEAN), torch.tensor(LOGVAR)]), "--mean 0 --scale 1 --scale-is"),
    ("moments.npz", npz(moments=MOMENTS, moments_flip=MOMENTS),
     "say --mean moments --scale-is logvar, if not, --mean KEY"),
    ("lone.npz", npz(moments=maps(Z)), "say --mean moments --scale-is logvar if it does, else --z"),
    ("stacked.npy", npy(np.stack([MEAN, LOGVAR])), "may hold means and a spread in its halves"),
    ("flat.npz", npz(z=Z.ravel()), "z must have shape (N, D) with N and D at least 1, got (3200,)"),
    ("objects.npz", npz(z=np.array([[1, None]] * N, dtype=object)),
     "holds pickled objects, which are never loaded; save numbers: np.savez(path, mean=mean"),
    ("list.npy", npy(np.array([1, [2]], dtype=object)), "or np.stack of a list of arrays"),
    ("grid.npz", npz(z=record(**numbered(z=Z)).reshape(20, 20)), "z must hold numbers, got dtype"),
    ("lost.npz", npz(mean=MEAN, scale=np.where(LABELS[:, None], SCALE, 1e-9).astype(np.float16)),
     "scale is 0 in 320 of 3,200 numbers, and float16 keeps nothing below 6e-8: save it"),
    ("full.npz", npz(mean=MEAN, cov=ROTATED),
     "cov is not diagonal, with 0.05 beside the diagonal in row 0, and an audit takes diagonal"),
    ("tril.npz", npz(loc=MEAN, scale_tril=np.linalg.cholesky(ROTATED)), "save z = mean + (scale_t"),
    ("negative.npz", npz(mean=MEAN, std=-SCALE), "logvar or say --scale-is logvar, if log stan"),
    ("mean.npz", npz(mu=MEAN, other=SCALE), "a mean is no draw of z: say --scale KEY --scale-is"),
    ("twice.npz", npz(mean=MEAN, mu=MEAN, std=SCALE), "got mean and mu; say which: --mean mean"),
    ("square.npz", npz(mean=MEAN[:D], scale=SCALE[0]), "save it as (1, D) or (N, 1)"),
    ("wide.npz", npz(mean=MEAN, scale=SCALE[:, :3]), "a spread may also be (D,), (N, 1) or one"),
    ("several.npz", npz(a=Z, b=Z, c=LABELS), "goes from -"),
    ("latents.npz", npz(latents=Z, samples=Z), "one array of z, got latents float64 (400, 8), sam"),
    ("umap.h5ad", hdf5(obsm__X_umap=Z, obsm__X_pca=Z), "got X_pca float64 (400, 8), X_umap floa"),
    ("letters.csv", csv(Z[:, :3], "a,b,c"), "got columns a, b, c; call them z0, z1, … or mean0"),
    ("empty.csv", text(""), "expected rows of"),
    ("cell.csv", text("z0,z1\n1,2\n3,\n"), "expected a number in every cell, got: could not"),
    ("held.npz", npz(test_mean=HELD, test_scale=np.abs(HELD)), "of the training inputs, or z"),
    ("model.pt", pt(torch.nn.Linear(2, 2).state_dict()), "a model's own; save what its encoder"),
    ("sheet.xlsx", text("PK"), "got .xlsx; save the sheet as .csv"),
    ("z.pkl", lambda path: path.write_bytes(pickle.dumps(Z)), "pickles run code and are never"),
    ("other.txt", text("nothing"), "expected a file that is .npz, .npy, .pt,"),
    ("nothing.npy", text(""), "got an empty file"),
    ("nothing.pt", text(""), "expected a .pt file, got an empty file; save torch.save({"),
    ("broken.pt", text("nothing"), "got a file of another kind, or of torch before 1.6"),
    ("missing.npz", lambda path: None, "expected a readable .npz file, got nothing: no such file"),
    ("folder.csv", Path.mkdir, "expected a readable .csv file, got a folder"),
]  # fmt: skip


@pytest.mark.parametrize("case", READ, ids=lambda case: case[0])
def test_a_file_is_read_as_it_is(case, tmp_path):
    name, save, said, *noted = case
    save(tmp_path / name)
    found = read_latents(tmp_path / name)
    assert found.said == f"read: {said}"
    assert len(found.notes) == len(noted)
    assert all(part in note for part, note in zip(noted, found.notes, strict=True))
    if said.startswith("z from"):
        assert found.train is None
        np.testing.assert_allclose(found.z, Z, rtol=1e-6)
    elif f"{N} x" in said and name not in ("shared.npz", "each.npz", "one.npz", "channels.npz",
                                           "half.npz"):  # fmt: skip
        np.testing.assert_allclose(found.train[0], MEAN, rtol=1e-2, atol=1e-2)
        np.testing.assert_allclose(found.train[1], SCALE, rtol=2e-2)


@pytest.mark.parametrize("case", MAPPED, ids=lambda case: case[0])
def test_keys_say_what_names_do_not(case, tmp_path):
    name, save, keys, said = case
    save(tmp_path / name)
    found = read_latents(tmp_path / name, **keys)
    assert (found.said, found.plain) == (f"read: {said}", False)
    if found.train is not None:
        np.testing.assert_allclose(found.train[0], MEAN[: len(found.train[0])])
        np.testing.assert_allclose(found.train[1], SCALE[: len(found.train[1])])


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case[0])
def test_what_cannot_be_guessed_is_refused_in_one_sentence(case, tmp_path):
    name, save, said = case
    save(tmp_path / name)
    with pytest.raises(Refused, match=re.escape(said)) as e:
        read_latents(tmp_path / name)
    assert "\n" not in str(e.value) and len(str(e.value)) < 500


@pytest.mark.parametrize("before", ["test_{}", "val_{}", "held_out_{}", "{}_test", "validation/{}"])
def test_held_out_inputs_are_known_by_a_word_before_or_behind(before, tmp_path):
    spread = np.abs(HELD) + 0.1
    held = {before.format("mean"): HELD, before.format("std"): spread}
    np.savez(tmp_path / "p.npz", mean=MEAN, scale=SCALE, **held)
    found = read_latents(tmp_path / "p.npz")
    np.testing.assert_array_equal(found.heldout[0], HELD)
    np.testing.assert_array_equal(found.heldout[1], spread)
    assert f"; held out: mean from {before.format('mean')}, scale" in found.said
    assert not found.plain


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (("z", "heldout_z"), {}),
        (("latents", "latents_test"), {}),
        (("codes", "heldout_codes"), {"z": "codes"}),
    ],
)
def test_held_out_z_beside_z_are_points_that_decide(names, keys, tmp_path):
    np.savez(tmp_path / "z.npz", **dict(zip(names, (Z, HELD), strict=True)))
    found = read_latents(tmp_path / "z.npz", **keys)
    assert found.z is None and found.others == ()
    for pair, z in ((found.train, Z), (found.heldout, HELD)):
        np.testing.assert_array_equal(pair[0], z)
        assert not pair[1].any()
    assert f"held out: z from {names[1]}, 100 x 8" in found.said


def test_held_out_z_that_are_not_used_are_named(tmp_path):
    np.savez(tmp_path / "z.npz", mean=MEAN, scale=SCALE, z=Z, z_test=HELD)
    found = read_latents(tmp_path / "z.npz")
    assert found.heldout is None
    assert [note for note in found.notes if note.startswith("z_test is taken for z of held-out")]


def test_positions_of_one_input_are_one_group(tmp_path):
    np.savez(tmp_path / "p.npz", mean=maps(MEAN), scale=maps(SCALE))
    found = read_latents(tmp_path / "p.npz")
    assert found.groups.tolist() == [k for k in range(25) for _ in range(16)]
    np.savez(tmp_path / "p.npz", z=Z.reshape(40, 10, D), groups=np.arange(40) // 2)
    assert read_latents(tmp_path / "p.npz").groups.tolist() == (np.arange(N) // 20).tolist()


def test_usual_files_need_no_word(tmp_path):
    for arrays in ({"z": Z}, {"mean": MEAN, "logvar": LOGVAR, "heldout_mean": HELD,
                              "heldout_scale": np.abs(HELD) + 1}):  # fmt: skip
        np.savez(tmp_path / "p.npz", **arrays)
        assert read_latents(tmp_path / "p.npz").plain


class Trap:
    def __reduce__(self):
        return pytest.fail, ("unpickled",)


def test_pickled_tensors_are_refused_unopened(tmp_path):
    path = tmp_path / "p.pt"
    for value in (Trap(), {"mean": torch.tensor(MEAN), "more": Trap()}, torch.nn.Linear(2, 2)):
        torch.save(value, path)
        with pytest.raises(Refused, match="pickled objects, which are never loaded, .*torch.save"):
            read_latents(path)


@pytest.mark.parametrize("name", ["z.npy", "z.pt", "z.csv", "z.safetensors", "z.h5", "z.parquet"])
def test_damaged_files_are_refused_in_one_line(name, tmp_path):
    good = {
        "z.npy": npy(Z), "z.pt": pt(torch.tensor(Z)), "z.csv": csv(Z),
        "z.safetensors": safetensors(z=Z), "z.h5": hdf5(z=Z), "z.parquet": parquet(z=list(Z)),
    }  # fmt: skip
    path = tmp_path / name
    good[name](path)
    content = path.read_bytes()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        some = bytearray(content)
        if seed % 2:
            del some[int(rng.integers(len(some))) :]
        else:
            for place in rng.integers(min(len(some), 2000), size=5):
                some[place] = int(rng.integers(256))
        path.write_bytes(some)
        try:
            found = read_latents(path)
        except Refused as error:
            assert "\n" not in str(error)
        else:
            assert found.z is None or bool(found.z.isfinite().all())


def test_tensors_that_expand_are_refused_unread(tmp_path):
    torch.save({"z": torch.zeros(N, D)}, tmp_path / "z.pt")
    with (
        zipfile.ZipFile(tmp_path / "z.pt") as file,
        zipfile.ZipFile(tmp_path / "y.pt", "w", zipfile.ZIP_DEFLATED) as other,
        zipfile.ZipFile(tmp_path / "x.pt", "w") as third,
    ):
        for member in file.namelist():
            other.writestr(member, file.read(member))
            more = bytes(1 << 20) if member.endswith("data.pkl") else b""
            third.writestr(member, file.read(member) + more)
    for name in ("x.pt", "y.pt"):
        with pytest.raises(Refused, match="expected a .pt file as torch.save writes it, got anot"):
            read_latents(tmp_path / name)


def test_what_a_file_announces_is_checked_before_it_is_read(tmp_path):
    large = torch.zeros(1).expand(1 << 14, 1 << 14)
    for name, value in (("a.pt", large), ("b.pt", {"z": large})):
        torch.save(value, tmp_path / name)
        with pytest.raises(Refused, match=r"268,435,456 numbers, and an audit takes 134,217,728"):
            read_latents(tmp_path / name)
    with open(tmp_path / "z.npy", "wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (10**12, 8)}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(Refused, match="8,000,000,000,000 numbers"):
        read_latents(tmp_path / "z.npy")
    np.savetxt(tmp_path / "z.csv", Z, delimiter=",")
    with pytest.raises(Refused, match="numbers, and an audit takes 9 at most"):
        read_latents(tmp_path / "z.csv", most=9)


def test_no_file_of_another_is_read_through_a_link(tmp_path):
    h5py = pytest.importorskip("h5py")
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(N * D * 8))
    with h5py.File(tmp_path / "z.h5", "w") as file:
        file["z"] = h5py.ExternalLink("other.h5", "z")
        file.create_dataset("y", (N, D), "f8", external=[(str(secret), 0, N * D * 8)])
    for keys in ({}, {"z": "y"}):
        with pytest.raises(Refused, match="must hold numbers of this file's own"):
            read_latents(tmp_path / "z.h5", **keys)


@pytest.mark.parametrize("name", ["z.safetensors", "z.parquet", "z.h5", "z.h5ad"])
def test_what_is_not_installed_is_named(name, tmp_path, monkeypatch):
    package = {"z.safetensors": "safetensors", "z.parquet": "pyarrow"}.get(name, "h5py")
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / name).write_bytes(b"anything")
    with pytest.raises(Refused, match=f"got none; python -m pip install {package}, or save as .np"):
        read_latents(tmp_path / name)


def test_keys_that_are_not_there_and_kinds_that_are_none_are_refused(tmp_path):
    np.savez(tmp_path / "p.npz", a=MEAN, b=SCALE)
    for keys, said in (
        ({"mean": "c", "scale": "b", "scale_is": "std"}, "--mean to be a key of the file, got 'c'"),
        ({"mean": "a", "scale": "b"}, "expected to know what b is, which goes from 0.3"),
        ({"scale": "b"}, "expected a mean beside --scale b, got a float64 (400, 8), b float64"),
        ({"scale_is": "variance"}, "scale_is must be one of std, var, logvar, logstd, got"),
        ({"z": "a", "mean": "b"}, "expected z alone, or mean and scale, got both"),
        ({"scale_is": "std"}, "expected a mean and a spread that is std, got a float64"),
    ):
        with pytest.raises(Refused, match=re.escape(said)):
            read_latents(tmp_path / "p.npz", **keys)


def test_nothing_is_warned_of(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.save({"z": torch.tensor(Z)}, tmp_path / "z.pt")
        read_latents(tmp_path / "z.pt")
