"""The protocol of NUT, spoken with a server of the test's own."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from publisher.errors import AbsentError, SourceError
from publisher.sources import nut

_ANSWERS = {
    "LIST UPS": 'BEGIN LIST UPS\nUPS rack "Rack, left"\nUPS spare "no driver"\nEND LIST UPS\n',
    "LIST VAR rack": (
        "BEGIN LIST VAR rack\n"
        'VAR rack battery.charge "87"\n'
        'VAR rack ups.status "OB DISCHRG"\n'
        'VAR rack device.model "Smart-UPS \\"750\\" \\\\ x"\n'
        "something new\n"
        "END LIST VAR rack\n"
    ),
    "LIST VAR spare": "ERR DRIVER-NOT-CONNECTED\n",
}

Serve = Callable[[Callable[[socket.socket], None]], tuple[str, int]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that hands its first connection to a function."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def start(talk: Callable[[socket.socket], None]) -> tuple[str, int]:
        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                talk(connection)

        thread = threading.Thread(target=run)
        thread.start()
        threads.append(thread)
        host, port = listener.getsockname()
        return host, port

    yield start
    for thread in threads:
        thread.join(5)
    listener.close()


def test_every_ups_tells_its_variables(serve: Serve) -> None:
    asked: queue.Queue[str] = queue.Queue()

    def talk(connection: socket.socket) -> None:
        for line in connection.makefile():
            asked.put(line.strip())
            if line.strip() == "LOGOUT":
                return
            connection.sendall(_ANSWERS[line.strip()].encode())

    found = nut.upses(serve(talk))

    assert found == {
        "rack": {
            "battery.charge": "87",
            "ups.status": "OB DISCHRG",
            "device.model": 'Smart-UPS "750" \\ x',
        },
        "spare": {},
    }
    # Nobody answers the last one, so that it may not have been read yet.
    for expected in ("LIST UPS", "LIST VAR rack", "LIST VAR spare", "LOGOUT"):
        assert asked.get(timeout=10) == expected
    assert asked.empty()


def _speak(connection: socket.socket) -> None:
    for line in connection.makefile():
        if line.strip() == "LOGOUT":
            return
        connection.sendall(_ANSWERS[line.strip()].encode())


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("rack@nas.lan:3494", nut.Place("rack", "nas.lan", 3494)),
        ("rack@nas.lan", nut.Place("rack", "nas.lan", 3493)),
        (" 192.0.2.7 ", nut.Place(None, "192.0.2.7", 3493)),
        ("rack@[fe80::1%eth0]:1", nut.Place("rack", "fe80::1%eth0", 1)),
        ("[2001:db8::7]", nut.Place(None, "2001:db8::7", 3493)),
    ],
)
def test_where_a_ups_is_looked_after(words: str, place: nut.Place) -> None:
    assert nut.Place.of(words) == place


@pytest.mark.parametrize(
    "words", ["", "@nas", "rack@", "nas:x", "nas:99999", "a b@nas", "fe80::1", "ra ck@nas"]
)
def test_what_names_no_ups_is_refused(words: str) -> None:
    with pytest.raises(SourceError, match="names no UPS"):
        nut.Place.of(words)


def test_the_ups_of_another_machine_is_asked_for_by_name(serve: Serve) -> None:
    host, port = serve(_speak)

    assert nut.Distant.of(f"rack@{host}:{port}").ask()["rack"]["battery.charge"] == "87"


def test_all_that_another_machine_has_are_told_without_a_name(serve: Serve) -> None:
    host, port = serve(_speak)

    assert nut.Distant.of(f"{host}:{port}").ask().keys() == {"rack", "spare"}


def test_a_ups_that_another_machine_does_not_know_tells_nothing(serve: Serve) -> None:
    host, port = serve(_speak)

    assert nut.Distant.of(f"attic@{host}:{port}").ask() == {"attic": {}}


def test_another_machine_without_a_server_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        host, port = free.getsockname()[:2]

    with pytest.raises(SourceError, match="no server listens there"):
        nut.Distant.of(f"{host}:{port}").ask()


def test_no_server_is_a_fact() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()[:2]

    with pytest.raises(AbsentError, match="no NUT server"):
        nut.upses(address)


def test_a_server_of_another_kind_is_a_failure(serve: Serve) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(b"220 mail.example ESMTP\r\n")

    with pytest.raises(SourceError, match="protocol"):
        nut.upses(serve(talk))


def test_a_server_that_says_nothing_is_waited_for_a_moment_only(serve: Serve) -> None:
    done = threading.Event()

    def talk(_: socket.socket) -> None:
        done.wait(10)

    try:
        with pytest.raises(SourceError, match="no answer"):
            nut.upses(serve(talk))
    finally:
        done.set()


def test_an_endless_answer_is_cut_off(serve: Serve) -> None:
    def talk(connection: socket.socket) -> None:
        try:
            while True:
                connection.sendall(b'VAR rack a "b"\n' * 1000)
        except OSError:
            pass

    with pytest.raises(SourceError, match="does not end"):
        nut.upses(serve(talk))
