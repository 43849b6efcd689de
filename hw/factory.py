"""The pin factory, chosen openly: no driver ever stands in silently for another (a wrong one drives wrong wires).

`GPIOZERO_PIN_FACTORY` names the driver, as gpiozero itself reads it; unset means lgpio, on the header's own gpiochip.
"""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from hw.errors import RigError

# What the kernel calls the chip behind the 40-pin header: its number changed between kernels, its label did not.
HEADER_LABELS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")  # Pi 5, Pi 4, Pi 3 and Zero


def open_factory(name: str | None = None) -> Any:
    """Raises RigError that says what to do; never falls back."""
    chosen = name or os.environ.get("GPIOZERO_PIN_FACTORY") or "lgpio"
    try:
        return _lgpio_factory() if chosen == "lgpio" else _registered(chosen)
    except RigError:
        raise
    except Exception as error:
        raise RigError(f"pin factory {chosen!r} does not open: {error!s}. {_advice(chosen)}") from error


def header_chip(lgpio: Any, devices: Path = Path("/dev")) -> int:
    """Number of the gpiochip behind the header, found by its label."""
    seen = []
    for device in sorted(devices.glob("gpiochip*")):
        number = int(device.name.removeprefix("gpiochip"))
        handle = lgpio.gpiochip_open(number)
        try:
            _, _, _, label = lgpio.gpio_get_chip_info(handle)
        finally:
            lgpio.gpiochip_close(handle)
        if label in HEADER_LABELS:
            return number
        seen.append(f"{device.name} {label!r}")
    raise RigError(
        f"no gpiochip is the 40-pin header of a Raspberry Pi ({', '.join(seen) or 'there is none at all'}): "
        f"expected one of {', '.join(HEADER_LABELS)}. On a bench set GPIOZERO_PIN_FACTORY=bench; "
        "on a vehicle check the group `gpio` and DeviceAllow=/dev/gpiochip0 of the unit."
    )


def _lgpio_factory() -> Any:
    if "LG_WD" not in os.environ and not os.access(".", os.W_OK):
        raise RigError(
            f"lgpio makes a pipe in its working directory, and {Path.cwd()} cannot be written: "
            "set WorkingDirectory= of the unit to its RuntimeDirectory, or LG_WD to a directory that can be written"
        )
    import lgpio  # noqa: PLC0415 - importing it makes the pipe, so only where it is used
    from gpiozero.pins.lgpio import LGPIOFactory  # noqa: PLC0415

    return LGPIOFactory(chip=header_chip(lgpio))


def _registered(name: str) -> Any:
    points = {point.name: point for point in entry_points(group="gpiozero_pin_factories")}
    if name not in points:
        raise RigError(f"GPIOZERO_PIN_FACTORY={name} is not installed here; known: {', '.join(sorted(points))}")
    return points[name].load()()


def _advice(name: str) -> str:
    if name == "lgpio":
        return "Install the extra `pi` (lgpio 0.2.2.0), and give the service the group `gpio`."
    return "Is the far side running? GPIOZERO_PIN_FACTORY chooses the driver; unset it on a vehicle."
