"""The client of control's socket: at most once, any number at a time, and a subscription that outlives control."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.display_control import ControlStandIn
from vehicle_agent.control_client import ControlClient, ControlGoneError, Push

SNAPSHOT = {"rev": 7, "at": "2026-11-22T08:00:05.123Z", "phase": "checking"}


@pytest.fixture
def control(tmp_path: Path) -> Iterator[ControlStandIn]:
    with ControlStandIn(tmp_path / "control.sock", SNAPSHOT) as control:
        yield control


def test_answers_reach_those_who_asked(control: ControlStandIn) -> None:
    control.handlers["health"] = lambda request: (200, {"you": request["number"]})

    async def ask() -> None:
        client = ControlClient(control.path)
        answers = await asyncio.gather(*(client.request("health", number=number) for number in range(50)))
        assert [body["you"] for _, body in answers] == list(range(50))
        await client.close()

    asyncio.run(ask())


def test_no_control_is_an_error_at_once(tmp_path: Path) -> None:
    async def ask() -> None:
        with pytest.raises(ControlGoneError):
            await ControlClient(tmp_path / "nothing.sock").request("snapshot")

    asyncio.run(ask())


def test_no_answer_is_an_error_and_nothing_is_sent_again(control: ControlStandIn) -> None:
    control.handlers["command"] = lambda _: None

    async def ask() -> None:
        client = ControlClient(control.path, answer_timeout_s=0.2)
        with pytest.raises(ControlGoneError):
            await client.request("command", name="depart", session=None, body=None)
        assert (await client.request("snapshot"))[0] == 200
        await client.close()

    asyncio.run(ask())
    assert len(control.commands()) == 1


def test_a_lost_connection_fails_what_waits_and_is_opened_anew(control: ControlStandIn) -> None:
    control.handlers["command"] = lambda _: None

    async def ask() -> None:
        client = ControlClient(control.path)
        waiting = asyncio.create_task(client.request("command", name="depart", session=None, body=None))
        await asyncio.to_thread(control.wait_command, "depart")
        await asyncio.to_thread(control.stop)
        with pytest.raises(ControlGoneError):
            await waiting
        await asyncio.to_thread(control.start)
        assert (await client.request("snapshot"))[1] == SNAPSHOT
        await client.close()

    asyncio.run(ask())
    assert len(control.commands()) == 1


def test_a_subscription_says_opened_gone_and_opened_again(control: ControlStandIn) -> None:
    async def watch() -> list[Push]:
        seen: list[Push] = []
        async with asyncio.timeout(10):
            async for push in ControlClient(control.path).subscribe("watch"):
                seen.append(push)
                if push.kind == "tick" and len([p for p in seen if p.kind == "opened"]) == 1:
                    await asyncio.to_thread(control.stop)
                    await asyncio.to_thread(control.start)
                if [p.kind for p in seen].count("opened") == 2:
                    return seen
        return seen

    kinds = [push.kind for push in asyncio.run(watch()) if push.kind != "tick"]
    assert kinds[0] == "opened"
    assert kinds[-1] == "opened"
    assert "gone" in kinds


def test_silence_counts_as_gone(control: ControlStandIn) -> None:
    control.ticking = False

    async def watch() -> list[str]:
        kinds = []
        async with asyncio.timeout(5):
            async for push in ControlClient(control.path).subscribe("watch", silence_s_max=0.2):
                kinds.append(push.kind)
                if len(kinds) == 2:
                    break
        return kinds

    assert asyncio.run(watch()) == ["opened", "gone"]


def test_a_line_over_the_protocol_s_limit_is_never_sent(control: ControlStandIn) -> None:
    async def ask() -> None:
        client = ControlClient(control.path)
        with pytest.raises(ValueError, match="65536"):
            await client.request("command", name="x" * 70_000)
        await client.close()

    asyncio.run(ask())
    assert control.requests == []


@pytest.mark.parametrize("line", ["[]", "not json", "{", "1" * 2_000_000])
def test_a_peer_that_is_not_control_counts_as_gone(tmp_path: Path, line: str) -> None:
    async def talk() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(line.encode() + b"\n")
            writer.close()

        path = tmp_path / "other.sock"
        async with await asyncio.start_unix_server(serve, path):
            with pytest.raises(ControlGoneError):
                await ControlClient(path, answer_timeout_s=2).request("snapshot")
            async for push in ControlClient(path).subscribe("watch"):
                assert push.kind == "gone"
                break

    asyncio.run(talk())
