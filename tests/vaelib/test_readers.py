import numpy as np
import pytest
import torch
from PIL import Image

from vaelib.datasets import images, npz


def pixels(count=12, shape=(6, 5), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def save(folder, arrays, suffix=".png", mode=None):
    folder.mkdir(parents=True, exist_ok=True)
    for place, array in enumerate(arrays):
        image = Image.fromarray(array)
        (image.convert(mode) if mode else image).save(folder / f"{place:03}{suffix}")


def test_flat_grey_images_come_in_the_order_of_their_names_without_labels(tmp_path):
    arrays = pixels()
    save(tmp_path, arrays)
    data = images(path=str(tmp_path))
    assert np.array_equal(data.x[:, 0].numpy(), np.float32(arrays) / np.float32(255))
    assert data.labels is None
    assert data.x.dtype == torch.float32


def test_class_folders_give_labels_and_nested_hidden_and_other_files_do_not(tmp_path):
    save(tmp_path / "b" / "deep", pixels(6), suffix=".PNG")
    save(tmp_path / "a", pixels(7, seed=1))
    save(tmp_path / ".cache", pixels(2, (9, 9)))
    (tmp_path / "a" / "._000.png").write_bytes(b"not an image")
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / "empty").mkdir()
    data = images(path=str(tmp_path))
    assert data.labels.tolist() == [0] * 7 + [1] * 6
    assert np.array_equal(data.x[0, 0].numpy(), np.float32(pixels(7, seed=1)[0]) / np.float32(255))


def test_colours_are_channels_and_one_colour_image_makes_all_of_them_rgb(tmp_path):
    save(tmp_path / "grey", pixels(6))
    save(tmp_path / "rgb", pixels(6, (6, 5, 3)))
    data = images(path=str(tmp_path))
    assert tuple(data.x.shape) == (12, 3, 6, 5)
    assert torch.equal(data.x[0, 0], data.x[0, 2])
    assert np.array_equal(
        data.x[6].numpy(), np.float32(pixels(6, (6, 5, 3))[0].transpose(2, 0, 1)) / np.float32(255)
    )
    assert tuple(images(path=str(tmp_path), grey=True).x.shape) == (12, 1, 6, 5)


def test_size_resizes_and_crops_the_centre(tmp_path):
    wide = np.zeros((8, 24), np.uint8)
    wide[:, 8:16] = 255
    save(tmp_path, [wide] * 9 + [wide.T])
    data = images(path=str(tmp_path), size=8)
    assert tuple(data.x.shape) == (10, 1, 8, 8)
    assert float(data.x.min()) == 1.0


def test_a_camera_s_orientation_is_applied(tmp_path):
    save(tmp_path, pixels())
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by a quarter
    Image.fromarray(pixels(1, (5, 6))[0]).save(tmp_path / "000.png", exif=exif)
    assert tuple(images(path=str(tmp_path)).x.shape) == (12, 1, 6, 5)


@pytest.mark.parametrize(
    ("prepare", "options", "sentence"),
    [
        (lambda f: None, {}, "expected at least 10 images (.bmp"),
        (lambda f: save(f, pixels(9)), {}, "got 9"),
        (
            lambda f: (save(f, pixels()), save(f / "cats", pixels())),
            {},
            "got both: 000.png and the folder cats",
        ),
        (
            lambda f: save(f, [*pixels(), np.zeros((4, 7), np.uint8)]),
            {},
            "got 5 x 6 pixels in {0}/000.png and 7 x 4 in {0}/012.png; set size",
        ),
        (
            lambda f: (save(f, pixels()), (f / "003.png").write_bytes(b"\x89PNG\r\n\x1a\nno")),
            {},
            "{0}/003.png: expected an image that can be read, got: ",
        ),
        (
            lambda f: save(f, np.uint16(pixels())),
            {},
            "{0}/000.png: expected 8 bits per channel, got mode I;16",
        ),
        (lambda f: save(f, pixels()), {"size": 0}, "size must be at least 1 pixel, got 0"),
    ],
)
def test_a_folder_that_will_not_do_is_one_sentence(tmp_path, prepare, options, sentence):
    prepare(tmp_path)
    with pytest.raises(ValueError) as caught:
        images(path=str(tmp_path), **options)
    assert sentence.format(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_stands_in_the_place_of_a_folder_of_images_is_said(tmp_path):
    file, link = tmp_path / "file", tmp_path / "link"
    file.touch()
    link.symlink_to(tmp_path / "nowhere")
    for path, said in ((file, "a file"), (link, "a link that leads nowhere")):
        with pytest.raises(ValueError, match=f"^expected a folder of images at {path}, .* {said}$"):
            images(path=str(path))


@pytest.mark.parametrize("read", [images, npz])
def test_relative_paths_start_at_the_working_directory(tmp_path, monkeypatch, read):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="expected .* at nowhere") as caught:
        read(path="nowhere")
    assert f"(in {tmp_path})" in str(caught.value)
    save(tmp_path / "data", pixels())
    assert len(images(path="data").x) == 12


