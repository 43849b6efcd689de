"""What the uplink gets: every durable row after its cursor, in order, old ones first; never faster than it reads.

Rows come from the file, read by the journal's own thread in small batches, so a long outage costs no memory.
"""

from __future__ import annotations

from typing import Any

from vehicle_agent.control.journal import Journal
from vehicle_agent.control.server import Client, Server

UNSENT_BYTES_PAUSE = 256 * 1024  # a quarter of what would disconnect the client: the rest is left for pushes


class Feeds:
    """Belongs to the server's thread, but for `opened`, which the journal's thread calls."""

    def __init__(self, server: Server, journal: Journal) -> None:
        self._server = server
        self._journal = journal

    def open(self, client: Client, number: object, body: dict[str, Any], notices: dict[str, dict[str, Any]]) -> None:
        """Answer with `body`, the cursor and the notices owed (`notices`: what is known of each), then begin."""

        def ask(store: Any) -> dict[str, Any]:
            rows = store.notice_rows(list(notices))
            return {
                "cursor": store.cursor("events"),
                "notices": [{"row": row, **notices[row["id"]]} for row in rows],
            }

        def answered(result: Any) -> None:
            self._server.call(lambda: self._begin(client, number, body, result))

        self._journal.ask(ask, answered)

    def pump(self) -> None:
        """Give every uplink that keeps up what it has not got yet."""
        for client in self._server.clients():
            if client.feed_from is not None:
                self._pump(client, client.feed_from)

    def _begin(self, client: Client, number: object, body: dict[str, Any], result: Any) -> None:
        client.asked -= 1
        if isinstance(result, Exception):
            error = {"error": "journal_unavailable", "detail": str(result)}
            self._server.send(client, {"id": number, "status": 503, "body": error})
            return
        self._server.send(client, {"id": number, "status": 200, "body": {**body, **result}})
        client.feed_from = result["cursor"] + 1
        self._server.count_watchers()
        self._pump(client, client.feed_from)

    def _pump(self, client: Client, first: int) -> None:
        if client.is_reading_rows or first > self._journal.head.seq or client.unsent_bytes > UNSENT_BYTES_PAUSE:
            return
        client.is_reading_rows = True

        def answered(rows: Any) -> None:
            self._server.call(lambda: self._got(client, rows))

        self._journal.ask(lambda store: store.rows_after(first - 1), answered)

    def _got(self, client: Client, rows: Any) -> None:
        client.is_reading_rows = False
        if isinstance(rows, Exception) or not rows:
            return  # the next turn asks again
        for row in rows:
            self._server.send(client, {"push": "row", "body": row})
        client.feed_from = rows[-1]["seq"] + 1
        self._pump(client, client.feed_from)
