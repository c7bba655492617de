"""Network: which cards there are, what they carried, and what nonsense they may tell."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from publisher.cli.replay import replay
from publisher.contract.payload import Change, change, to_json
from publisher.errors import AbsentError, SourceError
from publisher.sources import Sources, interfaces
from publisher.sources.recording import Captured
from publisher.subsystems.network import InterfaceReading, Network, NetworkReading

_FIXTURES = Path(__file__).parents[2] / "fixtures" / "network"
_HEAD = "Inter-|   Receive |  Transmit\n face |bytes packets |bytes packets\n"
_CARD = "pci-0000:00:1f.6"


class Machine:
    """A network subsystem on a copy of a fixture tree whose files and clock move as told."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = Captured(root)
        self.now = 100.0
        self.network = Network(Sources(files=self.files, monotonic=lambda: self.now))

    def write(self, path: str, content: str | bytes) -> None:
        (self.root / path).write_bytes(content.encode() if isinstance(content, str) else content)

    def traffic(self, received: int, sent: int = 0, *, errors: int = 0, name: str = "eth0") -> None:
        line = f"{name}: {received} {received // 100} {errors} 0 0 0 0 0 {sent} 7 0 0 0 0 0 0\n"
        self.write("proc/net/dev", _HEAD + line)

    def link(self, name: str, content: str) -> None:
        self.write(f"sys/devices/pci0000:00/0000:00:1f.6/net/eth0/{name}", content)

    def read(self, *, after: float = 2.0) -> NetworkReading:
        self.now += after
        return self.network.read()

    def card(self, *, after: float = 2.0) -> InterfaceReading:
        return self.read(after=after).interfaces[_CARD]


@pytest.fixture
def machine(tmp_path: Path) -> Callable[[str], Machine]:
    def make(case: str) -> Machine:
        shutil.copytree(_FIXTURES / case, tmp_path / case, symlinks=True)
        return Machine(tmp_path / case)

    return make


@pytest.fixture
def desktop(machine: Callable[[str], Machine]) -> Machine:
    return machine("desktop")


def test_cards_that_swap_their_names_keep_their_identities() -> None:
    before = replay(_FIXTURES / "desktop", ["network"])["network"]["interfaces"]
    after = replay(_FIXTURES / "desktop-renumbered", ["network"])["network"]["interfaces"]

    assert before.keys() == after.keys()
    assert {key: item["label"] for key, item in before.items()} != {
        key: item["label"] for key, item in after.items()
    }
    without = [
        {key: {**item, "label": ""} for key, item in cards.items()} for cards in (before, after)
    ]
    assert without[0] == without[1]


def test_software_is_summed_up_and_not_listed(desktop: Machine) -> None:
    desktop.read()
    reading = desktop.read()

    assert reading.interfaces.keys() == {_CARD, "pci-0000:03:00.0"}
    assert reading.virtual is not None
    assert reading.virtual.count == 5


def test_totals_count_cards_only(desktop: Machine) -> None:
    desktop.read()
    desktop.write("proc/net/dev", (desktop.root / "second/proc/net/dev").read_text())

    reading = desktop.read()

    assert reading.receive_bytes_per_second == 900_000
    assert reading.transmit_bytes_per_second == 450_000


def test_no_address_is_published(desktop: Machine) -> None:
    desktop.link("address", "52:54:00:12:34:56\n")

    assert "52:54" not in str(to_json(desktop.read()))


def test_rates_are_what_the_counters_grew_by(desktop: Machine) -> None:
    desktop.traffic(1000, 500)
    desktop.read()
    desktop.traffic(21000, 4500, errors=4)

    card = desktop.card(after=2.0)

    assert card.receive_bytes_per_second == 10_000
    assert card.transmit_bytes_per_second == 2_000
    assert card.receive_packets_per_second == 100
    assert card.receive_errors_per_second == 2
    assert card.transmit_drops_per_second == 0


def test_a_download_is_news_and_chatter_is_not(desktop: Machine) -> None:
    readings = []
    for received in (0, 20_000, 60_000, 40_000_000, 84_000_000):
        desktop.traffic(received)
        readings.append(desktop.read())
    _, chatter, more_chatter, download, goes_on = readings

    assert change(chatter, more_chatter) is Change.NONE
    assert change(more_chatter, download) is Change.VALUE
    assert change(download, goes_on) is Change.NONE


@pytest.mark.parametrize("received", [0, 2**64 - 1, -5], ids=["reset", "absurd", "negative"])
def test_counters_that_jump_give_no_rate(desktop: Machine, received: int) -> None:
    desktop.traffic(10_000)
    desktop.read()
    desktop.traffic(received)

    assert desktop.card().receive_bytes_per_second is None


