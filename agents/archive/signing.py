"""Signatures of heads: Ed25519 (RFC 8032) over canonical JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from wanglou.agents.archive.sealing import canonical

SIGNATURE = "signature"
PUBLIC_KEY = "public_key"


def read_signing_key(file: Path) -> Ed25519PrivateKey:
    """A key as ``openssl genpkey -algorithm ed25519`` makes it. Raises ``ValueError`` that shows
    nothing of it."""
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}") from error
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(
            f"{file}: is no Ed25519 key without a password: openssl genpkey -algorithm ed25519 "
            "makes one"
        )
    return key


def public_key_of(key: Ed25519PrivateKey) -> str:
    """The public key, in hexadecimal digits: what others compare."""
    return key.public_key().public_bytes_raw().hex()


def sign(key: Ed25519PrivateKey, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with public key and signature."""
    signed = {**fields, PUBLIC_KEY: public_key_of(key)}
    return {**signed, SIGNATURE: key.sign(canonical(signed)).hex()}


def is_signed(document: Mapping[str, Any]) -> bool:
    """Whether a document's signature is right for the public key that it names."""
    fields = {name: value for name, value in document.items() if name != SIGNATURE}
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(document[PUBLIC_KEY]))
        key.verify(bytes.fromhex(document[SIGNATURE]), canonical(fields))
    except (InvalidSignature, KeyError, TypeError, ValueError):
        return False
    return True
