"""What the uplink gets: every durable row after its cursor, in order, old ones first; never faster than it reads.

Rows come from the file, read by the journal's own thread in small batches, so a long outage costs no memory.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from vehicle_agent.control.journal import Journal
from vehicle_agent.control.server import Client, Server

UNSENT_BYTES_PAUSE = 256 * 1024  # a quarter of what would disconnect the client: the rest is left for pushes
OWED_A_LINE = 100  # notices; a row of one has a kibibyte, and no peer reads a line of more than one mebibyte

Owed = dict[str, dict[str, Any]]  # notice -> what is known of it


class Feeds:
    """Belongs to the server's thread, but for `opened`, which the journal's thread calls."""

    def __init__(self, server: Server, journal: Journal) -> None:
        self._server = server
        self._journal = journal

    def open(self, client: Client, number: object, body: dict[str, Any], notices: Owed) -> None:
        """Answer with `body`, the cursor and the first of the notices owed; `more` follow as pushes, then the rows.

        A unit without a desk confirms nothing for months: what is owed may be more than one line holds.
        """
        page, rest = _split(notices)

        def ask(store: Any) -> dict[str, Any]:
            return {"cursor": store.cursor("events"), "notices": _entries(store, page), "more": len(rest)}

        def answered(result: Any) -> None:
            self._server.call(lambda: self._begin(client, number, body, result, rest))

        self._journal.ask(ask, answered)

    def pump(self) -> None:
        """Give every uplink that keeps up what it has not got yet."""
        for client in self._server.clients():
            if client.feed_from is not None:
                self._pump(client)

    def _begin(self, client: Client, number: object, body: dict[str, Any], result: Any, rest: Owed) -> None:
        client.asked -= 1
        if isinstance(result, Exception):
            error = {"error": "journal_unavailable", "detail": str(result)}
            self._server.send(client, {"id": number, "status": 503, "body": error})
            return
        self._server.send(client, {"id": number, "status": 200, "body": {**body, **result}})
        client.owed, client.feed_from = rest, result["cursor"] + 1
        self._server.count_watchers()
        self._pump(client)

    def _pump(self, client: Client) -> None:
        first = client.feed_from or 0
        is_idle = not client.owed and first > self._journal.head.seq
        if client.is_reading_rows or is_idle or client.unsent_bytes > UNSENT_BYTES_PAUSE:
            return
        client.is_reading_rows = True
        if client.owed:
            page, rest = _split(client.owed)
            self._journal.ask(
                lambda store: _entries(store, page),
                lambda found: self._server.call(lambda: self._told(client, found, rest)),
            )
        else:
            self._journal.ask(
                lambda store: store.rows_after(first - 1),
                lambda rows: self._server.call(lambda: self._got(client, rows)),
            )

    def _told(self, client: Client, entries: Any, rest: Owed) -> None:
        client.is_reading_rows = False
        if isinstance(entries, Exception):
            return  # the next turn asks again
        self._server.send(client, {"push": "owed", "body": {"notices": entries, "more": len(rest)}})
        client.owed = rest
        self._pump(client)

    def _got(self, client: Client, rows: Any) -> None:
        client.is_reading_rows = False
        if isinstance(rows, Exception) or not rows:
            return  # the next turn asks again
        for row in rows:
            self._server.send(client, {"push": "row", "body": row})
        client.feed_from = rows[-1]["seq"] + 1
        self._pump(client)


def _split(notices: Owed) -> tuple[Owed, Owed]:
    """One line's worth, and the rest."""
    entries = iter(notices.items())
    return dict(islice(entries, OWED_A_LINE)), dict(entries)


def _entries(store: Any, notices: Owed) -> list[dict[str, Any]]:
    return [{"row": row, **notices[row["id"]]} for row in store.notice_rows(list(notices))]
