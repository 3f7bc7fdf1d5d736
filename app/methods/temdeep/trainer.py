"""TemDeep: fields between known frames, learnt from the known frames alone.

Wang et al. 2025, doi:10.5194/gmd-18-2427-2025. The cycle over three frames goes back to video
interpolation (Reda et al. 2019, arXiv:1906.05928).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from app.arrays import Json, Tensor
from app.data.streaming.triples import REACH
from app.losses import valid_fraction
from app.losses.masked import masked_mean, split_missing
from app.models.temporal import TemporalModel
from app.training.base import NetworkTrainer
from app.training.trainer import Batch

OUTER = (-2, -1, 0, 1)  # intervals around the middle frame, by their first frame's offset
INNER = (1, 2)  # which of them touch it


class TemDeepTrainer(NetworkTrainer):
    """Trains a model in time on triples, and on what is coherent between its own fields.

    Batches without "window" are those of the pretraining; see `TripleSamples`.
    """

    model: TemporalModel
    losses = ("loss", "triple_loss", "coherence_loss", "smooth_loss")

    def _predicted(self, batch: Batch, training: bool) -> tuple[Tensor, Tensor, Tensor]:
        truth, answer, weights = self._answered(batch, training)
        return truth, answer["field"], weights

    def _answered(self, batch: Batch, training: bool) -> tuple[Any, Json, Any]:
        """Encoded truth, the network's answer, and the samples' weights `(B,)`."""
        truth = self.model.output_codec.encode(batch["target"])
        answer = self.model.encoded(batch, training=training)
        # Cells of which an outer frame is missing have no answer.
        outer = batch["frames"][:, 1:3, ..., : self.model.n_outputs]
        lost = tf.reduce_any(tf.math.is_nan(outer), axis=1)
        truth = tf.where(lost, np.float32(np.nan), truth)
        return truth, answer, batch["weight"] * valid_fraction(truth)

    def _loss_sums(self, batch: Batch) -> tuple[Json, Tensor]:
        truth, answer, weights = self._answered(batch, training=True)
        triple = self.loss(truth, answer["field"])
        smooth = self.config.flow_tv_weight * total_variation(answer["smooth"])
        coherence = tf.zeros_like(triple)
        if "window" in batch:
            coherence, jumps, rough = self._coherence(batch)
            coherence = self.config.coherence_weight * coherence
            smooth += self.config.smooth_time * jumps + self.config.flow_tv_weight * rough
        terms = {"triple_loss": triple, "coherence_loss": coherence, "smooth_loss": smooth}
        sums = {name: tf.reduce_sum(weights * term) for name, term in terms.items()}
        return {"loss": sum(sums.values()), **sums}, tf.reduce_sum(weights)

    def _coherence(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Loss of the middle frame made of fields between, its jump in time, their roughness.

        Fields at the same share of each interval around the middle frame are made first; of the
        two nearest the middle frame is made again. The reversed half of the samples sees the
        frames in the opposite order, at the same instants.
        """
        window = self.model.codec.encode(batch["window"])
        truth = window[:, REACH, ..., : self.model.n_outputs]
        fields, rough = self._between(window, batch)
        first, second = fields[:, INNER[0]], fields[:, INNER[1]]
        between, middle = batch["between_sky"], batch["window_sky"][:, REACH : REACH + 1]
        remade = self._intervals(
            fields,
            1.0 - batch["share"],
            batch["window_time"][:, len(OUTER)],
            tf.concat([between, middle], axis=1),
            batch["reverse"],
        )
        share = batch["share"][:, None, None, None]
        known, valid = split_missing(truth)
        n = self.model.n_outputs
        first, second = first[..., :n], second[..., :n]
        lost = tf.math.is_nan(first) | tf.math.is_nan(second)
        valid *= 1.0 - tf.cast(lost, "float32")
        first, second = (tf.where(lost, 0.0, field) for field in (first, second))
        jump = (1.0 - share) * second + share * first - known
        masked = tf.where(valid > 0, truth, np.float32(np.nan))
        return self.loss(masked, remade["field"]), masked_mean(tf.abs(jump), valid), rough

    def _between(self, window: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Encoded fields `(B, 4, H, W, C + G)` in the intervals around the middle frame.

        Guidance is interpolated linearly. Fields whose interval is not known are NaN, and so are
        the outer ones of networks that do not look at them. All intervals are one call.
        """
        size = tf.shape(window)[0]
        chosen = range(len(OUTER)) if self.model.spec.context else INNER
        starts = [REACH + OUTER[k] for k in chosen]
        frames = tf.concat([window[:, start - 1 : start + 3] for start in starts], axis=0)
        share = tf.tile(batch["share"], [len(starts)])
        time = tf.concat([batch["window_time"][:, k] for k in chosen], axis=0)
        known, between = batch["window_sky"], batch["between_sky"]
        skies = [
            tf.concat([known[:, start - 1 : start + 3], between[:, k : k + 1]], axis=1)
            for k, start in zip(chosen, starts, strict=True)
        ]
        reverse = tf.tile(batch["reverse"], [len(starts)])
        answer = self._intervals(frames, share, time, tf.concat(skies, axis=0), reverse)
        n, part = self.model.n_outputs, share[:, None, None, None]
        guide = (1.0 - part) * frames[:, 1, ..., n:] + part * frames[:, 2, ..., n:]
        made = tf.concat([answer["field"], guide], axis=-1)
        missing = tf.math.is_nan(frames[:, 1]) | tf.math.is_nan(frames[:, 2])
        found = tf.split(tf.where(missing, np.float32(np.nan), made), len(starts))
        none = tf.fill(tf.shape(found[0]), np.float32(np.nan))
        fields = dict(zip(chosen, found, strict=True))
        stacked = tf.stack([fields.get(k, none) for k in range(len(OUTER))], axis=1)
        rough = tf.reshape(total_variation(answer["smooth"]), [len(starts), size])
        return stacked, tf.reduce_mean(rough, axis=0)

    def _intervals(
        self, frames: Tensor, theta: Tensor, time: Tensor, sky: Tensor, reverse: Tensor
    ) -> Json:
        """The answers to encoded frames one step apart, reversed where `reverse` is above 0."""
        turned = tf.where(reverse[:, None, None, None, None] > 0, frames[:, ::-1], frames)
        backwards = tf.concat([sky[:, 3::-1], sky[:, 4:]], axis=1)
        told = {
            "sky": tf.where(reverse[:, None, None] > 0, backwards, sky),
            "theta": tf.where(reverse > 0, 1.0 - theta, theta),
            "length": tf.where(reverse > 0, -tf.ones_like(theta), tf.ones_like(theta)),
            "time": time,
        }
        return self.model.between(turned, told, training=True)


def total_variation(fields: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring cells, `(B, H, W, k)` to `(B,)`."""
    down = tf.abs(fields[:, 1:] - fields[:, :-1])
    across = tf.abs(fields[:, :, 1:] - fields[:, :, :-1])
    return tf.reduce_mean(down, axis=(1, 2, 3)) + tf.reduce_mean(across, axis=(1, 2, 3))
