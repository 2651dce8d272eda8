"""What users hand to public functions: brought to one form, or refused in one sentence.

A tensor of real numbers may come as a NumPy array, in half precision or in integers, from memory
that is read-only or not contiguous, or with gradients on: all that means something. What does not
is refused by its kind: no tensor, no numbers, no values (sparse, meta), another shape. Public
functions ask once, at their top; what they call in loops asks no more than for the kind.
"""

from vaelib.arguments.plain import (
    as_count,
    as_integer,
    as_seed,
    check_callable,
    check_flag,
    check_kind,
    shown,
)
from vaelib.arguments.tensors import (
    Numbers,
    as_array,
    as_device,
    as_index,
    as_labels,
    as_number,
    as_tensor,
    as_values,
    check_finite,
    check_floating,
    number_of,
)

__all__ = [
    "Numbers",
    "as_array",
    "as_count",
    "as_device",
    "as_index",
    "as_integer",
    "as_labels",
    "as_number",
    "as_seed",
    "as_tensor",
    "as_values",
    "check_callable",
    "check_finite",
    "check_flag",
    "check_floating",
    "check_kind",
    "number_of",
    "shown",
]
