"""核验本案卷文件夹:python3 verify.py [--public-key 公钥]

Verifies this folder. The chain needs only Python's standard library; the signature and the sealed
fields need the package "cryptography" (pip install cryptography).
"""

from __future__ import annotations

import argparse
import json
import sys
from base64 import b64decode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from typing import Any

from chain import Head, Row, purged, verify

try:
    from cryptography.exceptions import InvalidSignature, InvalidTag
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    HAS_CRYPTOGRAPHY = True
except ImportError:
    HAS_CRYPTOGRAPHY = False

HERE = Path(__file__).resolve().parent
ERASED = "已删除"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BAD: list[object] = []


def tell(text: object) -> None:
    """Something is wrong."""
    BAD.append(text)
    if len(BAD) <= 50:
        print("✗", text)


def sum_of(file: Path) -> str:
    """SHA-256 of a file."""
    digest = sha256()
    with file.open("rb") as content:
        while part := content.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def lines_of(name: str) -> Iterator[Any]:
    """The lines of a file, each as JSON; bad ones are told."""
    with (HERE / name).open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield json.loads(line)
            except ValueError:
                tell(f"{name} 第 {number} 行:不是 JSON")
                yield None


def rows() -> Iterator[Row]:
    """The rows of the chain, as stored."""
    for number, line in enumerate(lines_of("records.jsonl"), 1):
        try:
            body = line["body"]
            yield Row(
                line["sequence"],
                line["kind"],
                line["id"],
                line["at"],
                line["recorded_at"],
                None if body is None else body.encode(),
                bytes.fromhex(line["digest"]),
                bytes.fromhex(line["hash"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError):
            tell(f"records.jsonl 第 {number} 行:格式不对")


def check_sums(document: Any) -> None:
    """Every file is as it was written, and none was added."""
    listed = set()
    for line in (HERE / "SHA256SUMS").read_text(encoding="utf-8", errors="replace").splitlines():
        digest, _, name = line.partition("  ")
        listed.add(name)
        file = HERE / name
        if Path(name).name != name or not file.is_file():
            tell(f"{name}:文件不在了")
        elif sum_of(file) != digest:
            tell(f"{name}:文件已改动")
    for file in HERE.iterdir():
        if file.name not in listed | {"SHA256SUMS", "head.json", "__pycache__"}:
            tell(f"{file.name}:不属于本案卷")
    if document.get("sums") != sum_of(HERE / "SHA256SUMS"):
        tell("SHA256SUMS:已改动")


def check_signature(document: Any, public_key: str) -> None:
    """The head was signed, and by whom it should."""
    if "signature" not in document:
        print("- 未签名:能查出改动,但不能证明出自谁")
        if public_key:
            tell("head.json:没有签名")
        return
    if public_key and document.get("public_key") != public_key.lower():
        tell("head.json:签名的公钥不是所给的公钥")
    if not HAS_CRYPTOGRAPHY:
        print("- 签名未核验:请先 pip install cryptography")
        return
    fields = {name: value for name, value in document.items() if name != "signature"}
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(document["public_key"]))
        key.verify(bytes.fromhex(document["signature"]), text.encode())
    except (InvalidSignature, KeyError, TypeError, ValueError):
        tell("head.json:签名不对")
    else:
        print(f"✓ 签名无误,公钥 {document['public_key']}")
        if not public_key:
            print("  请与签发单位公布的公钥核对,或用 --public-key 给出")


def read_keys() -> dict[str, bytes | None]:
    """The keys of the case, by id."""
    return {
        line["id"]: None if line["key"] is None else bytes.fromhex(line["key"])
        for line in lines_of("keys.jsonl")
        if line is not None
    }


def opened_fields(case: str, row: Row, keys: Mapping[str, bytes | None]) -> Any:
    """What the opened record has to say."""
    if row.body is None:
        return None
    fields = json.loads(row.body)
    box = fields.pop("$sealed", None)
    if box is None:
        return fields
    key = keys.get(box["key"])
    if key is None:
        return {**fields, **dict.fromkeys(box["names"], ERASED)}
    if not HAS_CRYPTOGRAPHY:
        return None
    raw, about = b64decode(box["box"]), "\0".join((case, row.kind, row.id)).encode()
    try:
        return {**fields, **json.loads(AESGCM(key).decrypt(raw[:12], raw[12:], about))}
    except InvalidTag:
        raise ValueError("密文或密钥已改动") from None


def check_opened(case: str) -> None:
    """The opened records say what the stored ones do."""
    keys = read_keys()
    unchecked = 0
    for row, line in zip_longest(rows(), lines_of("opened.jsonl")):
        if row is None or line is None:
            tell("opened.jsonl:与 records.jsonl 行数不同")
            return
        try:
            fields = opened_fields(case, row, keys)
            times = [(EPOCH + timedelta(microseconds=one)).isoformat() for one in row[3:5]]
            row_says = [row.sequence, row.kind, row.id, *times]
            says = [line[name] for name in ("sequence", "kind", "id", "at", "recorded_at")]
            if fields is None and row.body is not None:
                unchecked += 1
            elif says != row_says or line["fields"] != fields:
                tell(f"opened.jsonl 第 {row.sequence} 条:与台账不符")
        except (KeyError, TypeError, ValueError):
            tell(f"opened.jsonl 第 {row.sequence} 条:格式不对,或密文、密钥已改动")
    if unchecked:
        print(f"- {unchecked} 条的加密字段未核对:请先 pip install cryptography")


def main() -> int:
    """Verify; the exit code is 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description="核验本案卷文件夹")
    parser.add_argument("--public-key", default="", help="签发单位公布的公钥(十六进制)")
    chosen = parser.parse_args()
    try:
        document = json.loads((HERE / "head.json").read_bytes())
        head = document["heads"][0]
        case, end = head["chain"], Head(head["sequence"], bytes.fromhex(head["hash"]))
        check_sums(document)
        check_signature(document, chosen.public_key)
        found = verify(case, rows(), end, purged(row for row in rows() if row.kind == "retention"))
        for one in found.breaks:
            tell(one)
        if (HERE / "opened.jsonl").exists():
            check_opened(case)
    except (OSError, KeyError, TypeError, ValueError, IndexError) as error:
        tell(f"无法核验:{error!r}")
        return 1
    if BAD:
        print(f"案卷 {case}:发现 {len(BAD)} 处问题")
        return 1
    print(f"✓ 案卷 {case}:{found.rows} 条记录完整,未发现改动")
    return 0


if __name__ == "__main__":
    sys.exit(main())
