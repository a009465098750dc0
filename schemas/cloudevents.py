"""CloudEvents 1.0 headers in Kafka binary mode.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from __future__ import annotations

from datetime import UTC, datetime

Headers = tuple[tuple[str, bytes], ...]

TYPE_HEADER = "ce_type"
"""Header that says what a message is."""


def cloudevents_headers(*, id: str, type: str, source: str, time: datetime) -> Headers:
    """The header fields of one message; ``source`` and ``id`` together are unique.

    >>> time = datetime(2026, 3, 2, tzinfo=UTC)
    >>> headers = cloudevents_headers(
    ...     id="7", type="wanglou.alert.v1", source="/wanglou/risk", time=time)
    >>> dict(headers)["ce_time"]
    b'2026-03-02T00:00:00Z'
    """
    stamp = time.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return (
        ("ce_specversion", b"1.0"),
        ("ce_id", id.encode()),
        (TYPE_HEADER, type.encode()),
        ("ce_source", source.encode()),
        ("ce_time", stamp.encode()),
        ("content-type", b"application/json"),
    )
