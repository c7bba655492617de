"""Events counted at three places: as the daemon makes them, at its broker, and at a reader."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import paho.mqtt.client as paho
from faulty_proxy import Proxy
from paho.mqtt.enums import CallbackAPIVersion
from servers import Daemon

_NOTING = Path(__file__).parent / "noting"
_WRITTEN_AFTER = 0.25  # seconds after which what the daemon has made must be on its disk


def have_noted(daemon: Daemon, path: Path, more: int = 0) -> None:
    """Has a daemon note in a file what it makes, and make so many more events a sample."""
    daemon.environment |= {
        "PYTHONPATH": str(_NOTING),
        "NOTED_EVENTS": str(path),
        "MORE_EVENTS": str(more),
    }


class Reader:
    """A client that keeps ids: connected to the broker itself, with a session that lasts."""

    def __init__(self, port: int, topic: str = "host/event") -> None:
        self.order: list[str] = []
        self.repeats = 0
        self.doubled = 0
        self.subscribed = threading.Event()
        self._ids: set[str] = set()
        self._said: set[str] = set()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=f"reader-{port}", clean_session=False
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self._client.on_subscribe = lambda *_: self.subscribed.set()
        self._client.on_disconnect = lambda *_: self.subscribed.clear()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        content = json.loads(message.payload)
        key = content["id"]
        if key in self._ids:
            self.repeats += 1
            return
        if key.startswith("made-up"):  # of the others two may read alike: two jobs of one name
            said = content["message"]
            self.doubled += said in self._said
            self._said.add(said)
        self._ids.add(key)
        self.order.append(key)

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(self._ids)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@dataclass(frozen=True)
class Count:
    """What became of the events.

    Attributes:
        made: by the daemon.
        taken: acknowledged by the broker.
        seen: by the reader, each id once.
        lost: made, and neither taken nor seen.
        broker_lost: taken by the broker, which has not handed it on.
        unwritten: lost, and made in the moment before the daemon was killed.
        repeats: what came to the reader with an id that it had.
        doubled: what came to it twice, with two ids; of those made up, which never read alike.
        disordered: neighbours at the reader that were made the other way round.
    """

    made: int
    taken: int
    seen: int
    lost: tuple[str, ...]
    broker_lost: tuple[str, ...]
    unwritten: int
    repeats: int
    doubled: int
    disordered: int

    @property
    def briefly(self) -> str:
        """While it goes on: what is missing is on its way."""
        return (
            f"made {self.made}, seen {self.seen}, on the way {self.made - self.seen}, "
            f"doubled {self.doubled}, out of order {self.disordered}"
        )

    def __str__(self) -> str:
        return (
            f"made {self.made}, at the broker {self.taken}, at the reader {self.seen}; "
            f"lost {len(self.lost)}, doubled {self.doubled}, out of order {self.disordered}; "
            f"repeats of an id {self.repeats}, unwritten at a kill {self.unwritten}, "
            f"lost by the broker {len(self.broker_lost)}"
        )


@dataclass
class Tally:
    """The three places together.

    Attributes:
        kills: when the daemon was killed, in monotonic seconds.
    """

    noted: Path
    proxy: Proxy
    reader: Reader
    kills: list[float] = field(default_factory=list)

    def made(self) -> Mapping[str, float]:
        """When each event was made, in monotonic seconds, in this order."""
        if not self.noted.exists():
            return {}
        lines = (line.split() for line in self.noted.read_text().splitlines())
        return {key: int(when) / 1e9 for when, key in lines}

    def settle(self, timeout: float) -> Count:
        """The count once the reader has all that it can get, or the time is over."""
        deadline = time.monotonic() + timeout
        while True:
            count = self.count()
            if not (count.lost or count.broker_lost) or time.monotonic() > deadline:
                return count
            time.sleep(0.1)

    def count(self) -> Count:
        made, taken, seen = self.made(), self.proxy.passed.taken, self.reader.ids
        missing = [key for key in made if key not in seen and key not in taken]
        unwritten = {
            key for key in missing if any(0 <= at - made[key] < _WRITTEN_AFTER for at in self.kills)
        }
        return Count(
            made=len(made),
            taken=len(taken),
            seen=len(seen),
            lost=tuple(key for key in missing if key not in unwritten),
            broker_lost=tuple(key for key in made if key in taken and key not in seen),
            unwritten=len(unwritten),
            repeats=self.reader.repeats,
            doubled=self.reader.doubled,
            disordered=_disordered(list(made), self.reader.order),
        )


def _disordered(made: list[str], seen: list[str]) -> int:
    places = {key: place for place, key in enumerate(made)}
    order = [places[key] for key in seen if key in places]
    return sum(after < before for before, after in pairwise(order))
