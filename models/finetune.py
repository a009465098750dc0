"""Fine-tune the polarity model: negative, neutral or positive, from a Chinese text.

``python -m wanglou.models.finetune --encoder DIR --data DIR --out models/weights`` keeps some of
the encoder's layers, puts a classification head on them, trains on ``sentiment/train.jsonl`` with
all sources mixed and saves the best epoch as plain ``BertForSequenceClassification`` weights.
``--evaluate-only`` measures saved weights again and prints the same table.

The model is chosen by the mean macro-F1 over the sources of ``sentiment/dev.jsonl``. The sets that
it never trained on take no part in any choice.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import random
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import LambdaLR
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

LABELS = ("negative", "neutral", "positive")
"""Polarities in the order of the model's outputs."""

LABEL_IDS = {label: index for index, label in enumerate(LABELS)}

LAYERS = (0, 2, 4, 6, 8, 10)
"""Layers kept of the encoder's 12.

After one epoch on 8,000 texts the mean macro-F1 on dev was .650 with these, .632 with the lowest
six, .639 with 0-3, 10 and 11, .619 with the odd ones (one seed each).
"""

MAX_TOKENS = 96
"""Longest input in tokens; 97% of the training texts are shorter."""

BATCH_SIZE = 32
"""Texts a step. Steps are what a short training run lacks, so no larger than it must be."""

EVALUATION_BATCH_SIZE = 64
"""Texts a forward pass without gradients: larger batches are no faster on a CPU."""

POOL_BATCHES = 50
"""Batches whose texts are sorted by length together: little padding, order still random."""

LEARNING_RATE = 1e-4
"""Peak rate of the head and the top layer; a small encoder bears more than BERT's usual 3e-5."""

NEUTRAL_BIAS = 0.2
"""Added to the neutral logit after training: weighting the classes evenly within each source makes
neutral too rare. Of -.4 to .5 the value at which every source of dev is at or above its mark."""

LAYER_DECAY = 0.9
"""Factor on the rate for each layer further down: lower layers carry more that is general."""

WARMUP_SHARE = 0.06
"""Share of the steps over which the rate climbs, while the new head is still random."""

WEIGHT_DECAY = 0.01
"""AdamW's decay of weight matrices; biases and normalisation are left alone."""

GRADIENT_NORM = 1.0
"""Largest norm of a step's gradient, so that one mislabelled batch cannot throw the weights."""

BALANCE = 0.5
"""Power of the inverse class frequency in the loss: 0 ignores rare classes, 1 makes them equal.

At 1 the 170 positive bank comments would each weigh as much as 24 neutral ones.
"""

LABEL_SMOOTHING = 0.05
"""Share of each target spread over all classes: annotators disagree on many of these posts."""

COVID_SOURCE = "covidweibo7"
COVID_FILE = Path("extra") / "covidweibo7_nlpcc2020_labeled.csv"
COVID_POLARITY: dict[str, str | None] = {
    "0": "negative",  # fear 恐惧
    "1": "negative",  # disgust 厌恶
    "2": "positive",  # happiness 高兴
    "3": None,  # surprise 惊讶: good or bad, and left out of the training data's smp as well
    "4": "positive",  # gratitude 感激
    "5": "negative",  # sadness 悲伤
    "6": "negative",  # anger 愤怒
}
"""The seven emotions of the never-trained Weibo set as polarities; None leaves the row out."""

SENTI100K_SOURCE = "weibo100k"
SENTI100K_FILE = Path("extra") / "weibo_senti_100k_test_data.csv"
SENTI100K_POLARITY: dict[str, str | None] = {"0": "negative", "1": "positive"}
"""The two classes of weibo_senti_100k."""

REPORT_STEPS = 100
"""Steps between two lines with the running loss."""


class InputError(ValueError):
    """A file that training or evaluation needs is missing or not as described."""


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled text; ``label`` is an index into `LABELS`."""

    text: str
    label: int
    source: str


@dataclass(frozen=True, slots=True)
class Score:
    """How well one source is predicted: number of texts, macro-F1, accuracy, F1 per polarity.

    The F1 of a polarity that the source never has is None and does not enter the mean; predicting
    it still costs, as a miss of the true one.
    """

    texts: int
    macro_f1: float
    accuracy: float
    f1: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What may be chosen on the command line for a training run."""

    layers: tuple[int, ...]
    epochs: int
    learning_rate: float
    seed: int


