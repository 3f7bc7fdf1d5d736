"""Binary cross-entropy of a discriminator's logits, sample by sample.

From logits x rather than probabilities σ(x): −log σ(x) = softplus(−x) stays finite where σ(x)
has become 0.
"""

from __future__ import annotations

from typing import Any

from keras import ops


def called_true(logits: Any) -> Any:
    """BCE(1, σ(x)) = softplus(−x), the price of not being called true; shape as given."""
    return ops.softplus(-logits)


def called_false(logits: Any) -> Any:
    """BCE(0, σ(x)) = softplus(x), the price of not being called false; shape as given."""
    return ops.softplus(logits)
