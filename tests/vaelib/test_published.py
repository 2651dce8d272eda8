"""Published image sets: verified bytes, one sentence for what is not what was published."""

import gzip
import hashlib
import os

import numpy as np
import pytest

from bench.cli import main
from vaelib import published
from vaelib.datasets import DATASETS, data_folder

SETS = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "kmnist": "KMNIST"}
SHAPES = {
    "train-images-idx3-ubyte": (30, 28, 28),
    "train-labels-idx1-ubyte": (30,),
    "t10k-images-idx3-ubyte": (10, 28, 28),
    "t10k-labels-idx1-ubyte": (10,),
}
IMAGES = "train-images-idx3-ubyte"


def idx(array):
    head = bytes([0, 0, 8, array.ndim])
    return head + b"".join(size.to_bytes(4, "big") for size in array.shape) + array.tobytes()


def packed(data):
    return gzip.compress(data, mtime=0)


def md5(data):
    return hashlib.md5(data).hexdigest()


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A small set in the place of each: the bytes of its files. No network."""
    draw = np.random.default_rng(0).integers
    made = {file: idx(draw(0, 10, shape, np.uint8)) for file, shape in SHAPES.items()}
    sums = {file: md5(data) for file, data in made.items()}
    monkeypatch.setattr(published, "_SHAPES", SHAPES)
    monkeypatch.setattr(published, "_UNPACKED", {"MNIST": sums, "FashionMNIST": sums, "KMNIST": {}})
    own = {file: md5(packed(data)) for file, data in made.items()}
    monkeypatch.setattr(published, "_PACKED", {"KMNIST": own})
    monkeypatch.setenv("VAEBENCH_DATA", str(tmp_path))

    def no_network(*args, **kwargs):
        raise OSError("no network in tests")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    return made


def write(tmp_path, made, name="MNIST", gzipped=False):
    raw = tmp_path / name / "raw"
    raw.mkdir(parents=True)
    for file, data in made.items():
        (raw / (f"{file}.gz" if gzipped else file)).write_bytes(packed(data) if gzipped else data)
    return raw


@pytest.mark.parametrize("name", SETS)
def test_gzipped_and_unpacked_files_are_one_data_set_and_the_folder_is_only_read(
    name, files, tmp_path, monkeypatch
):
    read = {}
    for gzipped in (False, True):
        folder = tmp_path / f"gzipped-{gzipped}"
        raw = write(folder, files, SETS[name], gzipped)
        before = sorted(path.stat().st_mtime_ns for path in raw.iterdir())
        monkeypatch.setenv("VAEBENCH_DATA", str(folder))
        read[gzipped] = DATASETS[name]()
        assert sorted(path.stat().st_mtime_ns for path in raw.iterdir()) == before
        assert [path.name for path in folder.rglob("*") if path.is_dir()] == [SETS[name], "raw"]
    data = read[True]
    assert data.fingerprint == read[False].fingerprint
    assert tuple(data.x.shape) == (40, 1, 28, 28) and data.split(0).test.tolist() == [
        *range(30, 40)
    ]
    pixels = np.frombuffer(files["t10k-images-idx3-ubyte"], np.uint8, offset=16)
    assert np.array_equal(data.x[-10:].numpy().ravel(), np.float32(pixels) / np.float32(255))
    classes = np.frombuffer(files["train-labels-idx1-ubyte"], np.uint8, offset=8)
    assert data.labels[:30].tolist() == classes.tolist()


def test_what_was_packed_again_is_the_same_and_a_link_may_lead_to_the_files(files, tmp_path):
    raw = write(tmp_path / "elsewhere", files, gzipped=True)
    (raw / f"{IMAGES}.gz").write_bytes(gzip.compress(files[IMAGES], 1, mtime=7))
    (tmp_path / "MNIST").mkdir()
    (tmp_path / "MNIST" / "raw").symlink_to(raw)
    assert len(DATASETS["mnist"]().x) == 40


def flipped(data):
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    ("gzipped", "spoil", "got"),
    [
        (True, lambda data: b"<!DOCTYPE html><p>Sign in", "a page of HTML or XML"),
        (False, lambda data: b"\n <html>", "a page of HTML or XML"),
        (True, lambda data: packed(data)[:-9], "a file that is cut off, damaged or no gzip"),
        (True, lambda data: b"MNIST", "a file that is cut off, damaged or no gzip"),
        (True, lambda data: data, "a file that is cut off, damaged or no gzip"),
        (True, lambda data: b"", "an empty file"),
        (False, lambda data: b"", "an empty file"),
        (True, lambda data: packed(bytes(10**7)), "a longer one"),
        (False, lambda data: data + b"0", "a longer one"),
        (True, lambda data: packed(flipped(data)), "23,536 bytes with MD5 "),
        (False, lambda data: flipped(data), "23,536 bytes with MD5 "),
        (False, lambda data: data[:-1], "23,535 bytes with MD5 "),
        (False, lambda data: packed(data), "a gzip file, whose name ends in .gz"),
    ],
)
def test_a_wrong_file_is_named_with_the_checksum_that_it_should_have(
    gzipped, spoil, got, files, tmp_path, capfd
):
    path = write(tmp_path, files, gzipped=gzipped) / (f"{IMAGES}.gz" if gzipped else IMAGES)
    path.write_bytes(spoil(files[IMAGES]))
    with pytest.raises(ValueError, match="expected") as caught:
        DATASETS["mnist"]()
    said = str(caught.value)
    assert said.startswith(f"{path}: expected ") and f"MD5 {md5(files[IMAGES])}, got {got}" in said
    assert said.endswith("; copy or download it anew") and "\n" not in said


def test_of_kmnist_the_published_gzip_is_what_is_verified(files, tmp_path):
    raw = write(tmp_path, files, "KMNIST", gzipped=True)
    (raw / f"{IMAGES}.gz").write_bytes(gzip.compress(files[IMAGES], 1, mtime=7))
    with pytest.raises(
        ValueError, match=rf"{IMAGES}\.gz with MD5 {md5(packed(files[IMAGES]))}, got"
    ):
        DATASETS["kmnist"]()
    (raw / IMAGES).write_bytes(files[IMAGES][:-1])
    with pytest.raises(ValueError, match=rf"{IMAGES} of 23,536 bytes, got 23,535 bytes"):
        DATASETS["kmnist"]()


def test_a_download_that_fails_leaves_no_folder(files, tmp_path):
    with pytest.raises(ValueError, match="neither there nor can be downloaded"):
        DATASETS["fashion_mnist"]()
    assert not list(tmp_path.iterdir())


def test_a_missing_file_is_named_and_nothing_is_downloaded(files, tmp_path):
    raw = write(tmp_path, files)
    (raw / IMAGES).unlink()
    with pytest.raises(ValueError, match=rf"^expected {IMAGES} or {IMAGES}\.gz in .*, got neither"):
        DATASETS["mnist"]()


@pytest.mark.parametrize("kind", ["pipe", "folder", "loop", "denied"])
def test_what_cannot_be_read_is_one_sentence(kind, files, tmp_path, monkeypatch):
    raw = write(tmp_path, files)
    (raw / IMAGES).unlink()
    if kind == "pipe":
        os.mkfifo(raw / IMAGES)
    elif kind == "folder":
        (raw / IMAGES).mkdir()
    elif kind == "loop":
        (raw / IMAGES).symlink_to(raw / IMAGES)
    else:

        def denied(path):
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(os, "lstat", denied)
    said = {
        "pipe": "expected a file of MNIST at .*, got a pipe or a device; put the original",
        "folder": "expected a file of MNIST at .*, got a folder; put the original file there",
        "loop": "expected a file of MNIST at .*, got a link that leads nowhere, to .*; put the",
        "denied": r"expected the files of MNIST in .* cannot be read \(Permission.*\); allow it",
    }
    with pytest.raises(ValueError, match=f"^{said[kind]}"):
        DATASETS["mnist"]()


@pytest.mark.parametrize("kind", ["pipe", "folder", "loop"])
def test_what_is_no_file_is_named_before_what_is_not_there(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("VAEBENCH_DATA", str(tmp_path))
    path = tmp_path / "MNIST" / "raw" / f"{IMAGES}.gz"
    path.parent.mkdir(parents=True)
    {"pipe": os.mkfifo, "folder": os.mkdir, "loop": lambda own: os.symlink(own, own)}[kind](path)
    with pytest.raises(ValueError, match=rf"^expected a file of MNIST at .*{IMAGES}\.gz, got a "):
        DATASETS["mnist"]()


@pytest.mark.parametrize("place", ["", "MNIST", "MNIST/raw"])
@pytest.mark.parametrize("kind", ["a file", "a link that leads nowhere"])
def test_what_is_no_folder_is_named_where_there_is_no_network(kind, place, tmp_path, monkeypatch):
    path = tmp_path / "data" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch() if kind == "a file" else path.symlink_to(tmp_path / "nowhere")
    monkeypatch.setenv("VAEBENCH_DATA", str(tmp_path / "data"))
    with pytest.raises(ValueError, match=f"^expected a folder at {path}, got {kind}; put the "):
        DATASETS["mnist"]()
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("spoiled", ["nothing", "html", "no folder"])
def test_a_run_says_so_before_anything_is_made(spoiled, files, tmp_path, monkeypatch, capfd):
    data = tmp_path / "data"
    monkeypatch.setenv("VAEBENCH_DATA", str(data))
    if spoiled == "html":
        (write(data, files, gzipped=True) / f"{IMAGES}.gz").write_bytes(b"<html>")
    elif spoiled == "nothing":
        data.mkdir()
    matrix = tmp_path / "own.toml"
    matrix.write_text('[matrix]\nname = "own"\n[base]\ndataset = { name = "mnist" }\n')
    results = tmp_path / "results"
    assert main(["run", str(matrix), "--results", str(results)]) == 64
    said = capfd.readouterr().err
    assert said.count("\n") == 1 and "base.dataset: " in said and str(data) in said
    assert not results.exists()


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_published_files_have_the_checksums_that_are_asked_for(name):
    """Of files that no test downloads."""
    if not any((data_folder() / SETS[name] / "raw").glob("*-ubyte*")):
        pytest.skip(f"VAEBENCH_DATA names no folder with files in {SETS[name]}/raw")
    data = DATASETS[name]()
    expected = {"mnist": "fb8e0ba0527bca25", "fashion_mnist": "fc56529d7ccf52c8"}
    assert data.fingerprint == expected[name] and data.official_test == 10_000
