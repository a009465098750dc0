"""wanglou train"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import click

from wanglou.agents.commands.shared import EXISTING_FILE, console
from wanglou.models.opinion import ModelError

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option("--data", type=_FOLDER, required=True, help="Folder of the corpora.")
@click.option("--encoder", type=_FOLDER, required=True, help="Folder of a Chinese BERT encoder.")
@click.option(
    "--recipe",
    type=EXISTING_FILE,
    help="Recipe; default: the one of the shipped model.",
)
@click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".wanglou/training"),
    show_default=True,
    help="What stages leave; a run that was stopped goes on from here.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".wanglou/model"),
    show_default=True,
    help="Where the model goes.",
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    default="cpu",
    show_default=True,
    help="What computes: the processor's cores, or one GPU.",
)
@click.option(
    "--cores",
    type=click.IntRange(1, 256),
    default=os.cpu_count() or 1,
    show_default="all",
    help="Cores that share a step; their number changes the result a little.",
)
def train(
    data: Path,
    encoder: Path,
    recipe: Path | None,
    work: Path,
    out: Path,
    device: str,
    cores: int,
) -> None:
    """Train the model: four answers from one pass of a Chinese BERT.

    Stops and goes on as you like: Ctrl-C, then the same command again. The held-out figures come
    after each epoch.
    """
    if find_spec("sklearn") is None:
        raise ModelError("scikit-learn is missing: pip install 'wanglou[train]'")
    # torch and transformers take seconds to import
    import torch  # noqa: PLC0415

    from wanglou.models.training.loop import Machine  # noqa: PLC0415
    from wanglou.models.training.recipe import DEFAULT_RECIPE, load_recipe  # noqa: PLC0415
    from wanglou.models.training.run import Places  # noqa: PLC0415
    from wanglou.models.training.run import train as run  # noqa: PLC0415

    path = DEFAULT_RECIPE if recipe is None else recipe
    replicas = cores if device == "cpu" else 1
    machine = Machine(torch.device(device), replicas)
    run(load_recipe(path), Places(data, encoder, path, work, out), machine, console())
