"""wanglou scenario"""

from __future__ import annotations

from pathlib import Path

import click
import yaml

from wanglou.agents.commands.shared import console, progress_bar, settings_with
from wanglou.models.scenario.plan import Size
from wanglou.models.scenario.stream import Scenario

_AT_LEAST_ONE = click.IntRange(min=1)


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--seed", type=int, default=1, show_default=True, help="Decides everything else.")
@click.option(
    "--institutions", type=_AT_LEAST_ONE, default=7, show_default=True, help="How many are watched."
)
@click.option("--days", type=_AT_LEAST_ONE, default=14, show_default=True, help="From a Monday on.")
@click.option(
    "--incidents", type=_AT_LEAST_ONE, default=7, show_default=True, help="What must be found."
)
@click.option(
    "--mentions", type=_AT_LEAST_ONE, default=100_000, show_default=True, help="About so many."
)
def scenario(
    out: Path, seed: int, institutions: int, days: int, incidents: int, mentions: int
) -> None:
    """Write a labelled stream of raw mentions to try rules on.

    Into the folder OUT go mentions.jsonl, labels.jsonl (what is true of each text), incidents.yaml
    (what should be found) and watchlist.yaml. Every institution is fictitious, every text the
    project's own; how answers arrive was fitted to recorded cascades. Afterwards:

    \b
        WANGLOU_RULES__WATCHLIST=OUT/watchlist.yaml wanglou backtest \\
            OUT/mentions.jsonl --labels OUT/labels.jsonl \\
            --incidents OUT/incidents.yaml
    """
    rules = settings_with().load_rules()
    size = Size(institutions, days, incidents, mentions)
    try:
        made = Scenario(size, seed, rules.watchlist, rules.taxonomy)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    out.mkdir(parents=True, exist_ok=True)
    with (out / "mentions.jsonl").open("wb") as lines, progress_bar("scenario") as bar:
        task = bar.add_task("", total=mentions)
        for line in made.lines():
            lines.write(line)
            bar.advance(task)
    with (out / "labels.jsonl").open("wb") as labels:
        labels.writelines(made.label_lines())
    labelled = made.incidents()
    _write_yaml(out / "incidents.yaml", labelled.model_dump(mode="json", by_alias=True))
    watchlist = made.watchlist.model_dump(mode="json", exclude_defaults=True)
    _write_yaml(out / "watchlist.yaml", watchlist)
    console().print(
        f"{out}: {len(labelled.incidents)} incidents and {len(labelled.harmless)} harmless waves "
        f"about {institutions} institutions in {days} days"
    )


def _write_yaml(path: Path, content: object) -> None:
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
