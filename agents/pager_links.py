"""Links to acknowledge a case: signed, and good for some hours."""

from __future__ import annotations

import hashlib

from itsdangerous import URLSafeTimedSerializer

from wanglou.agents.settings import PagerSettings

SALT = "wanglou.acknowledge"


class Links:
    """Makes and reads links; the signature is HMAC-SHA-256."""

    def __init__(self, url: str, key: str, hours: float) -> None:
        self._url = url.rstrip("/")
        self._signer = URLSafeTimedSerializer(
            key, salt=SALT, signer_kwargs={"digest_method": hashlib.sha256}
        )
        self._seconds = hours * 3600

    def link(self, event_id: str, alert_id: str) -> str:
        """The link of an alert."""
        return f"{self._url}/ack/{self._signer.dumps([event_id, alert_id])}"

    def read(self, token: str) -> tuple[str, str]:
        """Event and alert. Raises ``SignatureExpired`` and ``BadSignature``."""
        event_id, alert_id = self._signer.loads(token, max_age=int(self._seconds))
        return str(event_id), str(alert_id)


def new_links(settings: PagerSettings) -> Links | None:
    """The links of a pager, None if people cannot reach its pages."""
    if settings.url is None:
        return None
    return Links(settings.url, settings.load_link_key(), settings.link_hours)
