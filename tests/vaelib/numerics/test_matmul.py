import pytest
import torch

from vaelib.numerics import matmul
from vaelib.numerics.matmul import exact_convolutions, float32_products, has_bfloat16_units
from vaelib.seeding import stream


@pytest.fixture(params=[True, False], ids=["where it pays", "where it does not"])
def pays(request, monkeypatch):
    # Whatever this processor is.
    monkeypatch.setattr(matmul, "_pays", lambda: request.param)
    return request.param


def rounded(a, b):
    return (a.bfloat16() @ b.bfloat16()).float()


def test_only_where_it_pays_the_permission_is_given_and_it_is_taken_back(pays):
    before = torch.get_float32_matmul_precision()
    assert before == "highest"
    with float32_products():
        assert torch.get_float32_matmul_precision() == ("medium" if pays else before)
        with float32_products():
            pass
        assert torch.get_float32_matmul_precision() == ("medium" if pays else before)
    assert torch.get_float32_matmul_precision() == before
    with pytest.raises(ValueError, match="within"), float32_products():
        raise ValueError("within")
    assert torch.get_float32_matmul_precision() == before


@pytest.mark.parametrize("within", [float32_products, exact_convolutions])
def test_convolutions_on_a_gpu_do_not_round_within(within, pays):
    assert torch.backends.cudnn.allow_tf32
    with within():
        assert not torch.backends.cudnn.allow_tf32
        with within():
            pass
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32


def test_what_a_user_has_permitted_stays_permitted(pays):
    torch.set_float32_matmul_precision("medium")
    try:
        with float32_products():
            assert torch.get_float32_matmul_precision() == "medium"
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.parametrize("shape", [(1, 128, 64, 200), (5, 128, 500, 500), (10, 128, 2, 200)])
def test_the_digits_are_those_of_float32_on_this_processor(shape):
    replicates, rows, inputs, outputs = shape
    generator = stream("products", 0)
    x = torch.randn(replicates, rows, inputs, generator=generator)
    weight = torch.randn(replicates, outputs, inputs, generator=generator)
    exact = x.double() @ weight.double().mT
    with float32_products():
        found = torch.baddbmm(torch.zeros(replicates, 1, outputs), x, weight.mT)
    assert (found - exact).norm() <= 1e-6 * exact.norm()


def test_a_library_that_rounds_is_found_out():
    # No processor at hand rounds: what it would do is put in.
    assert matmul._precise(torch.matmul)
    assert not matmul._precise(rounded)


def test_the_permission_is_not_given_where_a_library_rounds(monkeypatch):
    monkeypatch.setattr(matmul, "_precise", lambda product: False)
    matmul._pays.cache_clear()  # asked once per process
    try:
        assert not matmul._pays()
    finally:
        matmul._pays.cache_clear()
    assert torch.get_float32_matmul_precision() == "highest"


def test_the_permission_is_not_given_where_it_would_reach_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    matmul._pays.cache_clear()  # asked once per process
    try:
        assert not matmul._pays()
    finally:
        matmul._pays.cache_clear()


@pytest.mark.parametrize(
    ("says", "has"),
    [
        ("flags : fpu avx512f avx512_bf16 gfni", True),
        ("flags : amx_bf16 amx_tile", True),
        ("Features : fp asimd bf16 i8mm", True),
        ("flags : fpu avx512f avx512_vnni", False),
        (None, None),
    ],
)
def test_units_for_bfloat16_are_those_the_processor_names(says, has, monkeypatch):
    monkeypatch.setattr(matmul, "_processor", lambda: says)  # another processor
    assert has_bfloat16_units() is has
