"""Network: counters that wrap, fall, vanish, or change hands."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from publisher.sources import Sources
from publisher.sources.recording import Captured
from publisher.subsystems.network import Network, NetworkReading

_DESKTOP = Path(__file__).parents[2] / "fixtures/network/desktop"
_HEAD = "Inter-|   Receive |  Transmit\n face |bytes packets |bytes packets\n"
_FIRST, _SECOND = "pci-0000:00:1f.6", "pci-0000:03:00.0"

Counts = tuple[int, int, int, int]
"""Bytes and packets received, bytes and packets sent."""


class Machine:
    """A desktop with the cards eth0 and eth1, whose counters stand as told."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = 100.0
        self.network = Network(Sources(files=Captured(root), monotonic=lambda: self.now))

    def write(self, path: str, content: str) -> None:
        (self.root / path).write_text(content)

    def read(self, after: float = 2.0, /, **counts: Counts) -> NetworkReading:
        lines = [f"{name}: {a} {b} 0 0 0 0 0 0 {c} {d} 0 0 0 0 0 0\n"
                 for name, (a, b, c, d) in counts.items()]  # fmt: skip
        self.write("proc/net/dev", _HEAD + "".join(lines))
        self.now += after
        return self.network.read()

    def swap(self) -> None:
        """The kernel gives each of the cards the other one's name."""
        net = self.root / "sys/class/net"
        first, second = (net / "eth0").readlink(), (net / "eth1").readlink()
        for name, target in (("eth0", second), ("eth1", first)):
            (net / name).unlink()
            (net / name).symlink_to(target)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    shutil.copytree(_DESKTOP, tmp_path / "desktop", symlinks=True)
    return Machine(tmp_path / "desktop")


def _received(reading: NetworkReading, card: str = _FIRST) -> float | None:
    return reading.interfaces[card].receive_bytes_per_second


def test_a_counter_of_32_bits_goes_on_where_it_begins_again(machine: Machine) -> None:
    """The counters of a router, as openwrt/luci #2659 has them."""
    machine.read(eth0=(4258368365, 2176701792, 474352905, 1137035926))
    wrapped = machine.read(eth0=(44815312, 2176756511, 474880794, 1137043044))
    after = machine.read(eth0=(227007324, 2176879051, 476072052, 1137059127))

    assert _received(wrapped) == (44815312 + 2**32 - 4258368365) / 2
    assert wrapped.interfaces[_FIRST].transmit_bytes_per_second == (474880794 - 474352905) / 2
    assert _received(after) == (227007324 - 44815312) / 2


@pytest.mark.parametrize(
    "counts",
    [(500, 3, 40, 1), (500, 2_000_100, 40, 1_000_100), (2_999_000_000, 2_000_010, 1, 1_000_001)],
    ids=["made anew", "too many packets", "too few packets"],
)
def test_counters_that_were_set_anew_give_no_rate(machine: Machine, counts: Counts) -> None:
    machine.read(eth0=(3_000_000_000, 2_000_000, 9_000_000_000, 1_000_000))

    assert _received(machine.read(eth0=counts)) is None


def test_a_driver_that_shows_nothing_for_once_has_not_moved_all_anew(machine: Machine) -> None:
    """netdata/netdata #6077: zeroes in between, which look like a burst of all that ever was."""
    machine.read(eth0=(3_000_000_000, 2_000_000, 500_000_000, 400_000))
    told = [
        machine.read(eth0=counts)
        for counts in (
            (0, 0, 0, 0),
            (0, 0, 0, 0),
            (3_000_200_000, 2_000_150, 500_000_000, 400_000),
            (3_000_400_000, 2_000_300, 500_000_000, 400_000),
        )
    ]

    assert [_received(reading) for reading in told] == [None, 0, None, 100_000]


def test_an_interface_made_anew_counts_from_its_beginning(machine: Machine) -> None:
    machine.read(eth0=(3_000_000_000, 2_000_000, 500_000_000, 400_000))
    machine.read(eth0=(1_000, 10, 1_000, 10))

    assert _received(machine.read(eth0=(401_000, 410, 1_000, 10))) == 200_000


def test_cards_that_swap_their_names_are_told_apart(machine: Machine) -> None:
    busy, idle = (8_000_000, 9_000, 7_000_000, 8_000), (1_000_000, 2_000, 3_000_000, 4_000)
    machine.read(eth0=busy, eth1=idle)
    machine.swap()
    swapped = machine.read(eth0=idle, eth1=busy)
    later = machine.read(eth0=idle, eth1=(8_400_000, 9_400, 7_000_000, 8_000))

    assert {key: card.label for key, card in swapped.interfaces.items()} == {
        _FIRST: "eth1",
        _SECOND: "eth0",
    }
    assert (_received(swapped), _received(swapped, _SECOND)) == (None, None)
    assert (_received(later), _received(later, _SECOND)) == (200_000, 0)


