"""How answers to a post arrive: what ``shapes.yaml`` says, and how it is drawn from."""

from __future__ import annotations

from importlib.resources import files
from math import exp, log1p
from pathlib import Path
from random import Random
from statistics import NormalDist
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from wanglou.models.rules_file import RulesFile
from wanglou.schemas.base import Share
from wanglou.schemas.mention import Tier

DEFAULT = Path(str(files("wanglou.models.scenario"))) / "shapes.yaml"
"""What was fitted to recorded cascades; the file says how."""

HOURS = 24

_UNIT = NormalDist()


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LogNormal(_Part):
    """The logarithm is normal with this mean and standard deviation."""

    mean: float
    deviation: Annotated[float, Field(gt=0)]

    def draw(self, rng: Random) -> float:
        """A value."""
        return exp(rng.gauss(self.mean, self.deviation))

    def share_below(self, value: float) -> float:
        """The share of values up to ``value``.

        >>> LogNormal(mean=0.0, deviation=2.0).share_below(1.0)
        0.5
        """
        if value <= 0:
            return 0.0
        return _UNIT.cdf((log1p(value - 1) - self.mean) / self.deviation)


class Kind(_Part):
    """Who writes posts, reposts or comments, and how much they are liked."""

    followers: LogNormal = Field(description="Followers plus one.")
    tiers: dict[Tier, Share]
    unliked: Share = Field(description="Share without any like.")
    likes: LogNormal = Field(description="Likes of those that have some.")


class Shapes(_Part):
    """Everything that was fitted; minutes where a time is meant."""

    comment_delay: LogNormal = Field(description="From a post to a comment on it.")
    repost_delay: LogNormal = Field(description="From a post to a repost of it.")
    answers: LogNormal = Field(description="Answers to a post that has any.")
    reposts: Share = Field(description="Share of reposts among answers.")
    second_step: Share = Field(description="Share of reposts that repost a repost.")
    hours: Annotated[tuple[Share, ...], Field(min_length=HOURS, max_length=HOURS)] = Field(
        description="Share of a day's mentions in each hour from midnight, Beijing time."
    )
    post: Kind
    repost: Kind
    comment: Kind


def load_shapes(path: Path = DEFAULT) -> Shapes:
    """Read the shapes. Raises ``RulesError`` with everything that is wrong."""
    return RulesFile.read(path, Shapes).rules