@pytest.mark.parametrize(
    "content",
    ["", "something else\n", _HEAD + "eth0: 1 2 3\n", _HEAD + "eth0: a b c d e f g h i j k l\n"],
    ids=["empty", "other", "truncated", "malformed"],
)
def test_an_unusable_table_is_a_failure_of_the_whole(desktop: Machine, content: str) -> None:
    desktop.write("proc/net/dev", content)

    with pytest.raises(SourceError, match="/proc/net/dev"):
        desktop.read()


def test_a_machine_without_network_is_a_fact(tmp_path: Path) -> None:
    with pytest.raises(AbsentError):
        Network(Sources(files=Captured(tmp_path))).read()


def test_a_pulled_cable_is_told_at_once(desktop: Machine) -> None:
    before = desktop.read()
    desktop.link("operstate", "down\n")
    desktop.link("speed", "!EINVAL\n")
    desktop.link("duplex", "!EINVAL\n")

    after = desktop.read()

    assert change(before, after) is Change.STATE
    card = after.interfaces[_CARD]
    assert (card.state, card.speed_megabits_per_second, card.duplex) == ("down", None, None)


@pytest.mark.parametrize("speed", ["-1", "0", "4294967295", "65535", "fast", "!EINVAL"])
def test_an_unknown_speed_is_absent(desktop: Machine, speed: str) -> None:
    desktop.link("speed", f"{speed}\n")

    assert desktop.card().speed_megabits_per_second is None


def test_a_driver_that_never_says_its_state_is_up_while_it_has_a_carrier(desktop: Machine) -> None:
    desktop.link("operstate", "unknown\n")
    assert desktop.card().state == "up"

    desktop.link("carrier", "0\n")
    assert desktop.card().state is None


def test_a_card_that_comes_and_goes(desktop: Machine) -> None:
    desktop.read()
    whole = (desktop.root / "proc/net/dev").read_text()
    desktop.write("proc/net/dev", "".join(x for x in whole.splitlines(True) if "eth1" not in x))
    assert desktop.read().interfaces.keys() == {_CARD}

    desktop.write("proc/net/dev", whole)
    card = desktop.read().interfaces["pci-0000:03:00.0"]
    assert card.receive_bytes_per_second is None


def test_connections_may_be_hidden_without_hiding_the_rest(desktop: Machine) -> None:
    desktop.write("proc/net/snmp", "!EACCES\n")

    reading = desktop.read()

    assert reading.active_connections is None
    assert reading.interfaces[_CARD].state == "up"
    assert "may not read" in str(desktop.network.health["network.connections"])


@pytest.mark.parametrize(
    "content",
    ["", "Tcp: CurrEstab\n", "Tcp: A\nTcp: 1\n", "Tcp: A CurrEstab\nTcp: 1\n",
     "Tcp: CurrEstab\nTcp: -3\n"],
)  # fmt: skip
def test_a_count_that_is_not_there_is_absent(desktop: Machine, content: str) -> None:
    desktop.write("proc/net/snmp", content)

    assert desktop.read().active_connections is None


@pytest.mark.parametrize(
    ("level", "expected"),
    [("-56.", {"wlan0": -56.0}), ("-256", {}), ("54", {}), ("0", {}), ("loud", {})],
)
def test_only_a_level_in_decibels_is_a_signal(level: str, expected: dict[str, float]) -> None:
    content = f"Inter-| sta-|\n face | tus |\nwlan0: 0000 54. {level} -256 0 0 0 0 17 0\n"

    assert interfaces.wireless(content.encode()) == expected


def test_a_host_seen_from_a_container_is_seen_by_its_first_process(desktop: Machine) -> None:
    folder = desktop.root / "proc/1/net"
    folder.mkdir(parents=True)
    shutil.copytree(desktop.root / "proc/net", folder, dirs_exist_ok=True)
    desktop.write("proc/net/dev", _HEAD)

    assert _CARD in desktop.read().interfaces


def _ss() -> tuple[int, ...]:
    """(open, TIME-WAIT, orphaned, TCP sockets, UDP sockets) in the words of ss."""
    told = subprocess.run(["ss", "-s"], capture_output=True, text=True, check=True).stdout
    numbers = dict(re.findall(r"(estab|orphaned|timewait) (\d+)", told))
    rows = dict(re.findall(r"^(TCP|UDP)\t\s*(\d+)", told, re.MULTILINE))
    return (
        *(int(numbers[name]) for name in ("estab", "timewait", "orphaned")),
        int(rows["TCP"]),
        int(rows["UDP"]),
    )


def test_connections_equal_those_of_ss() -> None:
    """Others connect meanwhile, so that one of a few looks must agree in every figure."""
    ours: tuple[int | None, ...] = ()
    for _ in range(50):
        reading = Network(Sources()).read()
        ours = (
            reading.active_connections,
            reading.waiting_connections,
            reading.orphaned_connections,
            reading.tcp_sockets,
            reading.udp_sockets,
        )
        if ours == _ss():
            return
    pytest.fail(f"never the same: {ours} {_ss()}")