def test_a_function_that_finds_its_place_late_is_counted_no_more(machine: Machine) -> None:
    """hv_netvsc takes its virtual function a moment after that has come."""
    machine.read(eth0=(0, 0, 0, 0), eth1=(0, 0, 0, 0))
    both = machine.read(eth0=(2_000, 2, 0, 0), eth1=(2_000, 2, 0, 0))
    net = machine.root / "sys/class/net"
    (net / "eth1/master").symlink_to((net / "eth0").resolve())
    later = machine.read(30.0, eth0=(2_000, 2, 0, 0), eth1=(2_000, 2, 0, 0))

    assert both.receive_bytes_per_second == 2_000
    assert later.interfaces.keys() == {_FIRST}


class _Counted(Captured):
    """Files that count how often it is asked whether one is there."""

    asked = 0

    def exists(self, path: str) -> bool:
        self.asked += 1
        return super().exists(path)


def test_a_container_that_starts_asks_about_its_own_ends_only(tmp_path: Path) -> None:
    shutil.copytree(_DESKTOP, tmp_path / "desktop", symlinks=True)
    machine = Machine(tmp_path / "desktop")
    files = _Counted(machine.root)
    machine.network = Network(Sources(files=files, monotonic=lambda: machine.now))
    many: dict[str, Counts] = {f"veth{number}": (1, 1, 1, 1) for number in range(300)}
    machine.read(eth0=(1, 1, 1, 1), **many)
    before = files.asked

    reading = machine.read(eth0=(1, 1, 1, 1), **many, vethnew=(1, 1, 1, 1))

    assert reading.virtual is not None
    assert reading.virtual.count == 301
    assert files.asked - before == 2


def test_a_line_that_cannot_be_read_is_left_out_alone(machine: Machine) -> None:
    machine.read(eth0=(1_000, 10, 0, 0), eth1=(1_000, 10, 0, 0))
    text = (machine.root / "proc/net/dev").read_text()
    machine.write("proc/net/dev", text.replace("eth1: 1000", "eth1: x").replace("1000", "5000"))
    machine.now += 2
    reading = machine.network.read()

    assert _received(reading) == 2_000
    assert _received(reading, _SECOND) is None
    assert "expected 16 numbers" in str(machine.network.health["network.interfaces"])

    reading = machine.read(eth0=(5_000, 50, 0, 0), eth1=(9_000, 90, 0, 0))
    assert _received(reading, _SECOND) is None  # since when is not known
    assert machine.network.health["network.interfaces"] is None


@pytest.mark.parametrize(
    ("file", "lost"),
    [
        ("sockstat", {"waiting_connections", "orphaned_connections", "tcp_sockets", "udp_sockets"}),
        ("sockstat6", set()),
        ("snmp", {"active_connections"}),
    ],
)
@pytest.mark.parametrize("error", ["!EACCES", "!EIO"])
def test_a_count_that_fails_takes_no_other_along(
    machine: Machine, file: str, lost: set[str], error: str
) -> None:
    machine.write(f"proc/net/{file}", error)

    reading = machine.read(eth0=(1, 1, 1, 1))

    names = ("active_connections", "waiting_connections", "orphaned_connections", "tcp_sockets",
             "udp_sockets")  # fmt: skip
    assert {name for name in names if getattr(reading, name) is None} == lost
    assert file in str(machine.network.health["network.connections"])


@pytest.mark.parametrize("file", ["operstate", "speed", "duplex", "dev_port", "ifindex", "type"])
@pytest.mark.parametrize("error", ["!EIO", "!EINVAL", "!ENODEV", "garbage"])
def test_a_card_is_told_though_one_of_its_files_fails(
    machine: Machine, file: str, error: str
) -> None:
    machine.write(f"sys/class/net/eth0/{file}", error)
    machine.read(eth0=(0, 0, 0, 0), eth1=(0, 0, 0, 0))

    reading = machine.read(eth0=(2_000, 2, 0, 0), eth1=(4_000, 4, 0, 0))

    assert reading.receive_bytes_per_second == 3_000
    assert len(reading.interfaces) == 2
    assert reading.interfaces[_SECOND].state == "down"
    assert (reading.interfaces[_FIRST].state == "up") is (file != "operstate")
