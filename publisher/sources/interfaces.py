"""Network interfaces and sockets as the kernel counts them.

Sources: ``/proc/net/dev``, ``/proc/net/wireless``, ``/proc/net/sockstat`` and ``sockstat6``,
``/proc/net/snmp`` (man 5 proc_pid_net; kernel documentation, networking/statistics), and
``/sys/class/net`` (kernel documentation, ABI/testing/sysfs-class-net).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
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
_CLASS = "/sys/class/net"
# ARPHRD_ETHER, ARPHRD_INFINIBAND, and ARPHRD_VOID, which is a container's of OpenVZ
_ETHERNET, _INFINIBAND, _VENET = "1", "32", "65535"
# Interfaces that listen to what others send (ARPHRD_IEEE80211 and the like): what they see is no
# traffic of this machine, and the card has counted its own.
_MONITORS = {"801", "802", "803", "805"}
# The host's end of a Xen guest's card, and that of a virtual function behind a card's own switch.
_GUESTS_END = re.compile(r"/vif-\d+-\d+$")
_REPRESENTOR = re.compile(r"(c\d+)?pf\d+((vf|sf)\d+)?")
# Software that pretends to be a card, by the names that kernel, engines and hypervisors give.
_PRETENDERS = re.compile(
    r"(antrea|azv|bond|br|cali|cilium|cni|datapath|docker|dummy|flannel|fwbr|fwln|fwpr|genev|gre|ifb"
    r"|incus|ip6|ipvl|kube|lxc|lxd|macv|nerdctl|nlmon|nodelocaldns|ovn|ovs|podman|qbr|qv[bo]|sit"
    r"|tailscale|tap|team|tun|vboxnet|veth|vethwe|virbr|vlan|vmbr|vmnet|vnet|vxlan|weave|wg|zt)"
)
# The same by what the kernel says of them, whatever they are called.
_SOFTWARE_TYPES = {"bond", "bridge", "geneve", "gretap", "hsr", "team", "vxlan", "wireguard"}
_SOFTWARE_FILES = ("bonding", "bridge", "tun_flags")


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
    """Those interfaces that hardware stands behind, each once, in the order of their identities.

    Where one such interface carries another's traffic, it is the upper one that people know: the
    ports of a switch, not the processor's end of it; the card that Hyper-V or a failover shows,
    not the function that it uses while it can.

    In a container none has hardware: there, those count that look like a card from inside.
    """
    names = list(names)
    hardware = {name for name in names if files.exists(f"{_CLASS}/{name}/device")}
    if hardware:
        within = _within(files, hardware)
        found = [name for name in names if name in hardware and name not in within]
    else:
        found = [name for name in names if _looks_like_a_card(files, name)]
    places = {name: place_of(files, name) or name for name in found}
    shared = Counter(places.values())
    named = [
        Interface(name, place if shared[place] == 1 or _first(files, name, places) else name)
        for name, place in places.items()
    ]
    return sorted(named, key=lambda card: (places[card.name], card.name))


def _within(files: KernelFiles, hardware: set[str]) -> set[str]:
    """Those whose traffic is that of another interface with hardware, or not this machine's."""
    found: set[str] = set()
    numbers = {name: files.hint(f"{_CLASS}/{name}/ifindex") for name in hardware}
    below: set[str] = set()  # numbers of what others, such as a switch's ports, stand on
    for name in hardware:
        folder = f"{_CLASS}/{name}"
        listed = _listed(files, folder)
        master = files.link(f"{folder}/master") if "master" in listed else None
        uppers = {entry[6:] for entry in listed if entry.startswith("upper_")}
        if master:
            uppers.add(master.rpartition("/")[2])
        found |= {entry[6:] for entry in listed if entry.startswith("lower_")} & hardware
        if uppers & hardware or "dsa" in listed or _of_others(files, folder):
            found.add(name)
        number = files.hint(f"{folder}/iflink")
        # InfiniBand's children count for themselves.
        if number not in ("", numbers[name]) and files.hint(f"{folder}/type") != _INFINIBAND:
            below.add(number)
    return found | {name for name in hardware if numbers[name] in below}


