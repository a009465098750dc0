from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.models.tiny_model import NO_TEMPERATURE, SAID, save_model
from wanglou.models import bert_opinion
from wanglou.models.bert_opinion import BertOpinion, Precision
from wanglou.models.evaluation import probabilities_by_head
from wanglou.models.network import (
    EMOTION,
    EVENT_TYPE,
    HEADS,
    INSTITUTION_NEGATIVE,
    POLARITY,
    VIEWPOINT,
    load_network,
)
from wanglou.models.opinion import ModelError, Opinion, Passage
from wanglou.models.pieces import BEGIN, Pieces, stack
from wanglou.models.taxonomy import EVENT_TYPES
from wanglou.models.viewpoints import decode
from wanglou.schemas.mention import Emotion, Polarity


@pytest.fixture(scope="module")
def constant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("constant"), constant=True)


@pytest.fixture(scope="module")
def random(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("random"))


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that reads fourteen characters at once."""
    return save_model(tmp_path_factory.mktemp("narrow"), pieces=16)


def open_model(folder: Path, precision: Precision = "float32", threads: int = 1) -> BertOpinion:
    return BertOpinion(folder, precision=precision, threads=threads)


def passages_of(*texts: str) -> list[Passage]:
    return [Passage(text) for text in texts]


def watched(model: BertOpinion) -> list[tuple[int, int, int]]:
    """Windows, rows and pieces of each batch that the network is given from now on."""
    shapes: list[tuple[int, int, int]] = []

    def see(network: object, arguments: object, given: dict[str, Any], output: object) -> None:
        ids = given["input_ids"]
        shapes.append((int((ids[:, 0] == BEGIN).sum()), *ids.shape))

    model._model.register_forward_hook(see, with_kwargs=True)
    return shapes


def windows_read(shapes: list[tuple[int, int, int]]) -> int:
    return sum(windows for windows, _, _ in shapes)


def flat(opinion: Opinion) -> dict[str, float]:
    """All probabilities by head and label."""
    return {
        f"{head}.{label}": value
        for head, row in probabilities_by_head(opinion).items()
        for label, value in row.items()
    }


def mean_of(opinions: list[Opinion]) -> dict[str, float]:
    rows = [flat(one) for one in opinions]
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


def softened(shares: tuple[int, ...], temperature: float = 1.0) -> list[float]:
    powers = [share ** (1 / temperature) for share in shares]
    return [power / sum(powers) for power in powers]


# --- answers


def test_probabilities_go_to_the_labels_of_their_heads(constant: Path) -> None:
    (opinion,) = open_model(constant).read([Passage("取钱", ("银行",))])
    near = 0.001  # weights are kept in half precision
    assert dict(opinion.polarity) == pytest.approx(
        {"negative": 1 / 8, "neutral": 2 / 8, "positive": 5 / 8}, abs=near
    )
    assert dict(opinion.emotion) == pytest.approx(
        {
            "happy": 5 / 16,
            "angry": 1 / 16,
            "sad": 2 / 16,
            "fear": 4 / 16,
            "surprise": 1 / 16,
            "neutral": 3 / 16,
        },
        abs=near,
    )
    expected = dict.fromkeys(EVENT_TYPES, 1 / 25) | {"提现困难": 4 / 25}
    assert opinion.event_type == pytest.approx(expected, abs=near)
    assert opinion.institution_negative == pytest.approx(3 / 4, abs=near)


def test_usual_precision_is_good_to_two_digits(constant: Path) -> None:
    (opinion,) = BertOpinion(constant).read([Passage("取钱", ("取",))])
    assert list(dict(opinion.polarity).values()) == pytest.approx(softened((1, 2, 5)), abs=0.005)
    assert opinion.institution_negative == pytest.approx(3 / 4, abs=0.005)


def test_labels_are_those_of_the_messages() -> None:
    assert HEADS[POLARITY] == tuple(Polarity)
    assert HEADS[EMOTION] == tuple(Emotion)
    assert HEADS[EVENT_TYPE] == EVENT_TYPES


def test_rows_sum_to_one_in_four_digits(random: Path) -> None:
    for opinion in open_model(random).read(passages_of("好", "坏", "取钱", "")):
        for row in probabilities_by_head(opinion).values():
            assert sum(row.values()) == pytest.approx(1, abs=len(row) * 0.5e-4 + 1e-9)
            assert all(value == round(value, 4) for value in row.values())


def test_no_passages_no_opinions(constant: Path) -> None:
    assert open_model(constant).read([]) == []


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_temperature_softens_its_own_head_only(
    tmp_path: Path, head: str, temperature: float
) -> None:
    folder = save_model(tmp_path, constant=True, temperatures=NO_TEMPERATURE | {head: temperature})
    (opinion,) = open_model(folder).read([Passage("取钱", ("取",))])
    found = probabilities_by_head(opinion)
    for name, labels in HEADS.items():
        expected = softened(SAID[name], temperature if name == head else 1.0)
        assert [found[name][label] for label in labels] == pytest.approx(expected, abs=0.001)


# --- the same text, the same opinion

PASSAGES = [
    *passages_of("坏" * 9, "好", "取钱" * 20, "银行坏", "", "银行", "好坏", "坏" * 15, "坏" * 30),
    Passage("银行坏", ("银行",)),
    Passage("银行坏", ("坏",)),
    Passage("好" * 200, ("银行",)),
    Passage("好" * 150 + "银行" + "坏" * 150, ("银行",)),
]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_opinion_does_not_depend_on_the_batch(random: Path, precision: Precision) -> None:
    alone = [open_model(random, precision).read([one])[0] for one in PASSAGES]
    assert len({tuple(flat(one).values()) for one in alone}) == len(PASSAGES)  # told apart
    filling = [Passage("取" * length, ("取",) * (length % 2)) for length in range(1, 40)]
    assert open_model(random, precision).read(PASSAGES) == alone
    model = open_model(random, precision)
    assert model.read([*filling, *reversed(PASSAGES)])[len(filling) :] == alone[::-1]


def test_opinion_does_not_depend_on_the_threads(random: Path) -> None:
    many = [Passage("坏" * length, ("坏",)) for length in range(150)]
    assert open_model(random, threads=4).read(many) == open_model(random).read(many)


def test_every_batch_has_one_of_few_shapes(random: Path) -> None:
    model = open_model(random)
    shapes = watched(model)
    model.read(passages_of(*("坏" * length for length in range(300))))
    expected = {(32, 16), (16, 32), (10, 48), (8, 64), (6, 80), (5, 96)}
    assert {(rows, pieces) for _, rows, pieces in shapes} == expected
    assert windows_read(shapes) == 300


def test_equal_passages_are_read_once(random: Path) -> None:
    model = open_model(random)
    shapes = watched(model)
    first = model.read(passages_of("好", "坏", "好", "好"))
    again = model.read(passages_of("坏", "好"))
    assert windows_read(shapes) == 2
    assert first[0] == first[2] == first[3] == again[1]
    assert again[0] == first[1] != first[0]


def test_text_about_another_is_another_passage(random: Path) -> None:
    model = open_model(random)
    shapes = watched(model)
    passages = [Passage("银行坏"), Passage("银行坏", ("银行",)), Passage("银行坏", ("坏",))]
    assert model.read(passages) == [open_model(random).read([one])[0] for one in passages]
    assert windows_read(shapes) == 3


def test_cache_keeps_the_passages_used_last(random: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bert_opinion, "CACHED_PASSAGES", 2)
    model = open_model(random)
    shapes = watched(model)
    model.read(passages_of("好", "坏"))
    model.read(passages_of("好"))  # now 坏 is the oldest
    model.read(passages_of("取"))
    assert windows_read(shapes) == 3
    model.read(passages_of("好"))
    assert windows_read(shapes) == 3
    model.read(passages_of("坏"))
    assert windows_read(shapes) == 4


def test_batch_larger_than_the_cache_is_answered_whole(
    random: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bert_opinion, "CACHED_PASSAGES", 1)
    passages = passages_of("好", "坏", "取")
    expected = [open_model(random).read([one])[0] for one in passages]
    assert open_model(random).read(passages) == expected


# --- viewpoints


def likeness(left: Opinion, right: Opinion) -> float:
    """Cosine of their codes."""
    assert left.viewpoint is not None
    assert right.viewpoint is not None
    one, other = decode(left.viewpoint), decode(right.viewpoint)
    return float(one @ other / (one @ one) ** 0.5 / (other @ other) ** 0.5)


def test_viewpoint_comes_of_the_same_forward(random: Path) -> None:
    model = open_model(random)
    shapes = watched(model)
    first, second, third = model.read(passages_of("好好好好", "坏坏坏坏", "坏坏坏坏坏"))
    assert windows_read(shapes) == 3
    assert likeness(second, third) > likeness(first, third)


def test_viewpoint_is_the_mean_of_what_is_not_the_name(random: Path) -> None:
    network = load_network(random, torch.float32)
    inputs = stack([Pieces([4, 5, 6, 7], [0, 1, 1, 0])], 8)
    with torch.inference_mode():
        states = network.bert(**inputs, output_hidden_states=True).hidden_states[0]
        answers = network(**inputs, viewpoints=True)
        without = network(**inputs)
    expected = states[0, [0, 1, 4, 5]].mean(dim=0)  # with the pieces put around the text
    assert torch.allclose(answers.pop(VIEWPOINT)[0], expected, atol=1e-6)
    assert answers.keys() == without.keys() == set(HEADS)
    assert all(torch.equal(answers[head], without[head]) for head in HEADS)


# --- long texts

HEAD = "好坏取钱好坏取钱好坏取钱好坏"
AROUND = "坏坏坏银行" + "坏" * 9  # three before the name: a quarter of fourteen


def test_long_text_is_read_around_the_first_name(narrow: Path) -> None:
    text = HEAD + "钱" * 20 + AROUND + "钱" * 20 + "银行"
    long, around = open_model(narrow).read([Passage(one, ("银行",)) for one in (text, AROUND)])
    assert long == around


def test_long_text_that_names_nobody_is_read_at_its_head(narrow: Path) -> None:
    model = open_model(narrow)
    shapes = watched(model)
    long, head = model.read(passages_of(HEAD + "坏" * 60_000, HEAD))
    assert long == head
    assert windows_read(shapes) == 2


def test_name_is_not_looked_for_where_heads_are_asked_for(narrow: Path) -> None:
    model = BertOpinion(narrow, precision="float32", long_texts="head")
    long, head = model.read([Passage(HEAD + AROUND, ("银行",)), Passage(HEAD, ("银行",))])
    assert long == head


# --- the institution


def test_nothing_is_said_about_nobody(random: Path) -> None:
    nobody, somebody = open_model(random).read([Passage("银行坏"), Passage("银行坏", ("银行",))])
    assert nobody.institution_negative is None
    assert somebody.institution_negative is not None


def test_answer_depends_on_whom_it_is_about(random: Path) -> None:
    model = open_model(random)
    text = "银行好,取钱坏"
    first, second = model.read([Passage(text, (name,)) for name in ("银行", "取钱")])
    assert first.institution_negative != second.institution_negative


def test_name_that_stands_nowhere_changes_no_other_answer(random: Path) -> None:
    nobody, absent = open_model(random).read([Passage("取钱坏"), Passage("取钱坏", ("银行",))])
    assert absent.institution_negative is not None
    asked = flat(absent)
    others = {name: asked[name] for name in flat(nobody)}
    assert others == flat(nobody)


def test_marks_of_one_passage_change_no_other(random: Path) -> None:
    (alone,) = open_model(random).read([Passage("银行坏")])
    together = open_model(random).read([Passage("银行坏", ("银行",)), Passage("银行坏")])
    assert together[1] == alone
    assert together[0].polarity != alone.polarity  # the encoder sees the marks


def test_any_of_several_names_is_marked(random: Path) -> None:
    model = open_model(random)
    one, several, both = model.read(
        [
            Passage("银行坏", ("银行",)),
            Passage("银行坏", ("取钱", "银行")),
            Passage("银行坏", ("银行", "坏")),
        ]
    )
    assert one == several
    assert one.institution_negative != both.institution_negative


# --- folders


@pytest.fixture
def folder(constant: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    shutil.copytree(constant, tmp_path / "model")
    return tmp_path / "model"


def change(folder: Path, **fields: object) -> None:
    """Other values in ``config.json``; None takes one out."""
    file = folder / "config.json"
    changed = json.loads(file.read_text(encoding="utf-8")) | fields
    left = {name: value for name, value in changed.items() if value is not None}
    file.write_text(json.dumps(left), encoding="utf-8")


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "ngrams.safetensors", "tokenizer.json"]
)
def test_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=re.escape(f"has no {name}")):
        BertOpinion(folder)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere has no config\.json"):
        BertOpinion(tmp_path / "nowhere")


LABELS = {head: list(labels) for head, labels in HEADS.items()}


@pytest.mark.parametrize(
    "heads",
    [
        None,
        {},
        {POLARITY: LABELS[POLARITY]},
        {head: LABELS[head] for head in HEADS if head != EMOTION},
        LABELS | {"sarcasm": ["false", "true"]},
        LABELS | {POLARITY: ["positive", "negative", "neutral"]},
        LABELS | {EVENT_TYPE: LABELS[EVENT_TYPE][:-1]},
        LABELS | {INSTITUTION_NEGATIVE: [False, True]},
    ],
)
def test_other_heads_are_named(folder: Path, heads: Mapping[str, list[str]] | None) -> None:
    change(folder, heads=heads)
    with pytest.raises(ModelError, match=r"heads: are not .* polarity, emotion, event_type, inst"):
        BertOpinion(folder)


@pytest.mark.parametrize(
    "fields",
    [
        {"pieces": None},
        {"temperatures": None},
        {"temperatures": {}},
        {"temperatures": {head: 1.0 for head in HEADS if head != EMOTION}},
    ],
)
def test_folder_of_a_stage_of_training_is_told(folder: Path, fields: dict[str, object]) -> None:
    change(folder, **fields)
    with pytest.raises(ModelError, match=r"config\.json has no pieces, or not a temperature"):
        BertOpinion(folder)


def test_heads_may_stand_in_any_order(folder: Path) -> None:
    change(folder, heads=dict(reversed(LABELS.items())))
    (opinion,) = open_model(folder).read([Passage("取钱")])
    assert opinion.polarity.positive == pytest.approx(5 / 8, abs=0.001)
