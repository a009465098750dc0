"""pager.yaml: what is wrong with it is said when it is loaded, and no secret with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pager_world import SECRET

from wanglou.agents.pager_rules import load_pager_rules
from wanglou.agents.settings import DEPLOY
from wanglou.models.rules_file import RulesError

WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
GOOD: dict[str, Any] = {
    "link": "http://127.0.0.1/{event_id}",
    "receivers": {"am": {"kind": "alertmanager", "url": "http://127.0.0.1:9093"}},
    "always": ["am"],
    "people": {"zhang": {"name": "张三", "receivers": ["am"]}},
}


def shift(days: list[str], begin: str, end: str, people: str = "zhang") -> dict[str, Any]:
    return {"days": days, "from": begin, "to": end, "people": [people]}


def robot(url: str) -> dict[str, Any]:
    return {"receivers": {"am": GOOD["receivers"]["am"], "robot": {"kind": "dingtalk", "url": url}}}


WRONG = {
    "a rota with a gap": (
        {"rota": [shift(WEEK[:5], "08:00", "08:00"), shift(WEEK[5:], "09:00", "08:00")]},
        "nobody is on duty 周六 08:00–09:00, 周日 08:00–09:00: add a shift",
    ),
    "somebody whom nobody knows": (
        {"rota": [shift(WEEK, "00:00", "24:00", "wang")]},
        "'wang' is no person of this file; one of zhang",
    ),
    "a template without a field": (
        {"template": "{level}{institution}{said}\n{why}\n{deadline}{link}"},
        "template: lacks the field {first}: put it in",
    ),
    "a template with a field that is none": (
        {"template": "{level}{institution}{said}\n{why}{x}\n{deadline}{link}{first}"},
        "has the field {x}, which there is not; one of level,",
    ),
    "a URL with a token": (
        robot(f"https://host.example/robot/send?access_token={SECRET}"),
        "has a secret in it: put it elsewhere, {env: …} or {file: …}",
    ),
    "a webhook in the open": (
        robot(f"https://host.example/{SECRET}"),
        "whoever has the URL of a dingtalk receiver can write to it",
    ),
    "a user in a URL": (robot(f"https://me:{SECRET}@host.example/"), "has a secret in it"),
    "a variable that is not set": (
        {"receivers": {"am": {"kind": "webhook", "url": {"env": "NOT_SET_HERE"}}}},
        "NOT_SET_HERE: is empty, or not there",
    ),
    "a receiver that is none": ({"always": ["pm"]}, "'pm' is no receiver of this file; one of am"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(name: str, tmp_path: Path) -> None:
    change, message = WRONG[name]
    path = tmp_path / "pager.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **change}, allow_unicode=True), encoding="utf-8")
    with pytest.raises(RulesError) as caught:
        load_pager_rules(path)
    assert message in str(caught.value)
    assert f"{path}: line " in str(caught.value)
    assert SECRET not in str(caught.value)


def test_the_deployed_rules_are_right() -> None:
    assert load_pager_rules(DEPLOY / "pager.yaml").always == ("alertmanager",)
