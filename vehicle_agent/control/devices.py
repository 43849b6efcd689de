"""The serial devices beside the wires: receiver and radio, started after the first scan, in their own threads."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
from typing import TYPE_CHECKING

from vehicle_agent.control.wiring import core_fix, core_radio
from vehicle_agent.core.inputs import Fix, Radio

if TYPE_CHECKING:
    from hw.gnss import GnssReceiver
    from hw.radio import RadioHealth, RadioStation
    from vehicle_agent.config import GnssTable, RadioTable

log = logging.getLogger("devices")


class Devices:
    """Read by the scan thread; a device that is not configured, or not started yet, says nothing."""

    def __init__(self, gnss: GnssTable | None, radio: RadioTable | None) -> None:
        self._gnss_table = gnss
        self._radio_table = radio
        self._gnss: GnssReceiver | None = None
        self._radio: RadioStation | None = None
        self._fix: Fix | None = None
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)  # open as long as the process: threads write to it
        self._health: RadioHealth | None = None
        self._radio_reading: Radio | None = None

    def start(self) -> None:
        """Begin in a thread: importing the drivers takes longer than a scan lasts."""
        threading.Thread(target=self._start, name="devices", daemon=True).start()

    def stop(self) -> None:
        """Close the ports."""
        for device in (self._gnss, self._radio):
            if device is not None:
                device.stop()

    def wait(self, span_s: float) -> bool:
        """Sleep until a fix comes, which is True, or the time is over."""
        if not select.select([self._wake], [], [], span_s)[0]:
            return False
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        return True

    def fixes(self) -> list[Fix]:
        """Every epoch since the last call, oldest first."""
        if self._gnss is None:
            return []
        found = [core_fix(fix) for fix in self._gnss.drain()]
        if found:
            self._fix = found[-1]
        return found

    def fix(self) -> Fix | None:
        """The newest epoch that `fixes` gave."""
        return self._fix

    def radio(self) -> Radio | None:
        """The newest round of the radio's answers; the same object until there is a newer one."""
        health = self._radio.latest() if self._radio is not None else None
        if health is not self._health:
            self._health = health
            self._radio_reading = None if health is None else core_radio(health)
        return self._radio_reading

    def _has_fix(self) -> None:
        os.eventfd_write(self._wake, 1)

    def _start(self) -> None:
        try:
            if self._gnss_table is not None:
                from hw.gnss import GnssReceiver  # noqa: PLC0415 (see `start`)

                table = self._gnss_table
                gnss = GnssReceiver(
                    str(table.port),
                    table.baud,
                    satellites_min=table.satellites_min,
                    hdop_max=table.hdop_max,
                    on_fix=self._has_fix,
                )
                gnss.start()
                self._gnss = gnss
            if self._radio_table is not None:
                from hw.radio import RadioStation  # noqa: PLC0415 (see `start`)

                radio = RadioStation(str(self._radio_table.port), self._radio_table.baud, self._radio_table.poll_s)
                radio.start()
                self._radio = radio
        except Exception:
            log.exception("a serial device could not be started: it stays unknown, and unknown never permits")
