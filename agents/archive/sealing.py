"""Sensitive fields, sealed with a key of the person they concern.

A person has one key for each chain (AES-256-GCM, NIST SP 800-38D), and that key is wrapped by the
master key. To destroy it is to erase the person from the chain. A box fits only the record that it
was made for: its chain, kind and id are authenticated with it.
"""

from __future__ import annotations

import hashlib
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wanglou.agents.archive.problems import KeyProblem

SEALED = "$sealed"
"""The field of a body that holds its box: ``{"key": id, "box": base64, "names": […]}``."""

ERASED = "已删除"
"""What is shown for a field whose key was destroyed."""

KEY_BYTES = 32
NONCE_BYTES = 12
CACHED_KEYS = 20_000
"""Unwrapped keys kept, about 10 MB."""


def canonical(fields: Mapping[str, Any]) -> bytes:
    """JSON of which there is only one form: sorted names, no spaces, UTF-8.

    Raises ``ValueError`` for what is no JSON: a number that is not finite, half of a surrogate.

    >>> canonical({"b": "银行", "a": 1}).decode()
    '{"a":1,"b":"银行"}'
    """
    text = json.dumps(
        fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def split(
    fields: Mapping[str, Any], sensitive: Iterable[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What stays open, and what is to be sealed.

    >>> split({"text": "挤兑", "likes": 3}, ["text", "url"])
    ({'likes': 3}, {'text': '挤兑'})
    """
    opened = dict(fields)
    return opened, {name: opened.pop(name) for name in sensitive if name in opened}


@dataclass(frozen=True, slots=True)
class PersonKey:
    """A key as stored. ``wrapped`` and ``master`` are None once it was destroyed."""

    id: str
    chain: str
    master: str | None
    wrapped: bytes | None


class MasterKey:
    """The key that wraps all others. Never shown; its fingerprint is."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self.fingerprint = hashlib.sha256(b"wanglou archive master key" + key).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"<MasterKey {self.fingerprint}>"

    def wrap(self, id: str, chain: str, key: bytes) -> bytes:
        """A person's key, wrapped."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key, _about(id, chain))

    def unwrap(self, id: str, chain: str, wrapped: bytes) -> bytes:
        """A person's key. Raises ``KeyProblem`` where what is stored was changed."""
        nonce, box = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, box, _about(id, chain))
        except InvalidTag:
            raise KeyProblem(f"person key {id} of chain {chain} was changed") from None


class MalformedKey(ValueError):
    """A text that is no key; the message shows none of it."""


def read_master_key(text: str) -> MasterKey:
    """A master key as it stands in its file: 64 hexadecimal digits, as ``openssl rand -hex 32``
    makes them. Raises ``MalformedKey``."""
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise MalformedKey("must be 64 hexadecimal digits: openssl rand -hex 32 makes one")
    return MasterKey(key)


class Keys:
    """The master keys at hand: the first one wraps, any opens."""

    def __init__(self, current: MasterKey, *previous: MasterKey) -> None:
        self.current = current
        self._masters = {one.fingerprint: one for one in (*previous, current)}
        self._unwrapped = lru_cache(CACHED_KEYS)(self._unwrap)

    @property
    def fingerprints(self) -> Sequence[str]:
        """Of all master keys at hand."""
        return list(self._masters)

    def new_person_key(self, chain: str, made_id: str | None = None) -> tuple[PersonKey, AESGCM]:
        """A new key of a person in a chain."""
        id, key = made_id or os.urandom(12).hex(), AESGCM.generate_key(256)
        wrapped = self.current.wrap(id, chain, key)
        return PersonKey(id, chain, self.current.fingerprint, wrapped), AESGCM(key)

    def cipher(self, stored: PersonKey) -> AESGCM | None:
        """What seals and opens with a stored key, None if it was destroyed.

        Raises ``KeyProblem`` where no master key at hand fits.
        """
        if stored.wrapped is None or stored.master is None:
            return None
        return AESGCM(self._unwrapped(stored))

    def rewrap(self, stored: PersonKey) -> bytes:
        """The same key, wrapped by the current master key. Raises ``KeyProblem``."""
        return self.current.wrap(stored.id, stored.chain, self._unwrapped(stored))

    def plain(self, stored: PersonKey) -> bytes | None:
        """The key itself, for an export; None if it was destroyed."""
        return None if stored.wrapped is None else self._unwrapped(stored)

    def wrong(self, used: str | None) -> KeyProblem:
        """What is to be said where none of these keys is the one that was used."""
        return KeyProblem(
            f"the archive was sealed with master key {used}, but the key given is "
            f"{self.current.fingerprint}: set archive.key_file to the right one, or "
            "archive.previous_key_file during a rotation"
        )

    def _unwrap(self, stored: PersonKey) -> bytes:
        assert stored.wrapped is not None
        master = self._masters.get(stored.master or "")
        if master is None:
            raise self.wrong(stored.master)
        return master.unwrap(stored.id, stored.chain, stored.wrapped)


def _about(*parts: str) -> bytes:
    return "\0".join(parts).encode()


def seal(
    cipher: AESGCM, key: str, chain: str, kind: str, id: str, fields: Mapping[str, Any]
) -> dict[str, Any]:
    """A box with the fields; their names stay open, to show later what was erased."""
    nonce = os.urandom(NONCE_BYTES)
    box = nonce + cipher.encrypt(nonce, canonical(fields), _about(chain, kind, id))
    return {"key": key, "box": b64encode(box).decode(), "names": sorted(fields)}


def unseal(
    cipher: AESGCM, chain: str, kind: str, id: str, box: Mapping[str, Any]
) -> dict[str, Any]:
    """The fields in a box. Raises ``KeyProblem`` where it was changed, or made for another
    record."""
    raw = b64decode(box["box"])
    try:
        text = cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _about(chain, kind, id))
    except InvalidTag:
        raise KeyProblem(f"{chain}, {kind} {id}: its sealed fields were changed") from None
    fields: dict[str, Any] = json.loads(text)
    return fields
