import torch

from vaelib.seeding import global_stream, stream


def test_a_stream_is_stable_across_machines_and_versions():
    draws = torch.randint(1 << 30, (3,), generator=stream("data", 0)).tolist()
    assert draws == [686818589, 521406202, 1008676067]


def test_streams_of_other_names_and_seeds_differ():
    draws = {
        tuple(torch.rand(4, generator=stream(name, seed)).tolist())
        for name in ("data", "noise", "batches")
        for seed in range(20)
    }
    assert len(draws) == 60


def test_a_global_stream_leaves_the_global_generator_as_it_was():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with global_stream("initialisation", 7):
        inside = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)
    with global_stream("initialisation", 7):
        assert torch.equal(torch.rand(3), inside)
