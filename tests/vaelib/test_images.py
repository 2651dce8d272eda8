"""Files of the inputs that latents are of: names, rows, and what is refused."""

import numpy as np
import pytest
import torch

from vaelib.latent_files.images import read_images

X = np.random.default_rng(0).random((6, 1, 4, 4), dtype=np.float32)
Y = np.arange(6) % 2


def saved(folder, **arrays):
    np.savez(folder / "x.npz", **arrays)
    return folder / "x.npz"


@pytest.mark.parametrize(
    ("train", "heldout"),
    [("images", "heldout_images"), ("x_train", "x_test"), ("train", "val"), ("data", "test_data")],
)
def test_names_say_what_is_what(tmp_path, train, heldout):
    found = read_images(saved(tmp_path, **{train: X, heldout: X[:4], "labels": Y}), 6, 4)
    assert np.array_equal(found.train, X) and np.array_equal(found.heldout, X[:4])
    assert found.labels.tolist() == Y.tolist() and found.heldout_labels is None
    assert found.said == (
        f"read: train x from {train}, heldout x from {heldout}, train labels from labels"
    )


def test_rows_say_what_a_name_does_not(tmp_path):
    path = saved(tmp_path, images=X, y=Y)
    found = read_images(path, 9, 6)
    assert found.train is None and found.heldout is not None and found.heldout_labels is not None
    assert read_images(path, 6, 9).heldout is None
    with pytest.raises(ValueError, match="images may be of the training inputs or of the held-out"):
        read_images(path, 6, 6)
    np.save(tmp_path / "x.npy", X)
    assert read_images(tmp_path / "x.npy", 6, None).train is not None
    torch.save({"foo": torch.from_numpy(X)}, tmp_path / "x.pt")
    assert np.array_equal(read_images(tmp_path / "x.pt", 6, None).train, X)


def test_bytes_of_images_become_numbers_to_1_and_counts_stay(tmp_path):
    whole = np.full((6, 2, 2), 255, np.uint8)
    found = read_images(saved(tmp_path, x=whole), 6, None)
    assert (found.train == 1).all() and found.said == "read: train x from x / 255"
    assert (read_images(saved(tmp_path, x=whole[:, 0]), 6, None).train == 255).all()


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"images": X[:5]}, "images must have a row for each of the 6 rows of mean.*got 5"),
        ({"test_x": X}, "test_x is of held-out inputs, and the latents are of training inputs"),
        (
            {"a": X, "b": X},
            "expected inputs under a name such as images, x or heldout_images, got a",
        ),
        ({"x": X, "images": X}, "one array of train inputs, got x and images; leave one out"),
        ({"x": X, "labels": Y[:3]}, "labels must have a row for each of the 6 rows of mean"),
        ({"x": X, "labels": Y / 2}, "labels must be integers"),
        ({"x": X * np.nan}, "x must be finite"),
        ({"x": Y}, r"x must have shape \(N, ...\)"),
        ({"x": np.array([{}], object)}, "pickled objects, which are never loaded"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(tmp_path, arrays, said):
    with pytest.raises(ValueError, match=said):
        read_images(saved(tmp_path, **arrays), 6, None)


def test_shapes_and_files_are_checked(tmp_path):
    with pytest.raises(ValueError, match=r"inputs of one shape, got .*\(1, 4, 3\)"):
        read_images(saved(tmp_path, x=X, test_x=X[..., :3]), 6, 6)
    for name, said in (("no.npz", "no such file"), ("x.csv", "no such file")):
        with pytest.raises(ValueError, match=said):
            read_images(tmp_path / name, 6, None)
    (tmp_path / "x.png").write_bytes(b"0")
    with pytest.raises(ValueError, match="expected a file that is .npz, .npy"):
        read_images(tmp_path / "x.png", 6, None)
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match="expected an? "):
        read_images(tmp_path / "x.npz", 6, None)
