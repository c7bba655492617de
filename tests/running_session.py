"""A session that runs, and all that it told."""

from __future__ import annotations

import threading
from collections.abc import Callable

from publisher.contract.messages import Message, Request
from publisher.mqtt.backoff import ReconnectTimes
from publisher.mqtt.broker import BrokerSettings
from publisher.mqtt.connection import Timeouts
from publisher.mqtt.outbox import Outbox
from publisher.mqtt.session import Session


class Recorded(Outbox):
    """The real outbox, which remembers what came back."""

    def __init__(self) -> None:
        super().__init__()
        self.returned: list[Message] = []

    @property
    def waiting_events(self) -> list[Message]:
        """Those that no broker has confirmed."""
        return self._journal.waiting()

    def put_back(self, message: Message) -> None:
        self.returned.append(message)
        super().put_back(message)


def state(topic: str, payload: bytes = b"{}", qos: int = 0) -> Message:
    """A retained message."""
    return Message(topic=topic, payload=payload, qos=qos, retain=True)


WILL = state("host/status", b"offline", 1)
QUICK = ReconnectTimes(
    first=0.01, away=0.02, longest=0.02, steady=1000, offer=0.05, offer_longest=0.1
)


class RunningSession:
    """A session with what it told."""

    def __init__(
        self,
        settings: BrokerSettings,
        *,
        times: ReconnectTimes = QUICK,
        connect: float = 5.0,
        outbox: Recorded | None = None,
    ) -> None:
        self.outbox = outbox or Recorded()
        self.requests: list[Request] = []
        self.states: list[tuple[bool, str]] = []
        self.condition = threading.Condition()
        self.failing = False
        self.session = Session(
            settings,
            identity="0123456789abcdef0123",
            will=WILL,
            boot_id="boot-1",
            outbox=self.outbox,
            subscriptions=("host/command",),
            on_request=self._on_request,
            on_state=self._on_state,
            times=times,
            timeouts=Timeouts(connect=connect, answer=0.2),
        )
        self.outbox.wake = self.session.wake

    def _on_request(self, request: Request) -> None:
        with self.condition:
            self.requests.append(request)
            self.condition.notify_all()
        if self.failing:
            raise ValueError("cannot handle this")

    def _on_state(self, connected: bool, line: str) -> None:
        with self.condition:
            self.states.append((connected, line))
            self.condition.notify_all()

    def wait(self, condition: Callable[[], bool], timeout: float = 10) -> None:
        with self.condition:
            assert self.condition.wait_for(condition, timeout), self.states

    def wait_requests(self, count: int) -> None:
        self.wait(lambda: len(self.requests) == count)

    @property
    def lines(self) -> list[str]:
        return [line for _, line in self.states]
