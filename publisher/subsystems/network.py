"""Network: what each card carries, what goes wrong there, how many connections there are.

Sources: those of ``publisher.sources.interfaces``. The topic's sums count cards only: what goes
through bridges, tunnels and containers arrives there too, and would count twice. Addresses are
not read at all.
"""

from __future__ import annotations

from dataclasses import dataclass

from publisher.contract.metric import (
    Reading,
    Unit,
    bytes_per_second,
    choice,
    gauge,
    group,
    instances,
    per_second,
    reading,
    records,
    text,
)
from publisher.contract.readings import ConsumerReading
from publisher.errors import AbsentError, SourceError
from publisher.sources import Sources, interfaces
from publisher.sources.interfaces import Interface, Sockets, Traffic
from publisher.subsystems.base import Subsystem, total

STATES = ("up", "down", "dormant", "testing", "lower_layer_down", "not_present")

# What rarely changes by itself, and takes a lock in the kernel to read.
_SLOW_PERIOD = 30.0
_SOCKETS_PERIOD = 10.0
# 100 times the fastest card: such a step is a counter that was set anew, not traffic.
_LARGEST_BYTES_PER_SECOND = 1e13
_LARGEST_PER_SECOND = 1e11
_NOTICEABLE = 128 << 10  # a megabit


@reading
class InterfaceReading(Reading):
    """One network card."""

    label: str | None = text("Name", "The interface's name.")
    state: str | None = choice(
        "State", "Whether it can carry traffic (RFC 2863).", options=STATES, icon="mdi:lan-connect"
    )
    speed_megabits_per_second: float | None = gauge(
        "Link speed",
        "Speed of the link; absent where the driver has no such notion.",
        unit=Unit.MEGABITS_PER_SECOND,
        precision=0,
        deadband=1,
        diagnostic=True,
    )
    duplex: str | None = choice(
        "Duplex",
        "Whether the link carries both directions at once.",
        options=("full", "half"),
        diagnostic=True,
    )
    signal_dbm: float | None = gauge(
        "Signal",
        "Strength of the wireless signal.",
        unit=Unit.DECIBEL_MILLIWATTS,
        precision=0,
        deadband=6,
        diagnostic=True,
    )
    receive_bytes_per_second: float | None = bytes_per_second(
        "Receiving", "Bytes that came in.", deadband=_NOTICEABLE, deadband_percent=25
    )
    transmit_bytes_per_second: float | None = bytes_per_second(
        "Transmitting", "Bytes that went out.", deadband=_NOTICEABLE, deadband_percent=25
    )
    receive_packets_per_second: float | None = per_second(
        "Packets received", "Packets that came in."
    )
    transmit_packets_per_second: float | None = per_second(
        "Packets transmitted", "Packets that went out."
    )
    receive_errors_per_second: float | None = per_second(
        "Receive errors", "Packets that came in damaged.", deadband=1, deadband_percent=50
    )
    transmit_errors_per_second: float | None = per_second(
        "Transmit errors", "Packets that could not be sent.", deadband=1, deadband_percent=50
    )
    receive_drops_per_second: float | None = per_second(
        "Receive drops",
        "Packets that were thrown away unread, unwanted protocols included.",
        deadband=20,
        deadband_percent=50,
    )
    transmit_drops_per_second: float | None = per_second(
        "Transmit drops", "Packets that were thrown away unsent.", deadband=20, deadband_percent=50
    )


@reading
class VirtualReading(Reading):
    """All interfaces that are software: loopback, bridges, tunnels, containers' ends."""

    count: int | None = gauge("Interfaces", "How many there are.")
    receive_bytes_per_second: float | None = bytes_per_second(
        "Receiving", "Bytes that they took in, each hop counted."
    )
    transmit_bytes_per_second: float | None = bytes_per_second(
        "Transmitting", "Bytes that they gave out, each hop counted."
    )


