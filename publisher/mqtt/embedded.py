"""A broker of our own, on loopback, for machines that have none (docs/adr/0003).

Started when no broker is configured and nothing listens on localhost:1883: mosquitto where it
is installed, else the one that comes with the extra ``embedded``. It is a child whose life hangs
on a pipe: however this process ends, the kernel closes our end of the pipe, and a shell of a few
hundred kilobytes that waits at the other end ends the broker. Unlike Linux' parent death signal
this works on every Unix, from any thread, and for a broker that changes its user.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from publisher.errors import BrokerError
from publisher.mqtt.broker import BrokerSettings

log = logging.getLogger(__name__)

PORT = 1883
_ADDRESS = "127.0.0.1"
_START_SECONDS = 10.0
_STOP_SECONDS = 1.0
_RESTART_SECONDS = 5.0  # so that one that cannot live does not keep us busy
_PROBE_SECONDS = 3.0

# Runs a broker until it ends, or until standard input does.
_KEEPER = """
exec 3<&0 </dev/null
"$@" 3<&- & broker=$!
exec 2>/dev/null
(read -r _ <&3; kill "$broker") & reader=$!
exec 3<&-
wait "$broker"
status=$?
kill "$reader"
exit "$status"
"""

_MOSQUITTO = """\
listener {port} {address}
allow_anonymous true
persistence false
log_dest stderr
log_type error
"""

# Its own limit of 20 kB a message would end our connection; its log tells of every packet.
_IOTCORE = """\
import logging
from iotcore import Broker
logging.disable()
Broker(listen="{address}", port={port}, max_payload_size=1 << 20, max_connections=100).run_forever()
"""

# An MQTT 3.1.1 CONNECT without a client id, and its DISCONNECT.
_CONNECT = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00"
_DISCONNECT = b"\xe0\x00"
_CONNACK = 0x20


@dataclass(frozen=True, slots=True)
class Program:
    """How to start a broker: ``command``, then the path of a file with ``config`` if it wants one.

    Address and port are filled into both.
    """

    name: str
    command: tuple[str, ...]
    config: str = ""


class EmbeddedBroker:
    """A broker that runs as our child until ``stop`` or until this process ends.

    Attributes:
        url: where it listens.
        line: one sentence for people.
        restart_pause: the least time in seconds between two starts.
    """

    def __init__(self, program: Program, port: int) -> None:
        self.url = f"mqtt://{_ADDRESS}:{port}"
        self.line = (
            f"no broker configured and none found: started one of our own ({program.name}) "
            f"on {self.url}, for this machine only"
        )
        self._program = program
        self._port = port
        self.restart_pause = _RESTART_SECONDS
        self._started = 0.0
        self._process = self._spawn()

    @property
    def pid(self) -> int:
        """Of the process group that holds the broker."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it is not there any more."""
        return self._process.poll() is not None

    def wait_ready(self) -> None:
        """Returns when it answers.

        Raises:
            BrokerError: it ended, or does not answer in time.
        """
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            code = self._process.poll()
            if code is not None:
                raise BrokerError(f"{self._program.name} ended at once (exit code {code})")
            if _speaks_mqtt(_ADDRESS, self._port):
                return
            time.sleep(0.02)
        raise BrokerError(f"{self._program.name} does not answer on {self.url}")

    def poll(self) -> None:
        """Starts it again if it has ended. To be called now and then."""
        if not self.ended or time.monotonic() - self._started < self.restart_pause:
            return
        log.warning(
            "our own broker (%s) ended with exit code %s; starting it again",
            self._program.name,
            self._process.returncode,
        )
        self._release()
        self._process = self._spawn()

    def stop(self) -> None:
        """Ends it and waits until it is gone."""
        self._release()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._started = time.monotonic()
        place = {"address": _ADDRESS, "port": self._port}
        command = [word.format(**place) for word in self._program.command]
        with _file_of(self._program.config.format(**place)) as descriptor:
            if self._program.config:
                command.append(f"/dev/fd/{descriptor}")
            return subprocess.Popen(
                ["/bin/sh", "-c", _KEEPER, "fanwhy-broker", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=(descriptor,),
                # A group of its own: Ctrl-C is for us, the broker is still to carry our goodbye.
                start_new_session=True,
            )

    def _release(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()


def find_or_start(
    settings: BrokerSettings, *, port: int = PORT, choice: Iterable[Program] | None = None
) -> EmbeddedBroker | None:
    """A broker of our own, if none is configured and none listens on this machine.

    Args:
        settings: with no ``url`` set, a broker is looked for and started.
        port: of this machine, to look at and to listen on.
        choice: the programs to try in turn; those of this machine when ``None``.

    Raises:
        BrokerError: the port is taken by something else, or there is no broker to start.
    """
    if settings.url:
        return None
    answer = _speaks_mqtt("localhost", port)
    if answer:
        return None
    if answer is not None:
        raise BrokerError(
            f"port {port} of this machine is taken by something that is no MQTT broker; "
            "set broker.url (or FANWHY_BROKER) to where your broker is"
        )
    failures = []
    for program in programs() if choice is None else choice:
        broker = EmbeddedBroker(program, port)
        try:
            broker.wait_ready()
        except BrokerError as error:
            broker.stop()
            failures.append(str(error))
        else:
            return broker
    raise BrokerError(
        "no broker is configured and none listens on this machine; set broker.url (or "
        "FANWHY_BROKER), or install mosquitto or the extra 'fanwhy[embedded]'"
        + "".join(f"; {failure}" for failure in failures)
    )


def programs() -> Iterator[Program]:
    """The brokers that this machine could start, the best first; none without a Unix shell."""
    if os.name != "posix":
        return
    # Debian has it where users without privilege do not look.
    for directory in (*os.get_exec_path(), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"):
        path = os.path.join(directory, "mosquitto")  # noqa: PTH118
        if os.access(path, os.X_OK):
            yield Program("mosquitto", (path, "-c"), _MOSQUITTO)
            break
    if importlib.util.find_spec("iotcore"):
        yield Program("iotcore", (sys.executable, "-P", "-c", _IOTCORE))


def _speaks_mqtt(host: str, port: int) -> bool | None:
    """Whether what listens there answers a CONNECT with a CONNACK; ``None`` if nothing listens."""
    try:
        with socket.create_connection((host, port), _PROBE_SECONDS) as probe:
            try:
                probe.sendall(_CONNECT)
                answer = probe.recv(4)
                probe.sendall(_DISCONNECT)
            except OSError:
                return False
            return bool(answer) and answer[0] == _CONNACK
    except OSError:
        return None


@contextlib.contextmanager
def _file_of(content: str) -> Iterator[int]:
    """A descriptor of a file without a name, so that nothing is left behind."""
    # Only daemons with a broker of their own load these, which is never on Windows.
    import fcntl  # noqa: PLC0415
    import tempfile  # noqa: PLC0415

    with tempfile.TemporaryFile() as file:
        # Shells have names for the descriptors below 10, and the keeper uses one.
        descriptor = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 10)
    try:
        os.write(descriptor, content.encode())
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)
