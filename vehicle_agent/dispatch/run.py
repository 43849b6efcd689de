"""`dispatch-desk run`: puts the desk together and serves it until SIGTERM.

The desk's thread works on the register, the library's thread on the broker, this one on the pages. The broker is asked
for messages only when everything that keeps them is ready.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from vehicle_agent.config import DeskConfig
from vehicle_agent.dispatch import clock
from vehicle_agent.dispatch.board import EARLIEST_PLAUSIBLE, Board
from vehicle_agent.dispatch.desk import Changes, Desk
from vehicle_agent.dispatch.flood import WINDOW_S, AlarmRate
from vehicle_agent.dispatch.hub import Hub
from vehicle_agent.dispatch.inbox import Inbox
from vehicle_agent.dispatch.intake import Keyring
from vehicle_agent.dispatch.link import Link
from vehicle_agent.dispatch.model import Reason, Refusal
from vehicle_agent.dispatch.register import Register
from vehicle_agent.dispatch.store import Store
from vehicle_agent.dispatch.web import Parts, build
from vehicle_agent.messages.jws import FileSigner
from vehicle_agent.messages.limits import MessageError
from vehicle_agent.notify import notify
from vehicle_agent.web.guard import Guard
from vehicle_agent.web.server import Server

log = logging.getLogger(__name__)

WEDGED_AFTER_S = 1.5  # the desk's thread stamps twice a second; without its stamp no page gets a tick


class CannotStartError(Exception):
    """The desk cannot start; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Running:
    """The parts of a desk that is put together but not started."""

    desk: Desk
    link: Link
    hub: Hub
    store: Store
    app: Guard


def run(config: DeskConfig, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `announce` gets the page's address when it can be opened."""
    with _listen(config.desk.host, config.desk.port) as listener:
        port = listener.getsockname()[1]
        parts = _assemble(config, port)
        working = threading.Thread(target=parts.desk.run, name="desk")
        working.start()
        try:
            asyncio.run(_serve(parts, listener, lambda: announce(f"http://{_authority(config.desk.host, port)}")))
        finally:
            parts.link.stop()
            parts.desk.stop()
            working.join()
            parts.store.close()


def _assemble(config: DeskConfig, port: int) -> Running:
    units = config.desk.units
    keyring, signers = _keys(config)
    store = Store(config.desk.database)
    if store.moved_aside:
        lost = Refusal(Reason.REGISTER_DAMAGED, detail=str(store.moved_aside))
        with store.transaction():
            store.add_refusal(lost, clock.to_text(clock.now_utc()))
        log.critical("the register was damaged; it lies at %s and a new one was begun", store.moved_aside)
    register = Register(config.desk.database)
    board = Board(keyring.vehicles, register.reports())
    rate = AlarmRate(_raised_lately(register))
    inbox = Inbox(frozenset(units), keyring.vehicles)

    # The parts call each other; these two names are filled below, before anything runs.
    def publish(topic: str, payload: bytes) -> int | None:
        return link.publish(topic, payload)

    def changed(changes: Changes) -> None:
        hub.changed(changes)

    desk = Desk(
        store=store,
        inbox=inbox,
        keyring=keyring,
        signers=signers,
        board=board,
        rate=rate,
        publish=publish,
        on_change=changed,
    )
    link = Link(config.broker, units, inbox, desk.link_changed, desk.puback)
    health = _health(desk, link, rate, clock.mono_s())
    hub = Hub(register, board, lambda: health() if clock.mono_s() - desk.stamp_s <= WEDGED_AFTER_S else None)
    app = build(Parts(desk, register, board, hub, units, config.desk.language, health))
    return Running(desk, link, hub, store, Guard(app, _hosts(config.desk.host, port)))


def _keys(config: DeskConfig) -> tuple[Keyring, dict[str, FileSigner]]:
    try:
        keyring = Keyring.load(config.vehicle)
        signers = {entry.unit: FileSigner.load(entry.key, entry.kid) for entry in config.signing}
    except MessageError as error:
        raise CannotStartError(error.detail) from error
    for unit in config.desk.units:
        if unit not in signers or not signers[unit].kid.startswith(f"{unit}/"):
            raise CannotStartError(f'unit {unit} has no signing key of its own; add [[signing]] with kid = "{unit}/1"')
    return keyring, signers


def _raised_lately(register: Register) -> list[tuple[str, str, float]]:
    """What an earlier run of this program was told within the window; as old as it was when it came, or older."""
    now_s, now_utc = clock.mono_s(), clock.now_utc()
    found = []
    for row in register.alarms_raised(clock.to_text(now_utc - timedelta(seconds=WINDOW_S))):
        moments = [clock.from_text(row[name]) for name in ("time", "received_at")]
        # A vehicle without a clock says a time long gone: then it counts from when it came.
        known = [moment for moment in moments if moment is not None and moment >= EARLIEST_PLAUSIBLE]
        oldest = min(known, default=now_utc)
        found.append((row["id"], row["vehicle"], now_s - max(0.0, (now_utc - oldest).total_seconds())))
    return found


def _health(desk: Desk, link: Link, rate: AlarmRate, started_s: float) -> Callable[[], dict[str, Any]]:
    def health() -> dict[str, Any]:
        now_s = clock.mono_s()
        is_working = now_s - desk.stamp_s <= WEDGED_AFTER_S
        problem = desk.problem if is_working else f"the desk has not moved for {now_s - desk.stamp_s:.0f} s"
        return {
            "status": "ok" if problem is None and link.is_connected else "degraded",
            "at": clock.to_text(clock.now_utc()),
            "uptime_s": round(now_s - started_s, 1),
            "problem": problem,
            "broker": {
                "connected": link.is_connected,
                "problem": link.problem,
                "for_s": round(now_s - link.since_s, 1),
            },
            "alarms": rate.look(now_s),
        }

    return health


def _listen(host: str, port: int) -> socket.socket:
    address = "127.0.0.1" if host == "localhost" else host
    if not ipaddress.ip_address(address).is_loopback:
        raise CannotStartError(f"[desk] host = {host}: only a loopback address such as 127.0.0.1 is allowed")
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
    except OSError as error:
        listener.close()
        raise CannotStartError(f"{host} port {port}: {error.strerror}; is another desk running?") from error
    return listener


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _hosts(host: str, port: int) -> frozenset[str]:
    names = {"127.0.0.1", "localhost", host}
    hosts = {_authority(name, port) for name in names}
    return frozenset(hosts | names if port == 80 else hosts)  # browsers leave out port 80


async def _serve(parts: Running, listener: socket.socket, ready: Callable[[], None]) -> None:
    def begin() -> None:
        parts.link.start()
        notify("READY=1")
        ready()

    server = Server(parts.app, parts.hub.close, begin)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stopping.set)
    fanning_out = asyncio.create_task(parts.hub.run(), name="hub")
    fanning_out.add_done_callback(lambda _ended: server.stopping.set())  # it may not end before the server
    try:
        await server.serve(sockets=[listener])
    finally:
        notify("STOPPING=1")
        fanning_out.cancel()
        await asyncio.gather(fanning_out, return_exceptions=True)