@reading
class NetworkReading(Reading):
    """All network cards, together and one by one, and the connections."""

    receive_bytes_per_second: float | None = bytes_per_second(
        "Receiving",
        "Bytes that came in through all cards.",
        deadband=_NOTICEABLE,
        deadband_percent=25,
        headline=True,
        icon="mdi:download-network",
    )
    transmit_bytes_per_second: float | None = bytes_per_second(
        "Transmitting",
        "Bytes that went out through all cards.",
        deadband=_NOTICEABLE,
        deadband_percent=25,
        headline=True,
        icon="mdi:upload-network",
    )
    active_connections: int | None = gauge(
        "Connections", "TCP connections that are open.", deadband=20, deadband_percent=25
    )
    waiting_connections: int | None = gauge(
        "Waiting connections", "Closed TCP connections kept for late packets (TIME-WAIT)."
    )
    orphaned_connections: int | None = gauge(
        "Orphaned connections", "TCP connections being closed that no program holds any more."
    )
    tcp_sockets: int | None = gauge("TCP sockets", "TCP sockets in use, listening ones included.")
    udp_sockets: int | None = gauge("UDP sockets", "UDP sockets in use.")
    interfaces: dict[str, InterfaceReading] = instances(
        InterfaceReading, "Cards", "Each network card, by its place in the machine."
    )
    virtual: VirtualReading | None = group(
        VirtualReading, "Virtual interfaces", "Interfaces that are software, summed up."
    )
    top: tuple[ConsumerReading, ...] | None = records(
        ConsumerReading, "Top", "Who receives and transmits the most.", default=None
    )


@dataclass(frozen=True, slots=True)
class Flow:
    """What an interface carried between two reads, a second."""

    received_bytes: float | None = None
    received_packets: float | None = None
    receive_errors: float | None = None
    receive_drops: float | None = None
    sent_bytes: float | None = None
    sent_packets: float | None = None
    send_errors: float | None = None
    send_drops: float | None = None

    @classmethod
    def between(cls, before: Traffic, after: Traffic, seconds: float) -> Flow:
        """A counter that ran backwards, or further than any card runs, gives no rate."""
        many, most = _LARGEST_PER_SECOND, _LARGEST_BYTES_PER_SECOND
        return cls(
            _rate(before.received_bytes, after.received_bytes, seconds, most),
            _rate(before.received_packets, after.received_packets, seconds, many),
            _rate(before.receive_errors, after.receive_errors, seconds, many),
            _rate(before.receive_drops, after.receive_drops, seconds, many),
            _rate(before.sent_bytes, after.sent_bytes, seconds, most),
            _rate(before.sent_packets, after.sent_packets, seconds, many),
            _rate(before.send_errors, after.send_errors, seconds, many),
            _rate(before.send_drops, after.send_drops, seconds, many),
        )


