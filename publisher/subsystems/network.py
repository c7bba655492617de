"""Network: what each card carries, what goes wrong there, how many connections there are.

Sources: those of ``publisher.sources.interfaces``. The topic's sums count cards only: what goes
through bridges, tunnels and containers arrives there too, and would count twice; so would what
passes between a switch and its processor. Addresses are not read at all.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

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
# Where a 32-bit counter begins again, and the largest packet that is ever counted as one.
_WORD = 1 << 32
_LARGEST_PACKET = 1 << 16


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
    """All other interfaces: loopback, bridges, tunnels, containers' and switches' inner ends."""

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
        enabled=True,
        icon="mdi:download-network",
    )
    transmit_bytes_per_second: float | None = bytes_per_second(
        "Transmitting",
        "Bytes that went out through all cards.",
        deadband=_NOTICEABLE,
        deadband_percent=25,
        headline=True,
        enabled=True,
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
        VirtualReading, "Virtual interfaces", "Interfaces that are no cards, summed up."
    )
    top: tuple[ConsumerReading, ...] | None = records(
        ConsumerReading, "Top", "Who receives and transmits the most.", default=None
    )


class Flow(NamedTuple):
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
        """A counter that ran backwards, or further than any card runs, gives no rate.

        That of a 32-bit kernel or driver begins again at 4 GiB, and goes on.
        """
        many, most = _LARGEST_PER_SECOND, _LARGEST_BYTES_PER_SECOND
        if after.received_bytes < before.received_bytes or after.sent_bytes < before.sent_bytes:
            after = _continued(before, after)
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
        self._settled_at = float("inf")
        self._fallen: dict[str, Traffic] = {}
        self._cards: list[Interface] = []
        self._told: dict[str, tuple[tuple[Flow, Link, float | None], InterfaceReading]] = {}
        self._links: dict[str, Link] = {}
        self._signals: dict[str, float] = {}
        self._slow_at = float("-inf")
        self._sockets = Sockets()
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
            self._sockets, failure = interfaces.sockets(self.files, self._folder)
            self.health["network.connections"] = failure
        cards = {card.name: flows.pop(card.name) for card in self._cards if card.name in flows}
        counts = self._sockets
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
        changed = before.keys() != lines.keys() and self._may_be_cards(before, lines)
        if changed or now >= self._settled_at:
            # A cloud's function gets its place below another card a moment after it came.
            self._settled_at = now + _SLOW_PERIOD if changed else float("inf")
            for name in self._look_for_cards(lines):
                before.pop(name, None)
        after: dict[str, tuple[bytes, Traffic]] = {}
        flows: dict[str, Flow] = {}
        malformed: list[SourceError] = []
        fell: set[str] = set()
        for name, line in lines.items():
            earlier = before.get(name)
            if earlier and earlier[0] == line:  # most interfaces are still most of the time
                after[name], flows[name] = earlier, _STILL
                continue
            try:
                counts = interfaces.traffic(line)
            except SourceError as error:
                flows[name] = _UNKNOWN
                malformed.append(error)
                continue
            after[name] = line, counts
            known = earlier[1] if earlier else None
            if known and (self._fallen or counts.received_packets < known.received_packets):
                known = known if self._goes_on(name, known, counts, fell) else None
            flows[name] = Flow.between(known, counts, seconds) if known else _UNKNOWN
        if malformed and not after:
            raise malformed[0]
        if malformed or "network.interfaces" in self.health:
            self.health["network.interfaces"] = malformed[0] if malformed else None
        self._before = after
        if fell and any(card.name in fell for card in self._cards):
            for name in self._look_for_cards(lines):
                flows[name] = _UNKNOWN
        return flows

    def _goes_on(self, name: str, before: Traffic, after: Traffic, fell: set[str]) -> bool:
        """Whether the counters of an interface are those that they were.

        They fall when it is made anew or gets the name of another one; and with some drivers for
        one read, after which they are back where they were without any traffic.
        """
        if after.received_packets < before.received_packets:
            self._fallen[name] = max(before, self._fallen.get(name, before))
            fell.add(name)
            return False
        high = self._fallen.pop(name, None)
        return high is None or after.received_packets < high.received_packets

    def _may_be_cards(self, before: Collection[str], names: Collection[str]) -> bool:
        """Whether those that came or went may be cards: where there are many, they are not."""

        def hardware(name: str) -> bool:
            return self.files.exists(f"/sys/class/net/{name}/device")

        if not self._cards or not hardware(self._cards[0].name):
            return True
        gone = any(card.name not in names for card in self._cards)
        return gone or any(hardware(name) for name in names if name not in before)

    def _look_for_cards(self, names: Collection[str]) -> set[str]:
        """Looks which interfaces are cards, and gives the names that are another card's now."""
        self._fallen = {name: high for name, high in self._fallen.items() if name in names}
        known = {card.name: card.identity for card in self._cards}
        found = interfaces.cards(self.files, names)
        if found == self._cards:
            return set()
        self._cards, self._links, self._told = found, {}, {}
        return {
            card.name
            for card in self._cards
            if known.get(card.name, card.identity) != card.identity
        }

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


def _continued(before: Traffic, after: Traffic) -> Traffic:
    """The counters as they would be had their words more bits, where they have begun again.

    One that was set anew, as that of an interface made again, has no more packets than bytes allow.
    """

    def bytes_now(bytes_before: int, bytes_after: int, packets: int) -> int:
        grown = bytes_after + _WORD - bytes_before
        fits = bytes_after < bytes_before < _WORD and grown <= packets * _LARGEST_PACKET
        return bytes_before + grown if fits else bytes_after

    return after._replace(
        received_bytes=bytes_now(
            before.received_bytes,
            after.received_bytes,
            after.received_packets - before.received_packets,
        ),
        sent_bytes=bytes_now(
            before.sent_bytes, after.sent_bytes, after.sent_packets - before.sent_packets
        ),
    )


def _rate(before: int | None, after: int | None, seconds: float, limit: float) -> float | None:
    if before is None or after is None or after < before or seconds <= 0:
        return None
    rate = (after - before) / seconds
    return rate if rate <= limit else None
