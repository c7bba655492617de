"""Listens to the broker, holds what comes against the rules, and sends what is to be told.

An event is confirmed to the broker once what it leads to is on the disk. What is to be told is
struck out once its target has taken it; where that could not be noted any more (we were killed in
between) it is sent again, which no target can know from a new message.
"""

from __future__ import annotations

import contextlib
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from publisher.contract.messages import Receipt
from publisher.errors import BrokerError, ConfigError
from subscriber_cli.archive.lock import only_writer
from subscriber_cli.client import Connected, Stream, Trouble
from subscriber_cli.inbox import Inbox
from subscriber_cli.model.decode import Notice, Received
from subscriber_cli.notify.courier import Answer, Courier, Gone
from subscriber_cli.notify.parcels import Parcel, parcel
from subscriber_cli.notify.rules import quiet_hours_of, rules_of
from subscriber_cli.notify.store import Store, StoreError, TargetState, default_path
from subscriber_cli.notify.targets import Secrets, targets_of
from subscriber_cli.notify.watch import Watch
from subscriber_cli.terminal_settings import TerminalSettings

_SETTLE_SECONDS: Final = 3.0  # in which what happens together comes together
_NEXT_SECONDS: Final = 5.0  # between two messages when not all had room in one
_FIRST_RETRY_SECONDS: Final = 5.0
_LONGEST_RETRY_SECONDS: Final = 900.0
_BLOCKED_SECONDS: Final = 5.0  # after the file could not be written
_TICK_SECONDS: Final = 30.0  # between two looks at the time of day
_BUSY_SECONDS: Final = 0.5
_HOUSE_SECONDS: Final = 3600.0
_LEAVING_SECONDS: Final = 5.0
_MOST_NOTICES: Final = 50

Tell = Callable[[str], None]


