"""The text of a page: a template of three lines, within the length that a receiver takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from string import Formatter
from typing import Final

from wanglou.models.page import Page, one_line
from wanglou.schemas.risk import Level

LINES: Final = 3
FIELDS: Final = (
    "level",  # 橙色·重大
    "institution",
    "topic",
    "step",  # 新预警, 升级, 下调, 解除
    "risk",
    "said",
    "why",
    "deadline",
    "first",
    "link",
    "acknowledge",  # 确认 and the signed link; empty where there is nothing to acknowledge
    "note",  # 第 2 次呼叫, 可能重复; mostly empty
)
REQUIRED: Final = ("level", "institution", "said", "why", "deadline", "first", "link")

DEFAULT_TEMPLATE: Final = """\
【{level}】{note}{institution}·{topic} {step}：{said}
原因：风险值 {risk}，{why}
期限：{deadline}；先做：{first}；详情 {link}{acknowledge}"""

SHORTENED: Final = ("said", "first", "why")
"""What is cut, in this order, where a text is too long."""

SHORTEST_BYTES: Final = 30
"""Ten Chinese characters: what is cut keeps at least these."""

SUMMARY_LINES: Final = 10


def template_problem(template: str) -> str | None:
    """What is wrong with a template, None if nothing is.

    >>> template_problem("{level} {instituton}")
    'has the field {instituton}, which there is not; one of level, institution, topic, step, risk, \
said, why, deadline, first, link, acknowledge, note'
    >>> template_problem(DEFAULT_TEMPLATE.replace("{first}", ""))
    'lacks the field {first}: put it in'
    """
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        return f"cannot be read: {error}; write {{{{ and }}}} for braces"
    used = [name for _, name, _, _ in parsed if name is not None]
    for name, (_, _, how, conversion) in zip(
        used, (one for one in parsed if one[1] is not None), strict=True
    ):
        if name not in FIELDS:
            return f"has the field {{{name}}}, which there is not; one of {', '.join(FIELDS)}"
        if how or conversion:
            return f"has {{{name}}} with a format: leave it out"
    for name in REQUIRED:
        if name not in used:
            return f"lacks the field {{{name}}}: put it in"
    if len(template.strip().splitlines()) != LINES:
        return f"has {len(template.strip().splitlines())} lines: write {LINES}"
    return None


def page_text(
    template: str, page: Page, link: str, acknowledge: str, note: str, max_bytes: int
) -> str:
    """A page in at most ``max_bytes`` of UTF-8; what is said is cut before anything else."""
    fields = {
        "level": page.level_text,
        "institution": page.institution.name,
        "topic": page.topic.name,
        "step": page.step,
        "risk": f"{page.risk:.1f}",
        "said": page.said,
        "why": page.why,
        "deadline": page.deadline,
        "first": page.first,
        "link": link,
        "acknowledge": f"；确认 {acknowledge}" if acknowledge else "",
        "note": note,
    }
    fields = {name: one_line(value) for name, value in fields.items()}
    text = template.strip().format_map(fields)
    for name in SHORTENED:
        over = len(text.encode()) - max_bytes
        if over > 0:
            room = max(SHORTEST_BYTES, len(fields[name].encode()) - over)
            fields[name] = cut(fields[name], room)
            text = template.strip().format_map(fields)
    return cut(text, max_bytes)


def summary_text(pages: Sequence[Page], link: str, max_bytes: int) -> str:
    """Many pages in one: how many of each level, and the gravest of them."""
    counts = Counter(page.level for page in pages)
    levels = [level for level in sorted(Level, reverse=True) if counts[level]]
    parts = [f"{level.chinese} {counts[level]} 起" for level in levels]
    if counts[None]:
        parts.append(f"已解除 {counts[None]} 起")
    gravest = sorted(pages, key=lambda page: -(page.level or 0))
    lines = [f"【汇总】{len(pages)} 起：{'，'.join(parts)}"]
    lines += [
        one_line(f"【{page.level_text}】{page.institution.name}·{page.topic.name} {page.step}")
        for page in gravest[:SUMMARY_LINES]
    ]
    if (rest := len(pages) - SUMMARY_LINES) > 0:
        lines.append(f"另有 {rest} 起")
    return cut("\n".join([*lines, f"详情 {link}"]), max_bytes)


def cut(text: str, max_bytes: int) -> str:
    """A text in at most ``max_bytes`` of UTF-8, with an ellipsis where it was cut.

    >>> cut("和兴银行", 12), cut("和兴银行", 11), len(cut("和兴银行", 11).encode())
    ('和兴银行', '和兴…', 9)
    """
    raw = text.encode()
    if len(raw) <= max_bytes:
        return text
    return raw[: max(0, max_bytes - len("…".encode()))].decode(errors="ignore") + "…"