@pytest.mark.parametrize(
    ("x", "shape"),
    [
        (pixels(20), (1, 6, 5)),
        (pixels(20, (3, 6, 5)), (3, 6, 5)),
        (pixels(20, (6, 5, 3)), (3, 6, 5)),
        (pixels(20, (30,)), (30,)),
    ],
)
def test_bytes_become_the_unit_interval_and_images_get_channels_first(tmp_path, x, shape):
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(20) % 3)
    data = npz(path=str(tmp_path / "data.npz"))
    assert data.data_shape == shape
    assert data.labels.tolist() == [n % 3 for n in range(20)]
    assert float(data.x.sum()) == pytest.approx(x.sum() / 255, rel=1e-5)
    if shape == (3, 6, 5) and x.shape[3] == 3:
        assert float(data.x[1, 2, 3, 4]) == pytest.approx(x[1, 3, 4, 2] / 255)


def test_floats_and_booleans_stay_what_they_are(tmp_path):
    x = np.random.default_rng(0).normal(size=(20, 4))
    np.savez(tmp_path / "data.npz", x=x)
    data = npz(path=str(tmp_path / "data.npz"), unit=False)
    assert np.array_equal(data.x.numpy(), np.float32(x))
    assert data.labels is None
    np.savez(tmp_path / "data.npz", x=x > 0, y=(x > 0)[:, :1])
    data = npz(path=str(tmp_path / "data.npz"))
    assert data.x.unique().tolist() == [0.0, 1.0]
    assert data.labels.unique().tolist() == [0, 1]


def test_a_changed_file_has_another_fingerprint(tmp_path):
    path = tmp_path / "data.npz"
    x = pixels(20)
    prints = set()
    for change in (0, 1):
        x[7, 0, 0] ^= change
        np.savez(path, x=x)
        prints.add(npz(path=str(path)).fingerprint)
    save(tmp_path / "folder", x)
    prints.add(images(path=str(tmp_path / "folder")).fingerprint)
    x[3, 1, 1] ^= 1
    save(tmp_path / "folder", x)
    prints.add(images(path=str(tmp_path / "folder")).fingerprint)
    assert len(prints) == 3  # the folder first held what the second file held


UNIT = np.linspace(0, 1, 40).reshape(20, 2)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({}, "expected an array x of shape (n, ...), got nothing"),
        ({"images": UNIT, "b": UNIT}, "expected an array x of shape (n, ...), got b, images"),
        ({"x": UNIT[:9]}, "with at least 10 points, got (9, 2)"),
        ({"x": UNIT[:, 0]}, "of shape (n, ...) with at least 10 points, got (20,)"),
        ({"x": UNIT * 255}, "expected x in [0, 1], got 0 to 255; scale it"),
        ({"x": UNIT - 0.1}, "expected x in [0, 1], got -0.1 to 0.9"),
        ({"x": np.where(UNIT == 0, np.nan, UNIT)}, "expected finite numbers in x, got 1 that"),
        ({"x": np.int64(UNIT)}, "expected x of floats, booleans or uint8 from 0 to 255, got int64"),
        ({"x": UNIT, "y": np.arange(19)}, "expected y of 20 integer classes like x, got int64 of"),
        ({"x": UNIT, "y": UNIT[:, 0]}, "integer classes like x, got float64 of shape (20,)"),
        (
            {"x": np.array([{}] * 20, object).reshape(20, 1)},
            "expected an .npz of plain arrays that can be read, got: Object arrays",
        ),
    ],
)
def test_a_file_that_will_not_do_is_one_sentence(tmp_path, arrays, sentence):
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError) as caught:
        npz(path=str(path))
    assert sentence in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"text", None])
def test_what_is_no_npz_is_one_sentence(tmp_path, content):
    path = tmp_path / "data.npz"
    if content is None:
        with open(path, "wb") as file:
            np.save(file, UNIT)
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="expected an .npz of plain arrays"):
        npz(path=str(path))
