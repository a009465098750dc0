"""The archive's settings: checked when loaded, and no secret is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wanglou.agents.archive.entries import Kind
from wanglou.agents.settings import ArchiveSettings, SettingsError, load_settings

SECRET = "0123456789abcdef" * 4


def refused(**archive: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(archive=archive)
    return str(caught.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": "mysql://host/db"}, "archive.url: must be sqlite:///FILE or postgresql://"),
        ({"url": "nonsense"}, "archive.url: must be sqlite:///FILE or postgresql://"),
        ({"url": "postgresql://u@host"}, "archive.url: names no file or database"),
        ({"key": 7}, "archive.key: must be text"),
        ({"key_file": "/no/such/file"}, "archive.key_file: /no/such/file: No such file"),
        ({"signing_key_file": "/no/such/file"}, "archive.signing_key_file: /no/such/file: No such"),
        ({"retention_days": {"hold": 3}}, "hold cannot be purged"),
        ({"retention_days": {"mention": 0}}, "archive.retention_days.mention"),
        ({"retention_days": {"nonsense": 3}}, "archive.retention_days.nonsense"),
    ],
)
def test_what_cannot_be_used_is_named(settings: dict[str, Any], said: str) -> None:
    assert said in refused(**settings)


def test_no_secret_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(SECRET[:-1])
    for said in (
        refused(url="postgresql://user:hunter22@host/db"),
        refused(key=SECRET[:-1]),
        refused(key_file=str(file)),
        refused(signing_key_file=str(file)),
        repr(load_settings(archive={"key": SECRET})),
    ):
        assert "hunter22" not in said
        assert SECRET[:20] not in said


def test_the_password_comes_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("p@ss:word/ü\n", encoding="utf-8")
    settings = ArchiveSettings(url="postgresql://wanglou@host/db", password_file=file)
    url = settings.load_url()
    assert (url.drivername, url.password) == ("postgresql+psycopg", "p@ss:word/ü")
    assert "p@ss" not in repr(url)


def test_keys_come_from_setting_or_files(tmp_path: Path) -> None:
    current, previous = tmp_path / "current", tmp_path / "previous"
    current.write_text(SECRET + "\n")
    previous.write_text("ab" * 32)
    assert ArchiveSettings().load_keys() is None
    keys = ArchiveSettings(key_file=current, previous_key_file=previous).load_keys()
    assert keys is not None
    assert len(keys.fingerprints) == 2
    alone = load_settings(archive={"key": SECRET}).archive.load_keys()
    assert alone is not None
    assert alone.current.fingerprint == keys.current.fingerprint
    assert "leave one out" in refused(key=SECRET, key_file=str(current))


def test_mentions_are_purged_by_default_and_nothing_else() -> None:
    assert ArchiveSettings().retention_days == {Kind.MENTION: 1095}
