"""Network interfaces and sockets as the kernel counts them.

Sources: ``/proc/net/dev``, ``/proc/net/wireless``, ``/proc/net/sockstat`` and ``sockstat6``,
``/proc/net/snmp`` (man 5 proc_pid_net; kernel documentation, networking/statistics), and
``/sys/class/net`` (kernel documentation, ABI/testing/sysfs-class-net).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from publisher.errors import AbsentError, SourceError
from publisher.sources.files import UNTOLD, KernelFiles

_PCI = re.compile(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]")
_LONGEST_ROW = 512  # sixteen numbers of 64 bits are shorter
_DIGITS = 20  # of what is counted in 64 bits
_BOARD = re.compile(r"(?<=/)[0-9a-f]{4,}\.[\w-]+")  # a device tree's node: address and name
_USB = re.compile(r"\d+-[\d.]+:\d+\.\d+")  # bus, ports, configuration, interface
_ETHERNET = 1  # ARPHRD_ETHER
# Software that pretends to be a card, by the names that kernel, engines and hypervisors give.
_PRETENDERS = re.compile(
    r"(bond|br|cali|cilium|cni|docker|dummy|flannel|fwbr|fwln|fwpr|gre|ifb|ip6|lxc|lxd|macv|nlmon"
    r"|podman|sit|tailscale|tap|team|tun|vboxnet|veth|virbr|vmnet|vnet|vxlan|wg|zt)"
)


class Traffic(NamedTuple):
    """One interface's counters since it appeared.

    ``None`` stands for what another system than Linux does not count.
    """

    received_bytes: int
    received_packets: int
    receive_errors: int
    receive_drops: int
    sent_bytes: int
    sent_packets: int
    send_errors: int
    send_drops: int | None


@dataclass(frozen=True, slots=True)
class Interface:
    """A card, or what stands for one.

    Attributes:
        name: as people know it; it may change when cards are found in another order.
        identity: by the place in the machine; the name where there is no place.
    """

    name: str
    identity: str


def folder(files: KernelFiles) -> str:
    """Where the machine's own network is told.

    ``/proc/net`` is that of the process that looks; where the root is moved, it is a host's seen
    from a container, so its first process is asked.
    """
    if files.root and files.exists("/proc/1/net/dev"):
        return "/proc/1/net"
    return "/proc/net"


_TRAFFIC = itemgetter(0, 1, 2, 3, 8, 9, 10, 11)


def lines(content: bytes) -> dict[str, bytes]:
    """What ``/proc/net/dev`` says of each interface, by name.

    Raises:
        SourceError: it is not as the manual page has it.
    """
    if not content.startswith(b"Inter-|"):
        raise SourceError(f"not the usual heading: {content[:40]!r}", path="/proc/net/dev")
    pairs = (line.rpartition(b":") for line in content.splitlines()[2:])
    return {name.strip().decode("utf-8", "replace"): rest for name, _, rest in pairs}


def traffic(line: bytes) -> Traffic:
    """The counters in what ``/proc/net/dev`` says of one interface.

    Raises:
        SourceError: it is not as the manual page has it.
    """
    try:
        if len(line) > _LONGEST_ROW:
            raise ValueError  # noqa: TRY301  # as int does, over the digits of one
        words = _TRAFFIC(line.split())
        if UNTOLD in words:
            return Traffic._make(None if word == UNTOLD else int(word) for word in words)
        return Traffic._make(map(int, words))
    except (IndexError, ValueError):
        raise SourceError(
            f"expected 16 numbers, found {line[:60]!r}", path="/proc/net/dev"
        ) from None


def cards(files: KernelFiles, names: Iterable[str]) -> list[Interface]:
    """Those interfaces that hardware stands behind, in the order of their identities.

    In a container none has: there, those count that look like a card from inside.
    """
    names = list(names)
    found = [name for name in names if files.exists(f"/sys/class/net/{name}/device")]
    if not found:
        found = [name for name in names if _looks_like_a_card(files, name)]
    places = [(place_of(files, name) or name, name) for name in found]
    taken = [place for place, _ in places]
    return [
        Interface(name, place if taken.count(place) == 1 else name)
        for place, name in sorted(places)
    ]


def place_of(files: KernelFiles, name: str) -> str | None:
    """Where in the machine a card is, with the port where one card has several.

    PCI and USB by their addresses; a device of the board itself by its own name.
    """
    device = files.link(f"/sys/class/net/{name}/device")
    if not device:
        return None
    leaf = device.rpartition("/")[2]
    pci, board = _PCI.findall(device), _BOARD.findall(device)
    place = f"pci-{pci[-1]}" if pci else f"platform-{board[-1] if board else leaf}"
    if _USB.fullmatch(leaf):  # the bus may have another number next time, the ports have not
        place += f"-usb-{leaf.partition('-')[2]}"
    port = files.hint(f"/sys/class/net/{name}/dev_port")
    return place if port in ("", "0") else f"{place}-port-{port}"


def wireless(content: bytes) -> dict[str, float]:
    """Signal level in dBm by name, from ``/proc/net/wireless``.

    Drivers that use other scales, or are not connected, are left out.
    """
    found: dict[str, float] = {}
    for line in content.decode("utf-8", "replace").split("\n")[2:]:
        name, _, rest = line.partition(":")
        words = rest.split()
        try:
            level = float(words[2].rstrip("."))
        except (IndexError, ValueError):
            continue
        if -120 <= level < 0:
            found[name.strip()] = level
    return found


@dataclass(frozen=True, slots=True)
class Sockets:
    """How many sockets there are, as ``ss -s`` tells."""

    established: int | None = None
    tcp: int | None = None
    waiting: int | None = None
    orphaned: int | None = None
    udp: int | None = None


def sockets(files: KernelFiles, net: str) -> Sockets:
    """Counts of TCP and UDP sockets, IPv4 and IPv6 together.

    Raises:
        SourceError: the kernel does not tell.
    """
    four = _pairs(files.read(f"{net}/sockstat"))
    try:
        six = _pairs(files.read(f"{net}/sockstat6"))
    except AbsentError:  # IPv6 is switched off
        six = {}
    return Sockets(
        established=_established(files.read(f"{net}/snmp")),
        tcp=_plus(four.get("TCP.inuse"), six.get("TCP6.inuse")),
        waiting=four.get("TCP.tw"),
        orphaned=four.get("TCP.orphan"),
        udp=_plus(four.get("UDP.inuse"), six.get("UDP6.inuse")),
    )


def _pairs(content: bytes) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in content.decode("ascii", "replace").splitlines():
        kind, _, rest = line.partition(": ")
        words = rest.split()
        for name, number in zip(words[::2], words[1::2], strict=False):
            if number.isdecimal() and len(number) <= _DIGITS:
                found[f"{kind}.{name}"] = int(number)
    return found


def _established(content: bytes) -> int | None:
    """``CurrEstab``: connections in ESTABLISHED or CLOSE-WAIT (RFC 4022), of both families."""
    lines = [line.split() for line in content.splitlines() if line.startswith(b"Tcp:")]
    if len(lines) != 2 or b"CurrEstab" not in lines[0]:
        return None
    index = lines[0].index(b"CurrEstab")
    number = lines[1][index] if index < len(lines[1]) else b""
    return int(number) if number.isdigit() and len(number) <= _DIGITS else None


def _plus(one: int | None, other: int | None) -> int | None:
    return None if one is None else one + (other or 0)


def _looks_like_a_card(files: KernelFiles, name: str) -> bool:
    """Ethernet by type and not by a pretender's name; a VLAN's name has a dot."""
    return (
        not _PRETENDERS.match(name)
        and "." not in name
        and files.hint(f"/sys/class/net/{name}/type") == str(_ETHERNET)
    )