_STILL = Flow(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
_UNKNOWN = Flow()
_UNCOUNTED = Sockets()


@dataclass(frozen=True, slots=True)
class Link:
    """What of a card changes rarely."""

    state: str | None = None
    speed: float | None = None
    duplex: str | None = None


class Network(Subsystem):
    name = "network"
    reading = NetworkReading
    top_by = "network_bytes_per_second"

    def __init__(self, sources: Sources) -> None:
        super().__init__(sources)
        self._folder = ""
        self._before: dict[str, tuple[bytes, Traffic]] = {}
        self._read_at = float("-inf")
        self._cards: list[Interface] = []
        self._told: dict[str, tuple[tuple[Flow, Link, float | None], InterfaceReading]] = {}
        self._links: dict[str, Link] = {}
        self._signals: dict[str, float] = {}
        self._slow_at = float("-inf")
        self._sockets: Sockets | None = None
        self._sockets_at = float("-inf")

    def read(self) -> NetworkReading:
        now = self.sources.monotonic()
        if not self._folder:
            self._folder = interfaces.folder(self.files)
        flows = self._flows(now)
        self._leave_alone(flows)
        if now >= self._slow_at:
            self._slow_at = now + _SLOW_PERIOD
            self._links = {}
            self._signals = self.part("wireless", self._wireless) or {}
        if now >= self._sockets_at:
            self._sockets_at = now + _SOCKETS_PERIOD
            self._sockets = self.part(
                "connections", lambda: interfaces.sockets(self.files, self._folder)
            )
        cards = {card.name: flows.pop(card.name) for card in self._cards if card.name in flows}
        counts = self._sockets or _UNCOUNTED
        return NetworkReading(
            receive_bytes_per_second=total(flow.received_bytes for flow in cards.values()),
            transmit_bytes_per_second=total(flow.sent_bytes for flow in cards.values()),
            active_connections=counts.established,
            waiting_connections=counts.waiting,
            orphaned_connections=counts.orphaned,
            tcp_sockets=counts.tcp,
            udp_sockets=counts.udp,
            interfaces={
                card.identity: self._interface(card.name, cards[card.name])
                for card in self._cards
                if card.name in cards
            },
            virtual=VirtualReading(
                count=len(flows),
                receive_bytes_per_second=total(flow.received_bytes for flow in flows.values()),
                transmit_bytes_per_second=total(flow.sent_bytes for flow in flows.values()),
            ),
        )

    def _flows(self, now: float) -> dict[str, Flow]:
        """What each interface carried since the last read, by name."""
        before, lines = self._before, interfaces.lines(self.files.read(f"{self._folder}/dev"))
        seconds, self._read_at = now - self._read_at, now
        if before.keys() != lines.keys():
            known = {card.name: card.identity for card in self._cards}
            self._cards = interfaces.cards(self.files, lines)
            self._links, self._told = {}, {}
            for card in self._cards:
                if known.get(card.name, card.identity) != card.identity:
                    before.pop(card.name, None)  # another card got the name
        after: dict[str, tuple[bytes, Traffic]] = {}
        flows: dict[str, Flow] = {}
        for name, line in lines.items():
            earlier = before.get(name)
            if earlier and earlier[0] == line:  # most interfaces are still most of the time
                after[name], flows[name] = earlier, _STILL
                continue
            counts = interfaces.traffic(line)
            after[name] = line, counts
            flows[name] = Flow.between(earlier[1], counts, seconds) if earlier else _UNKNOWN
        self._before = after
        return flows

    def _interface(self, name: str, flow: Flow) -> InterfaceReading:
        link = self._link(name)
        basis = (flow, link, self._signals.get(name))
        told = self._told.get(name)
        if told and told[0] == basis:
            return told[1]
        reading = InterfaceReading(
            label=name,
            state=link.state,
            speed_megabits_per_second=link.speed,
            duplex=link.duplex,
            signal_dbm=basis[2],
            receive_bytes_per_second=flow.received_bytes,
            transmit_bytes_per_second=flow.sent_bytes,
            receive_packets_per_second=flow.received_packets,
            transmit_packets_per_second=flow.sent_packets,
            receive_errors_per_second=flow.receive_errors,
            transmit_errors_per_second=flow.send_errors,
            receive_drops_per_second=flow.receive_drops,
            transmit_drops_per_second=flow.send_drops,
        )
        self._told[name] = basis, reading
        return reading

    def _link(self, name: str) -> Link:
        """The state at every sample, since a cable that is pulled is news; the rest with it."""
        state = self._state(name)
        known = self._links.get(name)
        if known is None or known.state != state:
            known = self._links[name] = Link(state, self._speed(name), self._duplex(name))
        return known

    def _state(self, name: str) -> str | None:
        folder = f"/sys/class/net/{name}"
        try:
            word = self.files.text(f"{folder}/operstate")
            if word == "unknown":  # some drivers never say; a carrier then tells
                return "up" if self.files.integer(f"{folder}/carrier") == 1 else None
        except SourceError:
            return None
        word = {"notpresent": "not_present", "lowerlayerdown": "lower_layer_down"}.get(word, word)
        return word if word in STATES else None

    def _speed(self, name: str) -> float | None:
        try:
            speed = self.files.integer(f"/sys/class/net/{name}/speed", keep=False)
        except SourceError:  # EINVAL while the link is down
            return None
        # -1, also as 32 bits without a sign, and 65535 once, mean unknown
        return float(speed) if 0 < speed < 10_000_000 and speed != 65535 else None

    def _leave_alone(self, flows: dict[str, Flow]) -> None:
        """Takes out the interfaces that the user does not want, those that are software, too."""
        wanted = self.selection.wanted
        cards = {card.name: card.identity for card in self._cards}
        alone = [name for name, place in cards.items() if not wanted("interfaces", place, name)]
        if self.selection.ignores("interfaces"):
            others = (name for name in flows if name not in cards)
            alone += [name for name in others if not wanted("interfaces", name, listed=False)]
        for name in alone:
            flows.pop(name, None)

    def _duplex(self, name: str) -> str | None:
        try:
            word = self.files.text(f"/sys/class/net/{name}/duplex", keep=False)
        except SourceError:
            return None
        return word if word in ("full", "half") else None

    def _wireless(self) -> dict[str, float]:
        try:
            return interfaces.wireless(self.files.read(f"{self._folder}/wireless", keep=False))
        except AbsentError:  # no wireless card, or a kernel without this old interface
            return {}


def _rate(before: int | None, after: int | None, seconds: float, limit: float) -> float | None:
    if before is None or after is None or after < before or seconds <= 0:
        return None
    rate = (after - before) / seconds
    return rate if rate <= limit else None
