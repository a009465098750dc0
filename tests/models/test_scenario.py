from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from wanglou.agents.settings import DEPLOY
from wanglou.models.intake import parse
from wanglou.models.rules_file import RulesFile
from wanglou.models.scenario.institutions import cast, rivals
from wanglou.models.scenario.plan import QUIET_AFTER, Size, plan
from wanglou.models.scenario.shapes import LogNormal, load_shapes
from wanglou.models.scenario.stream import START, Scenario
from wanglou.models.scenario.waves import (
    LONGEST_DELAY_MINUTES,
    SIZES,
    WaveKind,
    answer_delays,
    delay_seconds,
)
from wanglou.models.taxonomy import Taxonomy
from wanglou.models.watchlist import InstitutionFinder, Watchlist
from wanglou.schemas.mention import RawMention

WATCHLIST = RulesFile.read(DEPLOY / "watchlist.yaml", Watchlist).rules
TAXONOMY = RulesFile.read(DEPLOY / "taxonomy.yaml", Taxonomy).rules
SMALL = Size(institutions=8, days=7, incidents=4, mentions=15_000)


def made(seed: int = 5, size: Size = SMALL) -> Scenario:
    return Scenario(size, seed, WATCHLIST, TAXONOMY)


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return made()


@pytest.fixture(scope="module")
def lines(scenario: Scenario) -> list[bytes]:
    return list(scenario.lines())


def test_every_line_is_a_raw_mention(lines: list[bytes]) -> None:
    now = datetime.fromisoformat("2030-01-01T00:00:00Z")
    assert all(isinstance(parse(line.rstrip(), now), RawMention) for line in lines)


def test_it_has_about_as_many_mentions_as_asked_for(lines: list[bytes]) -> None:
    assert len(lines) == pytest.approx(SMALL.mentions, rel=0.2)


def test_lines_come_in_the_order_of_their_collection(lines: list[bytes]) -> None:
    read = [raw["collected_at"] for raw in map(json.loads, lines) if "collected_at" in raw]
    assert read == sorted(read)
    published = [json.loads(line)["published_at"] for line in lines]
    assert published != sorted(published)  # as in life


def test_an_answer_comes_after_its_root_in_the_stream(lines: list[bytes]) -> None:
    began = dict[str, str]()
    for raw in map(json.loads, lines):
        if "root_id" in raw:
            assert raw["published_at"] >= began[raw["root_id"]]
            assert raw["parent_id"].startswith(raw["root_id"])
        else:
            began.setdefault(raw["id"], raw["published_at"])


def test_counters_never_fall(lines: list[bytes]) -> None:
    latest = dict[str, Counter[str]]()
    again = 0
    for raw in map(json.loads, lines):
        counters = Counter(raw.get("engagement", {}))
        before = latest.setdefault(raw["id"], counters)
        assert counters >= before
        again += before is not counters
        latest[raw["id"]] = counters
    assert again > 0


def test_every_text_is_labelled_about_those_it_names(
    scenario: Scenario, lines: list[bytes]
) -> None:
    finder = InstitutionFinder(scenario.watchlist)
    labelled = [json.loads(line) for line in scenario.label_lines()]
    names = {one["text"]: set[str]() for one in labelled}
    for one in labelled:
        names[one["text"]].add(one.get("institution", ""))
    assert {json.loads(line)["text"] for line in lines} <= names.keys()
    watched = {one.name: one.id for one in scenario.watchlist.institutions}
    hidden = 0
    for text, named in names.items():
        found, right = set(finder.find(text)), {watched.get(name, "") for name in named} - {""}
        assert found <= right
        hidden += found != right  # 云汀银行站着 has 云汀银行站, a station
    assert hidden < 0.001 * len(names)


def test_incidents_and_harmless_waves_are_labelled(scenario: Scenario) -> None:
    labelled = scenario.incidents()
    assert Counter(one.kind for one in labelled.incidents) == {"spike": 3, "slow burn": 1}
    assert Counter(one.kind for one in labelled.harmless) == {
        "marketing wave": 1,
        "bot flood": 1,
        "rival's crisis": 1,
        "hostile posts": 1,
    }


