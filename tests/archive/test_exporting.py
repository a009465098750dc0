"""The folder of a case stands for itself, and shows what was done to it."""

from __future__ import annotations

import csv
import json
import random
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from ledger_world import CASE, START, Clock, alert, append, case_row, mention

from wanglou.agents.archive.entries import Kind
from wanglou.agents.archive.erasure import erase
from wanglou.agents.archive.exporting import FolderProblem, export_case
from wanglou.agents.archive.heads import check_heads, read_heads
from wanglou.agents.archive.problems import KeyProblem, UnknownCase
from wanglou.agents.archive.retention import purge
from wanglou.agents.archive.signing import public_key_of
from wanglou.agents.archive.store import Archive

KEY = Ed25519PrivateKey.generate()
FORMULA = '=HYPERLINK("http://example.org","点此")'
NO_CRYPTOGRAPHY = "import sys; sys.modules['cryptography'] = None; import runpy; "


@pytest.fixture
def filled(archive: Archive, clock: Clock) -> Archive:
    """A case with all that can happen to records."""
    append(archive, mention(1, "gone", "去者"), mention(2, text=FORMULA), alert(1))
    erase(archive, "gone", "王", "本人请求")
    with archive.transaction() as tx:
        tx.save_case(case_row(closed_at=START))
    clock.pass_days(30)
    list(purge(archive, {Kind.ALERT: 30}))
    append(archive, mention(3, text="行1\n行2 <script>alert(1)</script>"))
    return archive


@pytest.fixture
def folder(filled: Archive, tmp_path: Path) -> Path:
    made = tmp_path / "case"
    export_case(filled, CASE, made, KEY)
    return made


def check(folder: Path, *arguments: str, bare: bool = False) -> tuple[int, str]:
    """Exit code and words of the folder's own program, without anything of this project.

    ``bare`` hides the package cryptography, as where only Python is.
    """
    program = [str(folder / "verify.py"), *arguments]
    if bare:
        code = f"sys.argv = {program!r}; runpy.run_path(sys.argv[0], run_name='__main__')"
        program = ["-c", f"{NO_CRYPTOGRAPHY}sys.path.insert(0, {str(folder)!r}); {code}"]
    done = subprocess.run(
        [sys.executable, "-I", *program] if bare else [sys.executable, *program],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder.parent,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def test_a_folder_as_it_was_written_is_whole(folder: Path) -> None:
    code, said = check(folder, "--public-key", public_key_of(KEY))
    assert code == 0, said
    assert "6 条记录完整" in said
    assert "签名无误" in said


def test_without_cryptography_the_chain_is_verified(folder: Path) -> None:
    code, said = check(folder, bare=True)
    assert code == 0, said
    assert "6 条记录完整" in said
    assert "签名未核验" in said
    assert "条的加密字段未核对" in said


def test_a_sealed_folder_has_nothing_sensitive(filled: Archive, tmp_path: Path) -> None:
    made = tmp_path / "sealed"
    assert export_case(Archive(filled.engine, None), CASE, made, None, opened=False) == 6
    names = {one.name for one in made.iterdir()}
    assert names == {
        "README.md",
        "SHA256SUMS",
        "chain.py",
        "head.json",
        "records.jsonl",
        "verify.py",
    }
    content = b"".join(one.read_bytes() for one in made.iterdir())
    assert "行1".encode() not in content
    code, said = check(made)
    assert code == 0, said
    assert "未签名" in said


def test_opened_records_say_what_was_there(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "opened.jsonl").read_text().splitlines()]
    fields = [one["fields"] for one in lines]
    kinds = ["mention", "mention", "alert", "erasure", "retention", "mention"]
    assert [one["kind"] for one in lines] == kinds
    assert fields[0]["text"] == fields[0]["author"] == "已删除"
    assert fields[1]["text"] == FORMULA
    assert fields[2] is None
    assert lines[1]["at"] == (START + timedelta(seconds=2)).isoformat()


def test_a_spreadsheet_executes_nothing(folder: Path) -> None:
    with (folder / "mentions.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["正文"] for row in rows] == [
        "已删除",
        "'" + FORMULA,
        "行1\n行2 <script>alert(1)</script>",
    ]
    assert rows[1]["作者"] == "author-1"


@pytest.mark.parametrize("seed", range(25))
def test_one_flipped_bit_in_any_file_is_found(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    names = sorted(one.name for one in folder.iterdir() if one.suffix != ".py")
    file = folder / names[seed % len(names)]
    content = bytearray(file.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    file.write_bytes(content)
    code, said = check(folder, "--public-key", public_key_of(KEY))
    assert code == 1, f"{file.name}: {said}"


def test_the_row_that_was_changed_is_named(folder: Path) -> None:
    """Also where who changed it wrote the sums anew."""
    file = folder / "records.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    lines[1] = lines[1].replace("weibo:2", "weibo:9")
    file.write_text("".join(lines))
    _, said = check(folder)
    assert f"{CASE}, row 2: was changed" in said or f"{CASE}, row 3: was changed, or row 2" in said
    del lines[1]
    file.write_text("".join(lines))
    assert f"{CASE}, row 2: was removed" in check(folder)[1]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda one: (one / "keys.jsonl").unlink(), "keys.jsonl:文件不在了"),
        (lambda one: (one / "more.txt").write_text(""), "more.txt:不属于本案卷"),
        (lambda one: (one / "head.json").write_text("{}"), "无法核验"),
        (lambda one: (one / "records.jsonl").write_text("1\n"), "第 1 行:格式不对"),
        (lambda one: (one / "opened.jsonl").write_text("{}\n"), "opened.jsonl"),
    ],
)
def test_what_is_missing_or_added_is_told(folder: Path, damage: object, said: str) -> None:
    assert callable(damage)
    damage(folder)
    code, words = check(folder)
    assert (code, said in words) == (1, True), words


def test_another_signer_is_told(folder: Path) -> None:
    code, said = check(folder, "--public-key", "ab" * 32)
    assert (code, "签名的公钥不是所给的公钥" in said) == (1, True)


def test_the_head_in_the_folder_is_one_of_the_archive(filled: Archive, folder: Path) -> None:
    heads = read_heads(folder / "head.json", public_key_of(KEY))
    assert [one.is_whole for one in check_heads(filled.engine, heads)] == [True]


def test_a_folder_that_cannot_be_written(filled: Archive, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(FolderProblem, match="is there already"):
        export_case(filled, CASE, tmp_path / "there")
    with pytest.raises(FolderProblem, match="No such file"):
        export_case(filled, CASE, tmp_path / "no" / "case")
    with pytest.raises(UnknownCase):
        export_case(filled, "nobody", tmp_path / "case")
    with pytest.raises(KeyProblem):
        export_case(Archive(filled.engine, None), CASE, tmp_path / "case")
    assert {one.name for one in tmp_path.iterdir()} <= {
        "there",
        "archive.db",
        "archive.db-shm",
        "archive.db-wal",
    }


def test_a_folder_can_be_moved(folder: Path, tmp_path: Path) -> None:
    moved = tmp_path / "案卷 副本"
    shutil.move(folder, moved)
    assert check(moved)[0] == 0
