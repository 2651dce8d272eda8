import os
import re
import zipfile

import numpy as np
import pytest
import torch

from bench.audit.archive import read_archive
from vaelib.latent_files.entries import Refused, kind_of

MEAN = np.random.default_rng(0).standard_normal((200, 2))
SCALE = np.full((200, 2), 0.6)


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("dtype", [np.float16, ">f4", np.float64, np.int32])
def test_any_numbers_are_read_in_float64(dtype, tmp_path):
    z = (4 * MEAN).astype(dtype)
    found = read_archive(saved(tmp_path / "z.npz", z=z)).z
    assert found.dtype == torch.float64
    np.testing.assert_array_equal(found, z.astype(np.float64))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_posteriors_are_read_in_float64(save, tmp_path):
    path = tmp_path / "p.npz"
    save(path, mean=MEAN.astype(np.float32), logvar=2 * np.log(SCALE), heldout_mean=MEAN[:50],
         heldout_scale=SCALE[:50])  # fmt: skip
    found = read_archive(path)
    assert found.train[0].dtype == torch.float64
    np.testing.assert_allclose(found.train[1], SCALE)
    np.testing.assert_array_equal(found.heldout[0], MEAN[:50])
    assert found.z is None
    assert found.warnings == ()


def test_bare_latents_are_read(tmp_path):
    found = read_archive(saved(tmp_path / "z.npz", z=MEAN))
    assert found.train is None
    assert found.heldout is None
    np.testing.assert_array_equal(found.z, MEAN)


def test_swapped_axes_are_warned_of(tmp_path):
    found = read_archive(saved(tmp_path / "p.npz", mean=MEAN.T, scale=SCALE.T))
    assert found.warnings == (
        "mean has shape (2, 200), fewer inputs than dimensions: are its axes swapped?",
    )


NAN = MEAN.copy()
NAN[[3, 5, 7, 8, 9, *range(190, 200)], 1] = np.nan


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "expected mean and scale or logvar, or z alone, got nothing"),
        ({"z": MEAN, "mean": MEAN}, "expected z alone, or posteriors without it, got z and mean"),
        (
            {"mean": MEAN, "what": SCALE},
            r"got 0: mean float64 \(200, 2\), what float64 \(200, 2\);",
        ),
        ({"mean": MEAN}, "expected one of scale and logvar, got 0"),
        ({"mean": MEAN, "scale": SCALE, "heldout_scale": SCALE}, "expected heldout_mean"),
        (
            {"mean": MEAN, "scale": 2 * np.log(SCALE)},
            "log variances, save them as logvar",
        ),
        (
            {"mean": MEAN, "scale": SCALE * (np.arange(len(SCALE)) > 0)[:, None]},
            r"scale must be positive, or 0 for all, got 0 in 1 of 200 rows \(row 0\); half",
        ),
        (
            {"mean": NAN, "scale": SCALE},
            r"15 of 200 rows \(3, 5, 7, 8, 9, …\), more than the 5% that can be left out; drop",
        ),
        ({"mean": MEAN[:0], "scale": SCALE[:0]}, r"got \(0, 2\)"),
        ({"mean": MEAN[:, 0], "scale": SCALE[:, 0]}, r"got \(200,\)"),
        ({"mean": MEAN, "scale": SCALE[:9]}, r"got \(200, 2\) and \(9, 2\)"),
        (
            {"mean": MEAN, "logvar": np.full((200, 2), -2000)},
            "logvar must lie between -220 and 220, got -2e\\+03 to -2e\\+03",
        ),
        ({"mean": MEAN.astype(complex), "scale": SCALE}, "must hold numbers, got dtype complex128"),
    ],
)
def test_bad_arrays_are_refused(arrays, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_archive(saved(tmp_path / "p.npz", **arrays))


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


def test_pickled_objects_are_never_loaded(tmp_path):
    mean = np.array([[Trap(), 1]] * 200, dtype=object)
    with pytest.raises(ValueError, match="mean holds pickled objects, which are never loaded"):
        read_archive(saved(tmp_path / "p.npz", mean=mean, scale=SCALE))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "got an empty file"),
        (b"mean, scale\n0.1, 0.2\n", "got a file of another kind"),
        (b"PK\x03\x04 and nothing else", "expected an .npz archive"),
    ],
)
def test_other_files_are_refused(content, message, tmp_path):
    path = tmp_path / "p.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_archive(path)


def test_a_folder_and_nothing_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere.npz"):
        with pytest.raises(ValueError, match="expected a readable .npz file"):
            read_archive(path)


def test_text_inside_an_archive_is_refused(tmp_path):
    path = tmp_path / "p.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("mean.npy", "0.1, 0.2")
    with pytest.raises(ValueError, match="magic string"):
        read_archive(path)


def test_a_cut_archive_is_refused(tmp_path):
    path = saved(tmp_path / "p.npz", mean=MEAN, scale=SCALE)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match="expected an .npz archive"):
        read_archive(path)