def comparison_key(text: str) -> str:
    """Return the form under which two texts count as the same: NFKC, case and spaces folded.

    >>> comparison_key("Ａ股 大涨\\n") == comparison_key("a股大涨")
    True
    """
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def _read_file(path: Path) -> str:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8: {error}") from error


def _text_field(row: dict[str, Any], field: str, where: str) -> str:
    value = row.get(field)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{where}: field {field!r} is missing, empty or not a string")
    return value


def read_sentiment(path: Path) -> list[Example]:
    """Read JSON lines with ``text``, ``label`` and ``source``.

    Raises `InputError`, with the line number, for a line that is not such an object.
    """
    examples = []
    for number, line in enumerate(_read_file(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{where}: not JSON: {error}") from error
        if not isinstance(row, dict):
            raise InputError(f"{where}: not a JSON object")
        label = _text_field(row, "label", where)
        if label not in LABEL_IDS:
            raise InputError(f"{where}: label {label!r} is none of {', '.join(LABELS)}")
        text = _text_field(row, "text", where)
        examples.append(Example(text, LABEL_IDS[label], _text_field(row, "source", where)))
    if not examples:
        raise InputError(f"{path}: no texts")
    return examples


def read_polarity_csv(path: Path, source: str, polarity: dict[str, str | None]) -> list[Example]:
    """Read a CSV with ``text`` and ``label``, its labels mapped by ``polarity``.

    Each text is kept once; a text that comes with two polarities is left out, and so is a row
    whose text is blank. Raises `InputError`, with the line number, for a label that is not mapped.
    """
    labels: dict[str, set[str | None]] = {}
    texts: dict[str, str] = {}
    reader = csv.DictReader(io.StringIO(_read_file(path), newline=""), restval="")
    if not {"text", "label"} <= set(reader.fieldnames or ()):
        raise InputError(f"{path}:1: header lacks 'text' or 'label'")
    for row in reader:
        if row["label"] not in polarity:
            raise InputError(f"{path}:{reader.line_num}: unknown label {row['label']!r}")
        key = comparison_key(row["text"])
        labels.setdefault(key, set()).add(polarity[row["label"]])
        texts.setdefault(key, row["text"])
    return [
        Example(texts[key], LABEL_IDS[label], source)
        for key, (label, *others) in labels.items()
        if key and label is not None and not others
    ]


def without(examples: Sequence[Example], others: Sequence[Example]) -> list[Example]:
    """Return the examples whose text, normalised, is not among ``others``."""
    known = {comparison_key(example.text) for example in others}
    return [example for example in examples if comparison_key(example.text) not in known]


def class_weights(examples: Sequence[Example], power: float) -> dict[tuple[str, int], float]:
    """Return a loss weight for each (source, label): inverse frequency to the ``power``.

    Frequencies are taken within the source, and the weights of a source's texts have the mean 1,
    so that no source gains or loses weight against another.

    >>> rows = [Example("a", 0, "x")] + [Example("b", 1, "x")] * 4
    >>> {key: round(value, 3) for key, value in class_weights(rows, 0.5).items()}
    {('x', 0): 1.667, ('x', 1): 0.833}
    """
    counts = Counter((example.source, example.label) for example in examples)
    raw = {key: count**-power for key, count in counts.items()}
    texts = Counter(example.source for example in examples)
    total: Counter[str] = Counter()
    for (source, label), count in counts.items():
        total[source] += count * raw[source, label]
    return {key: weight * texts[key[0]] / total[key[0]] for key, weight in raw.items()}


def chunks(items: Sequence[int], size: int) -> list[Sequence[int]]:
    """Cut ``items`` into runs of ``size``, the last one perhaps shorter.

    >>> chunks([5, 6, 7], 2)
    [[5, 6], [7]]
    """
    return [items[start : start + size] for start in range(0, len(items), size)]


def batches_by_length(
    lengths: Sequence[int], batch_size: int, generator: random.Random
) -> list[Sequence[int]]:
    """Return the positions of ``lengths`` in random batches of similar length."""
    order = list(range(len(lengths)))
    generator.shuffle(order)
    batches = [
        batch
        for pool in chunks(order, batch_size * POOL_BATCHES)
        for batch in chunks(sorted(pool, key=lengths.__getitem__), batch_size)
    ]
    generator.shuffle(batches)
    return batches


def encode(tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example]) -> list[list[int]]:
    """Return the token ids of each text, cut to `MAX_TOKENS`."""
    texts = [example.text for example in examples]
    ids: list[list[int]] = tokenizer(texts, truncation=True, max_length=MAX_TOKENS)["input_ids"]
    return ids


def pad(ids: Sequence[list[int]], pad_id: int) -> dict[str, Tensor]:
    """Return ``input_ids`` and ``attention_mask``, both texts × tokens of the longest text."""
    longest = max(map(len, ids))
    rows = [row + [pad_id] * (longest - len(row)) for row in ids]
    mask = [[1] * len(row) + [0] * (longest - len(row)) for row in ids]
    return {"input_ids": torch.tensor(rows), "attention_mask": torch.tensor(mask)}


def cut_model(encoder: Path, layers: Sequence[int]) -> BertForSequenceClassification:
    """Return a classifier made of the given ``layers`` of the encoder and a new head, in float32.

    Raises `InputError` where the encoder has no such layer.
    """
    whole = BertModel.from_pretrained(encoder, dtype=torch.float32, add_pooling_layer=False)
    depth = len(whole.encoder.layer)
    if not layers or max(layers) >= depth or min(layers) < 0:
        raise InputError(f"{encoder}: layers are 0 to {depth - 1}, not {list(layers)}")
    config = BertConfig.from_pretrained(
        encoder,
        num_hidden_layers=len(layers),
        bos_token_id=0,
        eos_token_id=2,
        id2label=dict(enumerate(LABELS)),
        label2id=LABEL_IDS,
        problem_type="single_label_classification",
    )
    model = BertForSequenceClassification(config)  # type: ignore[no-untyped-call]
    model.bert.embeddings.load_state_dict(whole.embeddings.state_dict())
    for kept, index in zip(model.bert.encoder.layer, layers, strict=True):
        kept.load_state_dict(whole.encoder.layer[index].state_dict())
    return model


def parameter_groups(
    model: BertForSequenceClassification, learning_rate: float
) -> list[dict[str, Any]]:
    """Return AdamW groups: the rate falls by `LAYER_DECAY` a layer from the head down."""
    depth = model.config.num_hidden_layers
    groups: dict[tuple[int, bool], list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        if name.startswith("bert.embeddings"):
            height = 0
        elif name.startswith("bert.encoder.layer."):
            height = int(name.split(".")[3]) + 1
        else:
            height = depth
        groups.setdefault((depth - height, parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": learning_rate * LAYER_DECAY**below,
            "weight_decay": WEIGHT_DECAY if is_matrix else 0.0,
        }
        for (below, is_matrix), parameters in groups.items()
    ]


def warm_up_and_decay(steps: int) -> Callable[[int], float]:
    """Return the factor on the rate by step: linear up over `WARMUP_SHARE`, linear down to 0."""
    warmup = max(1, round(steps * WARMUP_SHARE))

    def factor(step: int) -> float:
        return min((step + 1) / warmup, (steps - step) / max(1, steps - warmup))

    return factor


@torch.inference_mode()
def predict(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example]
) -> list[int]:
    """Return the predicted label of each example, in the precision that the model is in."""
    model.train(False)
    ids = encode(tokenizer, examples)
    order = sorted(range(len(ids)), key=lambda position: len(ids[position]))
    predicted = [0] * len(ids)
    for positions in chunks(order, EVALUATION_BATCH_SIZE):
        inputs = pad([ids[position] for position in positions], model.config.pad_token_id)
        best = model(**inputs).logits.argmax(dim=-1).tolist()
        for position, label in zip(positions, best, strict=True):
            predicted[position] = label
    return predicted


def score(truth: Sequence[int], predicted: Sequence[int]) -> Score:
    """Compare predicted with true labels.

    >>> score([0, 0, 2, 2], [0, 1, 2, 2])
    Score(texts=4, macro_f1=0.8333333333333333, accuracy=0.75, f1=(0.6666666666666666, None, 1.0))
    """
    hits = Counter(a for a, b in zip(truth, predicted, strict=True) if a == b)
    true_count, predicted_count = Counter(truth), Counter(predicted)
    f1 = tuple(
        2 * hits[label] / (true_count[label] + predicted_count[label])
        if true_count[label]
        else None
        for label in range(len(LABELS))
    )
    present = [value for value in f1 if value is not None]
    return Score(len(truth), sum(present) / len(present), hits.total() / len(truth), f1)


def evaluate(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example]
) -> dict[str, Score]:
    """Return the `Score` of each source among the examples."""
    predicted = predict(model, tokenizer, examples)
    pairs: dict[str, list[tuple[int, int]]] = {}
    for example, label in zip(examples, predicted, strict=True):
        pairs.setdefault(example.source, []).append((example.label, label))
    return {
        source: score([truth for truth, _ in rows], [label for _, label in rows])
        for source, rows in pairs.items()
    }


