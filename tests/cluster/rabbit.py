"""Three nodes of RabbitMQ and a load balancer on loopback, from the shipped configuration with its addresses replaced.

Each node is our own child with its own directory, on ports that the kernel chose; the name server of Erlang too.
TLS and users are left out here: what is tried is who keeps what when a node dies.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.brokers import free_port

SHIPPED = Path(__file__).resolve().parents[2] / "config" / "broker" / "cluster"
HOME = next(iter(sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"))), Path("/nowhere"))
HAPROXY = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin") or ""
NAMES = ("broker-1", "broker-2", "broker-3")
START_S = 90.0


@dataclass
class Node:
    """One broker; `kill` takes its whole process group away at once."""

    name: str
    directory: Path
    port: int
    mqtt_port: int
    distribution_port: int
    environment: dict[str, str]
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.directory / "log").open("ab") as log:
            self.child = subprocess.Popen(
                [HOME / "sbin" / "rabbitmq-server"],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()
            self.child = None

    def control(self, *arguments: str) -> str:
        """`rabbitmqctl`; its words, also when it fails."""
        found = subprocess.run(
            [HOME / "sbin" / "rabbitmqctl", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return found.stdout + found.stderr


@dataclass
class Cluster:
    """The nodes, and the one port that everybody dials."""

    nodes: list[Node]
    port: int
    helpers: list[subprocess.Popen[bytes]] = field(default_factory=list)


def _node(directory: Path, name: str, epmd_port: int, cookie: str) -> Node:
    place = directory / name
    place.mkdir()
    (place / ".erlang.cookie").write_text(cookie)
    (place / ".erlang.cookie").chmod(0o400)
    (place / "enabled_plugins").write_text("[rabbitmq_mqtt].\n")
    ports = [free_port() for _ in range(3)]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(place),
        "LANG": "C.UTF-8",
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"{name}@localhost",
        "RABBITMQ_NODE_PORT": str(ports[0]),
        "RABBITMQ_DIST_PORT": str(ports[2]),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1",
        "RABBITMQ_MNESIA_BASE": str(place / "data"),
        "RABBITMQ_LOG_BASE": str(place / "logs"),
        "RABBITMQ_CONFIG_FILE": str(place / "rabbitmq"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(place / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(place / "enabled_plugins"),
        "RABBITMQ_PID_FILE": str(place / "pid"),
        "RABBITMQ_CTL_DIST_PORT_MIN": "0",
    }
    return Node(name, place, ports[0], ports[1], ports[2], environment)


def _configure(nodes: list[Node]) -> None:
    shipped = (SHIPPED / "rabbitmq.conf").read_text(encoding="utf-8")
    shipped = "\n".join(
        line for line in shipped.splitlines() if not line.startswith(("ssl_", "mqtt.ssl", "mqtt.listeners"))
    )
    shipped = shipped.replace("mqtt.allow_anonymous = false", "mqtt.allow_anonymous = true")
    shipped = re.sub(r"rabbit@(broker-\d)", r"\1@localhost", shipped)
    for node in nodes:
        lines = shipped.replace("listeners.tcp = none", f"listeners.tcp.1 = 127.0.0.1:{node.port}")
        lines += (
            f"\nmqtt.listeners.tcp.1 = 127.0.0.1:{node.mqtt_port}\nlog.console = true\nlog.console.level = warning\n"
        )
        (node.directory / "rabbitmq.conf").write_text(lines)
        shutil.copy(SHIPPED / "advanced.config", node.directory)


def _balancer(directory: Path, nodes: list[Node], port: int) -> subprocess.Popen[bytes]:
    text = (SHIPPED / "haproxy.cfg").read_text(encoding="utf-8").replace("bind :8883", f"bind 127.0.0.1:{port}")
    for node in nodes:
        text = text.replace(f"{node.name}:8883", f"127.0.0.1:{node.mqtt_port}")
    file = directory / "haproxy.cfg"
    file.write_text(text)
    return subprocess.Popen([HAPROXY, "-f", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def rabbit_cluster(directory: Path) -> Iterator[Cluster]:
    """Three nodes that have found each other, behind a balancer."""
    assert HOME.exists() and HAPROXY, "install Debian's rabbitmq-server and haproxy: simulators/setup_env cluster"
    epmd_port = free_port()
    cookie = secrets.token_hex(16)
    nodes = [_node(directory, name, epmd_port, cookie) for name in NAMES]
    _configure(nodes)
    cluster = Cluster(nodes, free_port())
    cluster.helpers.append(
        subprocess.Popen(["epmd", "-port", str(epmd_port), "-address", "127.0.0.1"], stderr=subprocess.DEVNULL)
    )
    try:
        for node in nodes:
            node.start()
        for node in nodes:
            _wait(node)
        cluster.helpers.append(_balancer(directory, nodes, cluster.port))
        yield cluster
    finally:
        for node in nodes:
            node.kill()
        for helper in cluster.helpers:
            helper.terminate()
            helper.wait()


def _wait(node: Node) -> None:
    deadline_s = time.monotonic() + START_S
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", node.mqtt_port), 1).close()
            return
        said = (node.directory / "log").read_text(errors="replace")[-3000:]
        assert node.child is not None and node.child.poll() is None, said
        assert time.monotonic() < deadline_s, said
        time.sleep(0.2)
