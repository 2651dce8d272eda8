"""What users hand to public functions: brought to one form, or refused in one sentence.

A tensor of real numbers may come as a NumPy array, in half precision or in integers, from memory
that is read-only or not contiguous, or with gradients on: all that means something. What does not
is refused by its kind: no tensor, no numbers, no values (sparse, meta), another shape. Public
functions ask once, at their top; what they call in loops asks no more than for the kind.
"""
