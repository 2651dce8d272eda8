"""Reading a user's own data: a folder of images or an ``.npz`` file.

Relative paths are relative to the working directory, like import paths and every path on the
command line.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

__all__ = ["IMAGE_SUFFIXES", "read_images", "read_npz"]

IMAGE_SUFFIXES = frozenset(
    (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
_LEAST = 10  # points: fewer leave a part of the split empty
_EIGHT_BITS = frozenset(("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB"))


def read_images(path: str, size: int | None, grey: bool) -> tuple[Tensor, Tensor | None]:
    """Read a folder of images; `vaelib.datasets.images` says how.

    Args:
        path: the folder.
        size: pixels on a side of the centre square, or None to leave images as they are.
        grey: whether to turn colours into grey levels.

    Returns:
        Images in [0, 1], shape (n, 1 or 3, height, width), and classes, shape (n,), or None.

    Raises:
        ValueError: for what is not such a folder.
    """
    folder = Path(path)
    if size is not None and size < 1:
        raise ValueError(f"size must be at least 1 pixel, got {size}")
    if not folder.is_dir():
        raise ValueError(
            f"expected a folder of images at {_place(folder)}, which is "
            + (
                "a file"
                if folder.exists()
                else "a link that leads nowhere"
                if folder.is_symlink()
                else "none"
            )
        )
    files, labels = _listed(folder)
    if len(files) < _LEAST:
        raise ValueError(
            f"expected at least {_LEAST} images ({', '.join(sorted(IMAGE_SUFFIXES))}) in "
            f"{_place(folder)}, got {len(files)}"
        )
    arrays: list[np.ndarray] = []
    for file in files:
        arrays.append(_read(file, size, grey))
        if arrays[-1].shape[:2] != arrays[0].shape[:2]:
            first, other = ("{1} x {0}".format(*array.shape) for array in (arrays[0], arrays[-1]))
            raise ValueError(
                f"expected images of one size, got {first} pixels in {files[0]} and {other} in "
                f"{file}; set size to resize them"
            )
    if len({array.ndim for array in arrays}) > 1:
        arrays = [array if array.ndim == 3 else array[..., None].repeat(3, 2) for array in arrays]
    pixels = np.stack(arrays)
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)
    return _unit(pixels), None if labels is None else torch.tensor(labels)


def _listed(folder: Path) -> tuple[list[Path], list[int] | None]:
    """The images in order, and their classes where there are class folders."""
    flat = [file for file in sorted(folder.iterdir()) if _is_image(file)]
    classes = {
        part.name: files
        for part in sorted(folder.iterdir())
        if part.is_dir() and not part.name.startswith(".")
        if (files := [file for file in sorted(part.rglob("*")) if _is_image(file)])
    }
    if flat and classes:
        raise ValueError(
            f"expected images either directly in {_place(folder)} or in class folders, got both: "
            f"{flat[0].name} and the folder {next(iter(classes))}"
        )
    if not classes:
        return flat, None
    labels = [label for label, files in enumerate(classes.values()) for _ in files]
    return [file for files in classes.values() for file in files], labels


def _is_image(file: Path) -> bool:
    return (
        file.suffix.lower() in IMAGE_SUFFIXES
        and not file.name.startswith(".")  # macOS leaves ._name.png beside name.png
        and file.is_file()
    )


def _read(file: Path, size: int | None, grey: bool) -> np.ndarray:
    """One image: (height, width), or (height, width, 3), uint8."""
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened)
    except Exception as error:  # a damaged file may raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{file}: expected an image that can be read, got: {reason}") from None
    if image.mode not in _EIGHT_BITS:
        raise ValueError(
            f"{file}: expected 8 bits per channel, got mode {image.mode}; convert it, or use an npz"
        )
    image = image.convert("L" if grey or image.mode in ("1", "L", "LA") else "RGB")
    if size is not None:
        image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    return np.asarray(image)


def read_npz(path: str, unit: bool) -> tuple[Tensor, Tensor | None]:
    """Read an .npz file; `vaelib.datasets.npz` says how. Nothing in it is unpickled.

    Args:
        path: the file.
        unit: whether the values must lie in [0, 1].

    Returns:
        Data, shape (n, *data_shape), and classes, shape (n,), or None.

    Raises:
        ValueError: for what is not such a file.
    """
    arrays = _arrays(Path(path))
    if "x" not in arrays:
        named = ", ".join(sorted(arrays)) or "nothing"
        raise ValueError(f"{path}: expected an array x of shape (n, ...), got {named}")
    x = arrays["x"]
    if x.ndim < 2 or len(x) < _LEAST or 0 in x.shape:
        raise ValueError(
            f"{path}: expected x of shape (n, ...) with at least {_LEAST} points, got {x.shape}"
        )
    if x.ndim == 3:
        x = x[:, None]
    elif x.ndim == 4 and x.shape[3] in (1, 3) and x.shape[1] not in (1, 3):
        x = x.transpose(0, 3, 1, 2)
    return _values(x, unit, path), _labels(arrays.get("y"), len(x), path)


def _arrays(file: Path) -> dict[str, np.ndarray]:
    if not file.is_file():
        raise ValueError(f"expected an .npz file at {_place(file)}, which is none")
    if not zipfile.is_zipfile(file):
        raise ValueError(f"{file}: expected an .npz of plain arrays, as np.savez writes it")
    try:
        with open(file, "rb") as raw, np.load(raw, allow_pickle=False) as opened:
            wanted = [name for name in opened.files if name in ("x", "y")]
            return {name: opened[name] for name in wanted} or _named(opened.files)
    except Exception as error:  # damaged bytes raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{file}: expected an .npz of plain arrays that can be read, got: {reason}"
        ) from None


def _named(names: Sequence[str]) -> dict[str, np.ndarray]:
    """Names alone, for an error that lists them."""
    return {name: np.empty(0) for name in names}


def _values(x: np.ndarray, unit: bool, path: str) -> Tensor:
    if x.dtype == np.uint8:
        return _unit(x)
    if x.dtype != np.bool_ and not np.issubdtype(x.dtype, np.floating):
        raise ValueError(
            f"{path}: expected x of floats, booleans or uint8 from 0 to 255, got {x.dtype}"
        )
    values = np.ascontiguousarray(x, dtype=np.float32)
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise ValueError(f"{path}: expected finite numbers in x, got {bad} that are not")
    low, high = float(values.min()), float(values.max())
    if unit and not 0 <= low <= high <= 1:
        raise ValueError(
            f"{path}: expected x in [0, 1], got {low:g} to {high:g}; scale it, save grey levels as "
            "uint8, or set unit = false and a likelihood that takes any number"
        )
    return torch.from_numpy(values)


def _labels(y: np.ndarray | None, points: int, path: str) -> Tensor | None:
    if y is None:
        return None
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if y.shape != (points,) or not (y.dtype == np.bool_ or np.issubdtype(y.dtype, np.integer)):
        raise ValueError(
            f"{path}: expected y of {points} integer classes like x, got {y.dtype} of shape "
            f"{y.shape}"
        )
    return torch.from_numpy(y.astype(np.int64))


def _unit(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels, dtype=np.float32)).div_(255)


def _place(path: Path) -> str:
    """A path as it was written and, where that is relative, where it leads."""
    return str(path) if path.is_absolute() else f"{path} (in {Path.cwd()})"
