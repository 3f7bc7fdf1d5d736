"""Dressing: the deviation by hand, and noise of that size that belongs to time and member."""

import numpy as np

from app.inference.dressed import DressedModel, error_deviation
from app.models.fitted import PLAIN


class Flat:
    """A model whose fields are all 280."""

    def predict_fields(self, batch, seed, members, how=PLAIN):
        return np.full((members, len(batch["seconds"]), 30, 40, 1), 280, np.float32)


def test_deviation_by_hand_with_gaps():
    truth = np.zeros((3, 1, 2, 1))
    truth[2, 0, 1] = np.nan
    predicted = np.array([[3, 1], [4, 1], [5, 9]], np.float32).reshape(3, 1, 2, 1)
    found = error_deviation([(predicted[:2], truth[:2]), (predicted[2:], truth[2:])])
    np.testing.assert_allclose(found[0, :, 0], [np.sqrt((9 + 16 + 25) / 3), 1], rtol=1e-6)
    assert error_deviation([(predicted, np.full_like(truth, np.nan))]).max() == 0


def test_members_are_the_field_and_noise_of_the_cells_own_size():
    deviation = np.ones((30, 40, 1), np.float32)
    deviation[:, 20:] = 3
    model = DressedModel(Flat(), deviation)
    members = model.predict_fields({"seconds": np.array([0, 3600])}, 1, 5, PLAIN) - 280
    assert members.shape == (5, 2, 30, 40, 1)
    np.testing.assert_allclose(members[..., :20, :].std(), 1, rtol=0.03)
    np.testing.assert_allclose(members[..., 20:, :].std(), 3, rtol=0.03)
    alone = model.predict_fields({"seconds": np.array([3600])}, 1, 2, PLAIN) - 280
    np.testing.assert_array_equal(alone[:, 0], members[:2, 1])
