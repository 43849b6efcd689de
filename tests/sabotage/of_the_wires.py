"""Sabotages between the wires and the core, and around the core: drivers, control, the display's guard, signatures."""

from __future__ import annotations

from tests.sabotage.patching import Sabotage

LOOPS = "tests/contract/test_loops.py::"
PULSE_GAP = "tests/contract/test_pulse_gap.py::"
PANEL = "tests/contract/test_panel.py::"
RIG = "tests/contract/test_rig.py::"
REFUSALS = "tests/contract/test_rig_refusals.py::"
SESSIONS = "tests/contract/test_sessions.py::"
CONTROL = "tests/integration/test_control_gate.py::"
KILLS = "tests/faults/test_kills.py::test_H06_H07_boarding_ends_and_only_a_person_opens_it_again"
DISPLAY = "tests/integration/test_display_http.py::"

SABOTAGES = (
    Sabotage(
        "widen the band of locked",
        "H02",
        "hw/loops.py",
        "(650, 860, Loop.LOCKED)",
        "(300, 2149, Loop.LOCKED)",
        (LOOPS + "test_H02_no_leak_from_one_kilohm_up_makes_an_open_state_read_locked",),
    ),
    Sabotage(
        "a cut reads as locked",
        "H02",
        "hw/loops.py",
        "(3851, 4095, Loop.CUT)",
        "(3851, 4095, Loop.LOCKED)",
        (LOOPS + "test_H02_a_cut_and_a_short_are_never_a_door_state",),
    ),
    Sabotage(
        "no implausible levels",
        "H02",
        "hw/loops.py",
        "    return Loop.IMPLAUSIBLE\n\n\ndef counts_of",
        "    return Loop.LOCKED\n\n\ndef counts_of",
        (LOOPS + "test_each_band_ends_where_the_wiring_page_says",),
    ),
    Sabotage(
        "a pair without discrepancy",
        "H02",
        "hw/loops.py",
        "                self._latched = True\n",
        "                pass\n",
        (LOOPS + "test_H02_a_pair_that_disagrees_is_implausible_after_half_a_second",),
    ),
    Sabotage(
        "a latched pair forgets without a switch test",
        "H03",
        "hw/loops.py",
        "if self._latched and state is Loop.LOCKED:",
        "if False:",
        (LOOPS + "test_H03_a_latched_disagreement_ends_only_through_the_open_state",),
    ),
    Sabotage(
        "count at the press, not at the release",
        "H24",
        "hw/panel.py",
        "                self.pressed_at_s = at_s\n",
        "                self.pressed_at_s = at_s\n                return HOLD_MIN_S\n",
        (PANEL + "test_H24_every_press_shape_up_to_twelve_seconds_makes_exactly_one_event_if_it_is_legal",),
    ),
    Sabotage(
        "a stuck button is a press when it lets go",
        "H24",
        "hw/panel.py",
        "if hold_s is not None and not HOLD_MIN_S - SAMPLING_S <= hold_s <= LONG_MAX_S + _SLACK_S:",
        "if hold_s is not None and not HOLD_MIN_S - SAMPLING_S <= hold_s:",
        (PANEL + "test_H24_every_press_shape_up_to_twelve_seconds_makes_exactly_one_event_if_it_is_legal",),
    ),
    Sabotage(
        "a button held since the start counts",
        "H24",
        "hw/panel.py",
        "    armed: bool = False ",
        "    armed: bool = True ",
        (PANEL + "test_H24_a_button_held_since_the_start_says_nothing",),
    ),
    Sabotage(
        "bounce makes presses",
        "H24",
        "hw/panel.py",
        "RELEASE_MIN_S = 0.03 ",
        "RELEASE_MIN_S = 0.0 ",
        (PANEL + "test_H24_a_contact_that_opens_for_a_moment_makes_no_second_press",),
    ),
    Sabotage(
        "a contact between closed and open is closed",
        "H02",
        "hw/contacts.py",
        "if counts is None or CLOSED_MAX_COUNTS < counts < OPEN_MIN_COUNTS:\n        return None\n",
        "if counts is None:\n        return None\n",
        (REFUSALS + "test_a_contact_level_between_closed_and_open_is_unknown",),
    ),
    Sabotage(
        "ignore the converter's reference",
        "H02",
        "hw/adc.py",
        "return counts is not None and abs(counts - REFERENCE_COUNTS) <= REFERENCE_TOLERANCE",
        "return True",
        (REFUSALS + "test_H02_a_dead_converter_makes_its_chip_unknown",),
    ),
    Sabotage(
        "what cannot be read is closed",
        "H01",
        "hw/rig.py",
        '            faults.append(f"{name}: {error!s}")\n            return None\n',
        '            faults.append(f"{name}: {error!s}")\n            return True\n',
        (REFUSALS + "test_H01_a_bench_that_dies_leaves_nothing_known",),
    ),
    Sabotage(
        "the permit goes last",
        "H05",
        "hw/outputs.py",
        "for level, name in sorted(changed):",
        "for level, name in sorted(changed, reverse=True):",
        (RIG + "test_only_changes_are_written_and_released_lines_go_first",),
    ),
    Sabotage(
        "two samples at once after a hang",
        "H06",
        "vehicle_agent/control/timing.py",
        "return max(now_s, began_s + SCAN_S)",
        "return now_s",
        ("tests/contract/test_scan_timing.py::test_H06_after_a_hang_the_wires_get_a_whole_period_between_two_samples",),
    ),
    Sabotage(
        "PINs without a limit",
        "H35",
        "vehicle_agent/control/sessions.py",
        "            if count < self._wrong_max:\n",
        "            if count < 1000:\n",
        (SESSIONS + "test_five_wrong_pins_lock_everybody_out_for_five_minutes",),
    ),
    Sabotage(
        "any PIN is right",
        "H35",
        "vehicle_agent/control/sessions.py",
        "if self._pin_hash.matches(pin):",
        "if pin:",
        (SESSIONS + "test_five_wrong_pins_lock_everybody_out_for_five_minutes",),
    ),
    Sabotage(
        "the gate is not told of a broken journal",
        "H13",
        "vehicle_agent/control/loop.py",
        "journal_ok=self.is_live and self.journal_problem() is None,",
        "journal_ok=True,",
        (CONTROL + "test_H18_a_failing_disk_revokes_refuses_and_loses_nothing",),
    ),
    Sabotage(
        "decide on a view that is no longer true",
        "H27",
        "vehicle_agent/control/counter.py",
        'elif request.fields["rev"] != self._control.view.rev:',
        "elif False:",
        ("tests/integration/test_control_socket.py::test_H27_commands_are_checked_in_the_contracts_order",),
    ),
    Sabotage(
        "the pulse from a timer's thread",
        "H06",
        "vehicle_agent/control/loop.py",
        "        self._pulsed_at_s = before_s if is_made else None\n",
        """        self._pulsed_at_s = before_s if is_made else None
        if not hasattr(self, "_beat"):
            import threading
            import time

            def beat() -> None:
                while True:
                    time.sleep(SCAN_S)
                    self._is_pulsed = self._levels["permit_enable"] and not self._is_pulsed
                    self._rig.write({"permit_pulse": self._is_pulsed})

            self._beat = threading.Thread(target=beat, daemon=True)
            self._beat.start()
""",
        (KILLS + "[deadlock-8]",),
    ),
    Sabotage(
        "no look at the clock before the pulse's edge",
        "H07",
        "hw/outputs.py",
        "            if mono() > by_s:\n",
        "            if False:\n",
        (PULSE_GAP + "test_H06_H07_one_who_is_held_up_at_the_line_makes_no_edge_or_ends_the_permit_with_it",),
    ),
    Sabotage(
        "no look at the clock after the pulse's edge",
        "H07",
        "hw/outputs.py",
        "        return mono() <= by_s\n",
        "        return True\n",
        (PULSE_GAP + "test_H06_H07_one_who_is_held_up_at_the_line_makes_no_edge_or_ends_the_permit_with_it",),
    ),
    Sabotage(
        "a clock that was set is called synchronised until the next poll",
        "H11",
        "vehicle_agent/control/clock.py",
        "return abs(system_offset_s - self._polled_offset_s) >= SET_S",
        "return False",
        ("tests/contract/test_clock.py::test_H11_what_the_kernel_said_of_a_clock_that_was_set_since_is_not_believed",),
    ),
    Sabotage(
        "all that is owed in one line",
        "H08",
        "vehicle_agent/control/feed.py",
        "OWED_A_LINE = 100 ",
        "OWED_A_LINE = 100_000 ",
        ("tests/integration/test_control_owed.py::test_H08_thousands_of_notices_that_nobody_confirms_are_all_told",),
    ),
    Sabotage(
        "copies of a notice count as a flood",
        "H09",
        "vehicle_agent/dispatch/inbox.py",
        "if delivery.payload in waiting:",
        "if False:",
        ("tests/contract/test_inbox.py::test_H09_after_an_absence_the_copies_of_one_notice_are_one_and_no_flood",),
    ),
    Sabotage(
        "a start forgets the numbers of settled notices",
        "H10",
        "vehicle_agent/control/past.py",
        "if notice in self._newest.values():",
        "if False:",
        ("tests/contract/test_journal_past.py::test_H08_what_a_start_folds_gives_the_trip_of_all_rows",),
    ),
    Sabotage(
        "older positions go while control may have recorded a notice",
        "H17",
        "vehicle_agent/uplink/outbox.py",
        "self._is_loaded = False\n\n    def load",
        "pass\n\n    def load",
        ("tests/integration/test_uplink_parts.py::test_H17_older_positions_wait_for_every_notice_that_may_be_owed",),
    ),
    Sabotage(
        "the watchdog is fed from a thread of its own",
        "H06",
        "vehicle_agent/control/loop.py",
        "        if are_alive and at_s - self._watchdog_at_s >= WATCHDOG_S:\n",
        """        if not hasattr(self, "_feeder"):
            import threading
            import time

            def feed() -> None:
                while True:
                    time.sleep(WATCHDOG_S)
                    notify("WATCHDOG=1")

            self._feeder = threading.Thread(target=feed, daemon=True)
            self._feeder.start()
        if are_alive and at_s - self._watchdog_at_s >= WATCHDOG_S:
""",
        (KILLS + "[deadlock-8]",),
    ),
    Sabotage(
        "pages of other sites are served",
        "H29",
        "vehicle_agent/web/guard.py",
        'if any(value not in self._origins for name, value in headers if name == b"origin"):',
        "if False:",
        (DISPLAY + "test_H29_hosts_and_origins",),
    ),
    Sabotage(
        "any name of this computer is served",
        "H29",
        "vehicle_agent/web/guard.py",
        "if len(hosts) != 1 or hosts[0] not in self._hosts:",
        "if len(hosts) != 1:",
        (DISPLAY + "test_H29_hosts_and_origins",),
    ),
    Sabotage(
        "any signature is good",
        "H28",
        "vehicle_agent/messages/jws.py",
        'key.verify(signature, f"{protected}.{body}".encode("ascii"))',
        "pass",
        ("tests/contract/test_messages_codec.py",),
    ),
)
