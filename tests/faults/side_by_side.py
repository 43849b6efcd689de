"""Faults played on several vehicles at once, one thread for each vehicle: most of the time each of them waits."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from tests.faults.victim import Victim


def side_by_side(
    vehicles: Sequence[Victim], count: int, play: Callable[[Victim, int], float], name: str
) -> list[float]:
    """What `play` returned for the numbers from 0 to `count`; the first that failed is raised, with its number."""
    numbers: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(count):
        numbers.put(number)
    figures: list[float] = []
    failed: list[tuple[int, Exception]] = []

    def work(victim: Victim) -> None:
        while not failed:
            try:
                number = numbers.get_nowait()
            except queue.Empty:
                return
            try:
                figures.append(play(victim, number))
            except Exception as error:
                failed.append((number, error))
                with suppress(Exception):
                    victim.mend()

    threads = [threading.Thread(target=work, args=(victim,)) for victim in vehicles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        number, error = failed[0]
        raise AssertionError(f"seed '{name} {number}': {type(error).__name__}: {error}") from error
    assert len(figures) == count
    return figures
