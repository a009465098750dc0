"""Whether a device computes in bfloat16, or only pretends to."""

from __future__ import annotations

from functools import cache

import torch

BFLOAT16_FEATURES = ("avx512_bf16", "amx_bf16", "bf16")
"""What CPUs (x86-64 twice, then Arm) call their instructions for it, as PyTorch tells."""


@cache
def computes_bfloat16(device_type: str) -> bool:
    """Whether a kind of device ("cpu", "cuda") has instructions for bfloat16.

    Twice as fast as float32 where there are any; on a CPU without them it takes eight times as
    long (`make bench` shows both).
    """
    if device_type != "cpu":
        return True
    features = torch.cpu.get_capabilities()
    return any(features.get(name, False) for name in BFLOAT16_FEATURES)


def fast_autocast(device: torch.device) -> torch.autocast:
    """bfloat16 where it is safe, if the device computes it; else float32 as it is."""
    return torch.autocast(device.type, torch.bfloat16, enabled=computes_bfloat16(device.type))