def test_an_incident_begins_with_a_mention_that_speaks_ill(
    scenario: Scenario, lines: list[bytes]
) -> None:
    names = {one.id: one.name for one in scenario.watchlist.institutions}
    ill = {
        (one["institution"], one["text"])
        for one in map(json.loads, scenario.label_lines())
        if one.get("institution_negative")
    }
    first = {
        (raw["published_at"], name)
        for raw in map(json.loads, lines)
        for name in names.values()
        if (name, raw["text"]) in ill
    }
    for incident in scenario.incidents().incidents:
        assert (incident.start.isoformat(), names[incident.institution]) in first


def test_bots_are_few_and_say_little(scenario: Scenario, lines: list[bytes]) -> None:
    bots = [raw for raw in map(json.loads, lines) if raw["author"]["id"].startswith("b")]
    least, most = SIZES[WaveKind.BOTS]
    assert least <= len(bots) <= most
    assert len({raw["author"]["id"] for raw in bots}) <= 10
    assert len({raw["text"].rstrip("!") for raw in bots}) <= 3
    assert max(raw["author"]["followers"] for raw in bots) < 100


def test_at_the_weekend_there_is_less_talk() -> None:
    quiet = made(size=Size(institutions=2, days=7, incidents=1, mentions=12_000))
    days = Counter(
        datetime.fromisoformat(json.loads(line)["published_at"]).date() for line in quiet.lines()
    )
    everyday = [days[day] for day in sorted(days)]
    assert START.weekday() == 0
    assert max(everyday[5:7]) < min(everyday[:2])


def test_the_seed_decides_everything() -> None:
    size = Size(institutions=3, days=5, incidents=1, mentions=5_000)
    assert list(made(5, size).lines()) == list(made(5, size).lines())
    assert list(made(5, size).lines()) != list(made(6, size).lines())


def test_another_order_of_sets_gives_equal_bytes() -> None:
    script = (
        "from hashlib import sha256\n"
        "from tests.models.test_scenario import Size, made\n"
        "print(sha256(b''.join(made(5, Size(3, 5, 1, 5_000)).lines())).hexdigest())"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=Path(__file__).parents[2],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


def test_waves_of_an_institution_do_not_run_into_each_other() -> None:
    waves = plan(Size(20, 30, 60, 1_000_000), Random(1))
    assert len(waves) == 60 + 4 * 15
    by_institution: dict[int, list[int]] = {}
    for wave in waves:
        by_institution.setdefault(wave.institution, []).append(wave.start)
    for starts in by_institution.values():
        assert all(after - before >= QUIET_AFTER for before, after in pairwise(starts))


@pytest.mark.parametrize(
    ("size", "problem"),
    [
        (Size(1, 30, 60, 1_000_000), "60 incidents do not fit into 30 days of 1 institutions"),
        (Size(2, 3, 1, 1_000_000), "1 incidents do not fit into 3 days"),
        (Size(8, 30, 8, 10), "10 mentions: the incidents and harmless waves alone have"),
        (Size(1000, 30, 1, 1_000_000), "1000 institutions: there are names for"),
    ],
)
def test_a_size_that_cannot_be_is_explained(size: Size, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        made(size=size)


def test_the_cast_begins_with_the_watch_list_and_no_rival_is_in_it() -> None:
    watchlist = cast(WATCHLIST, 30)
    assert watchlist.institutions[: len(WATCHLIST.institutions)] == WATCHLIST.institutions
    assert len(watchlist.institutions) == 30
    assert not {one.name for one in watchlist.institutions} & set(rivals(watchlist))
    assert cast(WATCHLIST, 2).institutions == WATCHLIST.institutions[:2]


def test_delays_have_the_fitted_median() -> None:
    rng = Random(1)
    shape = load_shapes().repost_delay
    delays = sorted(delay_seconds(shape, rng) / 60 for _ in range(20_000))
    # half of a log-normal one are below exp(mean); what is cut at 48 hours moves it down a little
    assert shape.share_below(delays[10_000]) == pytest.approx(0.5, abs=0.05)
    assert delays[-1] <= LONGEST_DELAY_MINUTES
    assert len(answer_delays(7, load_shapes(), rng)) == 7


def test_a_log_normal_share() -> None:
    # a standard deviation above the mean of the logarithm: 84.1 % are below
    shape = LogNormal(mean=1.0, deviation=0.5)
    assert shape.share_below(2.718281828**1.5) == pytest.approx(0.8413, abs=1e-4)
    assert shape.share_below(0) == 0
