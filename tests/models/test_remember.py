from __future__ import annotations

from wanglou.models.remember import REMEMBERED_CHARACTERS, remembers


def test_short_text_is_worked_out_once_while_it_is_remembered() -> None:
    asked: list[str] = []

    @remembers(texts=2)
    def length(text: str) -> int:
        asked.append(text)
        return len(text)

    assert [length(text) for text in ("a", "b", "a", "c", "a", "b")] == [1] * 6
    assert asked == ["a", "b", "c", "b"]  # c took the place of b, which came before the second a


def test_long_text_is_not_kept() -> None:
    asked: list[str] = []

    @remembers(texts=2)
    def length(text: str) -> int:
        asked.append(text)
        return len(text)

    longest = "长" * REMEMBERED_CHARACTERS
    assert length(longest) == length(longest) == REMEMBERED_CHARACTERS
    assert length(longest + "长") == length(longest + "长") == REMEMBERED_CHARACTERS + 1
    assert asked == [longest, longest + "长", longest + "长"]