def _listed(files: KernelFiles, folder: str) -> list[str]:
    with suppress(SourceError):
        return files.names(folder)
    return []


def _of_others(files: KernelFiles, folder: str) -> bool:
    """Whether an interface shows what others send: everybody's radio, a guest's card."""
    if files.hint(f"{folder}/type") in _MONITORS:
        return True
    if _REPRESENTOR.fullmatch(files.hint(f"{folder}/phys_port_name")):
        return True
    return bool(_GUESTS_END.search(files.link(f"{folder}/device") or ""))


def _first(files: KernelFiles, name: str, places: dict[str, str]) -> bool:
    """Whether it came with its hardware, while others there were made of it later, and may go.

    So it is with a radio's first interface, and with one of which others are children.
    """
    rivals = [other for other, place in places.items() if place == places[name]]
    if files.exists(f"{_CLASS}/{name}/phy80211"):
        return name == min(rivals, key=lambda rival: _number(files, rival))
    folders = {rival: f"{_CLASS}/{rival}" for rival in rivals}
    return [name] == [
        rival
        for rival, folder in folders.items()
        if files.hint(f"{folder}/iflink") in ("", files.hint(f"{folder}/ifindex"))
    ]


def _number(files: KernelFiles, name: str) -> int:
    """The kernel counts interfaces as they are made."""
    try:
        return files.integer(f"{_CLASS}/{name}/ifindex", keep=False)
    except SourceError:
        return 1 << 31


def place_of(files: KernelFiles, name: str) -> str | None:
    """Where in the machine a card is, with the port where one card has several.

    PCI and USB by their addresses; a device of the board itself by its own name.
    """
    device = files.link(f"{_CLASS}/{name}/device")
    if not device:
        return None
    leaf = device.rpartition("/")[2]
    pci, board = _PCI.findall(device), _BOARD.findall(device)
    place = f"pci-{pci[-1]}" if pci else f"platform-{board[-1] if board else leaf}"
    if _USB.fullmatch(leaf):  # the bus may have another number next time, the ports have not
        place += f"-usb-{leaf.partition('-')[2]}"
    port = files.hint(f"{_CLASS}/{name}/dev_port")
    return f"{place}-port-{port}" if port.strip("0").isdigit() else place


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


def sockets(files: KernelFiles, net: str) -> tuple[Sockets, SourceError | None]:
    """Counts of TCP and UDP sockets, IPv4 and IPv6 together, and why one of them is not told."""
    failures: list[SourceError] = []

    def content(name: str) -> bytes:
        try:
            return files.read(f"{net}/{name}")
        except SourceError as error:
            # IPv6 may be switched off
            if name != "sockstat6" or not isinstance(error, AbsentError):
                failures.append(error)
            return b""

    four, six = _pairs(content("sockstat")), _pairs(content("sockstat6"))
    told = Sockets(
        established=_established(content("snmp")),
        tcp=_plus(four.get("TCP.inuse"), six.get("TCP6.inuse")),
        waiting=four.get("TCP.tw"),
        orphaned=four.get("TCP.orphan"),
        udp=_plus(four.get("UDP.inuse"), six.get("UDP6.inuse")),
    )
    return told, failures[0] if failures else None


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
    """Ethernet or OpenVZ's by type, not made of software here, and not by a pretender's name.

    A VLAN's name has a dot. What stands on another interface of the same network is no card of
    its own; a container's MACVLAN or VLAN is, since what it stands on is the host's.
    """
    folder = f"{_CLASS}/{name}"
    kind = files.hint(f"{folder}/type")
    if _PRETENDERS.match(name) or "." in name or kind not in (_ETHERNET, _VENET):
        return False
    listed = _listed(files, folder)
    if any(entry in _SOFTWARE_FILES or entry.startswith("lower_") for entry in listed):
        return False
    words = files.hint(f"{folder}/uevent").split()
    return not any(word.removeprefix("DEVTYPE=") in _SOFTWARE_TYPES for word in words)
