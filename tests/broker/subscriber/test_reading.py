"""``fanwhy-sub`` as its users start it, on real brokers and on a real terminal."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from broker.parties import Certificates, MakeBroker, Shipped, Watch
from broker.reading import COMMAND, VERDICT, Daemon, RunCommand, environment
from servers import Mosquitto

pytestmark = pytest.mark.broker


# --- why -----------------------------------------------------------------------------------------


def test_why_prints_the_sentence(daemon: Daemon, run: RunCommand) -> None:
    daemon.say_all()

    done = run("why")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == VERDICT["headline"]
    assert done.stdout.splitlines()[2].startswith("make -j8  development")


def test_a_terminal_that_knows_ascii_alone(daemon: Daemon, run: RunCommand) -> None:
    daemon.say_all(headline="CPU usage high due to: caf\u00e9")

    done = run("why", PYTHONIOENCODING="ascii")

    assert done.returncode == 0, done.stderr
    assert "caf?" in done.stdout


def test_why_asks_for_fresh_figures(
    broker: Shipped, daemon: Daemon, run: RunCommand, watch: Watch
) -> None:
    daemon.say_all()
    asked = watch(broker, "host/command", username="fanwhy")

    def answer() -> None:
        request = asked.wait_for("host/command", b"why")
        fresh = json.dumps(VERDICT | {"headline": "Fresh"}).encode()
        asked.publish(
            request.properties.ResponseTopic,
            fresh,
            correlation_data=request.properties.CorrelationData,
        )

    thread = threading.Thread(target=answer)
    thread.start()
    done = run("why", "--json")
    thread.join()

    (message,) = map(json.loads, done.stdout.splitlines())
    assert message["topic"] == "host/explanation"
    assert message["payload"]["headline"] == "Fresh"


def test_why_in_json_for_every_host(daemon: Daemon, run: RunCommand) -> None:
    daemon.say_all()
    daemon.say_all("host/pi", host="pi", headline="System load normal")

    done = run("why", "--json")

    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert [message["topic"] for message in messages] == [
        "host/explanation", "host/pi/explanation",
    ]  # fmt: skip
    assert messages[0]["payload"] == VERDICT


def test_why_of_a_machine_under_a_prefix_it_left(daemon: Daemon, run: RunCommand) -> None:
    daemon.say_all("host")
    daemon.say("host/status", b"offline")
    daemon.say_all("host/nas", headline="System load normal")

    done = run("why")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "System load normal"
    assert "nas (host) is offline" in done.stdout


def test_why_without_a_verdict_is_one(run: RunCommand) -> None:
    done = run("why", "--timeout", "0.5")

    assert done.returncode == 1
    assert "no host has said why; is fanwhy-pub running?" in done.stderr


def test_why_of_a_machine_that_is_gone_is_one(daemon: Daemon, run: RunCommand) -> None:
    daemon.say_all()
    daemon.say("host/status", b"offline")

    done = run("why")

    assert done.returncode == 1
    assert "nas is offline" in done.stdout
    assert "nas: offline" in done.stderr


# --- tail ----------------------------------------------------------------------------------------


def test_tail_for_people(daemon: Daemon, run: RunCommand) -> None:
    daemon.say_all()

    done = run("tail", "cpu", "explanation", "-n", "2")

    assert done.returncode == 0, done.stderr
    cpu, explanation = sorted(line[9:] for line in done.stdout.splitlines())
    assert cpu == "nas cpu         Usage 87 %"
    assert explanation == f"nas explanation BUSY {VERDICT['headline']}"


def test_tail_for_programs(daemon: Daemon, run: RunCommand) -> None:
    daemon.say_all()

    done = run("tail", "--json", "--count", "4")

    messages = {m["topic"]: m["payload"] for m in map(json.loads, done.stdout.splitlines())}
    assert messages["host/status"] == "online"
    assert messages["host/explanation"] == VERDICT


def test_tail_passes_over_what_it_cannot_read(
    anonymous: Mosquitto, passwords: dict[str, str], run: RunCommand
) -> None:
    # The configuration that we ship lets no message of that size pass.
    daemon = Daemon(anonymous, passwords)
    daemon.say("host/a", b"\xff\xfe")
    daemon.say("host/b", b"not json")
    daemon.say("host/c", b'"' + b"x" * (1 << 20) + b'"')
    daemon.say("host/d", b"[1, 2]")
    daemon.say("host/\u202egnp", b"{")
    daemon.say_all()
    daemon.close()

    done = run("tail", "--json", "-n", "4", url=anonymous.url)

    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert len(lines) == 5, done.stderr
    assert all(line.isprintable() for line in lines)
    for what in ("is not UTF-8", "is not JSON", "more than 1 MiB", "not an object"):
        assert what in done.stderr


def test_tail_names_the_nearest_topic(daemon: Daemon, run: RunCommand) -> None:
    daemon.say_all()

    done = run("tail", "cpuu")

    assert done.returncode == 2
    assert done.stderr == "fanwhy-sub: no host has a topic 'cpuu'; did you mean cpu?\n"


def test_tail_ends_in_time_without_messages(run: RunCommand) -> None:
    assert run("tail", "--seconds", "0.3").returncode == 0


def test_watch_without_a_terminal_prints_lines(
    daemon: Daemon, broker: Shipped, tmp_path: Path
) -> None:
    daemon.say_all()
    with subprocess.Popen(
        [*COMMAND, "watch"], env=environment(tmp_path, broker.url), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(4)]
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=10)

    assert any("BUSY" in line for line in lines)
    assert process.returncode == 130
    assert complaint == ""


# --- getting in ----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("tail",), ("why",), ("watch",)])
def test_a_wrong_password_ends_it_with_one_line(run: RunCommand, command: tuple[str, ...]) -> None:
    done = run(*command, password="wrong")

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "check user name and password" in done.stderr or "wrong user name" in done.stderr


def test_a_port_that_speaks_something_else(run: RunCommand, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    connection.recv(100)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    connection.close()

        threading.Thread(target=hang_up, daemon=True).start()
        port = server.getsockname()[1]
        done = run("why", "--timeout", "0.5", url=f"mqtt://127.0.0.1:{port}")
        server.shutdown(socket.SHUT_RDWR)

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "MQTT" in done.stderr


def test_tls_is_verified(
    mosquitto: MakeBroker, certificates: Certificates, passwords: dict[str, str], run: RunCommand
) -> None:
    secure = mosquitto(
        listeners="listener {port} 127.0.0.1\n"
        f"certfile {certificates.server_crt}\nkeyfile {certificates.server_key}\n"
    )
    daemon = Daemon(secure, passwords)
    daemon.say_all()
    daemon.close()
    url = f"mqtts://127.0.0.1:{secure.other_port}"

    untrusted = run("why", url=url)
    assert untrusted.returncode == 1
    assert "its certificate is not trusted" in untrusted.stderr
    assert "broker.ca_file" in untrusted.stderr

    trusted = run("why", url=url, FANWHY_BROKER__CA_FILE=certificates.ca_crt)
    assert trusted.returncode == 0, trusted.stderr
    assert VERDICT["headline"] in trusted.stdout


def test_websockets(mosquitto: MakeBroker, passwords: dict[str, str], run: RunCommand) -> None:
    web = mosquitto(listeners="listener {port} 127.0.0.1\nprotocol websockets\n")
    daemon = Daemon(web, passwords)
    daemon.say_all()
    daemon.close()

    done = run("why", url=f"ws://127.0.0.1:{web.other_port}")

    assert done.returncode == 0, done.stderr
    assert VERDICT["headline"] in done.stdout


class OldBroker:
    """A broker from before MQTT 5: a relay to a newer one that passes 3.1.1 on alone.

    Args:
        farewell: what it sends to a client of MQTT 5 before it hangs up.
    """

    def __init__(self, port: int, farewell: bytes) -> None:
        self._port, self._farewell = port, farewell
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open = [self._server]
        self.url = f"mqtt://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self._open.append(client)
                hello = client.recv(1000)
                if b"\x00\x04MQTT\x05" in hello:
                    client.sendall(self._farewell)
                    client.close()
                    continue
                broker = socket.create_connection(("127.0.0.1", self._port))
                self._open.append(broker)
                broker.sendall(hello)
                for source, target in ((client, broker), (broker, client)):
                    threading.Thread(target=self._relay, args=(source, target), daemon=True).start()

    @staticmethod
    def _relay(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@pytest.mark.parametrize("farewell", [b"\x20\x02\x00\x01", b""], ids=["refuses", "hangs up"])
def test_a_broker_that_speaks_3_1_1_only(
    broker: Shipped, daemon: Daemon, run: RunCommand, farewell: bytes
) -> None:
    daemon.say_all()
    old = OldBroker(broker.port, farewell)

    done = run("why", url=old.url)
    old.close()

    assert done.returncode == 0, done.stderr
    assert VERDICT["headline"] in done.stdout


# --- the screen ----------------------------------------------------------------------------------


# Makes standard input the controlling terminal, so that Control-C comes as a signal.
TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """A program on a terminal of its own, and what it has written there."""

    def __init__(self, command: list[str], variables: dict[str, str]) -> None:
        self.master, slave = pty.openpty()
        self.resize(80, 24)
        self.before = termios.tcgetattr(slave)
        self._slave = slave
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, *command],
            env=variables, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        )  # fmt: skip
        self.output = ""

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def wait_for(self, pattern: str, timeout: float = 15) -> None:
        """Until the pattern was written since the last call."""
        deadline = time.monotonic() + timeout
        while not (found := re.search(pattern, self.output)):
            left = deadline - time.monotonic()
            assert left > 0, (pattern, self.output)
            if self._readable(left):
                self.output += os.read(self.master, 65536).decode(errors="replace")
        self.output = self.output[found.end() :]

    def end(self, timeout: float = 10) -> int:
        """The exit code; the terminal must be as it was.

        It reads to the end as terminals do: who writes to one that does not, waits for it.
        """
        deadline = time.monotonic() + timeout
        while (code := self.process.poll()) is None or self._readable(0.1):
            assert time.monotonic() < deadline, "it goes on"
            if self._readable(0.1):
                self.output += os.read(self.master, 65536).decode(errors="replace")
        assert termios.tcgetattr(self._slave) == self.before
        return code

    def _readable(self, seconds: float) -> bool:
        return bool(select.select([self.master], [], [], seconds)[0])

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self._slave)


@pytest.fixture
def terminal(broker: Shipped, tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    made: list[Terminal] = []

    def start(*words: str, url: str = "", password: str = "read:only", **more: str) -> Terminal:
        variables = environment(tmp_path, url or broker.url, password) | more
        made.append(Terminal([*COMMAND, "watch", *words], variables))
        return made[-1]

    yield start
    for one in made:
        one.close()


ENTERED, LEFT = re.escape("\x1b[?1049h"), re.escape("\x1b[?1049l")


def test_watch_shows_the_sentence_and_follows(
    broker: Shipped, daemon: Daemon, terminal: Callable[..., Terminal], watch: Watch
) -> None:
    daemon.say_all()
    asked = watch(broker, "host/command", username="fanwhy")
    screen = terminal()
    screen.wait_for(ENTERED)
    screen.wait_for("CPU usage high due to")

    daemon.say("host/explanation", VERDICT | {"state": "quiet", "headline": "System load normal"})
    screen.wait_for("System load normal")
    screen.resize(120, 40)
    screen.wait_for(re.escape("\x1b[40;1H"))
    screen.press("r")
    asked.wait_for("host/command", b"refresh")
    screen.press("q")

    assert screen.end() == 0
    assert re.search(LEFT, screen.output)
    assert "\x1b[?25h" in screen.output


def test_watch_ends_when_told_though_its_terminal_takes_nothing(
    daemon: Daemon, terminal: Callable[..., Terminal]
) -> None:
    daemon.say_all()
    screen = terminal()
    screen.resize(200, 50)
    screen.wait_for(ENTERED)
    for number in range(30):  # more than the kernel keeps for it
        daemon.say("host/explanation", VERDICT | {"headline": f"{number} " * 40})
        time.sleep(0.05)

    screen.process.terminate()

    assert screen.process.wait(20) == 128 + signal.SIGTERM
    assert termios.tcgetattr(screen.master)[3] & termios.ICANON  # as it was found


def test_watch_ends_on_control_c_as_it_should(
    daemon: Daemon, terminal: Callable[..., Terminal]
) -> None:
    daemon.say_all()
    screen = terminal()
    screen.wait_for("CPU usage high due to")
    screen.press("\x03")

    assert screen.end() == 130
    assert re.search(LEFT, screen.output)
    assert "Traceback" not in screen.output


def test_watch_leaves_tidily_when_told_to_go(
    daemon: Daemon, terminal: Callable[..., Terminal]
) -> None:
    daemon.say_all()
    screen = terminal()
    screen.wait_for("CPU usage high due to")
    screen.process.terminate()

    assert screen.end() == 0
    assert re.search(LEFT, screen.output)


def test_watch_hears_who_ends_it_whatever_comes(
    daemon: Daemon, terminal: Callable[..., Terminal]
) -> None:
    daemon.say_all()
    screen = terminal()
    screen.wait_for("CPU usage high due to")
    evil = b'{"x":[' + b"{}," * 100_000 + b"{}]}"
    over = threading.Event()

    def flood() -> None:
        number = 0
        while not over.is_set():
            daemon.say(f"host/topic{number % 60}", evil, retain=False)
            number += 1

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        for _ in range(5):  # drawn again, with the time and what came meanwhile
            screen.wait_for(r"\d\d:\d\d:\d\d")
        screen.process.terminate()
        assert screen.end() == 0
    finally:
        over.set()
        thread.join()
    assert re.search(LEFT, screen.output)


def test_watch_can_be_laid_aside(daemon: Daemon, terminal: Callable[..., Terminal]) -> None:
    daemon.say_all()
    screen = terminal()
    screen.wait_for("CPU usage high due to")
    # No shell is there to ask for it with Control-Z.
    screen.process.send_signal(signal.SIGTSTP)
    screen.wait_for(LEFT)
    assert os.waitid(os.P_PID, screen.process.pid, os.WSTOPPED | os.WNOWAIT)
    screen.process.send_signal(signal.SIGCONT)
    screen.wait_for(ENTERED)
    screen.wait_for("CPU usage high due to")


def test_watch_chooses_among_hosts(daemon: Daemon, terminal: Callable[..., Terminal]) -> None:
    daemon.say_all()
    daemon.say_all("host/pi", host="pi", state="quiet", headline="System load normal")
    screen = terminal()
    screen.wait_for("1 busy")
    screen.wait_for(" of 2")
    screen.press("\x1b[B\r")
    screen.wait_for("2 of 2 hosts")
    screen.press("\x1b")
    screen.wait_for("1 busy")


def test_watch_opens_the_host_that_it_is_told(
    daemon: Daemon, terminal: Callable[..., Terminal]
) -> None:
    daemon.say_all()
    daemon.say_all("host/pi", host="pi", state="quiet", headline="System load normal")
    screen = terminal("PI")
    screen.wait_for("2 of 2 hosts")


def test_watch_prints_lines_where_that_is_asked_for(
    daemon: Daemon, terminal: Callable[..., Terminal]
) -> None:
    daemon.say_all()
    screen = terminal("--lines")
    screen.wait_for("CPU usage high due to")
    screen.press("\x03")

    assert screen.end() == 130
    assert not re.search(ENTERED, screen.output)


def test_watch_outlives_the_broker(
    broker: Shipped, daemon: Daemon, terminal: Callable[..., Terminal]
) -> None:
    daemon.say_all()
    screen = terminal()
    screen.wait_for("CPU usage high due to")

    broker.stop()
    screen.wait_for("No connection")
    screen.wait_for("nothing listens there")
    broker.start()
    screen.wait_for("CPU usage high", timeout=30)


def test_watch_waits_for_a_broker(
    mosquitto: MakeBroker, passwords: dict[str, str], terminal: Callable[..., Terminal]
) -> None:
    late = mosquitto()
    late.stop()
    screen = terminal(url=late.url)
    screen.wait_for("nothing listens there")
    late.start()
    daemon = Daemon(late, passwords)
    daemon.say_all()
    daemon.close()
    screen.wait_for("CPU usage high due to", timeout=30)


def test_watch_leaves_the_screen_before_it_complains(terminal: Callable[..., Terminal]) -> None:
    screen = terminal(password="wrong")

    assert screen.end() == 1
    assert re.search(LEFT + r".*fanwhy-sub: mqtt://.*password", screen.output, re.DOTALL)


def test_watch_without_colours(daemon: Daemon, terminal: Callable[..., Terminal]) -> None:
    daemon.say_all()
    screen = terminal(NO_COLOR="1")
    screen.wait_for("BUSY")
    screen.press("q")

    assert screen.end() == 0
    # Nor black on black, which is what greys make of a terminal's own colours.
    assert not re.search(r"\x1b\[(?:[0-9;]*;)?[34][0-8](?:[0-9;]*)m", screen.output)
