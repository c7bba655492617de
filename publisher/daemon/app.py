"""The resident process from its settings to its end: its loop, its signals, its configurations.

One thread samples and decides; the session's thread talks to the broker; subsystems that may hang
have threads of their own. Between the first two stand the outbox, on the way out, and a queue of
calls, on the way in.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable

from publisher.config.state_folder import memory_dir
from publisher.contract import topics
from publisher.daemon.cycle import Cycle, Life
from publisher.daemon.launch import Launch
from publisher.daemon.lock import Claim
from publisher.daemon.presence import Presence
from publisher.daemon.reload import Reloader
from publisher.daemon.self_metrics import SelfMetrics
from publisher.daemon.timeline_store import keep, recall
from publisher.daemon.unfinished import Unfinished
from publisher.daemon.voice import Voice
from publisher.daemon.wakeup import Wakeup
from publisher.daemon.watchdog import Watchdog
from publisher.errors import FanwhyError, PrefixTakenError, TwinError
from publisher.explain.explainer import Explainer
from publisher.mqtt.journal import Journal
from publisher.publishing.totals import Totals
from publisher.service.notify import ServiceManager
from publisher.sources import machine_files
from publisher.sources.pressure_triggers import PressureTriggers

log = logging.getLogger(__name__)

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class App:
    """The daemon.

    Args:
        launch: settings and catalogue, ready made.
        home: the state folder; ``None`` keeps nothing.
        claim: ours on that folder.
        voice: the log, as far as it waits to be written.
    """

    def __init__(
        self,
        launch: Launch,
        *,
        home: str | None = None,
        claim: Claim | None = None,
        voice: Voice | None = None,
    ) -> None:
        self._claim = claim
        self._voice = voice
        self._manager = ServiceManager()
        self._watchdog = Watchdog()
        self._boot_id = f"{time.time_ns():x}"
        self._calls: deque[Callable[[], None]] = deque()
        self._wakeup = Wakeup()
        self._stopping = False
        self._first_presence = True
        self._failure: FanwhyError | None = None
        self._journal = Journal(f"{home}/events" if home else None)
        self._reloader = Reloader(self._call, self._apply)
        self._life = Life(
            state_dir=home,
            explainer=Explainer(
                launch.settings.explain, state_dir=home, memory=memory_dir(), rules=launch.rules
            ),
            timeline=recall(home),
            self_metrics=SelfMetrics(machine_files("/")),
            unfinished=Unfinished(home),
            run=self._boot_id,
            totals=Totals(home, memory_dir(), machine_files("/").hint(_BOOT_ID)),
        )
        self._cycle = Cycle(launch, self._life, self._presence(launch))

    @property
    def wake_descriptor(self) -> int:
        """For ``signal.set_wakeup_fd``: a byte written here ends the main loop's wait."""
        return self._wakeup.descriptor

    def run(self) -> int:
        """Runs until ``stop``; the process's exit code.

        Raises:
            FanwhyError: it cannot go on; the message says what would help.
        """
        self._open()
        self._manager.ready()
        self._watchdog.start()
        triggers = PressureTriggers(self._cycle.pipeline.sources.files)
        try:
            while not self._stopping:
                wait = min(self._cycle.next_wake, self._manager.due) - time.monotonic()
                if self._wakeup.wait(wait, triggers.descriptors):
                    self._cycle.scheduler.hurry(time.monotonic())
                while self._calls:
                    self._calls.popleft()()  # which may put another cycle in place
                self._reloader.tick(self._cycle.launch.reload)
                now = time.monotonic()
                self._look_after_ourselves(now)
                self._cycle.tick(now)
                if now >= self._cycle.scheduler.next_sample and not self._stopping:
                    self._cycle.sample()
        finally:
            self._manager.stopping()
            self._watchdog.stop()
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
        self._cycle.refresh()

    def answer_why(self, topic: str, correlation_data: bytes | None) -> None:
        """Says the verdict on a topic; nothing before there is one."""
        if self._cycle.verdict:
            self._cycle.outlet.answer(self._cycle.verdict, topic, correlation_data)

    def prefix_taken(self, name: str) -> None:
        """Refuses to share a prefix with another machine."""
        prefix = self._cycle.launch.settings.topics.prefix
        self._failure = PrefixTakenError(
            f"another machine, {name}, publishes under {prefix}/ on this broker; set "
            "prefix = 'host/{hostname}' (or FANWHY_PREFIX) on both"
        )
        self.stop()

    def prefix_shared(self, name: str) -> None:
        """Says again who we are, where something else has said so."""
        self._cycle.prefix_shared(name)

    def twin_lives(self, since: str) -> None:
        """Refuses to be the second daemon of this machine."""
        prefix = self._cycle.launch.settings.topics.prefix
        self._failure = TwinError(
            f"another fanwhy watches this machine already and publishes under {prefix}/ (since "
            f"{since}); stop that one first: fanwhy-pub service status, docker ps"
        )
        self.stop()

    def twin_came(self) -> None:
        """Says again that we are there."""
        self._cycle.introduce()

    def broker_state(self, *, connected: bool, words: str) -> None:
        """Tells those who look after us how it goes with the broker."""
        self._manager.status(words)
        if self._claim is not None:
            self._claim.note(connected=connected, words=words)

    # -- the main thread ------------------------------------------------------------------------

    def _look_after_ourselves(self, now: float) -> None:
        """That we live, that what failed is tried again, and that the log goes on."""
        self._watchdog.beat()
        self._manager.alive(now)
        if self._claim is not None:
            self._claim.tick(now)
        if self._voice is not None:
            self._voice.flush()

    def _call(self, action: Callable[[], None]) -> None:
        """Has the main thread do something. For any thread."""
        self._calls.append(action)
        self._wakeup.wake()

    def _presence(self, launch: Launch) -> Presence:
        first = self._first_presence
        self._first_presence = False
        return Presence(
            launch, self._journal, self, call=self._call, boot_id=self._boot_id, first=first
        )

    def _open(self) -> None:
        """Queues what is said first, and connects."""
        cycle = self._cycle
        cycle.presence.outbox.put(cycle.outlet.status(topics.ONLINE))
        cycle.announce()
        cycle.tell_what_was_left()
        cycle.presence.open(will=cycle.outlet.status(topics.OFFLINE))

    def _apply(self, launch: Launch) -> None:
        """Goes on with a newer configuration; what was seen, learned and queued is kept."""
        log.info("configuration read again")
        cycle = self._cycle
        before, after = cycle.launch.settings, launch.settings
        logging.getLogger().setLevel(after.log_level.upper())
        # Counters of energy are read from the file that the old pipeline leaves.
        cycle.pipeline.close()
        if before.explain == after.explain:
            self._life.explainer.take_rules(launch.rules)  # the file may be another by now
        else:
            cycle.end_explanations(tell=True)
            self._life.explainer = Explainer(
                after.explain,
                state_dir=self._life.state_dir,
                memory=memory_dir(),
                rules=launch.rules,
            )
        if Presence.place(before) == Presence.place(after):
            self._cycle = Cycle(launch, self._life, cycle.presence)
            self._cycle.announce()
        else:
            moved = (before.topics, before.broker.url) != (after.topics, after.broker.url)
            # Under the same discovery prefix of the same broker the new cycle goes on with it.
            homes = [
                (each.broker.url, each.homeassistant.discovery_prefix) for each in (before, after)
            ]
            cycle.leave(for_good=moved, unannounced=homes[0] != homes[1])
            self._cycle = Cycle(launch, self._life, self._presence(launch))
            self._open()

    def _close(self) -> None:
        cycle, ours = self._cycle, self._failure is None
        # Under a prefix that is another machine's, nothing is said in its name: neither the end of
        # what we saw nor a status.
        cycle.end_explanations(tell=ours)
        cycle.presence.close(cycle.outlet.goodbye() if ours else ())
        cycle.pipeline.close()
        keep(self._life.timeline, self._life.state_dir)
        self._life.totals.close()
        self._journal.close()
