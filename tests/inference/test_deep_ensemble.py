"""Several models as one: members side by side, of noise of their own."""

import numpy as np

from app.inference.ensemble import DeepEnsemble
from app.models.diffusion.noise import white
from app.models.fitted import PLAIN


class Noise:
    """A model that gives nothing but the noise of its seed and members."""

    def predict_fields(self, batch, seed, members, how=PLAIN):
        return np.stack([white((2, 3, 4, 1), seed, member) for member in range(members)])


def test_equal_models_draw_different_members():
    model = Noise()
    fields = DeepEnsemble([model, model, model]).predict_fields({}, 5, 2, PLAIN)
    assert fields.shape == (6, 2, 3, 4, 1)
    np.testing.assert_array_equal(fields[:2], model.predict_fields({}, 5, 2))
    flat = fields.reshape(6, -1)
    assert len({tuple(row) for row in flat.tolist()}) == 6
