"""A real Home Assistant in its own root, a real broker, and fanwhy on a made-up machine."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import servers
from servers import REPOSITORY, Mosquitto, Server, free_port, wait_until

EXAMPLES = REPOSITORY / "examples" / "home-assistant"
DASHBOARDS = """
lovelace:
  dashboards:
    fanwhy-host: {mode: yaml, filename: dashboard-host.yaml, title: Hosts, show_in_sidebar: true}
    fanwhy-graphs: {mode: yaml, filename: dashboard-graphs.yaml, title: nas, show_in_sidebar: true}
    fanwhy-fleet: {mode: yaml, filename: dashboard-fleet.yaml, title: Why, show_in_sidebar: true}
"""
NEWEST = "2026.11.0"
WITHOUT = "WITHOUT_HOMEASSISTANT"


def releases() -> list[str]:
    """Those to test with: the newest, unless ``HOMEASSISTANT_RELEASES`` names others."""
    return os.environ.get("HOMEASSISTANT_RELEASES", NEWEST).split()


def environment(release: str) -> Path:
    """The root that ``scripts/homeassistant`` has made."""
    cache = os.environ.get("TESTS_CACHE") or Path.home() / ".cache" / "fanwhy-tests"
    root = Path(cache, f"homeassistant-{release}")
    assert (root / "venv/bin/hass").exists(), (
        f"no Home Assistant {release} in {root}: `scripts/homeassistant {release}` makes it; "
        f"{WITHOUT}=1 leaves these tests out"
    )
    return root


class Broker(Mosquitto):
    """A mosquitto for everybody, on a free port of loopback."""

    close = Mosquitto.stop


class RabbitMq(Server):
    """A RabbitMQ that speaks MQTT, on a free port of loopback, with everything in one folder.

    The program that Debian installs asks to be root and changes to a user of its own; what it
    starts in the end needs neither.
    """

    _SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")

    def __init__(self, directory: Path) -> None:
        super().__init__(directory / "rabbitmq.log")
        assert self._SERVER.exists(), "rabbitmq-server is missing; `make test` installs it"
        self.port = free_port()
        self._home = directory / "rabbitmq"
        self._home.mkdir()
        (self._home / "plugins").write_text("[rabbitmq_mqtt].\n")
        (self._home / "rabbitmq.conf").write_text(
            "listeners.tcp = none\n"
            f"mqtt.listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            "mqtt.allow_anonymous = true\n"
            "distribution.listener.interface = 127.0.0.1\n"
        )
        self._environment = os.environ | {
            "HOME": str(self._home),
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": "fanwhy@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self._home / "data"),
            "RABBITMQ_LOG_BASE": str(self._home / "log"),
            "RABBITMQ_CONFIG_FILE": str(self._home / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._home / "plugins"),
        }
        # Erlang's own register of names would else be started in the background, and stay.
        self._names = subprocess.Popen(["epmd"], env=self._environment)

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> RabbitMq:
        self.launch([self._SERVER], env=self._environment)
        self.wait_for_ports(self.port, timeout=60)
        return self

    def close(self) -> None:
        self.stop()
        self._names.terminate()
        self._names.wait(10)


class Machine:
    """A root for fanwhy: the real processes, and disks, sensors and fans from fixtures."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "root"
        self.root.mkdir()
        (self.root / "proc").symlink_to("/proc")
        (self.root / "etc").symlink_to("/etc")
        fixtures = REPOSITORY / "tests" / "fixtures"
        for tree in ("disk/nas-renumbered/sys", "machines/intel_desktop/sys"):
            shutil.copytree(fixtures / tree, self.root / "sys", symlinks=True, dirs_exist_ok=True)

    def pull_disk(self, name: str) -> None:
        """Removes a disk as the kernel does: its folder, and the link to it."""
        for path in list(self.root.glob(f"sys/**/block/{name}")):
            if path.is_symlink():
                path.unlink()
            elif path.is_dir():
                shutil.rmtree(path)


class Daemon(servers.Daemon):
    """A daemon that looks at the machine below ``root``; ``more`` are further settings."""

    def __init__(
        self, directory: Path, broker: Broker | RabbitMq, root: Path, more: str = ""
    ) -> None:
        configuration = f'root = "{root}"\nhostname = "nas"\n{more}\n'
        super().__init__(directory, configuration, ["--broker", broker.url])


