"""The composition root: wires senses, ledger, explanation, events and bus, and keeps the rhythm.

One thread samples and decides; the session's thread talks to the broker; senses that may hang
have threads of their own. Between the first two stand the outbox, on the way out, and a queue of
requests, on the way in.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import ParamSpec, TypeVar

from publisher import __version__
from publisher.contract import topics
from publisher.contract.messages import Message, Request
from publisher.contract.metric import Reading
from publisher.contract.payload import Envelope, encode, rfc3339, to_json
from publisher.contract.readings import (
    EventReading,
    ExplanationReading,
    InfoReading,
)
from publisher.daemon.clock import Clock
from publisher.daemon.commands import CommandHandler
from publisher.daemon.discovery_of import discovery_of, expiry_seconds
from publisher.daemon.launch import Launch
from publisher.daemon.reload import Reloader
from publisher.daemon.scheduler import LoadProbe, Scheduler
from publisher.daemon.self_metrics import SelfMetrics
from publisher.daemon.settings import Settings
from publisher.daemon.timeline import Timeline
from publisher.daemon.wakeup import Wakeup
from publisher.errors import FanwhyError, PrefixTakenError, SourceError
from publisher.explain.explainer import Explainer
from publisher.explain.inputs import evidence, signs
from publisher.homeassistant.announcer import Announcer
from publisher.ledger import Balance, open_ledger
from publisher.ledger.consumers import with_top
from publisher.ledger.usage.gpu_users import with_gpu
from publisher.mqtt.embedded import EmbeddedBroker, find_or_start
from publisher.mqtt.journal import Journal
from publisher.mqtt.outbox import Outbox
from publisher.mqtt.session import Session
from publisher.publishing.overview import Overview
from publisher.publishing.policy import Channel, Policy
from publisher.sources import Sources, machine_files
from publisher.sources.identity import boot_time
from publisher.sources.pressure_triggers import PressureTriggers
from publisher.subsystems import SUBSYSTEMS
from publisher.subsystems.runner import SubsystemRunner

log = logging.getLogger(__name__)

_T = TypeVar("_T")
_P = ParamSpec("_P")

_STOP_SECONDS = 1.5
# How long to listen for another machine under our prefix before the first word.
_LISTEN_SECONDS = 1.0
# From the sample that opens the books to the first that tells something.
_OPENING_SECONDS = 1.0
# The health of senses may change several times in a row.
_INFO_SECONDS = 10.0
# What repeats the numbers of all other topics would else be sent whenever one of them is.
_MIN_INTERVALS = {topics.OVERVIEW: 5.0}
# What may stumble besides the senses, by the name under which host/info then says so.
_LEDGER, _EXPLANATION = "ledger", "explanation"
_DISCOVERY, _PUBLISHING = "discovery", "publishing"


class App:
    """The daemon, from its settings to its end.

    Args:
        launch: settings and catalogue, ready made.
        home: the state folder; ``None`` keeps nothing.
    """

    def __init__(self, launch: Launch, *, home: str | None = None) -> None:
        self._launch = launch
        self._home = home
        self._boot_id = f"{time.time_ns():x}"
        self._started = time.time()
        self._clock = Clock()
        self._calls: deque[Callable[[], None]] = deque()
        self._wakeup = Wakeup()
        self._stopping = False
        self._failure: FanwhyError | None = None
        self._broker: EmbeddedBroker | None = None
        self._journal = Journal(f"{home}/events" if home else None)
        self._outbox = Outbox(self._journal)
        self._listen_until: float | None = None
        self._reloader = Reloader(self._call, self._apply)
        self._explainer = Explainer(launch.settings.explain, state_dir=home)
        self._verdict: ExplanationReading | None = None
        self._absent: list[str] = []
        self._timeline = Timeline.open(home)
        self._setup()

    @property
    def wake_descriptor(self) -> int:
        """For ``signal.set_wakeup_fd``: a byte written here ends the main loop's wait."""
        return self._wakeup.descriptor

    def _setup(self) -> None:
        settings = self._launch.settings
        self._topics = settings.topics
        self._envelope = Envelope(settings.host)
        self._sources = Sources(files=machine_files(settings.root), state_dir=self._home)
        self._runner = SubsystemRunner(
            self._sources,
            SUBSYSTEMS,
            disabled=settings.senses.disabled,
            options={"disk": settings.smart},
        )
        self._ledger = open_ledger(self._sources, settings.ledger)
        self._scheduler = Scheduler(
            settings.sampling, LoadProbe(self._sources.files), time.monotonic()
        )
        self._channels: dict[str, Channel] = {}
        self._self_metrics = SelfMetrics(self._sources.files)
        self._overview = Overview(
            {cls.name: cls.reading for cls in SUBSYSTEMS} | {topics.EXPLANATION: ExplanationReading}
        )
        self._identity = self._launch.identity
        self._status_due = 0.0
        self._info_due = 0.0
        self._samples = 0
        self._runner.note({_LEDGER: None, _EXPLANATION: None})

    def run(self) -> int:
        """Runs until ``stop``; the process's exit code.

        Raises:
            FanwhyError: it cannot go on; the message says what would help.
        """
        self._connect()
        triggers = PressureTriggers(self._sources.files)
        try:
            while not self._stopping:
                wake_at = min(self._scheduler.next_wake, self._announcer.due)
                if self._wakeup.wait(wake_at - time.monotonic(), triggers.descriptors):
                    self._scheduler.hurry(time.monotonic())
                while self._calls:
                    self._calls.popleft()()
                self._reloader.tick(self._launch.reload)
                now = time.monotonic()
                self._scheduler.beat(now)
                self._guarded(_DISCOVERY, self._announcer.tick, now)
                if self._listen_until and now >= self._listen_until and self._outbox.held:
                    self._outbox.release()
                if now >= self._scheduler.next_sample and not self._stopping:
                    self._sample()
        finally:
            triggers.close()
            self._close()
        if self._failure:
            raise self._failure
        return 0

    def stop(self) -> None:
        """Ends ``run`` soon. Safe to call from a signal handler."""
        self._stopping = True

    def reload(self) -> None:
        """Reads the configuration again, and applies it. Safe to call from a signal handler."""
        self._reloader.ask()

    # -- what others ask for --------------------------------------------------------------------

    def refresh(self) -> None:
        """Publishes everything anew."""
        self._channels.clear()
        self._outbox.repeat(without=self._announcer.topics)
        self._announcer.again(time.monotonic())
        self._scheduler.hurry(time.monotonic())

    def answer_why(self, topic: str, correlation_data: bytes | None) -> None:
        """Says the verdict on a topic, once there is one."""
        if self._verdict:
            payload = self._payload(self._verdict)
            self._outbox.put(
                Message(topic=topic, payload=payload, qos=1, correlation_data=correlation_data)
            )

    def alone(self) -> None:
        """The prefix is ours: an earlier run of this machine was the last to use it."""
        self._outbox.release()

    def not_alone(self, name: str) -> None:
        """Refuses to share a prefix with another machine."""
        self._failure = PrefixTakenError(
            f"another machine, {name}, publishes under {self._topics.prefix}/ on "
            "this broker; set prefix = 'host/{hostname}' (or FANWHY_PREFIX) on both"
        )
        self.stop()

    # -- from other threads -------------------------------------------------------------------

    def _call(self, action: Callable[[], None]) -> None:
        """Has the main thread do something."""
        self._calls.append(action)
        self._wakeup.wake()

    def _on_request(self, request: Request) -> None:
        self._call(lambda: self._commands.take(request))

    def _on_state(self, connected: bool, words: str) -> None:
        log.log(logging.INFO if connected else logging.WARNING, "%s", words)
        if connected and self._listen_until is None:
            self._listen_until = time.monotonic() + _LISTEN_SECONDS

    # -- the main thread ------------------------------------------------------------------------

    def _connect(self) -> None:
        settings = self._launch.settings
        self._announcer = self._make_announcer()
        self._commands = CommandHandler(
            self,
            of=self._topics,
            machine_id=self._identity.machine_id,
            homeassistant=settings.homeassistant,
            subsystems=_TOP_BY.keys(),
            announce=lambda request: self._announcer.heard(request, time.monotonic()),
        )
        self._broker = find_or_start(settings.broker)
        if self._broker:
            log.info("%s", self._broker.line)
            settings = replace(settings, broker=replace(settings.broker, url=self._broker.url))
        self._session = Session(
            settings.broker,
            identity=self._identity.machine_id or "",
            will=self._status(topics.OFFLINE),
            boot_id=self._boot_id,
            feed=self._outbox,
            subscriptions=[*self._commands.subscriptions, *self._announcer.subscriptions],
            on_request=self._on_request,
            on_state=self._on_state,
        )
        self._outbox.wake = self._session.wake
        self._listen_until = None
        self._outbox.hold()
        self._outbox.put(self._status(topics.ONLINE))
        self._put_what_stays()
        self._session.start()

    def _apply(self, launch: Launch) -> None:
        log.info("configuration read again")
        before: Settings = self._launch.settings
        after = launch.settings
        logging.getLogger().setLevel(after.log_level.upper())
        same_place = _seen_outside(before) == _seen_outside(after)
        self._runner.close()
        self._ledger.close()
        self._sources.files.close()
        if before.explain == after.explain:
            self._explainer.read_rules_again()  # the file may be another by now
        else:
            self._end_explanations()
            self._explainer = Explainer(after.explain, state_dir=self._home)
        if not same_place:
            moved = (before.topics, before.broker.url) != (after.topics, after.broker.url)
            self._disconnect(for_good=moved)
            self._outbox = Outbox(self._journal)
        self._launch = launch
        self._setup()
        if same_place:
            self._put_what_stays()
        else:
            self._connect()

    def _put_what_stays(self) -> None:
        """The catalogue; and nothing in place of what was switched off, now or before the start."""
        settings = self._launch.settings
        self._outbox.put(
            self._message(topics.CATALOGUE, self._launch.catalogue, qos=1, expires=False)
        )
        off = [name for name in _TOP_BY if name in settings.senses.disabled]
        if not (settings.homeassistant.enabled and settings.homeassistant.picture):
            off.append(topics.PICTURE)
        for topic in off:
            self._outbox.put(self._message(topic, b"", qos=1, expires=False))

    def _sample(self) -> None:
        began = time.thread_time()
        now = time.monotonic()
        if step := self._clock.stepped():
            self._date_anew(step)
        readings = self._runner.read()
        balance = self._guarded(_LEDGER, self._balance)
        again_in: float | None = _OPENING_SECONDS
        if balance is not None:
            verdict = self._guarded(_EXPLANATION, self._judge, balance, readings, now)
            if verdict is not None:
                self._verdict = readings[topics.EXPLANATION] = verdict
                self._guarded(topics.PICTURE, self._draw, verdict, now)
            again_in = self._explainer.wants_soon()
        if self._samples:
            self._guarded(_PUBLISHING, self._publish_all, readings, balance, now)
        self._samples += 1
        if self._samples == 2:
            self._say_what_is_absent()
        if self._broker:
            self._broker.poll()
        self._scheduler.sampled(now, again_in=again_in)
        self._self_metrics.sampled(time.thread_time() - began)

    def _publish_all(
        self, readings: dict[str, Reading], balance: Balance | None, now: float
    ) -> None:
        """Sends what is due. The first sample of all has no rates and no books: it is not sent."""
        absent = [name for name, health in self._runner.health.items() if health.state == "absent"]
        self._guarded(_DISCOVERY, self._announcer.update, readings, absent, now)
        readings[topics.OVERVIEW] = self._overview.make(readings)
        if self._runner.changed and now >= self._info_due:
            self._info_due = now + _INFO_SECONDS
            self._runner.changed = False
            readings[topics.INFO] = self._info()
        readings[topics.SELF] = self._self_metrics.read(
            now,
            messages=self._session.messages_sent,
            payload_bytes=self._session.payload_sent_bytes,
            connections=self._session.connections,
        )
        for topic, reading in readings.items():
            self._guarded(f"{_PUBLISHING}.{topic}", self._offer, topic, reading, balance, now)
        self._withdraw(
            [topic for topic in self._channels if topic not in readings and topic in _TOP_BY]
        )
        if now >= self._status_due:
            self._status_due = now + self._launch.settings.publishing.heartbeat_seconds
            self._outbox.put(self._status(topics.ONLINE))

    def _offer(self, topic: str, reading: Reading, balance: Balance | None, now: float) -> None:
        """Publishes a reading if it is worth a message now."""
        channel = self._channel(topic)
        ranked = with_top(reading, balance, _TOP_BY.get(topic))
        if channel.due(ranked, now):
            self._publish(topic, ranked)
            channel.sent(ranked, now)

    def _balance(self) -> Balance | None:
        balance = self._ledger.sample()
        if balance is not None:
            balance = with_gpu(balance, self._runner.gpu_users(), self._ledger.account_of)
        self._runner.note(self._ledger.health)
        return balance

    def _judge(
        self, balance: Balance, readings: dict[str, Reading], now: float
    ) -> ExplanationReading:
        verdict = self._explainer.judge(
            balance, evidence(readings), now=now, wall=self._sources.wall(), signs=signs(readings)
        )
        self._tell_transitions()
        return verdict

    def _end_explanations(self) -> None:
        """Nothing that was told as begun is left without an end."""
        self._guarded(_EXPLANATION, self._explainer.close)
        if not self._failure:  # then it would be told in the name of another machine
            self._guarded(_EXPLANATION, self._tell_transitions)

    def _tell_transitions(self) -> None:
        for event in self._explainer.transitions():
            self._tell(event)

    def _guarded(
        self, name: str, action: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T | None:
        """Does ``action``; when it stumbles the rest goes on, and what happened is said."""
        try:
            result = action(*args, **kwargs)
        except Exception as error:  # whatever the machine holds, we go on
            log.debug("%s", name, exc_info=True)
            failure = (
                error if isinstance(error, SourceError) else SourceError(f"unexpected {error!r}")
            )
            self._runner.note({name: failure})
            return None
        if name in self._runner.health:
            self._runner.note({name: None})
        return result

    def _channel(self, topic: str) -> Channel:
        if topic not in self._channels:
            publishing = self._launch.settings.publishing
            heartbeat = publishing.heartbeats.get(topic, publishing.heartbeat_seconds)
            self._channels[topic] = Channel(
                Policy(
                    heartbeat_seconds=None if topic == topics.INFO else heartbeat,
                    min_interval_seconds=max(
                        publishing.min_interval_seconds, _MIN_INTERVALS.get(topic, 0.0)
                    ),
                )
            )
        return self._channels[topic]

    def _publish(self, topic: str, reading: Reading) -> None:
        lasting = topic == topics.INFO
        firm = topic in (topics.INFO, topics.EXPLANATION)
        self._outbox.put(
            self._message(topic, self._payload(reading), qos=1 if firm else 0, expires=not lasting)
        )

    def _tell(self, event: EventReading) -> None:
        self._outbox.put(
            Message(
                topic=self._topics.of(topics.EVENT),
                payload=self._payload(event),
                qos=1,
                key=event.id,
            )
        )

    def _withdraw(self, gone: list[str]) -> None:
        """Empties the retained state of senses that have nothing to say any more."""
        for topic in gone:
            del self._channels[topic]
            self._outbox.put(self._message(topic, b"", qos=1, expires=False))

    def _payload(self, reading: Reading) -> bytes:
        return encode(self._envelope.wrap(to_json(reading), self._sources.wall()))

    def _info(self) -> InfoReading:
        return replace(
            self._identity,
            fanwhy_version=__version__,
            started=rfc3339(self._started),
            senses={name: health.reading() for name, health in sorted(self._runner.health.items())},
        )

    def _say_what_is_absent(self) -> None:
        """One line of what this machine does not have, unless it was said before."""
        health = self._runner.health
        absent = [name for name in _TOP_BY if name in health and health[name].state == "absent"]
        if absent != self._absent:
            self._absent = absent
            names = ", ".join(absent) or "nothing"
            log.info("absent on this machine: %s (fanwhy-pub doctor says why)", names)

    def _date_anew(self, step: float) -> None:
        """Corrects what was dated by a clock that has been set since."""
        self._started += step
        self._explainer.clock_was_set(step)
        self._identity = replace(self._identity, boot_time=boot_time(self._sources.files))
        self._runner.changed = True

    def _draw(self, verdict: ExplanationReading, now: float) -> None:
        """Keeps the picture of the last 24 hours, and sends it when it is due."""
        settings = self._launch.settings.homeassistant
        if not settings.enabled or not settings.picture:
            return
        wall = self._sources.wall()
        self._timeline.look(verdict, wall)
        if self._timeline.due(now):
            self._timeline.save(self._home)
            picture = self._timeline.draw(wall).encode()
            message = self._message(topics.PICTURE, picture, qos=0, expires=False)
            self._outbox.put(replace(message, content_type="image/svg+xml"))

    def _make_announcer(self) -> Announcer:
        settings = self._launch.settings
        host, discovery = discovery_of(settings, self._identity)
        return Announcer(
            host,
            discovery,
            settings.homeassistant,
            self._outbox,
            reachable=lambda: self._session.connected and not self._outbox.held,
        )

    def _message(self, leaf: str, payload: bytes, *, qos: int, expires: bool) -> Message:
        return Message(
            topic=self._topics.of(leaf),
            payload=payload,
            qos=qos,
            retain=True,
            expiry_seconds=expiry_seconds(self._launch.settings, leaf) if expires else None,
        )

    def _status(self, word: bytes) -> Message:
        message = self._message(topics.STATUS, word, qos=1, expires=word is topics.ONLINE)
        return replace(message, content_type="text/plain")

    def _disconnect(self, *, for_good: bool = False) -> None:
        """Says goodbye; ``for_good`` leaves nothing behind where we were."""
        farewell = [self._status(topics.OFFLINE)]
        if self._failure:
            farewell = []  # the status of another machine under our prefix is not ours to change
        elif for_good:
            left = (*self._channels, topics.CATALOGUE, topics.PICTURE, topics.STATUS)
            farewell = [self._message(leaf, b"", qos=1, expires=False) for leaf in left]
        self._session.stop(farewell, timeout=_STOP_SECONDS)
        if self._broker:
            self._broker.stop()
            self._broker = None

    def _close(self) -> None:
        self._end_explanations()
        self._disconnect()
        self._runner.close()
        self._ledger.close()
        self._timeline.save(self._home)
        self._sources.files.close()
        self._journal.close()


_TOP_BY = {cls.name: cls.top_by for cls in SUBSYSTEMS}


def _seen_outside(settings: Settings) -> tuple[object, ...]:
    """Where we are found, and what Home Assistant is shown: another one takes a new connection."""
    return (
        settings.broker,
        settings.topics,
        settings.host,
        settings.homeassistant,
        settings.senses.disabled,
    )
