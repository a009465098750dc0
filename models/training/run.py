"""Run a recipe: prepare, train each stage that is not done yet, and leave what the next needs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich.console import Console

from wanglou.models.adapter import ADAPTER
from wanglou.models.network import HEADS, OpinionNetwork, load_network
from wanglou.models.ngrams import load_model, save_ngrams
from wanglou.models.pieces import PieceEncoder
from wanglou.models.training.build import from_encoder, from_network
from wanglou.models.training.calibration import temperatures
from wanglou.models.training.checkpoint import (
    SOFT_LABELS,
    WEIGHTS,
    load_soft_labels,
    save_adapter,
    save_network,
    save_soft_labels,
)
from wanglou.models.training.corpora import read_corpus, sha256
from wanglou.models.training.drawing import Drawer, Share, class_weights
from wanglou.models.training.example import CorpusError, Example
from wanglou.models.training.labelled import write_labelled
from wanglou.models.training.loop import Machine, StageRun
from wanglou.models.training.low_rank import adapt, adapter_of
from wanglou.models.training.measuring import HeldOut
from wanglou.models.training.ngram_fit import fit_ngrams
from wanglou.models.training.predicting import predict
from wanglou.models.training.preparation import Prepared, prepare, split
from wanglou.models.training.recipe import (
    ENCODER,
    HERE,
    Corpus,
    Recipe,
    Stage,
    check_sources,
)
from wanglou.models.training.soft_labels import UNKNOWN, average, key_of, leave_out

MANIFEST = "manifest.json"
HELD_OUT = "dev.jsonl"
UNSEEN = "unseen.jsonl"
CHECKPOINT = "checkpoint.pt"
TOKENIZER = ("tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True, slots=True)
class Source:
    """One file of the manifest."""

    path: str
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Places:
    """Where a run reads; the folder of its stages; where the model goes."""

    data: Path
    encoder: Path
    recipe: Path
    work: Path
    out: Path


class Texts:
    """All corpora of a recipe, read and prepared; the manifest says what they were."""

    def __init__(self, recipe: Recipe, places: Places) -> None:
        self.manifest: list[Source] = []
        self.shares: dict[str, Share] = {}
        train: list[Example] = []
        dev: list[Example] = []
        for corpus in recipe.corpora:
            rows, held_out = self._read(corpus, places)
            for example in rows:
                self.shares.setdefault(example.source, Share(corpus.rows, corpus.weight))
            train += rows
            dev += held_out
        self.prepared: Prepared = prepare(train, dev)
        unseen = [row for one in recipe.unseen for row in self._file(one.file, one.format, places)]
        self.unseen = prepare(unseen, self.prepared.train).train

    def _read(self, corpus: Corpus, places: Places) -> tuple[list[Example], list[Example]]:
        rows = self._file(corpus.train, corpus.format, places)
        if corpus.dev is not None:
            return rows, self._file(corpus.dev, corpus.format, places)
        return split(rows) if corpus.hold_out else (rows, [])

    def _file(self, name: str, format_name: str, places: Places) -> list[Example]:
        own = name.startswith(f"{HERE}/")
        path = (places.recipe.parent if own else places.data) / name
        examples = read_corpus(path, format_name)
        self.manifest.append(Source(name, len(examples), sha256(path)))
        return examples


def train(recipe: Recipe, places: Places, machine: Machine, console: Console) -> None:
    """Run all stages, calibrate the last, and write the model to ``places.out``.

    A stage that is done is not run again. Raises `CorpusError` before any training, and
    `RecipeError` where a stage cannot start.
    """
    _require(places.encoder)
    texts = Texts(recipe, places)
    check_sources(recipe, dict.fromkeys(row.source for row in texts.prepared.train))
    _remember(texts, places.work, console)
    torch.set_num_threads(1)  # a replica each instead
    trainer = _Trainer(recipe, places, machine, console, texts)
    for stage in recipe.stages:
        if trainer.done(stage):
            console.print(f"{stage.name} is done: {places.work / stage.name}")
        else:
            trainer.run(stage)
    trainer.finish(recipe.stages[-1])


class _Trainer:
    def __init__(
        self, recipe: Recipe, places: Places, machine: Machine, console: Console, texts: Texts
    ) -> None:
        self._recipe, self._places = recipe, places
        self._machine, self._console = machine, console
        encoder, examples = PieceEncoder(places.encoder), texts.prepared.train
        self._drawer = Drawer(examples, encoder, recipe, texts.shares)
        self._weights = class_weights(examples, recipe.class_balance, texts.shares)
        dev = texts.prepared.dev
        self._held_out = HeldOut(dev, encoder, recipe, machine.device, machine.replicas)

    def done(self, stage: Stage) -> bool:
        """Whether a stage left what it is there for."""
        folder = self._places.work / stage.name
        learned = WEIGHTS if stage.rank is None else ADAPTER
        return (folder / (SOFT_LABELS if self._teaches(stage) else learned)).is_file()

    def run(self, stage: Stage) -> None:
        """Train a stage to its end; where a later one learns from it, write its soft labels."""
        folder = self._places.work / stage.name
        network = StageRun(
            self._start(stage),
            stage,
            self._drawn_by(stage),
            self._weights,
            self._soft(stage),
            self._machine,
            self._recipe.seed,
        ).run(folder / CHECKPOINT, self._held_out, self._console)
        if stage.rank is None:
            save_network(folder, network, self._recipe.pieces)
        else:
            save_adapter(folder, adapter_of(network))
        if self._teaches(stage):
            self._label_softly(network, folder, self._drawn_by(stage))
        (folder / CHECKPOINT).unlink(missing_ok=True)

    def finish(self, stage: Stage) -> None:
        """Add the n-gram term to a stage's network, calibrate, and write both for use.

        With them go the tokenizer and the manifest.
        """
        out = self._places.out
        network = self._base(stage)
        save_network(out, network, self._recipe.pieces)
        if stage.rank is None:
            (out / ADAPTER).unlink(missing_ok=True)
        else:
            shutil.copy(self._places.work / stage.name / ADAPTER, out / ADAPTER)
        save_ngrams(out, self._ngrams(network.config.vocab_size))
        model = load_model(out, torch.float32).to(self._machine.device)
        items = self._held_out.items
        logits = predict(model, items, self._machine.device, self._machine.replicas)
        fitted = temperatures(logits, items)
        save_network(out, network, self._recipe.pieces, temperatures=fitted)
        for name in TOKENIZER:
            shutil.copy(self._places.encoder / name, out / name)
        shutil.copy(self._places.work / MANIFEST, out / MANIFEST)
        self._console.print(self._held_out.table(model, f"{out}"))
        self._console.print(f"temperatures: {fitted}")

    def _ngrams(self, pieces: int) -> dict[str, torch.Tensor]:
        items = list(self._drawer.variants())
        return {
            head: self._recipe.ngrams.weight * fit_ngrams(items, head, self._weights, pieces)
            for head in self._recipe.ngrams.heads
        }

    def _start(self, stage: Stage) -> OpinionNetwork:
        if stage.start == ENCODER:
            return from_encoder(self._places.encoder, stage.layers, self._recipe.seed)
        start = load_network(self._places.work / stage.start, torch.float32)
        if stage.rank is None:
            return from_network(start, stage.layers)
        adapt(start, stage.rank, self._recipe.seed)
        return start

    def _base(self, stage: Stage) -> OpinionNetwork:
        """The network of a stage that is done, or the one that its adapter changes."""
        name = stage.name if stage.rank is None else stage.start
        return load_network(self._places.work / name, torch.float32)

    def _soft(self, stage: Stage) -> dict[int, torch.Tensor]:
        if stage.distillation is None:
            return {}
        known = average(
            self._labels(teacher, sources)
            for teacher, sources in stage.distillation.teachers.items()
        )
        unasked = {key_of(item): UNKNOWN for item in self._drawn_by(stage).variants()}
        return unasked | known

    def _labels(self, teacher: str, sources: Collection[str] | None) -> dict[int, torch.Tensor]:
        labels = load_soft_labels(self._places.work / teacher)
        if sources is None:
            return labels
        return {key: labels[key] for key in map(key_of, self._drawer.of(sources).variants())}

    def _teaches(self, stage: Stage) -> bool:
        return any(
            other.distillation is not None and stage.name in other.distillation.teachers
            for other in self._recipe.stages
        )

    def _drawn_by(self, stage: Stage) -> Drawer:
        return self._drawer if stage.sources is None else self._drawer.of(stage.sources)

    def _label_softly(self, network: OpinionNetwork, folder: Path, drawer: Drawer) -> None:
        items = list(drawer.variants())
        self._console.print(f"{len(items):,} texts to label softly")
        logits = predict(network, items, self._machine.device, self._machine.replicas)
        leave_out(logits, HEADS.keys() - drawer.heads())
        keys = torch.tensor([key_of(item) for item in items])
        save_soft_labels(folder, keys, logits)
        self._console.print(f"soft labels: {folder / SOFT_LABELS}")


def _require(encoder: Path) -> None:
    for name in ("config.json", WEIGHTS, *TOKENIZER):
        if not (encoder / name).is_file():
            raise CorpusError(f"{encoder / name}: no such file; --encoder names a BERT encoder")


def _remember(texts: Texts, work: Path, console: Console) -> None:
    work.mkdir(parents=True, exist_ok=True)
    prepared = texts.prepared
    content = {
        "files": [asdict(source) for source in texts.manifest],
        "train": len(prepared.train),
        "dev": len(prepared.dev),
        "unseen": len(texts.unseen),
        "dropped": prepared.dropped,
    }
    path = work / MANIFEST
    text = json.dumps(content, ensure_ascii=False, indent=1)
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        raise CorpusError(f"{path}: the data is not what the stages here were trained on")
    path.write_text(text, encoding="utf-8")
    write_labelled(work / HELD_OUT, prepared.dev)
    write_labelled(work / UNSEEN, texts.unseen)
    console.print(f"{len(prepared.train):,} texts to train on, {len(prepared.dev):,} held out")
    for reason, count in prepared.dropped.items():
        console.print(f"  dropped: {count:,} {reason}")
