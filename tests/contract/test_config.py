"""A configuration is taken whole or refused with everything that is wrong in it (H02, H04, H33, H34, H35, H39)."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from hw.plan import Plan
from hw.rig import RigSpec
from tests.contract.config_files import DESK, FILES, REFERENCE, changed, tree, write
from vehicle_agent.config import ConfigError, core_settings, load_config, load_desk, wiring_sha256
from vehicle_agent.config_checks import INPUTS, OUTPUTS
from vehicle_agent.control.wiring import rig_spec
from vehicle_agent.core.settings import Settings


def refusal(directory: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(directory)
    return str(caught.value)


def test_the_reference_is_complete() -> None:
    config = load_config(REFERENCE)
    assert config.vehicle.vehicle.id == "kz-mp-017"
    assert {unit.code for unit in config.units.unit} == {"almaty-mp", "taraz-mp", "karaganda-mp", "astana-mp"}
    assert set(config.vehicle.wiring.inputs) == set(INPUTS)
    assert set(config.vehicle.wiring.outputs) == set(OUTPUTS)
    assert load_desk(DESK).desk.units == ("astana-mp",)


def test_core_settings_carry_every_limit(tmp_path: Path) -> None:
    files = changed(
        "vehicle.limits", {"checklist_valid_s": 900, "confirm_within_s": 60.0, "manual_fallback": ["radio"]}
    )
    files["vehicle"]["vehicle"]["test"] = True
    settings = core_settings(load_config(write(tmp_path, files)))
    assert (settings.vehicle, settings.origin, settings.cells) == ("kz-mp-017", "almaty-mp", (1, 2, 3, 4, 5, 6))
    assert (settings.checklist_valid_s, settings.confirm_within_s, settings.driver_report_valid_s) == (
        900.0,
        60.0,
        120.0,
    )
    assert (settings.manual_fallback, settings.is_test) == (frozenset({"radio"}), True)


def test_the_wiring_hash_is_of_the_wiring_alone(tmp_path: Path) -> None:
    reference = wiring_sha256(load_config(REFERENCE))
    assert wiring_sha256(load_config(write(tmp_path, changed("vehicle.display.port", 9000)))) == reference
    moved = changed("vehicle.wiring.outputs.buzzer", "GPIO24")
    moved["vehicle"]["wiring"]["outputs"]["intercom_tone"] = "GPIO21"
    assert wiring_sha256(load_config(write(tmp_path, moved))) != reference


def test_a_vehicle_without_care_watch_keeps_its_fingerprint_and_fitting_it_changes_it(tmp_path: Path) -> None:
    """What was commissioned before there was a care watch stays so; the oracle knows only the fields of then."""
    config = load_config(REFERENCE)
    dumped = config.vehicle.wiring.model_dump(mode="json")
    then = {name: dumped[name] for name in ("body_door", "references", "supply", "supply_counts", "inputs", "outputs")}
    then["cells"] = [{name: cell[name] for name in ("number", "loop", "pair")} for cell in dumped["cells"]]
    text = json.dumps(then, sort_keys=True, separators=(",", ":"))
    before = hashlib.sha256(text.encode()).hexdigest()
    assert wiring_sha256(config) == before
    seen = {before}
    for path, pin in (("call", "ADC1.5"), ("call", "ADC1.6"), ("temperature", "ADC1.5"), ("temperature", "ADC1.6")):
        seen.add(wiring_sha256(load_config(write(tmp_path, changed(f"vehicle.wiring.cells.2.{path}", pin)))))
    assert len(seen) == 5
    limits = changed("vehicle.care", {"welfare_check_s": 600.0})
    assert wiring_sha256(load_config(write(tmp_path, limits))) == before, "a limit is no wire"


def test_H36_core_settings_carry_the_care_watch_and_nothing_of_it_where_none_is_fitted(tmp_path: Path) -> None:
    settings = core_settings(load_config(REFERENCE))
    assert (settings.call_cells, settings.temperature_cells, settings.welfare_check_s) == ((), (), None)
    assert settings.care_equipment() == ()
    built_in = Settings(vehicle="v", origin="o", units=frozenset(), cells=())
    assert settings.cell_temperature_c == built_in.cell_temperature_c
    files = changed("vehicle.care", {"temperature_min_c": 5, "temperature_max_c": 28.5, "welfare_check_s": 900})
    files["vehicle"]["wiring"]["cells"][5]["call"] = "ADC1.5"
    files["vehicle"]["wiring"]["cells"][1]["temperature"] = "ADC1.6"
    config = load_config(write(tmp_path, files))
    settings = core_settings(config)
    assert (settings.call_cells, settings.temperature_cells) == ((6,), (2,))
    assert (settings.cell_temperature_c, settings.welfare_check_s) == ((5.0, 28.5), 900.0)
    spec = rig_spec(config.vehicle.wiring)
    assert (spec.calls, spec.temperatures) == ({"cell_call_6": "ADC1.5"}, {"cell_temperature_2": "ADC1.6"})
    assert Plan(spec).chips == [0, 1], "the rig takes what the configuration accepts"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("wiring.cells.2.call", "^!GPIO3", "wiring.cells#3.call: not a plain ADC channel"),
        ("wiring.cells.2.call", "!ADC1.5", "wiring.cells#3.call: not a plain ADC channel"),
        ("wiring.cells.2.call", "ADC2.0", "there are chips 0..1"),
        ("wiring.cells.2.call", "ADC1.4", "ADC1.4 is already wiring.cells#3.call"),
        ("wiring.cells.2.temperature", "^!GPIO3", "a thermistor is measured"),
        ("wiring.cells.2.temperature", "ADC0.5", "ADC0.5 is already wiring.cells#3.temperature"),
        ("wiring.cells.2.temperatur", "ADC1.5", "unknown key; did you mean temperature?"),
        (
            "care.temperature_max_c",
            45,
            "temperature_max_c: not a good value (given: 45); allowed: a number from 20",
        ),
        ("care.temperature_max_c", 19, "no longer cools it"),
        ("care.temperature_min_c", -5, "a number from 0 to 18"),
        ("care.welfare_check_s", 0, "over an hour is no watch"),
        ("care.welfare_check_s", 3601, "a number from 1 to 3600"),
        ("care.welfare", 60, "unknown key"),
        ("care.temperature_max_c", 28, "care.temperature_max_c: no cell has a temperature sensor"),
        ("care.temperature_min_c", 12, "care.temperature_min_c: no cell has a temperature sensor"),
    ],
)
def test_H34_H36_a_wrong_care_watch_is_named_with_what_is_allowed(
    tmp_path: Path, path: str, value: Any, said: str
) -> None:
    assert said in refusal(write(tmp_path, changed(f"vehicle.{path}", value)))


def test_H34_a_care_line_on_a_converter_without_a_reference_is_refused(tmp_path: Path) -> None:
    files = tree()
    wiring = files["vehicle"]["wiring"]
    wiring["inputs"] |= {"fan_switch": "^!GPIO7", "light_switch": "^!GPIO8", "beacon_switch": "_GPIO9"}
    wiring["inputs"]["light_sense"] = "_GPIO10"
    del wiring["supply"]
    wiring["references"] = ["ADC0.7"]
    wiring["cells"][0]["call"] = "ADC1.0"
    assert "none for ADC1, which is in use" in refusal(write(tmp_path, files))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("vehicle.display.prot", 8080, "display.prot: unknown key; did you mean port?"),
        ("vehicle.display.port", "8080", 'display.port: not a good value (given: "8080"); allowed: a whole number'),
        ("vehicle.display.port", 70000, "(given: 70000); allowed: a whole number from 0 to 65535"),
        ("vehicle.display.language", "kz", 'allowed: one of "kk", "ru", "en"'),
        ("vehicle.display.host", "0.0.0.0", 'display.host: not a loopback address (given: "0.0.0.0")'),
        ("vehicle.vehicle.id", "KZ 017", "3 to 32 of a-z, 0-9 and -"),
        ("vehicle.vehicle.id", ..., "vehicle.id: missing; allowed: text in quotes (3 to 32"),
        ("vehicle.vehicle.unit", "almati-mp", "did you mean almaty-mp?; allowed: a unit of units.toml"),
        ("vehicle.commander.pin_hash", "2468", "commander.pin_hash: not a good value (given: (kept secret))"),
        ("vehicle.commander.pin_hash", f"scrypt$16$8$1${'a' * 24}${'b' * 44}", "scrypt cost is too low"),
        ("vehicle.commander.lockout_s", -3, "lockout_s: not a good value (given: -3)"),
        ("vehicle.limits.checklist_valid_s", float("nan"), "limits.checklist_valid_s: not a good value"),
        (
            "vehicle.limits.manual_fallback",
            ["cell_lock_2"],
            "a lock and the driver's report are never confirmed by hand",
        ),
        ("vehicle.limits.manual_fallback", ["driver_ready"], "never confirmed by hand"),
        ("vehicle.wiring.cells.3.number", 7, "not numbered 1, 2, 3 … without gaps (given: 1, 2, 3, 5, 6, 7)"),
        ("vehicle.wiring.cells.3.loop", ..., "wiring.cells#4: needs one way to sense its lock (given: neither)"),
        ("vehicle.wiring.references", ["ADC0.7"], "none for ADC1, which is in use"),
        ("vehicle.wiring.inputs.airflw", "^!GPIO3", "no such wire; did you mean airflow?"),
        ("vehicle.wiring.inputs.handbrake", ..., "wiring.inputs.handbrake: missing"),
        ("vehicle.wiring.outputs.buzzer", ..., "wiring.outputs.buzzer: missing"),
        ("vehicle.wiring.outputs.buzzer", "GPIO5", "outputs go on GPIO 9..27"),
        ("vehicle.wiring.outputs.buzzer", "!GPIO21", "active high"),
        ("vehicle.wiring.outputs.buzzer", "GPIO99", "GPIO 2..27"),
        ("vehicle.wiring.outputs.buzzer", "ADC0.3", "an output needs a GPIO"),
        ("vehicle.wiring.outputs.buzzer", "GPIO10", "GPIO10 belongs to the ADCs' SPI"),
        ("vehicle.wiring.inputs.ignition", "^!GPIO3", "GPIO3 belongs to the clock chip's I2C"),
        ("vehicle.wiring.body_door", "^!GPIO24", "a loop is measured"),
        ("vehicle.wiring.body_door", 6, "wiring.body_door: not a good value (given: 6)"),
        ("vehicle.wiring.body_door", ["ADC0.6", "ADC1.6"], "two GPIO contacts"),
        ("vehicle.wiring.supply_counts", [3700, 1400], "not a range"),
        ("vehicle.gnss.stale_s", 60, "a lost receiver shows within 3 s"),
        ("vehicle.radio.stale_s", 1.0, "one late answer would be a lost radio"),
        (
            "vehicle.radio.port",
            "/dev/serial/by-id/usb-u-blox_AG_-_www.u-blox.com_u-blox_GNSS_receiver-if00",
            "is also gnss.port",
        ),
        ("vehicle.paths.state_dir", "state", "paths.state_dir: not absolute"),
        ("vehicle.paths.runtime_dir", "/run/" + "x" * 120, "too long for a socket"),
        ("vehicle.paths.uplink_dir", "/var/lib/vehicle-agent", "is also state_dir"),
        ("units.unit.1.code", "almaty-mp", "unit#2.code: given twice"),
        ("units.unit.1.keys", {"astana-mp/1": "A" * 43}, "not a key of taraz-mp"),
        ("units.unit.1.keys", {"taraz-mp/1": "short"}, "32 bytes of an Ed25519 public key"),
        ("units.unit.1.name", {"kz": "Тараз"}, 'one of "kk", "ru", "en"'),
        ("units.unit", [], "one [[unit]] for each"),
        ("uplink.signing.kid", "kz-mp-018/1", "not a key of kz-mp-017"),
        ("uplink.broker.tls", False, "broker.mp.example is another machine"),
        ("uplink.broker.ca", ..., "broker.ca: missing"),
        ("uplink.rates.resend_first_s", 0, "from 0.1 to 60"),
    ],
)
def test_H34_a_wrong_value_is_named_with_what_is_allowed(tmp_path: Path, path: str, value: Any, said: str) -> None:
    text = refusal(write(tmp_path, changed(path, value)))
    assert said in text, text
    assert str(tmp_path / f"{path.partition('.')[0]}.toml") in text


def test_H34_every_problem_is_named_at_once(tmp_path: Path) -> None:
    files = changed("vehicle.display.port", -1)
    files["units"]["unit"][0]["cod"] = files["units"]["unit"][0].pop("code")
    files["uplink"]["broker"]["keepalive_s"] = 0
    text = refusal(write(tmp_path, files))
    for part in ("display.port", "unit#1.cod: unknown key; did you mean code?", "unit#1.code: missing", "keepalive_s"):
        assert part in text
    assert len(text.splitlines()) == 4


def test_a_problem_names_its_line(tmp_path: Path) -> None:
    shutil.copytree(REFERENCE, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "vehicle.toml"
    text = (
        file.read_text(encoding="utf-8")
        .replace('loop = "ADC0.2"', 'loop = "ADC0.2x"')
        .replace('language = "kk"', "language = 7")
    )
    file.write_text(text, encoding="utf-8")
    lines = text.splitlines()
    said = refusal(tmp_path)
    assert f"{file}:{lines.index('language = 7          # kk | ru | en') + 1}: display.language" in said
    file.write_text(text.replace("language = 7", 'language = "kk"'), encoding="utf-8")
    assert "wiring.cells#3.loop" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[display\n", "not TOML"),
        (b"id = \xff\n", "not UTF-8: byte 0xff"),
        (b"a" * (1024 * 1024 + 1), "too large"),
        (b"unit = " + b"[" * 5000 + b"]" * 5000, "not TOML"),
        (b"unit = 2026-11-22\n", "unit: not a good value (given: the date or time 2026-11-22)"),
    ],
    ids=["syntax", "encoding", "size", "depth", "date"],
)
def test_H34_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    write(tmp_path, tree())
    (tmp_path / "units.toml").write_bytes(content)
    assert said in refusal(tmp_path)


def test_H34_missing_and_unreadable_files_are_all_named(tmp_path: Path) -> None:
    (tmp_path / "units.toml").mkdir()
    text = refusal(tmp_path)
    assert text.count("no such file") == 2
    assert "units.toml: cannot be read: Is a directory" in text


def _wires(files: dict[str, Any]) -> list[tuple[list[str | int], str]]:
    wiring = files["vehicle"]["wiring"]
    found: list[tuple[list[str | int], str]] = [
        (["cells", n, "loop"], cell["loop"]) for n, cell in enumerate(wiring["cells"])
    ]
    found += [(["body_door"], wiring["body_door"]), (["supply"], wiring["supply"])]
    found += [(["references", n], text) for n, text in enumerate(wiring["references"])]
    found += [([kind, name], text) for kind in ("inputs", "outputs") for name, text in wiring[kind].items()]
    return found


def test_H04_H33_no_pin_is_ever_used_twice(tmp_path: Path) -> None:
    """200 generated pairs of wires of the same kind on one terminal: all refused, both wires named."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    pick = random.Random(seed)
    for _ in range(200):
        files = tree()
        wires = _wires(files)
        (to, own), (_, taken) = pick.sample(wires, 2)
        if ("ADC" in own) != ("ADC" in taken) or (to[0] == "outputs") != taken.startswith("GPIO"):
            taken = next(
                text
                for way, text in wires
                if way != to and (way[0] == "outputs") == (to[0] == "outputs") and ("ADC" in text) == ("ADC" in own)
            )
        place: Any = files["vehicle"]["wiring"]
        for step in to[:-1]:
            place = place[step]
        place[to[-1]] = taken
        text = refusal(write(tmp_path, files))
        assert f"{taken.strip('^!_')} is already wiring." in text, text


