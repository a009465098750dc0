"""One stage: epochs over drawn batches, with checkpoints, a bar and the held-out figures."""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from torch import Tensor

from wanglou.models.network import OpinionNetwork
from wanglou.models.pieces import stack
from wanglou.models.precision import fast_autocast
from wanglou.models.training.adversarial import adversarial_backward
from wanglou.models.training.checkpoint import load_checkpoint, save_checkpoint
from wanglou.models.training.drawing import Drawer, Item, padded_length
from wanglou.models.training.measuring import HeldOut
from wanglou.models.training.objective import hard_loss, soft_loss
from wanglou.models.training.recipe import RecipeError, Stage
from wanglou.models.training.replicas import Replicas
from wanglou.models.training.schedule import parameter_groups, rate_at
from wanglou.models.training.soft_labels import soft_rows

GRADIENT_NORM = 1.0
"""Largest norm of a step's gradient, so that one mislabelled batch cannot throw the weights."""

CHECKPOINT_SECONDS = 300
"""Work that an interruption can cost."""

AVERAGED_STEPS = 10
"""Steps between two looks at the weights for their running mean."""

RECENT = 100
"""Steps whose mean loss is shown."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a stage runs: the device, and how many replicas share a batch."""

    device: torch.device
    replicas: int


class StageRun:
    """Trains one network by one stage of the recipe."""

    def __init__(
        self,
        network: OpinionNetwork,
        stage: Stage,
        drawer: Drawer,
        weights: dict[tuple[str, str, int], float],
        soft: dict[int, Tensor],
        machine: Machine,
        seed: int,
    ) -> None:
        network.to(machine.device)  # type: ignore[arg-type]
        self._network = network
        if not stage.train_embeddings:
            network.bert.embeddings.word_embeddings.requires_grad_(False)
        self._stage, self._drawer, self._weights, self._soft = stage, drawer, weights, soft
        self._machine = machine
        self._replicas = Replicas(network, machine.replicas, seed)
        self._optimizer = torch.optim.AdamW(
            parameter_groups(network, stage.learning_rate, stage.layer_decay), fused=True
        )
        self._average = {
            name: tensor.detach().clone() for name, tensor in network.named_parameters()
        }
        self._step = 0

    def run(self, checkpoint: Path, held_out: HeldOut, console: Console) -> OpinionNetwork:
        """Train to the end, from the checkpoint where there is one; the averaged network."""
        self._resume(checkpoint, console)
        stage, done = self._stage, 0
        saved = time.monotonic()
        losses: deque[float] = deque(maxlen=RECENT)
        for epoch in range(1, stage.epochs + 1):
            batches = self._drawer.batches(
                epoch, stage.batch_pieces, unlabelled=stage.distillation is not None
            )
            steps = len(batches) * stage.epochs  # epochs are of one length, but for a batch or two
            if self._step >= done + len(batches):
                done += len(batches)
                continue
            with _bar(console) as bar:
                task = bar.add_task(
                    f"{stage.name} epoch {epoch}/{stage.epochs}",
                    total=len(batches),
                    completed=self._step - done,
                    loss="",
                )
                for batch in batches[self._step - done :]:
                    losses.append(self._train(batch, steps))
                    bar.update(task, advance=1, loss=f"loss {_mean(losses):.3f}")
                    if time.monotonic() - saved > CHECKPOINT_SECONDS:
                        save_checkpoint(checkpoint, self._state())
                        saved = time.monotonic()
                        if not console.is_terminal:  # which shows no bar
                            console.print(f"step {self._step}/{steps}, loss {_mean(losses):.3f}")
            done += len(batches)
            save_checkpoint(checkpoint, self._state())
            console.print(held_out.table(self.averaged(), f"{stage.name}, epoch {epoch}"))
        return self.averaged()

    def averaged(self) -> OpinionNetwork:
        """The network with the running mean of the weights."""
        averaged = copy.deepcopy(self._network)
        averaged.load_state_dict(averaged.state_dict() | self._average)
        averaged.eval()
        return averaged

    def _train(self, batch: Sequence[Item], steps: int) -> float:
        self._replicas.train()
        for group in self._optimizer.param_groups:
            group["lr"] = group["peak"] * rate_at(min(self._step, steps - 1), steps)
        parts = [batch[number :: len(self._replicas)] for number in range(len(self._replicas))]
        loss = self._replicas.map(lambda net, part: self._part(net, part, len(batch)), parts)
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), GRADIENT_NORM)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._step += 1
        if self._step % AVERAGED_STEPS == 0:
            self._take_into_average()
        return loss

    @torch.no_grad()
    def _take_into_average(self) -> None:
        times = self._step // AVERAGED_STEPS
        decay = min(self._stage.averaging, times / (times + 10))  # short memory while it is young
        for name, parameter in self._network.named_parameters():
            if parameter.requires_grad:
                self._average[name].lerp_(parameter, 1 - decay)

    def _part(self, network: OpinionNetwork, items: Sequence[Item], total: int) -> float:
        distillation, device = self._stage.distillation, self._machine.device
        if not items or (distillation is None and not any(item.labels for item in items)):
            return 0.0  # nothing to learn
        inputs = stack([item.window for item in items], padded_length(items))
        inputs = {name: tensor.to(device) for name, tensor in inputs.items()}

        def loss() -> Tensor:
            with fast_autocast(device):
                logits = network(**inputs)
            told = hard_loss(logits, items, self._weights, self._stage.label_smoothing)
            if distillation is not None:
                soft = soft_rows(self._soft, items).to(device)
                learned = soft_loss(logits, soft, distillation.temperature)
                told = (1 - distillation.weight) * told + distillation.weight * learned
            return told / total

        if self._stage.adversarial is not None:
            return adversarial_backward(network, loss, self._stage.adversarial)
        plain = loss()
        plain.backward()
        return float(plain.detach())

    def _state(self) -> dict[str, Any]:
        return {
            "step": self._step,
            "network": self._network.state_dict(),
            "average": self._average,
            "optimizer": self._optimizer.state_dict(),
            "random": self._replicas.random_state(),
        }

    def _resume(self, checkpoint: Path, console: Console) -> None:
        state = load_checkpoint(checkpoint)
        if state is None:
            return
        if len(state["random"]) != len(self._replicas.random_state()):
            raise RecipeError(f"{checkpoint}: was left by a run with other --cores; give the same")
        self._step = state["step"]
        self._network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._replicas.set_random_state(state["random"])
        self._average = state["average"]
        console.print(f"{self._stage.name} goes on after step {self._step}")


def _mean(losses: Collection[float]) -> float:
    return sum(losses) / len(losses)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[loss]}"),
        console=console,
        refresh_per_second=1,
    )
