"""What people do with an archive on the command line: look, verify, export, hold, erase, rotate."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from reviewed_archive import KEY, Told, archived

from tests.environment import clean_environment
from tests.models.builders import scored
from tests.models.response.builders import CASE, alert, at
from wanglou.agents.commands import main
from wanglou.agents.settings import load_settings
from wanglou.models.incidents import Incident, Incidents
from wanglou.models.order import Position
from wanglou.schemas.risk import AlertKind, Level

__all__ = ["clean_environment"]

AUTHOR = "author-of-a-rumour"
TEXT = "和兴银行城东支行取不出钱了"


def story() -> Told:
    """A run that rose to orange, and was right to."""
    incident = {
        "institution": "hexing-bank",
        "topic": "run",
        "expected": "orange",
        "from": at(-10),
        "to": at(60),
    }
    mentions = [
        (
            Position(int(at(minute).timestamp() * 1000), 0, number, 0),
            scored(
                id=f"weibo:{number}",
                institution="hexing-bank",
                text=TEXT,
                published_at=at(minute),
                author={"id": AUTHOR, "followers": 10},
            ),
        )
        for number, minute in enumerate(range(-5, 5))
    ]
    alerts = [
        alert(0, Level.BLUE, AlertKind.RAISED),
        alert(20, Level.ORANGE, AlertKind.ESCALATED),
        alert(200, None, AlertKind.RESOLVED),
    ]
    rules = load_settings().load_rules()
    return Told(rules, Incidents(incidents=(Incident.model_validate(incident),)), mentions, alerts)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the archive lies, with the keys that the settings name."""
    archived(story(), tmp_path / "archive.db").engine.dispose()
    signing = Ed25519PrivateKey.generate()
    pem = signing.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for name, content in {
        "archive_key": f"{KEY}\n".encode(),
        "new_key": f"{'1e' * 32}\n".encode(),
        "signing_key": pem,
    }.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
    monkeypatch.setenv("WANGLOU_ARCHIVE__URL", f"sqlite:///{tmp_path}/archive.db")
    monkeypatch.setenv("WANGLOU_ARCHIVE__KEY_FILE", str(tmp_path / "archive_key"))
    monkeypatch.setenv("WANGLOU_ARCHIVE__SIGNING_KEY_FILE", str(tmp_path / "signing_key"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def wanglou(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def done(*arguments: str) -> str:
    """What a command that must succeed said."""
    result = wanglou(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_case_is_listed_and_shown(folder: Path) -> None:
    assert CASE in done("case", "list", "--by", "wu")
    assert CASE not in done("case", "list", "--by", "wu", "--status", "open")
    assert "已结案" in done("case", "show", CASE, "--by", "吴九")
    (report,) = done("case", "report", CASE, "--by", "wu", "--format", "markdown").split()
    assert "准确" in Path(report).read_text(encoding="utf-8")


def test_a_case_that_is_none_and_a_person_who_is_nobody(folder: Path) -> None:
    missing = wanglou("case", "show", "hexing-bank.leak", "--by", "wu")
    assert (missing.exit_code, "there is no such case" in missing.output) == (1, True)
    nobody = wanglou("case", "show", CASE, "--by", "mallory")
    assert (nobody.exit_code, "'mallory' is nobody" in nobody.output) == (1, True)
    forbidden = wanglou("case", "verify", "--all", "--by", "zhang")
    assert (forbidden.exit_code, "it needs the role auditor" in forbidden.output) == (1, True)


def test_one_changed_byte_is_found(folder: Path) -> None:
    assert "whole" in done("case", "verify", "--all", "--by", "audit")
    with sqlite3.connect(folder / "archive.db") as connection:
        connection.execute("UPDATE records SET body = replace(body, 'orange', 'yellow')")
    result = wanglou("case", "verify", CASE, "--by", "audit")
    assert result.exit_code == 1
    assert "NOT WHOLE" in result.output
    assert CASE in result.output


def test_a_rewritten_chain_is_told_by_a_head_that_was_kept(folder: Path) -> None:
    kept = folder / "head.json"
    kept.write_text(done("archive", "head"), encoding="utf-8")
    done("archive", "check-head", str(kept))
    done("archive", "hold", CASE, "--by", "admin", "--reason", "诉讼")
    done("archive", "check-head", str(kept))  # what came after it is no contradiction
    with sqlite3.connect(folder / "archive.db") as connection:
        connection.execute("DELETE FROM records WHERE chain = ?", (CASE,))
        connection.execute("DELETE FROM chains WHERE id = ?", (CASE,))
    result = wanglou("archive", "check-head", str(kept))
    assert result.exit_code == 1
    assert CASE in result.output


def test_an_export_verifies_itself_without_wanglou(folder: Path) -> None:
    said = done("case", "export", CASE, str(folder / "export"), "--by", "audit")
    script = folder / "export" / "verify.py"
    assert str(script) in said
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert TEXT in (folder / "export" / "mentions.csv").read_text(encoding="utf-8")


def test_a_person_is_erased_but_not_from_a_case_on_hold(folder: Path) -> None:
    assert "on hold" in done("archive", "hold", CASE, "--by", "admin", "--reason", "诉讼")
    assert "already" in done("archive", "hold", CASE, "--by", "admin", "--reason", "诉讼")
    erase = ("archive", "erase", AUTHOR, "--by", "admin", "--reason", "本人要求")
    assert wanglou(*erase).exit_code != 0
    done("archive", "unhold", CASE, "--by", "admin", "--reason", "结案")
    assert f"erased from {CASE}" in done(*erase)
    assert "nothing of this person" in done(*erase)
    done("case", "export", CASE, str(folder / "export"), "--by", "audit")
    assert TEXT not in (folder / "export" / "mentions.csv").read_text(encoding="utf-8")
    assert "whole" in done("case", "verify", "--all", "--by", "audit")


def test_keys_are_rotated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANGLOU_ARCHIVE__KEY_FILE", str(folder / "new_key"))
    refused = wanglou("case", "show", CASE, "--by", "wu")
    assert refused.exit_code == 3
    monkeypatch.setenv("WANGLOU_ARCHIVE__PREVIOUS_KEY_FILE", str(folder / "archive_key"))
    assert "keys wrapped anew" in done("archive", "rotate-key", "--by", "admin")
    monkeypatch.delenv("WANGLOU_ARCHIVE__PREVIOUS_KEY_FILE")
    done("case", "export", CASE, str(folder / "export"), "--by", "audit")
    assert TEXT in (folder / "export" / "mentions.csv").read_text(encoding="utf-8")


def test_what_is_past_its_retention_is_purged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANGLOU_ARCHIVE__RETENTION_DAYS", json.dumps({"mention": 30}))
    closed_long_ago = at(200) + timedelta(days=31)
    assert closed_long_ago.year == 2020
    assert f"{CASE}: 10 of mention" in done("archive", "purge", "--by", "admin")
    assert "whole" in done("case", "verify", "--all", "--by", "audit")
    assert "no change proposed" in done("tune", "propose", "--by", "admin")
