"""The bodies of the commander's commands, field by field: control validates with them, the display documents them.

Form only: whether a cell, a unit or an item exists, and whether the moment is right, is the core's to say.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

TEXT_MAX = 200  # fits a line of the screen's journal; nothing here is an essay
LIST_MAX = 32  # cells of a vehicle, units of a route
CELL_MAX = 9999  # a number, not nonsense; whether the vehicle has this cell is the core's to say
IN_PARTS = ("documents", "acceptance")  # rows that are confirmed part by part, on every trip

# Something visible, no control characters: it is printed, shown and sent.
Text = Annotated[
    str, Field(min_length=1, max_length=TEXT_MAX, pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$")
]


def _whole(number: object) -> object:
    return int(number) if isinstance(number, float) and number.is_integer() else number


# 7.0 is an integer in JSON Schema, and a program in JavaScript has no other.
WHOLE = BeforeValidator(_whole)  # after a Field: else its limits are missing in the JSON Schema
Whole = Annotated[int, WHOLE]
Code = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:-]+$")]


class Form(BaseModel):
    """Exactly these fields, of exactly these types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SessionBody(Form):
    """`POST /api/v1/session`. `by`: name or post of the commander, for the record of what he acknowledges."""

    pin: Annotated[str, Field(min_length=1, max_length=64)]
    by: Text | None = None


class CommandBody(Form):
    """What every command carries: the `rev` that the person saw."""

    rev: Whole


class Order(Form):
    """The order (App. 4) with its date; on that day it is still valid."""

    number: Text
    valid_until: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", json_schema_extra={"format": "date"})]

    @field_validator("valid_until")
    @classmethod
    def _is_a_day(cls, value: str) -> str:
        date.fromisoformat(value)
        return value


class Place(Form):
    """The unloading place of Rule 18: a circle."""

    latitude_deg: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
    longitude_deg: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
    radius_m: Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)]


class CellPlan(Form):
    """One cell of the plan (Rule 12): how many, and whether they need enhanced supervision."""

    cell: Annotated[int, Field(ge=1, le=CELL_MAX), WHOLE]
    planned: Annotated[int, Field(ge=0, le=99), WHOLE]
    supervision: bool


class OpenTrip(CommandBody):
    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"destination": {"type": "string"}}},
                {"required": ["destination_place"], "properties": {"destination_place": {"type": "string"}}},
            ]
        }
    )

    kind: Literal["within_settlement", "outside_settlement", "medical"]
    takeover: bool
    to_court: bool
    women_on_board: bool
    order: Order
    request_number: Text | None = None
    destination: Code | None
    destination_place: Text | None = None
    intermediate: Annotated[list[Code], Field(max_length=LIST_MAX)]
    unloading_place: Place | None = None
    cells: Annotated[list[CellPlan], Field(max_length=LIST_MAX)]

    @model_validator(mode="after")
    def _goes_somewhere(self) -> Self:
        if self.destination is None and self.destination_place is None:
            raise ValueError("destination or destination_place is needed: where does the trip go?")
        if len({cell.cell for cell in self.cells}) != len(self.cells):
            raise ValueError("cells: a cell is listed twice")
        return self


class Plain(CommandBody):
    """A command without arguments."""


class Confirm(CommandBody):
    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"item": {"enum": list(IN_PARTS)}}},
            "then": {"required": ["part"], "properties": {"part": {"type": "string"}}},
            "else": {"properties": {"part": {"type": "null"}}},
        }
    )

    item: Code
    part: Code | None = None
    pin: Annotated[str, Field(min_length=1, max_length=64)] | None = None  # only for a manual fallback

    @model_validator(mode="after")
    def _has_its_part(self) -> Self:
        if self.item in IN_PARTS and self.part is None:
            raise ValueError(f"part is needed: {self.item} is confirmed part by part")
        if self.item not in IN_PARTS and self.part is not None:
            raise ValueError(f"{self.item} has no parts")
        return self


class Withdraw(CommandBody):
    item: Code


class OfCell(CommandBody):
    cell: Annotated[int, Field(ge=1, le=CELL_MAX), WHOLE]


class WithReason(CommandBody):
    reason: Text


class AcknowledgeAlarm(CommandBody):
    alarm: Code


class ShelveAlarm(CommandBody):
    """Put aside for `for_s`; it comes back by itself."""

    alarm: Code
    reason: Text
    for_s: Annotated[float, Field(gt=0, le=1800, allow_inf_nan=False)] = 1800.0


class ToldByRadio(CommandBody):
    notice: Code
    post: Text


COMMANDS: dict[str, type[CommandBody]] = {
    "open_trip": OpenTrip,
    "start_tests": Plain,
    "confirm": Confirm,
    "withdraw": Withdraw,
    "open_boarding": Plain,
    "suspend_boarding": Plain,
    "board_person": OfCell,
    "unboard_person": OfCell,
    "finish_boarding": Plain,
    "secure": Plain,
    "depart": Plain,
    "log_halt": WithReason,
    "halt_out": OfCell,
    "halt_in": OfCell,
    "end_halt": Plain,
    "arrive": Plain,
    "open_unloading": Plain,
    "unload_person": OfCell,
    "close_trip": Plain,
    "cancel_trip": WithReason,
    "acknowledge_alarm": AcknowledgeAlarm,
    "shelve_alarm": ShelveAlarm,
    "told_by_radio": ToldByRadio,
}


class MalformedError(ValueError):
    """A body that is not what the contract says; the text names the field and what is wrong with it."""


def parse_command(name: str, body: object) -> tuple[int, dict[str, Any]]:
    """`(rev, arguments)` of a command's JSON body. Raises KeyError for an unknown name, MalformedError."""
    values = _parse(COMMANDS[name], body).model_dump()
    return int(values.pop("rev")), values


def parse_session(body: object) -> tuple[str, str | None]:
    """`(pin, by)` of a session's JSON body. Raises MalformedError."""
    values = _parse(SessionBody, body).model_dump()
    return str(values["pin"]), values["by"]


def _parse(model: type[Form], body: object) -> Form:
    if not isinstance(body, dict):
        raise MalformedError("the body is no JSON object")
    try:
        return model.model_validate(body)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(step) for step in problem['loc']) or 'body'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise MalformedError("; ".join(problems[:8])) from None  # what was typed is not repeated: it may be a PIN
