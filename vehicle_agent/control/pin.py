"""The commander's PIN as it is kept: salted and stretched with scrypt, never in the clear."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from dataclasses import dataclass

_N = 2**13  # 8 MiB and some 25 ms here, about 100 ms on a Raspberry Pi 4: five tries and a lockout are the defence
_R = 8
_P = 1
_N_MAX = 2**17  # a longer check would hold up the commander at the vehicle's door
_PIN_LENGTH_MAX = 64


class PinHashError(ValueError):
    """The configured PIN hash is not one of ours. The text says what to do."""


@dataclass(frozen=True, slots=True)
class PinHash:
    """One parsed hash; `matches` takes some tens of milliseconds and belongs on no thread that serves the wires."""

    n: int
    r: int
    p: int
    salt: bytes
    hash: bytes

    def matches(self, pin: str) -> bool:
        """Whether this is the PIN."""
        if not 0 < len(pin) <= _PIN_LENGTH_MAX:
            return False
        return hmac.compare_digest(_stretch(pin, self.salt, (self.n, self.r, self.p), len(self.hash)), self.hash)


def hash_pin(pin: str) -> str:
    """The text for `commander.pin_hash`: `scrypt$n$r$p$salt$hash`, salt and hash in base64."""
    salt = os.urandom(16)
    made = _stretch(pin, salt, (_N, _R, _P), 32)
    return f"scrypt${_N}${_R}${_P}${_text(salt)}${_text(made)}"


def parse_pin_hash(text: str) -> PinHash:
    """Raises PinHashError for anything that `hash_pin` would not have made."""
    try:
        scheme, n, r, p, salt, made = text.split("$")
        parsed = PinHash(
            int(n), int(r), int(p), base64.b64decode(salt, validate=True), base64.b64decode(made, validate=True)
        )
    except (ValueError, binascii.Error) as error:
        raise PinHashError(
            "commander.pin_hash is not `scrypt$n$r$p$salt$hash`: make it with `vehicle-agent keys pin`"
        ) from error
    is_power = parsed.n > 1 and parsed.n & (parsed.n - 1) == 0
    if (
        scheme != "scrypt"
        or not is_power
        or parsed.n > _N_MAX
        or not (1 <= parsed.r <= 16 and 1 <= parsed.p <= 4)
        or not (len(parsed.salt) >= 8 and 16 <= len(parsed.hash) <= 64)
    ):
        raise PinHashError(
            f"commander.pin_hash has parameters out of range (n a power of two up to {_N_MAX}, r 1..16, p 1..4): "
            "make it with `vehicle-agent keys pin`"
        )
    return parsed


def _stretch(pin: str, salt: bytes, cost: tuple[int, int, int], length: int) -> bytes:
    n, r, p = cost
    return hashlib.scrypt(
        pin.encode(errors="surrogatepass"), salt=salt, n=n, r=r, p=p, maxmem=128 * n * r * p + 2**20, dklen=length
    )


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
