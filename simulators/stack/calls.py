"""One HTTP call to a page of the demo; standard library only, because everything that is started waits for it."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `status` 0: nobody answered, and `body` says why."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.body if isinstance(self.body, str) else json.dumps(self.body, ensure_ascii=False)


def call(
    method: str,
    base: str,
    path: str,
    body: object = None,
    *,
    raw: bytes | None = None,
    headers: dict[str, str] | None = None,
    timeout_s: float = 5.0,
) -> Answer:
    """Send `body` as JSON (or `raw` as it is) and read the answer; never raises for a server that is not there."""
    sent = raw if raw is not None else (None if body is None else json.dumps(body).encode())
    fields = dict(headers or {})
    if sent is not None:
        fields.setdefault("Content-Type", "application/json")
    address = urlsplit(base)
    connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port or 80, timeout=timeout_s)
    try:
        connection.request(method, path, body=sent, headers=fields)
        response = connection.getresponse()
        content = response.read()
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, f"{type(error).__name__}: {error}")
    finally:
        connection.close()
    return Answer(response.status, _parsed(content), {name.lower(): value for name, value in response.getheaders()})


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content.decode(errors="replace")