class Stop:
    """What is pressed into the inbox to end it."""


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A message that a target has not answered; without a parcel its address is only looked at."""

    target: str
    parcel: Parcel | None


def local_time(now: float) -> datetime:
    """A moment in the time zone of this process, as a clock on the wall shows it."""
    return datetime.fromtimestamp(now).astimezone()


def need_apprise() -> None:
    """Fails where the library that sends is not there; it is not loaded.

    Raises:
        ConfigError: so it is.
    """
    if importlib.util.find_spec("apprise") is None:
        raise ConfigError("messages are sent by Apprise, which is missing; pip install apprise")


class Notifier:
    """Sends messages until it is stopped.

    Args:
        settings: where the messages are, what is worth one, and where it goes.
        tell: takes a line for people.
        path: of the file; ``None`` takes that in the state folder.

    Raises:
        ConfigError: the settings cannot be used, or Apprise is missing.
    """

    def __init__(self, settings: TerminalSettings, tell: Tell, path: Path | None = None) -> None:
        need_apprise()
        targets = targets_of(settings.notify)
        self._urls = {target.name: target.url for target in targets}
        self._secrets = Secrets(self._urls.values())
        self._rules = rules_of(settings.notify, self._urls)
        self._quiet = quiet_hours_of(settings.notify)
        self._group_seconds = 60.0 * settings.notify.group_minutes
        self._settings = settings
        self._tell = tell
        self.path = path or default_path()
        self._inbox = Inbox()
        self._courier = Courier(self._inbox.press, time.monotonic)
        self._under_way: dict[int, _UnderWay] = {}
        self._accepted: list[_UnderWay] = []
        self._owed: list[tuple[Received, Receipt]] = []
        self._hurried: set[str] = set()
        self._blocked_until = self._ticked = self._housed = 0.0
        self._patient_seconds = 0.0
        self._trouble = self._silence = ""
        self._told = 0

    def stop(self) -> None:
        """Ends it soon; may be called by a signal's handler or another thread."""
        self._inbox.press(Stop())

    def run(self) -> None:
        """Listens and sends until ``stop`` is called.

        Raises:
            BrokerError: the broker will never let us in.
            ConfigError: the settings cannot be used, or an address is none.
            FanwhyError: another process sends, or the file cannot be used.
        """
        with only_writer(self.path, "sends messages"):
            self._store = Store(self.path)
            try:
                with self._store.writing():
                    client = self._store.client_id()
                    for name, state in self._store.targets().items():
                        state.again = 0.0  # whoever starts it anew may have mended what was wrong
                        self._store.set_target(name, state)
                self._watch = Watch(self._rules, self._store, self._urls, local_time)
                for name, url in self._urls.items():
                    number = self._courier.ask(url=url, check=True)
                    self._under_way[number] = _UnderWay(name, None)
                self._listen(client)
            finally:
                self._courier.close()
                self._store.close()

    def _listen(self, client: str) -> None:
        settings = self._settings
        with Stream(settings.broker, settings.prefix, self._inbox, session=client) as stream:
            self._watch.disconnect(time.time())
            while True:
                item = stream.get(self._patience())
                if isinstance(item, Stop):
                    break
                if item is not None:
                    self._take(stream, item)
                self._settle(stream)
            ends = time.monotonic() + _LEAVING_SECONDS
            while self._under_way and (left := ends - time.monotonic()) > 0:
                item = stream.get(left)
                if isinstance(item, Answer | Gone):
                    self._take(stream, item)
            if self._accepted:
                self._strike()

    def _patience(self) -> float:
        """Seconds until there is something to do."""
        if self._under_way or self._accepted or self._owed:
            return _BUSY_SECONDS
        due = min(self._watch.due() - time.time(), self._patient_seconds)
        return min(max(due, _BUSY_SECONDS), _TICK_SECONDS)

    # --- what comes -------------------------------------------------------------------------------

    def _take(self, stream: Stream, item: object) -> None:
        if isinstance(item, Received):
            self._hear(stream, item, stream.receipt)
        elif isinstance(item, Answer):
            self._answered(item)
        elif isinstance(item, Gone):
            for number in self._courier.lost(item):
                self._answered(Answer(number, ok=False, said="the sending process ended"))
        elif isinstance(item, Connected):
            self._silence = ""
            self._watch.connect(time.time())
            self._tell(f"connected to {item.endpoint} with {item.version}")
        elif isinstance(item, Trouble):
            self._lose(item)
        elif isinstance(item, Notice):
            self._notice(item.text)
            if stream.receipt is not None:
                stream.acknowledge([stream.receipt])

    def _lose(self, trouble: Trouble) -> None:
        if trouble.final:
            raise BrokerError(trouble.text)
        if self._silence != trouble.text:
            self._tell(f"{trouble.text}; trying again until it works")
        self._silence = trouble.text
        self._watch.disconnect(time.time())

    def _hear(self, stream: Stream, message: Received, receipt: Receipt | None) -> None:
        try:
            if self._watch.wants(message):
                with self._store.writing():
                    self._watch.take(message, time.time())
        except StoreError as error:
            self._stumble(error)
            if receipt is not None:
                self._owed.append((message, receipt))  # no more than a broker sends unconfirmed
            return
        if receipt is not None:
            stream.acknowledge([receipt])
        if skipped := self._watch.complaint():
            self._notice(skipped)

    # --- what is due ------------------------------------------------------------------------------

    def _settle(self, stream: Stream) -> None:
        """Does what has become due."""
        now = time.monotonic()
        for number in self._courier.late():
            self._refused(self._under_way.pop(number), "no answer in time")
        self._courier.rest()
        if now < self._blocked_until:
            return
        owed, self._owed = self._owed, []
        for message, receipt in owed:
            self._hear(stream, message, receipt)
        if self._accepted:
            self._strike()
        if now - self._ticked >= min(_TICK_SECONDS, max(self._watch.due() - time.time(), 1.0)):
            self._ticked = now
            self._tick(now)
        try:
            self._send(time.time())
        except StoreError as error:
            self._stumble(error)

    def _tick(self, now: float) -> None:
        try:
            with self._store.writing():
                self._watch.tick(time.time())
                if self._trouble:  # whether it can be written is not known until something is
                    self._store.set_fact("alive", time.time())
                if now - self._housed >= _HOUSE_SECONDS:
                    self._housed = now
                    self._store.keep_house(time.time(), self._urls)
        except StoreError as error:
            self._stumble(error)
        else:
            self._recover()

    def _send(self, now: float) -> None:
        """Hands a message to every target that is to be told something now."""
        busy = {each.target for each in self._under_way.values()}
        busy |= {each.target for each in self._accepted}
        states = self._store.targets()
        self._patient_seconds = _TICK_SECONDS
        for name in self._store.counts():
            if name in self._urls and name not in busy:
                wait = self._send_to(name, states.get(name, TargetState()), now)
                self._patient_seconds = min(self._patient_seconds, wait)

    def _send_to(self, name: str, state: TargetState, now: float) -> float:
        """Sends what a target may be told now; else in how many seconds to look again."""
        quiet = self._quiet.hold(local_time(now))
        waiting = [each for each in self._store.waiting(name) if each.urgent or not quiet]
        if not waiting:
            return _TICK_SECONDS
        pace = self._group_seconds
        if name in self._hurried:
            pace = _NEXT_SECONDS
        elif any(each.urgent for each in waiting):
            pace = 0.0
        settled = waiting[0].at + _SETTLE_SECONDS - now
        paced = state.sent + pace - now
        # What lies further ahead than it can is of a clock that was set back.
        waits = [
            settled if settled <= _SETTLE_SECONDS else 0.0,
            paced if paced <= pace else 0.0,
            state.again - now if state.again - now <= _LONGEST_RETRY_SECONDS else 0.0,
        ]
        if max(waits) > 0:
            return max(waits)
        made = parcel(waiting, now, dropped=state.dropped)
        self._hurried.discard(name)
        if len(made.ids) < len(waiting):
            self._hurried.add(name)
        number = self._courier.ask(
            url=self._urls[name], title=made.title, body=made.body, kind=made.kind
        )
        self._under_way[number] = _UnderWay(name, made)
        return _TICK_SECONDS

    # --- what became of it ------------------------------------------------------------------------

    def _answered(self, answer: Answer) -> None:
        self._courier.answered(answer.request)
        sent = self._under_way.pop(answer.request, None)
        if sent is None:
            return
        if sent.parcel is None:
            if not answer.ok:
                raise ConfigError(f"notify: target {sent.target}: {answer.said}")
        elif answer.ok:
            self._accepted.append(sent)
            self._strike()
        else:
            self._refused(sent, answer.said)

    def _strike(self) -> None:
        """Strikes out what targets have taken."""
        try:
            with self._store.writing():
                failing = {name for name, each in self._store.targets().items() if each.failing}
                for sent in self._accepted:
                    if sent.parcel is not None:
                        self._store.sent(sent.target, sent.parcel.ids, time.time())
        except StoreError as error:
            self._stumble(error)
            return
        for sent in self._accepted:
            again = "takes messages again; " if sent.target in failing else ""
            title = sent.parcel.title if sent.parcel is not None else ""
            self._tell(f"{sent.target}: {again}sent: {title}")
        self._accepted = []
        self._recover()

    def _refused(self, sent: _UnderWay, why: str) -> None:
        now = time.time()
        if sent.parcel is None:
            return
        try:
            with self._store.writing():
                state = self._store.targets().get(sent.target, TargetState())
                known = state.failing is not None
                state.failing = state.failing or now
                wait = min(_FIRST_RETRY_SECONDS * 2.0**state.tries, _LONGEST_RETRY_SECONDS)
                state.tries, state.again = min(state.tries + 1, 30), now + wait
                self._store.set_target(sent.target, state)
            if not known:
                reason = self._secrets.hide(why) or "no reason was given"
                self._tell(f"{sent.target}: not taken: {reason}; trying again until it is")
        except StoreError as error:
            self._stumble(error)

    def _stumble(self, error: StoreError) -> None:
        text = str(error)
        if self._trouble != text:
            self._tell(f"{text}; trying again until it works")
        self._trouble = text
        self._blocked_until = time.monotonic() + _BLOCKED_SECONDS
        with contextlib.suppress(StoreError):  # nor can it be read: what is known may be right
            self._watch.reload()

    def _recover(self) -> None:
        if self._trouble:
            self._tell(f"{self.path}: writing again")
        self._trouble = ""

    def _notice(self, text: str) -> None:
        self._told += 1
        if self._told <= _MOST_NOTICES:
            self._tell(text)
        elif self._told == _MOST_NOTICES + 1:
            self._tell("more is skipped; that is not told any more")
