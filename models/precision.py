"""Whether a device computes in bfloat16, or only pretends to."""

from __future__ import annotations

from functools import cache

import torch

BFLOAT16_FEATURES = ("amx_bf16", "bf16")
"""What CPUs (x86-64, then Arm) call the instructions that make it faster, as PyTorch tells.

AVX-512 has some too (``avx512_bf16``), but on an Intel CPU whose AMX the virtual machine hides,
they take 1.7 times as long as float32 (`make bench`).
"""


@cache
def computes_bfloat16(device_type: str) -> bool:
    """Whether a kind of device ("cpu", "cuda") is faster in bfloat16 than in float32.

    On a CPU without instructions for it it takes eight times as long (`make bench` shows both).
    """
    if device_type != "cpu":
        return True
    features = torch.cpu.get_capabilities()
    return any(features.get(name, False) for name in BFLOAT16_FEATURES)


def fast_autocast(device: torch.device) -> torch.autocast:
    """bfloat16 where it is safe, if the device computes it; else float32 as it is."""
    return torch.autocast(device.type, torch.bfloat16, enabled=computes_bfloat16(device.type))