@pytest.mark.parametrize("pin", ["GPIO17", "^GPIO17", "!GPIO17", "_!GPIO17", "!ADC1.5"])
def test_H02_a_contact_whose_cut_wire_reads_as_closed_is_refused(tmp_path: Path, pin: str) -> None:
    text = refusal(write(tmp_path, changed("vehicle.wiring.inputs.airflow", pin)))
    assert "a cut wire would" in text


@pytest.mark.parametrize("pin", ["_GPIO17", "^!GPIO17", "ADC1.5"])
def test_H02_a_contact_whose_cut_wire_reads_as_open_is_taken(tmp_path: Path, pin: str) -> None:
    assert load_config(write(tmp_path, changed("vehicle.wiring.inputs.airflow", pin)))


@pytest.mark.parametrize(
    "name", ["door_lock", "cell_lock_1", "lock_1", "body_door_hold", "door_magnet", "permit_enable2"]
)
def test_H39_no_output_can_be_named_that_holds_a_door(tmp_path: Path, name: str) -> None:
    assert "no such wire" in refusal(write(tmp_path, changed(f"vehicle.wiring.outputs.{name}", "GPIO22")))
    assert not any(word in output for output in OUTPUTS for word in ("lock", "door", "bolt", "latch", "hold"))


@pytest.mark.parametrize("item", ["radio", "beacon", "intercom", "ventilation", "lighting"])
def test_H35_a_broken_sensor_may_be_named_for_confirmation_by_hand(tmp_path: Path, item: str) -> None:
    assert load_config(write(tmp_path, changed("vehicle.limits.manual_fallback", [item])))


