"""PIN and sessions: how they are kept, how long they last, and what five wrong PINs cost."""

from __future__ import annotations

import threading
import time

import pytest

from vehicle_agent.control.pin import PinHash, PinHashError, hash_pin, parse_pin_hash
from vehicle_agent.control.sessions import SESSIONS_MAX, Correct, LockedOut, Opened, Sessions, Wrong

HASH = parse_pin_hash(hash_pin("2468"))
SALT = "$c2FsdHNhbHQ=$aGFzaGhhc2hoYXNoaGFzaA=="


class Times:
    def __init__(self) -> None:
        self.now_s = 1000.0


def sessions(times: Times) -> Sessions:
    return Sessions(HASH, session_s=43200.0, wrong_max=5, lockout_s=300.0, mono=lambda: times.now_s)


def token(outcome: object) -> str:
    assert isinstance(outcome, Opened)
    return outcome.token


def test_a_hash_tells_its_pin_from_others_within_a_tenth_of_a_second() -> None:
    assert hash_pin("2468") != hash_pin("2468")
    began_s = time.process_time()
    assert HASH.matches("2468")
    assert time.process_time() - began_s < 0.1
    wrong = ("2469", "", "24680", " 2468", "２４６８", "\ud800", "2" * 65)
    assert not any(HASH.matches(pin) for pin in wrong)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2468",
        "md5$1$2$3" + SALT,
        "scrypt$8191$8$1" + SALT,
        "scrypt$x$8$1" + SALT,
        "scrypt$1048576$8$1" + SALT,
        "scrypt$8192$8$99" + SALT,
        "scrypt$8192$8$1$c2FsdA==$aGFzaGhhc2hoYXNoaGFzaA==",
        "scrypt$8192$8$1$c2FsdHNhbHQ=$???",
    ],
)
def test_a_hash_that_is_not_ours_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(PinHashError, match="vehicle-agent keys pin"):
        parse_pin_hash(text)


def test_several_sessions_last_twelve_hours() -> None:
    times = Times()
    book = sessions(times)
    first, second = token(book.open("2468")), token(book.open("2468"))
    assert first != second
    times.now_s += 43199.0
    assert book.holder(first)
    assert book.holder(second)
    times.now_s += 1.0
    assert not book.holder(first)
    assert not book.holder("")
    assert not book.holder("\ud800")


def test_the_oldest_session_goes_when_there_are_too_many() -> None:
    times = Times()
    book = sessions(times)
    tokens = []
    for _ in range(SESSIONS_MAX + 1):
        times.now_s += 1.0
        tokens.append(token(book.open("2468")))
    assert [book.holder(entry) is not None for entry in tokens] == [False] + [True] * SESSIONS_MAX


def test_five_wrong_pins_lock_everybody_out_for_five_minutes() -> None:
    times = Times()
    book = sessions(times)
    counts = [book.open("0000") for _ in range(5)]
    assert counts == [Wrong(1, None), Wrong(2, None), Wrong(3, None), Wrong(4, None), Wrong(5, 300.0)]
    assert book.open("2468") == LockedOut(300.0)
    times.now_s += 299.0
    assert book.open("2468") == LockedOut(1.0)
    times.now_s += 1.0
    assert isinstance(book.open("2468"), Opened)


def test_a_right_pin_clears_the_count_and_a_session_outlives_a_lockout() -> None:
    book = sessions(Times())
    kept = token(book.open("2468"))
    for _ in range(4):
        book.open("1")
    assert book.check("2468") == Correct()
    assert [book.open("1") for _ in range(5)][-1] == Wrong(5, 300.0)
    assert book.holder(kept)


@pytest.mark.parametrize(
    ("wrong", "locked_for_s", "first"),
    [(4, 0.0, Wrong(5, 300.0)), (0, 120.0, LockedOut(120.0)), (0, 9999.0, LockedOut(300.0)), (0, 0.0, Wrong(1, None))],
)
def test_what_the_journal_knows_is_restored(wrong: int, locked_for_s: float, first: object) -> None:
    book = sessions(Times())
    book.restore(wrong=wrong, locked_for_s=locked_for_s)
    assert book.open("1") == first


def test_wrong_pins_from_many_screens_at_once_are_all_counted() -> None:
    book = sessions(Times())
    outcomes: list[object] = []
    threads = [threading.Thread(target=lambda: outcomes.append(book.open("1"))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(outcome, Wrong) for outcome in outcomes) == 5
    assert sum(isinstance(outcome, LockedOut) for outcome in outcomes) == 7


def test_a_hash_shows_nothing_of_the_pin() -> None:
    assert "2468" not in repr(PinHash(2, 1, 1, b"salt", b"hash"))
