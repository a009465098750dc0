"""Opinions from labels: what a model would say that is as often wrong as the real one.

For back-tests of streams whose texts are labelled. The model's mistakes are kept: `ERRORS` are the
shares of wrong answers that its card gives. An answer is drawn for each text and head by a hash of
the text, so that the same text always gets the same answer, right or wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wanglou.models.masking import mask
from wanglou.models.opinion import ModelError, Opinion, Passage
from wanglou.models.taxonomy import EVENT_TYPES, EventType
from wanglou.models.text import normalise
from wanglou.schemas.mention import Emotion, EmotionProbabilities, Polarity, PolarityProbabilities
from wanglou.schemas.problems import describe

ERRORS = {
    "polarity": 0.24,
    "emotion": 0.27,
    "event_type": 0.10,
    "institution_negative": 0.14,
    "one_of_two": 0.39,
}
"""Share of wrong answers: 1 - accuracy in the tables of ``models/weights/README.md``.

``one_of_two`` stands for ``institution_negative`` where a text names two institutions: of 117
such cases the model gets 71 right."""

POLARITIES = tuple(one.value for one in Polarity)
EMOTIONS = tuple(one.value for one in Emotion)
YES_OR_NO = ("false", "true")


class _Line(BaseModel):
    """A line of a file of labels, in the shape that `wanglou evaluate` reads."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    text: Annotated[str, Field(min_length=1)]
    polarity: Polarity
    emotion: Emotion
    event_type: EventType
    institution: str | None = None
    institution_negative: bool | None = None


@dataclass(slots=True)
class _Label:
    polarity: str
    emotion: str
    event_type: str
    negative: dict[str, bool] = field(default_factory=dict)


def answer(
    truth: str, labels: Sequence[str], error: float, sure: float, right: float
) -> dict[str, float]:
    """Probabilities of the labels; ``sure`` and ``right``, in [0, 1), decide everything.

    The confidence rises with ``sure`` from 1 - 2·error to 1, and the answer is right where
    ``right`` is below it. With both uniform it is wrong in the share ``error`` of the cases, and
    calibrated.

    >>> answer("yes", ("no", "yes"), 0.25, 0.5, 0.7), answer("yes", ("no", "yes"), 0.25, 0.5, 0.8)
    ({'no': 0.25, 'yes': 0.75}, {'no': 0.75, 'yes': 0.25})
    """
    confidence = 1 - 2 * error * (1 - sure)
    given = truth
    if right >= confidence:
        others = [label for label in labels if label != truth]
        given = others[int((right - confidence) / (1 - confidence) * len(others))]
    rest = (1 - confidence) / (len(labels) - 1)
    return {label: confidence if label == given else rest for label in labels}


class LabelledOpinion:
    """Answers from labels; with ``errors`` of 0 it is always right and certain."""

    def __init__(self, lines: Iterable[bytes], place: str, errors: Mapping[str, float]) -> None:
        """Read the labels. Raises ``ModelError`` with the place of a line that is none."""
        self._errors = errors
        self._known: dict[Passage, Opinion] = {}
        self._labels: dict[str, _Label] = {}
        self._place = place
        for number, value in enumerate(lines, 1):
            try:
                line = _Line.model_validate_json(value)
            except ValidationError as error:
                raise ModelError(f"{place}, line {number}: {describe(error)}") from None
            known = (line.polarity.value, line.emotion.value, line.event_type)
            label = self._labels.setdefault(mask(normalise(line.text)), _Label(*known))
            if line.institution is not None and line.institution_negative is not None:
                label.negative[normalise(line.institution)] = line.institution_negative

    @classmethod
    def load(cls, path: Path, errors: Mapping[str, float] = ERRORS) -> LabelledOpinion:
        """Read a file of labels. Raises ``ModelError``."""
        try:
            with path.open("rb") as lines:
                return cls(lines, str(path), errors)
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error}") from error

    def read(self, passages: Sequence[Passage]) -> list[Opinion]:
        """One opinion a passage, in order. Raises ``ModelError`` for a text without a label."""
        for passage in passages:
            if passage not in self._known:
                self._known[passage] = self._opinion(passage)
        return [self._known[passage] for passage in passages]

    def _opinion(self, passage: Passage) -> Opinion:
        label = self._labels.get(passage.text)
        if label is None:
            raise ModelError(f"{self._place}: has no label for the text {passage.text!r}")
        name = next((one for one in passage.names if one in label.negative), None)
        chances = _chances(f"{name or ''}\0{passage.text}")
        errors = self._errors
        polarity = answer(label.polarity, POLARITIES, errors["polarity"], *chances[0])
        emotion = answer(label.emotion, EMOTIONS, errors["emotion"], *chances[1])
        event = answer(label.event_type, EVENT_TYPES, errors["event_type"], *chances[2])
        negative = None
        if name is not None:
            error = errors["one_of_two" if len(label.negative) > 1 else "institution_negative"]
            truth = YES_OR_NO[label.negative[name]]
            negative = answer(truth, YES_OR_NO, error, *chances[3])["true"]
        return Opinion(
            PolarityProbabilities(**polarity), EmotionProbabilities(**emotion), event, negative
        )


def _chances(text: str) -> list[tuple[float, float]]:
    """Two numbers for each head, uniform in [0, 1), the same for the same text."""
    digest = blake2b(text.encode()).digest()
    parts = (digest[start : start + 8] for start in range(0, len(digest), 8))
    numbers = [(int.from_bytes(part) >> 11) / 2**53 for part in parts]
    return list(zip(numbers[::2], numbers[1::2], strict=True))