def test_H34_mutated_files_are_refused_or_leave_every_wire_in_place(tmp_path: Path) -> None:
    """300 files with one character changed: no traceback, and what is accepted has each wire on its own pin."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    pick = random.Random(seed)
    texts = {name: (REFERENCE / f"{name}.toml").read_text(encoding="utf-8") for name in FILES}
    refused = 0
    for _ in range(300):
        name = pick.choice(FILES)
        lines = texts[name].splitlines()
        settings = [n for n, line in enumerate(lines) if line and not line.startswith("#")]
        n = pick.choice(settings)
        place = pick.randrange(len(lines[n].split("#")[0]) or 1)
        lines[n] = lines[n][:place] + pick.choice(' "[]={}.,-0179xGA!^_#') + lines[n][place + pick.randrange(2) :]
        for other, text in texts.items():
            (tmp_path / f"{other}.toml").write_text("\n".join(lines) if other == name else text, encoding="utf-8")
        try:
            wiring = load_config(tmp_path).vehicle.wiring
        except ConfigError as error:
            refused += 1
            assert error.problems
            continue
        pins = [
            *wiring.inputs.values(),
            *wiring.outputs.values(),
            *(str(cell.loop) for cell in wiring.cells),
            str(wiring.body_door),
        ]
        assert len({pin.strip("^!_") for pin in pins}) == len(pins)
    assert refused > 100


def test_a_vehicle_of_contact_pairs_needs_no_adc(tmp_path: Path) -> None:
    """The rig without SPI: two cells and the body door on antivalent pairs, every contact on a GPIO."""
    files = tree()
    wiring = files["vehicle"]["wiring"]
    inputs = dict(zip(INPUTS, (f"^!GPIO{n}" for n in (4, 5, 6, 14, 15, 17, 22, 23, 25, 27, 7, 8, 10, 11)), strict=True))
    wiring["inputs"] = {**inputs, "airflow": "^!GPIO9"}
    for name in ("references", "supply", "supply_counts"):
        del wiring[name]
    wiring["cells"] = [{"number": 1, "pair": ["^!GPIO4", "^!GPIO4"]}]
    text = refusal(write(tmp_path, files))
    assert "GPIO4 is already" in text
    wiring["cells"] = [{"number": 1, "pair": ["_GPIO4", "^GPIO14"]}]
    assert "a cut wire would not read as open" in refusal(write(tmp_path, files))


def test_the_desk_needs_a_key_for_each_unit_and_vehicle(tmp_path: Path) -> None:
    text = DESK.read_text(encoding="utf-8")
    for old, new, said in [
        ('units = ["astana-mp"]', 'units = ["astana-mp", "taraz-mp"]', "missing for unit taraz-mp"),
        ('unit = "astana-mp"', 'unit = "taraz-mp"', "this desk does not answer for it"),
        ('kid = "astana-mp/1"', 'kid = "taraz-mp/1"', "not a key of astana-mp"),
        ('keys = { "kz-mp-017/1"', 'keys = { "kz-mp-018/1"', "not a key of kz-mp-017"),
        ('host = "broker.mp.example"', 'host = "broker.mp.example"\ntls = false', "is another machine"),
        ('language = "ru"', 'language = "ru"\nhost = "192.0.2.1"', "not a loopback address"),
    ]:
        assert old in text
        file = tmp_path / "desk.toml"
        file.write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(ConfigError) as caught:
            load_desk(file)
        assert said in str(caught.value), str(caught.value)


def test_the_rig_takes_what_the_configuration_accepts() -> None:
    """Both check the pins; neither may be stricter than the other on the reference."""
    wiring = load_config(REFERENCE).vehicle.wiring
    spec = RigSpec(
        cells={f"cell_{cell.number}": str(cell.loop) for cell in wiring.cells},
        body_door=wiring.body_door,
        references=wiring.references,
        supply=wiring.supply,
        inputs=wiring.inputs,
        outputs=wiring.outputs,
    )
    assert Plan(spec).chips == [0, 1]
