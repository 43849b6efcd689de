"""NMEA bytes to fixes: framer, validator, epochs and trust in a row (hazards H12, H21, H23).

Used alike by the driver on the wire and by `vehicle-agent gnss` on a recording; nothing that bytes can contain makes it
raise.
"""

from __future__ import annotations

from dataclasses import dataclass

from hw.epoch import EpochBuilder
from hw.fix import Fix, Trust, TrustLimits
from hw.framer import Framer
from hw.nmea_fields import NmeaError, parse


@dataclass(slots=True)
class Counts:
    """Since the start; shown by the doctor and the metrics."""

    sentences: int = 0
    rejected: int = 0
    skipped_bytes: int = 0
    fixes: int = 0


class NmeaReader:
    def __init__(self, limits: TrustLimits, *, eager: bool = True) -> None:
        self._eager = eager
        self._trust = Trust(limits)
        self.reset()
        self.counts = Counts()

    def reset(self) -> None:
        """The wire was opened anew: half an epoch is void, what was believed before is still compared with."""
        self._framer = Framer()
        self._builder = EpochBuilder(eager=self._eager)

    def feed(self, data: bytes, at_s: float) -> list[Fix]:
        """`at_s` is the monotonic time at which `data` was read."""
        fixes: list[Fix] = []
        for line in self._framer.feed(data, at_s):
            self.counts.sentences += 1
            try:
                sentence = parse(line)
            except NmeaError:
                self.counts.rejected += 1
                continue
            fixes += [self._trust.judge(epoch) for epoch in self._builder.feed(sentence, at_s)]
        self.counts.skipped_bytes += self._framer.take_skipped()
        self.counts.fixes += len(fixes)
        return fixes

    def end(self) -> list[Fix]:
        """End of input: what the last epoch had so far."""
        return [self._trust.judge(epoch) for epoch in self._builder.end()]
