"""Contract tests for your own components: each says in words what is wrong with one.

Call them from your own tests, with the options that you use:

    from bench.testing import check_prior
    def test_my_prior():
        check_prior(MyPrior, width=2.0)

Each raises a `ContractError` that lists every broken promise, and returns nothing where there is
none. The suite's own components pass them.

Example:
    >>> from vaelib.priors import Normal
    >>> check_prior(Normal)
    >>> class Shifted(Normal):
    ...     def sample(self, count, generator):
    ...         return 1 + super().sample(count, generator)
    >>> try:
    ...     check_prior(Shifted)
    ... except ContractError as error:
    ...     print(error.problems[0].partition(":")[0])
    draws and density disagree
"""

from bench.testing.contract import ContractError
from bench.testing.datasets import check_dataset
from bench.testing.likelihoods import check_likelihood
from bench.testing.metrics import check_metric
from bench.testing.networks import check_decoder, check_encoder
from bench.testing.objectives import check_objective
from bench.testing.priors import check_prior

__all__ = [
    "ContractError",
    "check_dataset",
    "check_decoder",
    "check_encoder",
    "check_likelihood",
    "check_metric",
    "check_objective",
    "check_prior",
]