def test_ten_gigabytes_are_refused_before_they_are_read(tmp_path):
    path, size = tmp_path / "p.npz", 10_000_000_000
    with zipfile.ZipFile(path, "w") as file, file.open("z.npy", "w", force_zip64=True) as member:
        header = {"descr": "<f4", "fortran_order": False, "shape": (size // 64, 16)}
        np.lib.format.write_array_header_1_0(member, header)
        member._fileobj.seek(size, 1)  # a hole: the file is sparse
        member._file_size += size
    assert path.stat().st_size > size
    assert path.stat().st_blocks < 1000
    with pytest.raises(ValueError, match=r"z has shape \(156250000, 16\), 2,500,000,000 numbers"):
        read_archive(path)


@pytest.mark.parametrize(
    ("offset", "byte", "message"),
    [
        (8, 1, "got: File 'z.npy' is encrypted"),  # offsets in the zip's central directory
        (10, 99, "got: z is compressed by a method of its own; save with np.savez"),
        (16, 1, "got: Bad CRC-32 for file 'z.npy'"),
    ],
)
def test_archives_that_numpy_does_not_write_are_refused(offset, byte, message, tmp_path):
    path = saved(tmp_path / "z.npz", z=MEAN)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + offset] ^= byte
    if offset == 8:
        content[6] |= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^expected a readable .npz file, {message}"):
        read_archive(path)


def test_a_header_that_promises_more_than_there_is_is_refused(tmp_path):
    path = tmp_path / "z.npz"
    with zipfile.ZipFile(path, "w") as file, file.open("z.npy", "w") as member:
        header = {"descr": "<f8", "fortran_order": False, "shape": (300, 2)}
        np.lib.format.write_array_header_1_0(member, header)
        member.write(MEAN.tobytes())
    with pytest.raises(ValueError, match="got: EOF: reading array data, expected 4800 bytes got"):
        read_archive(path)


def test_conditions_part_an_archive(tmp_path):
    labels = np.arange(200) % 2
    groups, held = np.arange(50), np.arange(50) % 2
    given = {"heldout_mean": MEAN[:50], "heldout_scale": SCALE[:50], "groups": groups}
    path = tmp_path / "p.npz"
    found = read_archive(
        saved(path, mean=MEAN, scale=SCALE, conditions=labels, heldout_conditions=held, **given)
    )
    assert found.labels == [0, 1]
    one = found.of_condition(1)
    np.testing.assert_array_equal(one.train[0], MEAN[1::2])
    np.testing.assert_array_equal(one.heldout[0], MEAN[1:50:2])
    np.testing.assert_array_equal(one.groups, groups[1::2])
    assert one.labels == []
    with pytest.raises(ValueError, match=r"expected one of the conditions \(0, 1\), got 2"):
        found.of_condition(2)
    some = dict(given, heldout_conditions=np.zeros(50, int))
    lone = read_archive(saved(path, mean=MEAN, scale=SCALE, conditions=labels, **some))
    assert lone.of_condition(1).heldout is None and lone.of_condition(1).groups is None
    bare = read_archive(saved(path, z=MEAN, conditions=labels, groups=np.arange(200)))
    np.testing.assert_array_equal(bare.of_condition(0).z, MEAN[::2])
    np.testing.assert_array_equal(bare.of_condition(0).groups, np.arange(200)[::2])
    plain = read_archive(saved(path, mean=MEAN, scale=SCALE))
    assert plain.labels == []
    with pytest.raises(ValueError, match="got 0"):
        plain.of_condition(0)


ONES, HELD = np.ones(200, int), {"heldout_mean": MEAN, "heldout_scale": SCALE}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"conditions": np.ones(200)}, "conditions must be integers of shape (n,), one label per"),
        ({"conditions": ONES[:3]}, "conditions must hold one label for each of the 200 rows of"),
        ({"heldout_conditions": ONES}, "expected heldout_conditions beside heldout_mean alone"),
        (HELD | {"conditions": ONES}, "expected both conditions and heldout_conditions, or"),
        (HELD | {"heldout_conditions": ONES}, "expected both conditions and heldout_conditions"),
        (
            HELD | {"conditions": ONES, "heldout_conditions": ONES + 6},
            "expected training inputs of every condition, got none of 7",
        ),
        (
            HELD | {"conditions": ONES, "heldout_conditions": ONES[:3]},
            "heldout_conditions must hold one label for each of the 200 rows of heldout_mean",
        ),
    ],
)
def test_conditions_that_do_not_fit_are_refused(more, message, tmp_path):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_archive(saved(tmp_path / "p.npz", mean=MEAN, scale=SCALE, **more))


@pytest.mark.parametrize("kind", ["a folder", "a pipe", "a link that leads nowhere"])
def test_what_stands_in_the_place_of_an_archive_is_said(kind, tmp_path):
    path = tmp_path / "a.npz"
    assert kind_of(path) == ""
    {"a folder": path.mkdir, "a pipe": lambda: os.mkfifo(path)}.get(
        kind, lambda: path.symlink_to(path)
    )()
    assert kind_of(path) == kind
    with pytest.raises(Refused, match=f"^expected a readable .npz file, got {kind}$"):
        read_archive(path)
