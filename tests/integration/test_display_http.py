"""The display's HTTP interface against a scripted control: statuses, the header matrix, the caps (H29)."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.browser.display_scenes import scene
from tests.integration.display_control import ControlStandIn
from tests.integration.display_rig import DisplayProcess, running, wait_for
from vehicle_agent.commands import COMMANDS

SESSION = "/api/v1/session"
CONFIRM = "/api/v1/commands/confirm"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DisplayProcess, ControlStandIn]]:
    folder = tmp_path_factory.mktemp("display")
    with ControlStandIn(folder / "control.sock", scene("checking")) as control, running(folder) as display:
        wait_for(lambda: httpx.get(f"{display.url}/healthz").json()["control"] == "connected", "control connected")
        yield display, control


@pytest.fixture
def display(rig: tuple[DisplayProcess, ControlStandIn]) -> DisplayProcess:
    return rig[0]


@pytest.fixture
def control(rig: tuple[DisplayProcess, ControlStandIn]) -> Iterator[ControlStandIn]:
    rig[1].handlers.clear()
    rig[1].requests.clear()
    yield rig[1]
    rig[1].handlers.clear()


@pytest.fixture
def web(display: DisplayProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=display.url) as client:
        yield client


@pytest.fixture
def commander(web: httpx.Client) -> httpx.Client:
    assert web.post(SESSION, json={"pin": "2468"}).status_code == 200
    return web


def test_snapshot_is_control_s(web: httpx.Client, control: ControlStandIn) -> None:
    assert web.get("/api/v1/snapshot").json() == control.snapshot


def test_snapshot_is_never_older_than_its_question(web: httpx.Client, control: ControlStandIn) -> None:
    for _ in range(20):
        rev = control.set()
        assert web.get("/api/v1/snapshot").json()["rev"] == rev


def test_session_gives_a_cookie_that_scripts_cannot_read(web: httpx.Client) -> None:
    answer = web.post(SESSION, json={"pin": "2468"})
    cookie = answer.headers["set-cookie"].lower()
    assert answer.status_code == 200
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "max-age=43200" in cookie
    assert "token-1" not in answer.text


def test_wrong_pin_is_401_and_sets_nothing(web: httpx.Client) -> None:
    answer = web.post(SESSION, json={"pin": "1111"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_lockout_is_429_with_whole_seconds(web: httpx.Client, control: ControlStandIn) -> None:
    control.handlers["session"] = lambda _: (429, {"error": "locked_out", "retry_after_s": 299.2})
    answer = web.post(SESSION, json={"pin": "2468"})
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "300"


@pytest.mark.parametrize("body", ["[]", "null", "{}", '{"pin": 2468}', '{"pin": "2468", "x": 1}', "{", ""])
def test_malformed_session_reaches_control_without_a_pin(web: httpx.Client, control: ControlStandIn, body: str) -> None:
    control.handlers["session"] = lambda request: (422 if request["pin"] is None else 200, {"error": "malformed"})
    assert web.post(SESSION, content=body, headers={"content-type": "application/json"}).status_code == 422


def test_command_carries_session_and_body_unchanged(commander: httpx.Client, control: ControlStandIn) -> None:
    body = {"rev": control.snapshot["rev"], "item": "seats_fixed", "текст": "ӘҒҚҢӨҰҮҺІ"}
    answer = commander.post(CONFIRM, json=body)
    assert (answer.status_code, answer.json()["accepted"]) == (200, True)
    sent = control.commands()[-1]
    assert (sent["name"], sent["session"], sent["body"]) == ("confirm", "token-1", body)


def test_order_of_checks_401_before_422_before_409(web: httpx.Client, control: ControlStandIn) -> None:
    assert web.post(CONFIRM, content="not json").status_code == 401
    web.post(SESSION, json={"pin": "2468"})
    assert web.post(CONFIRM, content="not json").status_code == 422
    answer = web.post(CONFIRM, json={"rev": 1, "item": "x"})
    assert (answer.status_code, answer.json()["refusals"][0]["code"]) == (409, "stale_view")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", '{"rev": 1}'),
        ("application/x-www-form-urlencoded", "rev=1"),
        ("multipart/form-data; boundary=x", "--x--"),
        (None, '{"rev": 1}'),
        ("application/json", "{'rev': 1}"),
        ("application/json", '{"rev": NaN}'),
        ("application/json", '{"rev": 1e999}'),
        ("application/json", '{"rev": 1, "rev": 2}'),
        ("application/json", '{"item": "\\ud800"}'),
        ("application/json", "[" * 9000),
        ("application/json", b"\xff\xfe"),
        ("application/json", '{"rev": ' + "9" * 9000 + "}"),
    ],
)
def test_what_is_no_strict_json_goes_on_as_null(
    commander: httpx.Client, control: ControlStandIn, content_type: str | None, body: str | bytes
) -> None:
    answer = commander.post(CONFIRM, content=body, headers={"content-type": content_type} if content_type else {})
    assert answer.status_code == 422
    assert control.commands()[-1]["body"] is None


def test_unknown_name_is_control_s_404(web: httpx.Client, control: ControlStandIn) -> None:
    control.handlers["command"] = lambda _: (404, {"error": "unknown_command"})
    assert web.post("/api/v1/commands/driver_ready", json={"rev": 1}).status_code == 404


@pytest.mark.parametrize(
    "path", ["/nothing", "/api/v1/commands/", "/api/v1/commands/a/b", "/static/../app.py", "/docs"]
)
def test_other_paths_are_404_in_json(web: httpx.Client, path: str) -> None:
    answer = web.get(path) if "commands" not in path else web.post(path, json={})
    assert answer.status_code in (404, 405)
    assert "error" in answer.json()


def test_H29_hosts_and_origins(display: DisplayProcess) -> None:
    """Every combination of Host, Origin and Sec-Fetch-Site: nothing but our own page and plain clients gets through."""
    own = f"127.0.0.1:{display.port}"
    hosts = {
        own: True,
        f"localhost:{display.port}": True,
        "127.0.0.1": False,
        f"127.0.0.1:{display.port}.evil.example": False,
        f"evil.example:{display.port}": False,
        "": False,
    }
    origins = {
        None: True,
        f"http://{own}": True,
        f"https://{own}": False,
        f"http://{own}.evil.example": False,
        "http://evil.example": False,
        "null": False,
    }
    sites = {None: True, "same-origin": True, "none": True, "cross-site": False, "same-site": False}
    wrong = []
    for host, host_ok in hosts.items():
        for origin, origin_ok in origins.items():
            for site, site_ok in sites.items():
                headers = {"Host": host, "Origin": origin, "Sec-Fetch-Site": site}
                status = _post(display.port, {name: value for name, value in headers.items() if value is not None})
                expected = 400 if not host_ok else 403 if not (origin_ok and site_ok) else 401
                if status != expected:
                    wrong.append((headers, status, expected))
    assert wrong == []


def test_H29_two_host_headers_are_refused(display: DisplayProcess) -> None:
    with socket.create_connection(("127.0.0.1", display.port), 5) as connection:
        own = f"Host: 127.0.0.1:{display.port}\r\n"
        connection.sendall(f"GET /healthz HTTP/1.1\r\n{own}Host: evil.example\r\n\r\n".encode())
        assert b" 400 " in connection.recv(4096).split(b"\r\n")[0]


def test_a_reading_page_of_another_origin_is_refused(web: httpx.Client) -> None:
    assert web.get("/api/v1/snapshot", headers={"Origin": "http://evil.example"}).status_code == 403


@pytest.mark.parametrize("size", [16 * 1024 + 1, 200_000, 5_000_000])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_over_16_kb_is_413(display: DisplayProcess, size: int, is_chunked: bool) -> None:
    def chunks() -> Iterator[bytes]:
        for start in range(0, size, 4096):
            yield b"x" * min(4096, size - start)

    content: Any = chunks() if is_chunked else b"x" * size
    answer = httpx.post(f"{display.url}{SESSION}", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_a_body_of_16_kb_passes(commander: httpx.Client, control: ControlStandIn) -> None:
    body = json.dumps({"rev": 1, "text": ""})
    body = json.dumps({"rev": 1, "text": "x" * (16 * 1024 - len(body))})
    assert len(body) == 16 * 1024
    assert commander.post(CONFIRM, content=body, headers={"content-type": "application/json"}).status_code == 409


def test_every_answer_carries_the_protecting_headers(web: httpx.Client) -> None:
    for path in ("/", "/static/main.js", "/api/v1/snapshot", "/nothing", "/healthz"):
        headers = web.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_nothing_on_the_page_comes_from_elsewhere(web: httpx.Client) -> None:
    page = web.get("/").text
    assert "//" not in page.replace("<!doctype html>", "")
    assert "style=" not in page
    for name in ("main.js", "tokens.css", "fonts/noto-sans-cyrillic-ext-400-normal.woff2", "texts/kk.json"):
        answer = web.get(f"/static/{name}")
        assert answer.status_code == 200
        assert web.get(f"/static/{name}", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_openapi_documents_every_command_s_body(web: httpx.Client) -> None:
    document = web.get("/openapi.json").json()
    for name, model in COMMANDS.items():
        content = document["paths"][f"/api/v1/commands/{name}"]["post"]["requestBody"]["content"]["application/json"]
        schema = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
        assert set(schema["properties"]) == set(model.model_fields)
        assert "rev" in schema["required"]


def test_openapi_refers_only_to_schemas_that_it_has(web: httpx.Client) -> None:
    text = web.get("/openapi.json").text
    schemas = json.loads(text)["components"]["schemas"]
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= set(schemas)


def test_units_and_display_come_from_the_configuration(web: httpx.Client) -> None:
    units = web.get("/api/v1/units").json()
    assert units["origin"] == "almaty-mp"
    assert [unit["code"] for unit in units["units"]] == ["almaty-mp", "taraz-mp", "karaganda-mp", "astana-mp"]
    assert set(units["units"][0]["name"]) == {"kk", "ru", "en"}
    assert web.get("/api/v1/display").json()["cells"] == [1, 2, 3, 4, 5, 6]


def test_metrics_tell_control_s_figures(web: httpx.Client) -> None:
    lines = dict(line.rsplit(" ", 1) for line in web.get("/metrics").text.splitlines())
    assert lines["stv_display_control_connected"] == "1"
    assert lines["stv_control_scan_ms_p99"] == "1.5"
    assert lines["stv_control_journal_healthy"] == "1"


def test_control_gone_is_503_for_snapshot_session_and_commands(tmp_path: Path) -> None:
    with running(tmp_path) as display:
        assert httpx.get(f"{display.url}/api/v1/snapshot").status_code == 503
        assert httpx.post(f"{display.url}{SESSION}", json={"pin": "2468"}).status_code == 503
        assert httpx.post(f"{display.url}{CONFIRM}", json={"rev": 1}).status_code == 503
        assert httpx.post(f"{display.url}{CONFIRM}", content="no json").status_code == 503
        assert httpx.get(f"{display.url}/healthz").json()["control"] == "gone"
        assert "stv_display_control_connected 0" in httpx.get(f"{display.url}/metrics").text


def test_a_silent_control_is_503_and_nothing_is_sent_twice(web: httpx.Client, control: ControlStandIn) -> None:
    control.handlers["command"] = lambda _: None
    answer = web.post(CONFIRM, json={"rev": 1, "item": "seats_fixed"}, timeout=10)
    assert answer.status_code == 503
    assert len(control.commands()) == 1


def test_no_answer_shows_a_traceback(web: httpx.Client, control: ControlStandIn) -> None:
    control.handlers["session"] = lambda _: (200, {})  # an answer that breaks the contract
    answer = web.post(SESSION, json={"pin": "2468"})
    assert answer.status_code == 500
    assert "Traceback" not in answer.text


def _post(port: int, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.putrequest("POST", CONFIRM, skip_host=True)
        for name, value in {**headers, "Content-Length": "2", "Content-Type": "application/json"}.items():
            connection.putheader(name, value)
        connection.endheaders(b"{}")
        return connection.getresponse().status
    finally:
        connection.close()
