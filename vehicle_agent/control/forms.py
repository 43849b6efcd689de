"""The fields of the requests that only the uplink and the tools send over the socket."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from vehicle_agent.commands import Code, Form, MalformedError, Text

Age = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class Nothing(Form):
    """No field at all."""


class NoticeSendingForm(Form):
    notice: Code
    late_by_s: Age


class AtBrokerForm(Form):
    notice: Code


class ReceiptForm(Form):
    """A unit's own receipt, its signature verified by the uplink."""

    notice: Code
    stage: Literal["received", "acknowledged"]
    by: Text | None
    post: Text | None
    at: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    unit: Code


class CursorForm(Form):
    seq: Count


class PositionsForm(Form):
    after: Count | None = None  # a position's number; null: after those that the broker has


class ToldForm(Form):
    boot_id: Annotated[str, Field(max_length=64)]
    mono_s: Annotated[float, Field(allow_inf_nan=False)]


class UplinkStateForm(Form):
    connected: bool
    pending_notices: Count
    pending_positions: Count
    oldest_pending_s: Age | None
    refused_messages: Count = 0  # receipts that were none: forged, foreign or out of place
    told: ToldForm | None = None  # up to here the broker has every position


class CommissionForm(Form):
    by: Text


FORMS: dict[str, type[Form]] = {
    "snapshot": Nothing,
    "watch": Nothing,
    "health": Nothing,
    "feed": Nothing,
    "commission": CommissionForm,
    "notice_sending": NoticeSendingForm,
    "at_broker": AtBrokerForm,
    "receipt": ReceiptForm,
    "cursor": CursorForm,
    "positions": PositionsForm,
    "uplink_state": UplinkStateForm,
}


def parse_request(op: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The checked fields of a request. Raises KeyError for an unknown op, MalformedError."""
    try:
        return FORMS[op].model_validate(fields).model_dump()
    except ValidationError as error:
        problems = [f"{'.'.join(str(step) for step in found['loc'])}: {found['msg']}" for found in error.errors()]
        raise MalformedError("; ".join(problems[:8])) from None
