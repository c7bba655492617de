"""Sample and publish, again and again, under one configuration."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from publisher import __version__
from publisher.contract import topics
from publisher.contract.metric import Reading
from publisher.contract.payload import rfc3339
from publisher.contract.readings import EventReading, ExplanationReading, InfoReading
from publisher.daemon.clock import Clock
from publisher.daemon.garbage import settle
from publisher.daemon.launch import Launch
from publisher.daemon.presence import Presence
from publisher.daemon.scheduler import Scheduler
from publisher.daemon.self_metrics import SelfMetrics
from publisher.daemon.timeline import Timeline
from publisher.daemon.timeline_reading import reading_of
from publisher.daemon.timeline_store import keep
from publisher.daemon.timeline_svg import draw
from publisher.daemon.unfinished import Unfinished
from publisher.explain.explainer import Explainer
from publisher.pipeline import EXPLANATION, Pipeline, Sample
from publisher.publishing.outlet import PUBLISHING, Outlet
from publisher.publishing.totals import Totals
from publisher.sources import Sources, machine_files
from publisher.sources.identity import boot_time
from publisher.sources.load_probe import LoadProbe
from publisher.subsystems.registry import all_topics
from publisher.subsystems.runner import Health

log = logging.getLogger(__name__)

# The health of subsystems may change several times in a row.
_INFO_SECONDS = 10.0
# What waiting for the disk may cost when something has happened; a slow one is not waited for.
_KEPT_SECONDS = 0.02
# By this sample a load that goes on is known again; before it, all looks quiet.
_SETTLED = 3
DISCOVERY = "discovery"
_PREFIX = "prefix"
# Without a look for so many periods of sampling nobody has watched.
_PERIODS_OF_A_GAP = 3
_GAP_SECONDS = 60.0


@dataclass(slots=True)
class Life:
    """What the daemon keeps when its configuration is read again.

    Attributes:
        state_dir: its state folder; ``None`` keeps nothing.
        explainer: the verdict's memory.
        timeline: of the last 48 hours.
        self_metrics: what the daemon has cost since its start.
        unfinished: what was told to begin and not to end.
        clock: tells when the time of day was set.
        started: seconds since the epoch.
        run: names this run of the daemon.
        totals: what counters are published as.
        absent: the subsystems of which the log has said that this machine has none.
    """

    state_dir: str | None
    explainer: Explainer
    timeline: Timeline
    self_metrics: SelfMetrics
    unfinished: Unfinished
    clock: Clock = field(default_factory=Clock)
    started: float = field(default_factory=time.time)
    run: str = ""
    totals: Totals = field(default_factory=Totals)
    absent: list[str] = field(default_factory=list)


class Cycle:
    """What the daemon does for as long as its configuration stays the same.

    Args:
        launch: that configuration.
        life: what came before it and goes on after it.
        presence: where to publish.
    """

    def __init__(self, launch: Launch, life: Life, presence: Presence) -> None:
        settings = launch.settings
        self.launch = launch
        self.presence = presence
        self.verdict: ExplanationReading | None = None
        self._life = life
        self._identity = launch.identity
        sources = Sources(files=machine_files(settings.root), state_dir=life.state_dir)
        self.pipeline = Pipeline.of(settings, sources=sources, explainer=life.explainer)
        self.scheduler = Scheduler(settings.sampling, LoadProbe(sources.files), time.monotonic())
        self.outlet = Outlet(
            settings.host,
            settings.topics,
            all_topics(),
            settings.publishing,
            put=presence.outbox.put,
            guarded=self.pipeline.guarded,
            wall=sources.wall,
            totals=life.totals,
        )
        presence.recall = self.outlet.recall
        self._info_stale = True
        self._info_due = 0.0
        self._samples = 0
        self._neighbour: Health | None = None

    @property
    def next_wake(self) -> float:
        """When something is to be done next, in monotonic seconds."""
        return min(self.scheduler.next_wake, self.presence.announcer.due, self.presence.due)

    def announce(self) -> None:
        """Says what stays; and leaves nothing of what was switched off, now or before the start."""
        settings = self.launch.settings
        self.outlet.put(topics.CATALOGUE, self.launch.catalogue)
        for leaf, row in all_topics().items():
            if row.subsystem and leaf in settings.senses.disabled:
                self.outlet.withdraw(leaf)
        self._life.timeline.again()
        if not settings.ledger.services:
            self.outlet.withdraw(topics.SERVICES)
        if not self._draws:
            self.outlet.withdraw(topics.PICTURE)

    def sample(self) -> None:
        """Looks at the machine once, and publishes what is worth it."""
        began = time.thread_time()
        step = self._life.clock.stepped()
        if step:
            self._date_anew(step)
        sample = self.pipeline.sample()
        self._guarded(topics.TIMELINE, lambda: self._remember(sample, clock_set=bool(step)))
        self._tell(sample.events)
        if sample.verdict is not None:
            if self._samples >= _SETTLED:
                self._tell(self._life.unfinished.state_now(sample.verdict.state))
            self.verdict = sample.verdict
        if self._samples:  # the first of all has no rates and no books: it is not sent
            self._guarded(PUBLISHING, lambda: self._publish(sample))
        self._samples += 1
        if self._samples == 2:
            self._say_what_is_absent()
            settle()  # all is loaded and built
        self.presence.poll()
        self.scheduler.sampled(sample.now, again_in=sample.again_in)
        self._life.self_metrics.sampled(time.thread_time() - began)

    def tick(self, now: float) -> None:
        """Does what is due between samples."""
        self.scheduler.tick(now)
        self._guarded(DISCOVERY, lambda: self.presence.announcer.tick(now))
        self.presence.tick(now)

    def refresh(self) -> None:
        """Publishes everything anew."""
        self.outlet.again()
        self.presence.outbox.repeat(without=self.presence.announcer.topics)
        now = time.monotonic()
        self.presence.announcer.again(now)
        self.scheduler.hurry(now)

    def prefix_shared(self, name: str) -> None:
        """Something of that name says that it is who we are: says again who that is."""
        since = self._neighbour.since if self._neighbour else time.time()
        self._neighbour = Health(
            "failing",
            since,
            f"something that calls itself {name} publishes on our topics as well",
            "set prefix = 'host/{hostname}' on both machines, or see who may write there",
        )
        self.introduce()

    def introduce(self) -> None:
        """Says again who we are."""
        self.outlet.again(topics.INFO)
        self._info_stale = True

    def leave(self, *, for_good: bool, unannounced: bool) -> None:
        """Says goodbye.

        Args:
            for_good: leaves nothing behind where we were.
            unannounced: nor in Home Assistant, which would show what is told elsewhere now.
        """
        presence = self.presence
        farewell = self.outlet.goodbye(for_good=for_good)
        if unannounced:
            farewell += presence.withdrawal()
        presence.close(farewell)
        self._life.self_metrics.disconnected(
            messages=presence.messages_sent,
            payload_bytes=presence.payload_sent_bytes,
            connections=presence.connections,
        )

    def end_explanations(self, *, tell: bool) -> None:
        """Ends what was told as begun; ``tell`` says so, and what is remembered of it."""
        explainer, timeline = self._life.explainer, self._life.timeline
        self._guarded(EXPLANATION, explainer.close)
        if not tell:
            return
        self._tell(explainer.transitions())
        timeline.interrupted()
        if timeline.looked is not None:
            self._guarded(topics.TIMELINE, self._tell_timeline)

    def tell_what_was_left(self) -> None:
        """Ends what an earlier run of the daemon was killed over."""
        self._tell(self._life.unfinished.left())

    def _tell(self, events: Sequence[EventReading]) -> None:
        """Says it so that no ``kill -9`` leaves it half said.

        What begins is kept as open before it is told, and what ends is struck out after it is in
        the journal: told twice is better than never, and a reader that keeps ids sees it once.
        """
        self._life.timeline.note(events, time.time())
        self._life.unfinished.expect(events)
        self.outlet.tell(events)
        if events:
            self.presence.outbox.flush(_KEPT_SECONDS)
        self._life.unfinished.note(events)

    def _guarded(self, name: str, action: Callable[[], None]) -> None:
        self.pipeline.guarded(name, action)

    def _publish(self, sample: Sample) -> None:
        readings = dict(sample.readings)
        if sample.verdict is not None:
            readings[topics.EXPLANATION] = sample.verdict
        if sample.energy is not None:
            readings[topics.ENERGY] = sample.energy
        if sample.services is not None:
            readings[topics.SERVICES] = sample.services
        health = self.pipeline.health
        absent = [name for name, found in health.items() if found.state == "absent"]
        now = sample.now
        shown = {**readings, topics.INFO: self._identity}
        self._guarded(DISCOVERY, lambda: self.presence.announcer.update(shown, absent, now))
        self.outlet.offer(readings, self._own(now), now)

    def _own(self, now: float) -> dict[str, Reading]:
        """What there is to say of the daemon itself."""
        own: dict[str, Reading] = {}
        self._info_stale = self.pipeline.take_health_changed() or self._info_stale
        if self._info_stale and now >= self._info_due:
            self._info_stale, self._info_due = False, now + _INFO_SECONDS
            own[topics.INFO] = self._info()
        own[topics.SELF] = self._life.self_metrics.read(
            now,
            messages=self.presence.messages_sent,
            payload_bytes=self.presence.payload_sent_bytes,
            connections=self.presence.connections,
        )
        return own

    def _info(self) -> InfoReading:
        health = dict(self.pipeline.health)
        if self._neighbour is not None:
            health[_PREFIX] = self._neighbour
        return replace(
            self._identity,
            fanwhy_version=__version__,
            started=rfc3339(self._life.started),
            run=self._life.run or None,
            senses={name: found.reading() for name, found in sorted(health.items())},
        )

    def _say_what_is_absent(self) -> None:
        """One line of what this machine does not have, unless it was said before."""
        health = self.pipeline.health
        absent = [
            leaf
            for leaf, row in all_topics().items()
            if row.subsystem and leaf in health and health[leaf].state == "absent"
        ]
        if absent != self._life.absent:
            self._life.absent = absent
            names = ", ".join(absent) or "nothing"
            log.info("absent on this machine: %s (fanwhy-pub doctor says why)", names)

    def _date_anew(self, step: float) -> None:
        """Corrects what was dated by a clock that has been set since."""
        self._life.started += step
        self._life.explainer.clock_was_set(step)
        self._identity = replace(self._identity, boot_time=boot_time(self.pipeline.sources.files))
        self._info_stale = True

    @property
    def _draws(self) -> bool:
        return self.launch.settings.homeassistant.picture

    def _tell_timeline(self) -> None:
        wall = self.pipeline.sources.wall()
        self.outlet.keep(topics.TIMELINE, reading_of(self._life.timeline, wall))

    def _remember(self, sample: Sample, *, clock_set: bool) -> None:
        """Takes in a sample, keeps the last 48 hours and sends them and their picture when due."""
        if sample.verdict is None:
            return
        timeline, now = self._life.timeline, sample.now
        sampling = self.launch.settings.sampling
        periods = max(sampling.period_seconds, sampling.rest_period_seconds)
        timeline.look(
            sample.verdict,
            sample.wall,
            now=now,
            clock_set=clock_set,
            patience=max(_GAP_SECONDS, _PERIODS_OF_A_GAP * periods),
        )
        if timeline.looked is None:  # the clock is not set yet
            return
        told = timeline.tell_due(now)
        if told or timeline.save_due(now):
            timeline.saved(now)
            keep(timeline, self._life.state_dir)  # first: what is told is not forgotten
        if told:
            self._tell_timeline()
        if self._draws and timeline.due(now):
            self.outlet.put(topics.PICTURE, draw(timeline, sample.wall).encode())