def mean_macro_f1(scores: dict[str, Score]) -> float:
    """Return the mean of the sources' macro-F1: each source counts the same."""
    return sum(result.macro_f1 for result in scores.values()) / len(scores)


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, out: Path) -> None:
    """Write weights in half precision, the configuration and the tokenizer to ``out``.

    The configuration says float32, so that a plain ``from_pretrained`` computes in it: a CPU is
    slow and coarse in float16.
    """
    half = {name: tensor.half() for name, tensor in model.state_dict().items()}
    model.save_pretrained(out, state_dict=half)
    tokenizer.model_max_length = MAX_TOKENS
    tokenizer.save_pretrained(out)


def load(weights: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load what `save` wrote, as float32.

    Raises `InputError` where the folder holds no such model.
    """
    _require_model(weights)
    model = AutoModelForSequenceClassification.from_pretrained(weights, dtype=torch.float32)
    if tuple(model.config.id2label[index] for index in range(model.config.num_labels)) != LABELS:
        raise InputError(f"{weights}: its labels are not {', '.join(LABELS)}")
    return model, AutoTokenizer.from_pretrained(weights)


def _require_model(folder: Path) -> None:
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise InputError(f"{folder / name}: no such file")


def train(
    model: BertForSequenceClassification,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    recipe: Recipe,
    console: Console,
) -> Iterator[int]:
    """Train in place and yield the number of each epoch when it is over, counted from 1."""
    ids = encode(tokenizer, examples)
    lengths = [len(row) for row in ids]
    by_class = class_weights(examples, BALANCE)
    labels = torch.tensor([example.label for example in examples])
    weights = torch.tensor([by_class[example.source, example.label] for example in examples])
    generator = random.Random(recipe.seed)
    epochs = [batches_by_length(lengths, BATCH_SIZE, generator) for _ in range(recipe.epochs)]
    optimizer = torch.optim.AdamW(parameter_groups(model, recipe.learning_rate), fused=True)
    schedule = LambdaLR(optimizer, warm_up_and_decay(sum(map(len, epochs))))
    for epoch, batches in enumerate(epochs, start=1):
        model.train()
        running = 0.0
        with Progress(console=console) as progress:
            task = progress.add_task(f"epoch {epoch}", total=len(batches))
            for step, positions in enumerate(batches, start=1):
                inputs = pad([ids[position] for position in positions], model.config.pad_token_id)
                with torch.autocast("cpu", torch.bfloat16):
                    logits = model(**inputs).logits
                losses = cross_entropy(
                    logits.float(),
                    labels[positions],
                    reduction="none",
                    label_smoothing=LABEL_SMOOTHING,
                )
                loss = (losses * weights[positions]).mean()
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(model.parameters(), GRADIENT_NORM)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
                running += loss.item()
                progress.advance(task)
                if step % REPORT_STEPS == 0:
                    mean_loss = running / REPORT_STEPS
                    console.log(f"epoch {epoch} step {step}/{len(batches)}: loss {mean_loss:.4f}")
                    running = 0.0
        yield epoch


def score_table(scores: dict[str, Score], title: str) -> Table:
    """Return a table with a row a source."""
    table = Table("source", "texts", "macro-F1", "accuracy", *LABELS, title=title)
    for source, result in scores.items():
        per_label = ["–" if value is None else f"{value:.3f}" for value in result.f1]
        table.add_row(
            source,
            str(result.texts),
            f"{result.macro_f1:.3f}",
            f"{result.accuracy:.3f}",
            *per_label,
        )
    return table


def finetune(encoder: Path, data: Path, out: Path, recipe: Recipe, limit: int | None) -> None:
    """Train on the first ``limit`` shuffled texts, all for None; ``out`` gets the best epoch.

    Raises `InputError` for missing or malformed inputs, before any training.
    """
    console = Console()
    _require_model(encoder)
    dev = read_sentiment(data / "sentiment" / "dev.jsonl")
    every = read_sentiment(data / "sentiment" / "train.jsonl")
    examples = without(every, dev)
    console.log(
        f"{len(examples)} texts to train on, {len(every) - len(examples)} left out as dev's"
    )
    random.Random(recipe.seed).shuffle(examples)
    torch.manual_seed(recipe.seed)
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    model = cut_model(encoder, recipe.layers)
    best = 0.0
    started = time.monotonic()
    for epoch in train(model, tokenizer, examples[:limit], recipe, console):
        scores = evaluate(model, tokenizer, dev)
        mean = mean_macro_f1(scores)
        minutes = (time.monotonic() - started) / 60
        console.print(score_table(scores, f"epoch {epoch}, {minutes:.0f} min, mean {mean:.3f}"))
        if mean > best:
            best = mean
            save(model, tokenizer, out)
            console.log(f"saved to {out}")
    lift_neutral(out)


def lift_neutral(weights: Path) -> None:
    """Add `NEUTRAL_BIAS` to the neutral logit of saved weights, once, after training."""
    model, tokenizer = load(weights)
    model.state_dict()["classifier.bias"][LABEL_IDS["neutral"]] += NEUTRAL_BIAS  # shares storage
    save(model, tokenizer, weights)


def measure(data: Path, weights: Path) -> None:
    """Print the macro-F1 of saved weights by source of dev and on the sets never trained on.

    Texts of the latter that are in the training data, too, are left out.
    """
    trained = read_sentiment(data / "sentiment" / "train.jsonl")
    examples = read_sentiment(data / "sentiment" / "dev.jsonl")
    for file, source, polarity in (
        (COVID_FILE, COVID_SOURCE, COVID_POLARITY),
        (SENTI100K_FILE, SENTI100K_SOURCE, SENTI100K_POLARITY),
    ):
        examples += without(read_polarity_csv(data / file, source, polarity), trained)
    model, tokenizer = load(weights)
    scores = evaluate(model, tokenizer, examples)
    console = Console()
    console.print(score_table(scores, f"{weights}, float32"))


def _layers(value: str) -> tuple[int, ...]:
    return tuple(int(part) for part in value.split(","))


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; exits with a message where it makes no sense."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    shared = Path("..") / "shared"
    parser.add_argument("--encoder", type=Path, default=shared / "encoder", help="12-layer BERT")
    parser.add_argument("--data", type=Path, default=shared / "data", help="labelled texts")
    parser.add_argument("--out", type=Path, default=Path("models") / "weights")
    parser.add_argument("--evaluate-only", action="store_true", help="measure the weights in --out")
    parser.add_argument("--layers", type=_layers, default=LAYERS, help="e.g. 0,1,2")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--learning-rate", type=float, default=LEARNING_RATE)
    parser.add_argument("--seed", type=int, default=20200125)
    parser.add_argument("--limit", type=int, help="train on so many texts only, for a trial")
    parsed = parser.parse_args(arguments)
    if parsed.epochs < 1 or parsed.learning_rate <= 0 or (parsed.limit or 1) < 1:
        parser.error("--epochs, --learning-rate and --limit must be positive")
    return parsed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 is success, 2 says that an input is missing or malformed."""
    chosen = parse_arguments(arguments)
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    recipe = Recipe(chosen.layers, chosen.epochs, chosen.learning_rate, chosen.seed)
    try:
        if not chosen.evaluate_only:
            finetune(chosen.encoder, chosen.data, chosen.out, recipe, chosen.limit)
        measure(chosen.data, chosen.out)
    except InputError as error:
        print(f"finetune: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
