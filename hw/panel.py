"""The panel's buttons (Rule 16: the driver's report): a press is a whole gesture, seen from release to release.

Pure, with the time handed in. A press counts when the button lets go, once, and only if the button has been seen
released since the start: a button that is held, jammed or bridged at boot says nothing, ever.
"""

from __future__ import annotations

from dataclasses import dataclass, field

BUTTONS = ("driver_ready", "driver_stop", "body_count", "alarm_button")

HOLD_MIN_S = 0.05  # shorter is contact bounce or a knock
SHORT_MAX_S = 3.0  # a press; from here to LONG_MAX_S it is a long one
LONG_MAX_S = 8.0
STUCK_S = 10.0
RELEASE_MIN_S = 0.03  # a worn contact may open this long in the middle of a press, which must not make two of it
GAP_MAX_S = 0.5  # nobody looked for this long: the button may have been let go meanwhile, so the press is void
SAMPLING_S = 0.005  # half a step of the samples: a press measured this much shorter may have been a legal one
_SLACK_S = 5e-7  # sums of 10 ms steps are no exact binary fractions


@dataclass(frozen=True, slots=True)
class Press:
    button: str
    hold_s: float

    @property
    def is_long(self) -> bool:
        return self.hold_s > SHORT_MAX_S + _SLACK_S


@dataclass(slots=True)
class _Button:
    armed: bool = False  # seen released since the start, or since an unreadable spell
    pressed_at_s: float | None = None
    released_at_s: float | None = None  # first sample of a release that is not yet believed
    seen_at_s: float | None = None
    stuck: bool = False

    def update(self, is_pressed: bool | None, at_s: float) -> float | None:
        """The hold in seconds of a press that has just ended, else None."""
        gap = self.seen_at_s is not None and at_s - self.seen_at_s > GAP_MAX_S
        self.seen_at_s = at_s
        if is_pressed is None:
            self.armed, self.pressed_at_s, self.released_at_s = False, None, None
            return None
        if gap:
            self.armed = False
            # The time of a jammed button goes on: a gap must not hide that it is stuck.
            self.released_at_s = None
        if is_pressed:
            self.released_at_s = None
            if self.pressed_at_s is None:
                self.pressed_at_s = at_s
            self.stuck = self.stuck or at_s - self.pressed_at_s > STUCK_S + _SLACK_S
            return None
        return self._released(at_s)

    def _released(self, at_s: float) -> float | None:
        if self.released_at_s is None:
            self.released_at_s = at_s
        if at_s - self.released_at_s < RELEASE_MIN_S - _SLACK_S:
            return None
        hold_s = None if self.pressed_at_s is None else self.released_at_s - self.pressed_at_s
        if hold_s is not None and not HOLD_MIN_S - SAMPLING_S <= hold_s <= LONG_MAX_S + _SLACK_S:
            hold_s = None
        counted = max(hold_s, HOLD_MIN_S) if hold_s is not None and self.armed and not self.stuck else None
        self.armed, self.pressed_at_s, self.stuck = True, None, False
        return counted


@dataclass(slots=True)
class Panel:
    names: tuple[str, ...] = BUTTONS
    _buttons: dict[str, _Button] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._buttons = {name: _Button() for name in self.names}

    def update(self, is_pressed: dict[str, bool | None], at_s: float) -> tuple[Press, ...]:
        """One sample of every button; the presses that this sample completes, each told once."""
        presses = []
        for name, button in self._buttons.items():
            hold_s = button.update(is_pressed.get(name), at_s)
            if hold_s is not None:
                presses.append(Press(name, hold_s))
        return tuple(presses)

    @property
    def stuck(self) -> frozenset[str]:
        """Buttons held for longer than `STUCK_S`, until they let go."""
        return frozenset(name for name, button in self._buttons.items() if button.stuck)
