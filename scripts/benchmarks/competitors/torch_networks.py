"""The networks of `networks.py` in plain PyTorch: the same layers and as many weights.

Channels come second here: fields are `(B, C, H, W)`, windows `(B, T, C, H, W)`.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GATES = 4
MAX_GROUPS, LEAST_CHANNELS = 8, 4


def conv(n_in: int, n_out: int, kernel: int = 3, **options: Any) -> nn.Conv2d:
    """A convolution that keeps the grid's size."""
    return nn.Conv2d(n_in, n_out, kernel, padding=kernel // 2, **options)


def block(n_in: int, n_out: int, activation: bool = True) -> nn.Sequential:
    """Two convolutions, each followed by a rectifier."""
    layers = [conv(n_in, n_out), nn.ReLU(), conv(n_out, n_out), nn.ReLU()]
    return nn.Sequential(*(layers if activation else [layers[0], layers[2]]))


def shuffled(n_in: int, n_out: int, factor: int) -> nn.Sequential:
    """Sub-pixel convolution by one factor."""
    return nn.Sequential(conv(n_in, n_out * factor**2), nn.PixelShuffle(factor))


def head(n_in: int, filters: int, n_out: int = 1) -> nn.Sequential:
    """What stands behind the upsampling."""
    return nn.Sequential(
        conv(n_in, filters, 1),
        nn.ReLU(),
        block(filters, filters, False),
        block(filters, n_out, False),
    )


class Residual(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.first, self.second = conv(n_in, n_out), conv(n_out, n_out)
        self.shortcut = conv(n_in, n_out, 1) if n_in != n_out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(F.relu(self.first(x))) + self.shortcut(x))


class Resnet(nn.Module):
    """Residual blocks of growing width, sub-pixel upsampling by 4, and the head."""

    def __init__(self, filters: int, blocks: int, wide: bool) -> None:
        super().__init__()
        widths = [filters, *(n * filters for n in range(1, blocks + 1))]
        width = widths[-1] if wide else filters
        self.stem = conv(1, filters)
        self.blocks = nn.Sequential(*(Residual(a, b) for a, b in pairwise(widths)))
        self.trunk = conv(widths[-1], width)
        self.skip = conv(filters, width, 1) if width != filters else nn.Identity()
        first = shuffled(width, width, 2)
        self.upsampling = nn.Sequential(first, first if wide else shuffled(width, width, 2))
        self.head = head(width, filters)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(self.upsampling(self.trunk(self.blocks(x)) + self.skip(x)))


class Unet(nn.Module):
    """Encoder, bottleneck and decoder on the interpolated field, and the head."""

    def __init__(self, filters: int, depth: int) -> None:
        super().__init__()
        widths = [min(filters * 2**level, 256) for level in range(depth + 1)]
        self.encoders = nn.ModuleList(
            block(a, b) for a, b in zip([1, *widths], widths[:-1], strict=False)
        )
        self.bottleneck = block(widths[-2], widths[-1])
        deep = list(zip(widths[1:], widths, strict=False))[::-1]
        self.grow = nn.ModuleList(shuffled(below, own, 2) for below, own in deep)
        self.decoders = nn.ModuleList(block(2 * own, own) for _, own in deep)
        self.head = head(filters, filters)

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=4, mode="nearest")
        skips = []
        for encoder in self.encoders:
            x = encoder(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.bottleneck(x)
        for grow, decoder in zip(self.grow, self.decoders, strict=True):
            x = decoder(torch.cat([skips.pop(), grow(x)], 1))
        return self.head(x)


class ConvLSTM(nn.Module):
    """Convolutional memory over the frames of a window."""

    def __init__(self, n_in: int, filters: int, kernel: int) -> None:
        super().__init__()
        self.inward = conv(n_in, GATES * filters, kernel)
        self.recurrent = conv(filters, GATES * filters, kernel, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, frames = x.shape[:2]
        gates = self.inward(x.flatten(0, 1)).unflatten(0, (batch, frames))
        outputs: list[Tensor] = []
        cell: Tensor | None = None
        for t in range(frames):
            own = gates[:, t]
            if outputs:
                own = own + self.recurrent(outputs[-1])
            admit, keep, candidate, release = own.chunk(GATES, 1)
            new = torch.sigmoid(admit) * torch.tanh(candidate)
            cell = new if cell is None else torch.sigmoid(keep + 1) * cell + new
            outputs.append(torch.sigmoid(release) * torch.tanh(cell))
        return torch.stack(outputs, 1)


class Recurrent(nn.Module):
    """Recurrent stem and blocks, sub-pixel upsampling by 4, and the head, frame by frame."""

    def __init__(self, filters: int, blocks: int) -> None:
        super().__init__()
        widths = [1, *[filters] * (blocks + 1)]
        self.memories = nn.ModuleList(
            memory
            for n_in, n_out in pairwise(widths)
            for memory in (ConvLSTM(n_in, n_out, 5), ConvLSTM(n_out, n_out, 3))
        )
        self.upsampling = nn.Sequential(
            shuffled(filters, filters, 2), shuffled(filters, filters, 2)
        )
        self.head = head(filters, filters)

    def forward(self, x: Tensor) -> Tensor:
        batch, frames = x.shape[:2]
        for memory in self.memories:
            x = F.relu(memory(x))
        return self.head(self.upsampling(x.flatten(0, 1))).unflatten(0, (batch, frames))


def norm(channels: int) -> nn.GroupNorm:
    """Up to 8 groups of at least 4 channels."""
    few = min(MAX_GROUPS, max(1, channels // LEAST_CHANNELS))
    return nn.GroupNorm(max(g for g in range(1, few + 1) if channels % g == 0), channels)


class Timed(nn.Module):
    """A residual block that is told the noise level."""

    def __init__(self, n_in: int, n_out: int, width: int) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = norm(n_in), norm(n_out)
        self.first, self.second = conv(n_in, n_out), conv(n_out, n_out)
        self.shift = nn.Linear(width, n_out)
        self.shortcut = conv(n_in, n_out, 1) if n_in != n_out else nn.Identity()

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        y = self.first(F.silu(self.norm_1(x))) + self.shift(told)[:, :, None, None]
        return self.second(F.silu(self.norm_2(y))) + self.shortcut(x)


class Attention(nn.Module):
    """Every cell looks at every other one, one head."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = norm(channels)
        self.question, self.content = nn.Linear(channels, channels), nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels, bias=False)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        cells = self.norm(x).flatten(2).transpose(1, 2)
        mixed = F.scaled_dot_product_attention(
            self.question(cells), self.key(cells), self.content(cells)
        )
        return x + self.out(mixed).transpose(1, 2).reshape(x.shape)


class Denoiser(nn.Module):
    """The denoising U-Net of DDPM, told the coarse field on the fine grid."""

    def __init__(
        self, channels: int, multipliers: tuple[int, ...], attention: tuple[bool, ...], blocks: int
    ) -> None:
        super().__init__()
        widths, width = [channels * m for m in multipliers], 4 * channels
        self.width = width
        self.embedding = nn.Sequential(
            nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )
        self.stem = conv(2, widths[0])
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        skips, now = [widths[0]], widths[0]
        for level, own in enumerate(widths):
            if level:
                self.encoder.append(nn.Conv2d(now, own, 3, stride=2, padding=1))
                now = own
                skips.append(now)
            for _ in range(blocks):
                self.encoder.append(self._block(now, own, width, attention[level]))
                now = own
                skips.append(now)
        self.middle = self._block(now, now, width, any(attention))
        self.middle_2 = self._block(now, now, width, False)
        for level in reversed(range(len(widths))):
            for _ in range(blocks + 1):
                self.decoder.append(
                    self._block(now + skips.pop(), widths[level], width, attention[level])
                )
                now = widths[level]
            if level:
                self.decoder.append(nn.ConvTranspose2d(now, now, 4, stride=2, padding=1))
        self.norm, self.output = norm(now), conv(now, 1)

    @staticmethod
    def _block(n_in: int, n_out: int, width: int, attends: bool) -> nn.ModuleList:
        own: list[nn.Module] = [Timed(n_in, n_out, width)]
        return nn.ModuleList([*own, Attention(n_out)] if attends else own)

    def forward(self, noisy: Tensor, condition: Tensor, level: Tensor) -> Tensor:
        place = torch.arange(self.width // 2) / (self.width // 2)
        angles = 1000 * level[:, None] * torch.exp(-math.log(10_000.0) * place)[None]
        told = self.embedding(torch.cat([torch.sin(angles), torch.cos(angles)], -1))
        x = self.stem(torch.cat([noisy, condition], 1))
        skips = [x]
        for part in self.encoder:
            x = _passed(part, x, told)
            skips.append(x)
        x = _passed(self.middle_2, _passed(self.middle, x, told), told)
        for part in self.decoder:
            if isinstance(part, nn.ModuleList):
                x = torch.cat([x, skips.pop()], 1)
            x = _passed(part, x, told)
        return self.output(F.silu(self.norm(x)))


def _passed(part: nn.Module, x: Tensor, told: Tensor) -> Tensor:
    if not isinstance(part, nn.ModuleList):
        return part(x)
    first, *rest = part
    x = first(x, told)
    for attention in rest:
        x = attention(x)
    return x


KINDS = {"resnet": Resnet, "unet": Unet, "recurrent": Recurrent, "denoiser": Denoiser}
