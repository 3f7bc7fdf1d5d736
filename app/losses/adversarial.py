"""Binary cross-entropy of a discriminator's logits, sample by sample.

From logits x rather than probabilities σ(x): −log σ(x) = softplus(−x) stays finite where σ(x)
has become 0.
"""

from __future__ import annotations

from keras import ops

from app.arrays import Tensor


def called_true(logits: Tensor) -> Tensor:
    """BCE(1, σ(x)) = softplus(−x), the price of not being called true; shape as given."""
    return ops.softplus(-logits)


def called_false(logits: Tensor) -> Tensor:
    """BCE(0, σ(x)) = softplus(x), the price of not being called false; shape as given."""
    return ops.softplus(logits)
