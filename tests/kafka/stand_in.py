"""A model's stand-in: as slow as a real one, without its arithmetic, the same answer every time."""

from __future__ import annotations

import time
from collections.abc import Sequence

from wanglou.models.opinion import NO_EVENT, Opinion, Passage
from wanglou.schemas.mention import EmotionProbabilities, PolarityProbabilities

UPSET = tuple("慌怕急哭崩怒烦疯塌骗气坑转登付闪修谁[")
"""A text with one of these is negative about the institution."""

POISON = "毒丸"
"""A text with this makes the model fail."""


class StandIn:
    """Reads a passage in ``seconds_per_text``, in which it leaves the processor to others."""

    def __init__(self, seconds_per_text: float = 0.0) -> None:
        self._seconds_per_text = seconds_per_text

    def read(self, passages: Sequence[Passage]) -> list[Opinion]:
        """Opinions by single characters. Raises ``ValueError`` if a text is poison."""
        time.sleep(self._seconds_per_text * len(passages))
        return [_opinion(passage.text) for passage in passages]


def _opinion(text: str) -> Opinion:
    if POISON in text:
        raise ValueError("poison")
    negative = 0.9 if any(character in text for character in UPSET) else 0.1
    return Opinion(
        polarity=PolarityProbabilities(
            negative=negative, neutral=0.9 - negative + 0.05, positive=0.05
        ),
        emotion=EmotionProbabilities(
            happy=0.0, angry=0.0, sad=0.0, fear=negative, surprise=0.0, neutral=1.0 - negative
        ),
        event_type={NO_EVENT: 1.0},
        institution_negative=negative,
    )
