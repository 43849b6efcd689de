"""The broker's certificate, judged by the best time that anybody here has (Rule 19; hazards H11, H31).

A computer without a battery wakes up in 1970, one with a bad battery in 2046, and for both every certificate is out of
date. Notices must get out all the same, so dates are judged by control's time when a receiver or NTP vouches for it,
and by nobody otherwise. Chain and host name are always checked. What that gives away: somebody who holds the key of an
expired broker certificate may stand between, see positions and withhold notices. He can confirm none: receipts are
signed.
"""

from __future__ import annotations

import logging
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

log = logging.getLogger(__name__)

NO_CHECK_TIME = ssl.VerifyFlags(0x200000)  # OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python has no name for
SAME_TIME_S = 86_400.0  # certificates count in days


class DatesError(ssl.SSLError):
    """The broker's certificate is genuine and not of this time."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Opens TLS for one connection; `trusted_utc` is None while nobody vouches for any time."""

    trusted_utc: datetime | None

    @property
    def _is_system_right(self) -> bool:
        trusted = self.trusted_utc
        return trusted is not None and abs(trusted.timestamp() - time.time()) < SAME_TIME_S

    def context(self, ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
        """TLS 1.2 or newer; the files are read anew for each connection, so a renewed one is used."""
        context = ssl.create_default_context(cafile=str(ca) if ca else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if not self._is_system_right:
            context.verify_flags |= NO_CHECK_TIME
            if self.trusted_utc is None:
                log.warning("no trusted time: the dates of the broker's certificate are not looked at")
        if certificate is not None:
            context.load_cert_chain(certificate, key)
        return context

    def check_dates(self, channel: ssl.SSLSocket) -> None:
        """Raises DatesError, where the library could not look at the dates and somebody knows the time."""
        if self.trusted_utc is None or self._is_system_right:
            return
        found = channel.getpeercert() or {}
        first, last = (
            datetime.fromtimestamp(ssl.cert_time_to_seconds(str(found[name])), UTC)
            for name in ("notBefore", "notAfter")
        )
        if not first <= self.trusted_utc <= last:
            raise DatesError(f"the broker's certificate is valid from {first} to {last}, and it is {self.trusted_utc}")
