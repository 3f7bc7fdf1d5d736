"""PyTorch: training steps of the same networks on a constant batch, eager or compiled."""

from __future__ import annotations

from typing import Any

from scripts.benchmarks.networks import CELLS, NETWORKS, SCALE
from scripts.benchmarks.serving import Step, serve


def prepare(task: dict[str, Any]) -> tuple[dict[str, Any], Step]:
    """Adam on the mean absolute error; the denoiser learns from noise that is drawn each step."""
    import torch
    from torch.nn import functional as F

    from scripts.benchmarks.competitors.torch_networks import KINDS

    torch.set_num_threads(task["threads"])
    torch.manual_seed(0)
    network = NETWORKS[task["network"]]
    model = KINDS[network.kind](**network.sizes)
    weights = sum(w.numel() for w in model.parameters())
    model = model.to(memory_format=torch.channels_last)
    frames = () if network.frames is None else (network.frames,)
    x = _last(torch, torch.randn(network.batch, *frames, 1, CELLS // SCALE, CELLS // SCALE))
    y = _last(torch, torch.randn(network.batch, *frames, 1, CELLS, CELLS))
    compiled = torch.compile(model) if task["compiled"] else model
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    lower = task["precision"] != "float32"

    def loss() -> Any:
        if network.kind != "denoiser":
            return F.l1_loss(compiled(x).float(), y)
        sigma = torch.exp(-0.5 + 1.2 * torch.randn(network.batch))[:, None, None, None]
        noisy = y + sigma * torch.randn_like(y)
        scale = torch.rsqrt(1 + sigma**2)
        told = F.interpolate(x, scale_factor=SCALE, mode="nearest")
        answer = compiled(scale * noisy, told, 0.25 * torch.log(sigma[:, 0, 0, 0])).float()
        wanted = (y - scale**2 * noisy) / (sigma * scale)
        return F.mse_loss(answer, wanted)

    def step(count: int) -> None:
        for _ in range(count):
            with torch.autocast("cpu", torch.bfloat16, enabled=lower):
                total = loss()
            optimizer.zero_grad(set_to_none=True)
            total.backward()
            optimizer.step()

    step(1)  # compiles, or says that it cannot
    facts = {"weights": weights, "batch": network.batch, "versions": {"torch": torch.__version__}}
    return facts, step


def _last(torch: Any, fields: Any) -> Any:
    """Fields with channels last in memory; windows as they are."""
    return fields.to(memory_format=torch.channels_last) if fields.dim() == 4 else fields


if __name__ == "__main__":
    serve(prepare)