class HomeAssistant:
    """One installation, with its own configuration, that can be restarted.

    Args:
        root: the root it lives in.
        broker_port: of the broker that its MQTT integration uses.
        configuration: more lines of its ``configuration.yaml``.
        protocol: version of MQTT.
    """

    def __init__(
        self, root: Path, broker_port: int, configuration: str = "", protocol: str = "5"
    ) -> None:
        self._root = root
        self._protocol = protocol
        (root / "srv").mkdir(exist_ok=True)
        self.config = Path(tempfile.mkdtemp(dir=root / "srv", prefix="config-"))
        self.log = self.config / "stdout.log"
        self.port = free_port()
        self.token = ""
        self._process: subprocess.Popen[bytes] | None = None
        shutil.copytree(EXAMPLES / "blueprints", self.config / "blueprints/automation/fanwhy")
        for example in EXAMPLES.glob("*.yaml"):
            shutil.copy(example, self.config)
        (self.config / "automations.yaml").write_text("[]")
        self._seed(broker_port, configuration)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> HomeAssistant:
        inside = f"/{self.config.relative_to(self._root)}"
        script = (
            'mount -t proc proc "$0/proc"; exec chroot "$0" env -i PATH=/venv/bin:/usr/bin:/bin '
            "HOME=/root LANG=C.UTF-8 TZ=UTC "
            'SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt hass --skip-pip -c "$1"'
        )
        with self.log.open("ab") as log:
            start = log.tell()
            self._process = process = subprocess.Popen(
                ["unshare", "-m", "sh", "-c", script, str(self._root), inside],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        wait_until(
            lambda: (
                b"Home Assistant initialized" in self.log.read_bytes()[start:]
                or process.poll() is not None
            ),
            240,
            "Home Assistant did not start",
        )
        assert process.poll() is None, self.log.read_text()[-4000:]
        if not self.token:
            self._log_in()
        return self

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(120)
            self._process = None

    def close(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)
        shutil.rmtree(self.config, ignore_errors=True)

    def complaints(self) -> list[str]:
        """Warnings and errors about MQTT or about us."""
        return [
            line
            for line in self.log.read_text(errors="replace").splitlines()
            if (" WARNING " in line or " ERROR " in line)
            and any(word in line.lower() for word in ("mqtt", "fanwhy", "nas", "blueprint"))
            and "connection" not in line.lower()  # what we do to the broker
        ]

    def get(self, path: str) -> Any:
        return json.loads(self._request(path))

    def states(self) -> dict[str, dict[str, Any]]:
        return {state["entity_id"]: state for state in self.get("/api/states")}

    def call(self, service: str, data: dict[str, Any]) -> Any:
        return json.loads(self._request(f"/api/services/{service}", json.dumps(data).encode()))

    def ask(self, command: str, **more: Any) -> Any:
        """One command of the websocket interface."""
        with WebSocket(self.port) as socket_:
            socket_.receive()
            socket_.send({"type": "auth", "access_token": self.token})
            socket_.receive()
            socket_.send({"id": 1, "type": command, **more})
            answer = socket_.receive()
        assert answer["success"], answer
        return answer["result"]

    def registry(self) -> dict[str, dict[str, Any]]:
        """Our entities by unique id, the disabled ones too."""
        return {
            entry["unique_id"]: entry
            for entry in self.ask("config/entity_registry/list")
            if entry["platform"] == "mqtt"
        }

    def enable_everything(self) -> set[str]:
        """As a user may: switches on what is disabled, and starts anew; the ids of that."""
        disabled = {
            entry["entity_id"] for entry in self.registry().values() if entry["disabled_by"]
        }
        for entity_id in disabled:
            self.ask("config/entity_registry/update", entity_id=entity_id, disabled_by=None)
        self.stop()
        self.start()
        return disabled

    def devices(self) -> list[dict[str, Any]]:
        return [
            device
            for device in self.ask("config/device_registry/list")
            if any(domain == "mqtt" for domain, _ in device["identifiers"])
        ]

    def render(self, template: str) -> str:
        """What a template comes to."""
        return self._request("/api/template", json.dumps({"template": template}).encode())

    def _request(self, path: str, body: bytes | None = None, kind: str = "application/json") -> str:
        headers = {"Content-Type": kind}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.url + path, body, headers)
        with urllib.request.urlopen(request, timeout=20) as response:
            content: bytes = response.read()
        return content.decode()

    def _log_in(self) -> None:
        user = {
            "client_id": self.url, "name": "Test", "username": "test", "password": "test-test",
            "language": "en",
        }  # fmt: skip
        code = json.loads(self._request("/api/onboarding/users", json.dumps(user).encode()))
        form = {
            "grant_type": "authorization_code", "code": code["auth_code"], "client_id": self.url
        }  # fmt: skip
        answer = self._request(
            "/auth/token",
            urllib.parse.urlencode(form).encode(),
            "application/x-www-form-urlencoded",
        )
        self.token = json.loads(answer)["access_token"]

    def _seed(self, broker_port: int, more: str) -> None:
        old = not self._root.name.startswith("homeassistant-2026.1")
        lines = [
            "homeassistant: {name: Home, latitude: 52, longitude: 5, elevation: 0,",
            "  unit_system: metric, time_zone: UTC, country: NL}",
            "api:", "config:", "onboarding:", "system_log:", "frontend:", "history:",
            "sun:",
            "recorder: {commit_interval: 1}",
            "logger: {default: warning, logs: {homeassistant.bootstrap: info}}",
            more if "logbook:" in more else f"{more}\nlogbook:",
        ]  # fmt: skip
        if old:
            lines.append(f"http: {{server_host: 127.0.0.1, server_port: {self.port}}}")
        (self.config / "configuration.yaml").write_text("\n".join(lines))
        now = "2026-01-01T00:00:00+00:00"
        self._store("onboarding", 4, 1, {"done": ["core_config", "analytics", "integration"]})
        if not old:
            stable = {
                "server_port": self.port, "server_host": ["127.0.0.1"],
                "cors_allowed_origins": [], "login_attempts_threshold": -1,
                "ip_ban_enabled": True, "ssl_profile": "intermediate_v6",
                "use_x_frame_options": True, "created_at": now, "error": None,
                "error_message": None,
            }  # fmt: skip
            data = {"stable": stable, "pending": None, "yaml_migration_done": True}
            self._store("http", 3, 1, data)
        entry = {
            "entry_id": "01J00000000000000000FANWHY", "domain": "mqtt", "version": 1,
            "minor_version": 2, "source": "user", "title": "broker", "unique_id": None,
            "data": {"broker": "127.0.0.1", "port": broker_port, "protocol": self._protocol},
            "options": {}, "discovery_keys": {}, "subentries": [], "disabled_by": None,
            "pref_disable_new_entities": False, "pref_disable_polling": False,
            "created_at": now, "modified_at": now,
        }  # fmt: skip
        self._store("core.config_entries", 1, 5, {"entries": [entry]})

    def _store(self, key: str, version: int, minor: int, data: Any) -> None:
        folder = self.config / ".storage"
        folder.mkdir(exist_ok=True)
        content = {"version": version, "minor_version": minor, "key": key, "data": data}
        (folder / key).write_text(json.dumps(content))


