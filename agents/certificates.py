"""Certificates in PEM files: loaded for TLS, and refused with the file's name and the date."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _UTC_TIME = 0x30, 0x17
_PIVOT_YEAR = 50
"""UTCTime has two digits of the year: 50 is 1950, 49 is 2049 (RFC 5280)."""


class CertificateError(ValueError):
    """A certificate or key that cannot be used; the message names its file and what is wrong."""


@dataclass(frozen=True, slots=True)
class Validity:
    """From when until when a certificate holds, in UTC."""

    begins: datetime
    ends: datetime

    @classmethod
    def of(cls, der: bytes) -> Validity:
        """The validity in a certificate that OpenSSL could read."""
        ((_, certificate),) = _elements(der)
        _, signed = next(_elements(certificate))
        sequences = [content for tag, content in _elements(signed) if tag == _SEQUENCE]
        begins, ends = (_time(tag, content) for tag, content in _elements(sequences[2]))
        return cls(begins, ends)

    def problem(self, now: datetime) -> str | None:
        """Why the certificate does not hold at a time, None if it does."""
        if now > self.ends:
            return f"expired on {self.ends:%Y-%m-%d %H:%M} UTC"
        if now < self.begins:
            return f"is valid only from {self.begins:%Y-%m-%d %H:%M} UTC on"
        return None


def trust_authorities(context: ssl.SSLContext, file: Path) -> None:
    """Trust what the authorities in a file have signed. Raises ``CertificateError``."""
    content = _read(file)
    try:
        context.load_verify_locations(cadata=content)
    except (ssl.SSLError, ValueError):
        raise CertificateError(f"{file}: holds no certificate that can be read (PEM)") from None
    problems = [_problem(block) for block in _BLOCK.findall(content)]
    if all(problems):  # in a roll-over an old one may stand beside the new
        raise CertificateError(f"{file}: {problems[0]}; replace it")


def show_own(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    """Show a certificate to the other side; its key stands in ``key``, or in the same file.

    Raises ``CertificateError``.
    """
    content = _read(certificate)
    if not _BLOCK.search(content):
        raise CertificateError(f"{certificate}: holds no certificate that can be read (PEM)")
    key = key or certificate
    if "PRIVATE KEY-----" not in _read(key):
        raise CertificateError(f"{key}: holds no private key that can be read (PEM)")
    try:
        context.load_cert_chain(certificate, key, password=lambda: _no_passphrase(key))
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise CertificateError(f"{key}: is not the key of {certificate}") from None
        raise CertificateError(
            f"{certificate}: cannot be read with the key in {key} (PEM): {error.reason}"
        ) from None
    problem = _problem(_BLOCK.findall(content)[0])
    if problem:
        raise CertificateError(f"{certificate}: {problem}; replace it")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="ignore")  # around the PEM stands any text
    except OSError as error:
        raise CertificateError(f"{file}: {error.strerror}") from error


def _problem(block: str) -> str | None:
    return Validity.of(ssl.PEM_cert_to_DER_cert(block)).problem(datetime.now(UTC))


def _no_passphrase(key: Path) -> str:
    raise CertificateError(f"{key}: is encrypted; give a key without a passphrase")


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of the DER elements that stand one after another."""
    position = 0
    while position < len(der):
        tag, length = der[position], der[position + 1]
        position += 2
        if length & 0x80:
            digits = length & 0x7F
            length = int.from_bytes(der[position : position + digits], "big")
            position += digits
        yield tag, der[position : position + length]
        position += length


def _time(tag: int, content: bytes) -> datetime:
    text = content.decode()
    if tag == _UTC_TIME:
        text = ("20" if int(text[:2]) < _PIVOT_YEAR else "19") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
