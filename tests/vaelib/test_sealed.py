import json
import struct

import numpy as np
import pytest

from vaelib.sealed import (
    CacheWarning,
    SealError,
    identity_of,
    keep,
    packed,
    recall,
    sealed_json,
    unpacked,
    unsealed_json,
)

ARRAYS = {"x": np.arange(6.0).reshape(2, 3), "names": np.array(["a", "bc"])}
WHO = {"cell": "c1", "code": "abc"}


@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_come_back_and_other_readers_see_them(tmp_path, compressed):
    data = packed(ARRAYS, WHO, compressed=compressed)
    assert data == packed(ARRAYS, WHO, compressed=compressed)
    (tmp_path / "x.npz").write_bytes(data)
    assert identity_of(tmp_path / "x.npz") == WHO
    with np.load(tmp_path / "x.npz", allow_pickle=False) as plain:
        for found in (unpacked(data, WHO), dict(plain)):
            assert found.keys() == ARRAYS.keys()
            assert all(np.array_equal(found[name], ARRAYS[name]) for name in ARRAYS)


@pytest.mark.parametrize("compressed", [False, True])
def test_no_byte_of_arrays_can_change(compressed):
    data = packed(ARRAYS, WHO, compressed=compressed)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(SealError):
            unpacked(bytes(changed), WHO)
    for cut in range(len(data)):
        with pytest.raises(SealError):
            unpacked(data[:cut], WHO)
    for more in (b"\0", data):
        with pytest.raises(SealError):
            unpacked(data + more, WHO)


@pytest.mark.parametrize(
    ("who", "differs"),
    [
        ({"cell": "c2", "code": "abc"}, "cell"),
        ({"cell": "c1", "code": "abd"}, "code"),
        ({"cell": "c1"}, "code"),
        (WHO | {"seed": "0"}, "seed"),
    ],
)
def test_arrays_of_another_identity_are_refused(who, differs):
    with pytest.raises(SealError, match=f"it is of another {differs}"):
        unpacked(packed(ARRAYS, WHO), who)


def test_a_seal_names_its_bytes_and_moves_to_no_others():
    data, other = packed(ARRAYS, WHO), packed({"x": np.zeros(3)}, WHO)
    comment = data[-struct.unpack("<H", data[data.rindex(b"PK\x05\x06") + 20 :][:2])[0] :]
    archive = other[: other.rindex(b"PK\x05\x06") + 20]
    with pytest.raises(SealError, match="its checksum is not that of what it holds"):
        unpacked(archive + struct.pack("<H", len(comment)) + comment, WHO)


def test_what_is_no_arrays_is_refused_though_it_be_sealed():
    objects = packed({"x": np.array([{}])}, WHO)
    with pytest.raises(SealError, match=r"it is no archive of arrays \(ValueError\)"):
        unpacked(objects, WHO)


def test_json_comes_back_and_no_byte_of_it_can_change():
    text = json.dumps({"cell": "c1", "value": 0.1, "sha256": "x"}, indent=1)
    data = sealed_json(text)
    assert unsealed_json(data) == text.encode()
    json.loads(data)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(SealError):
            unsealed_json(bytes(changed))
        with pytest.raises(SealError):
            unsealed_json(data[:place])


def test_a_cache_keeps_what_it_can_and_gives_only_what_it_kept(tmp_path):
    path = tmp_path / "new" / "x.npz"
    assert recall(path, WHO) is None
    keep(path, ARRAYS, WHO)
    assert np.array_equal(recall(path, WHO)["x"], ARRAYS["x"])
    with pytest.warns(CacheWarning, match="is not used but computed again: it is of another cell"):
        assert recall(path, WHO | {"cell": "c2"}) is None
    path.unlink()
    path.mkdir()
    with pytest.warns(CacheWarning, match="computed again: (Is a directory|Not a regular file)"):
        assert recall(path, WHO) is None
    with pytest.warns(CacheWarning, match="cannot be kept and will be computed again: Is a dir"):
        keep(path, ARRAYS, WHO)
    assert list(path.parent.iterdir()) == [path], "no temporary file is left"


def test_a_cache_sweeps_what_a_killed_writer_left(tmp_path):
    (tmp_path / f".x.npz.{'0' * 32}.tmp").touch()
    keep(tmp_path / "x.npz", ARRAYS, WHO)
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]
