"""What the kernel says of its own clock: `adjtimex(2)`, read only."""

from __future__ import annotations

import ctypes

_STA_UNSYNC = 0x0040
_TIME_ERROR = 5
# struct timex of 64-bit Linux: modes, offset, freq, maxerror, esterror, status, then fields that are not needed here.
_TIMEX_BYTES = 208
_UNCERTAINTY_MIN_S = 0.01  # scheduling alone costs that much before a row gets its time


class _Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * _TIMEX_BYTES),
    )


def synchronisation_s() -> float | None:
    """The kernel's own bound of its error in seconds, or None while it is not synchronised or will not say."""
    try:
        adjtimex = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return None
    timex = _Timex()
    state = adjtimex(ctypes.byref(timex))
    if state in (-1, _TIME_ERROR) or timex.status & _STA_UNSYNC:
        return None
    return max(float(timex.maxerror) / 1e6, _UNCERTAINTY_MIN_S)