class WebSocket:
    """As much of RFC 6455 as one question and its answer need."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET /api/websocket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._file = self._socket.makefile("rb")
        while self._file.readline() not in (b"\r\n", b""):
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def send(self, message: dict[str, Any]) -> None:
        content = json.dumps(message).encode()
        assert len(content) < 65536
        head = b"\x81\xfe" + struct.pack(">H", len(content))
        self._socket.sendall(head + b"\0\0\0\0" + content)  # a mask of zeros

    def receive(self) -> Any:
        content = b""
        while True:
            first, second = self._file.read(2)
            length = second & 127
            if length == 126:
                (length,) = struct.unpack(">H", self._file.read(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", self._file.read(8))
            part = self._file.read(length)
            if first & 15 in (0, 1):
                content += part
                if first & 128:
                    return json.loads(content)


class Withholding:
    """Stands before a broker and hands nothing retained to who connects here."""

    def __init__(self, broker_port: int) -> None:
        self._broker_port = broker_port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.withheld = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                broker = socket.create_connection(("127.0.0.1", self._broker_port))
                for move in (self._up, self._down):
                    threading.Thread(target=move, args=(client, broker), daemon=True).start()

    def _up(self, client: socket.socket, broker: socket.socket) -> None:
        with contextlib.suppress(OSError), client, broker:
            while chunk := client.recv(65536):
                broker.sendall(chunk)

    def _down(self, client: socket.socket, broker: socket.socket) -> None:
        with contextlib.suppress(OSError), client, broker, broker.makefile("rb") as packets:
            while head := packets.read(1):
                length, shift, size = 0, 0, b""
                while True:  # MQTT 5 section 1.5.5, variable byte integer
                    size += packets.read(1)
                    length |= (size[-1] & 127) << shift
                    shift += 7
                    if not size[-1] & 128:
                        break
                body = packets.read(length)
                if head[0] >> 4 == 3 and head[0] & 1:
                    self.withheld += 1
                    if head[0] & 6:  # somebody has to acknowledge it
                        after = 2 + int.from_bytes(body[:2], "big")
                        broker.sendall(b"\x40\x02" + body[after : after + 2])
                    continue
                client.sendall(head + size + body)


@dataclass
class House:
    """Everything that a test needs."""

    broker: Broker
    machine: Machine
    daemon: Daemon
    assistant: HomeAssistant
    release: str


def build(
    directory: Path, *, release: str, broker: str = "", settings: str = "", configuration: str = ""
) -> Iterator[House]:
    """A house that runs until the iterator is closed."""
    root = environment(release)
    server = Broker(directory, broker).start()
    machine = Machine(directory)
    daemon = Daemon(directory, server, machine.root, settings)
    assistant = HomeAssistant(root, server.port, configuration)
    try:
        daemon.start()
        assistant.start()
        yield House(server, machine, daemon, assistant, release)
    finally:
        assistant.close()
        daemon.kill()
        server.stop()
