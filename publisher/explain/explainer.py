"""The verdict from first to last: balance and evidence in, one explanation out."""

from __future__ import annotations

from dataclasses import replace

from publisher.contract.readings import (
    EventReading,
    EvidenceReading,
    ExplanationReading,
    WorkEnergyReading,
)
from publisher.explain.behalf import Behalf, Peers
from publisher.explain.causes import Causes, Culprits
from publisher.explain.detect.detector import Detector, Load
from publisher.explain.detect.hysteresis import SOONEST
from publisher.explain.detect.ranking import Ranking
from publisher.explain.detect.spared import Spared
from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.host_state import StateMemory, StateSpan, state_of
from publisher.explain.inputs import NO_SIGNS, Signs
from publisher.explain.learned.habits import Moment
from publisher.explain.learned.learning import Learning
from publisher.explain.learned.store import LearnedStore
from publisher.explain.naming.account_classifier import AccountClassifier
from publisher.explain.naming.behaviour import KnownBehaviour, Watcher
from publisher.explain.naming.classifier import Classification
from publisher.explain.naming.rules import RuleBook
from publisher.explain.report.alerts import Alerts
from publisher.explain.report.cause_readings import cause_readings, rejected_readings
from publisher.explain.report.events import EventLog
from publisher.explain.report.explanation import explanation
from publisher.explain.report.headline_inputs import HeadlineWriter
from publisher.explain.report.memory_story import MemoryStories
from publisher.explain.report.writers import Writers
from publisher.explain.thermal.sharing import share_out
from publisher.explain.thermal.state import ThermalModel, ThermalState
from publisher.explain.window import Window
from publisher.ledger.accounts import Account, Balance


class Explainer:
    """Judges one window after another; its parts keep what is remembered between them.

    Args:
        state_dir: where what was learned is kept; ``None`` keeps it in memory only.
        keeps: what is learned is written there; else it is only read.
        memory: a folder in memory, for what is written too seldom; ``None`` without one.
        rules: the rules, if they were loaded and checked already; else they are loaded when
            a work group is to be named for the first time.
    """

    def __init__(
        self,
        settings: ExplainSettings,
        *,
        state_dir: str | None = None,
        keeps: bool = True,
        memory: str | None = None,
        rules: RuleBook | None = None,
    ) -> None:
        known = state_dir if settings.learn else None
        self._now: float | None = None
        self._classifier = AccountClassifier(settings.rules_file, rules)
        store = LearnedStore.open(known)
        self._learning = Learning(store, known if keeps else None, memory)
        self._detector = Detector(settings)
        self._thermal = ThermalModel(settings, store)
        self._spared = Spared(settings, self.classify)
        self._ranking = Ranking(
            self._thermal.heat.level,
            lambda account: self.classify(account).is_miner,
            self._spared.never,
        )
        self._behaviour = KnownBehaviour()
        self._watcher: Watcher | None = None
        self._kill_awaited = False
        self._causes = Causes(self._classify_cause, store.habits)
        self._behalf = Behalf(self.classify)
        self._state = StateMemory()
        self._memory = MemoryStories(settings, self.classify)
        self._writers = Writers()
        self._alerts = Alerts(settings, self.classify, self._writers, self._spared.never)
        self._headline = HeadlineWriter(settings, self.classify)
        self._events = EventLog()

    def judge(
        self,
        balance: Balance,
        evidence: EvidenceReading,
        *,
        now: float,
        wall: float,
        signs: Signs = NO_SIGNS,
        peers: Peers | None = None,
        watcher: Watcher | None = None,
    ) -> ExplanationReading:
        """The verdict on the window that ends now.

        Args:
            balance: who used what in the window.
            evidence: what was measured at its end.
            now: monotonic seconds.
            wall: seconds since the epoch.
            signs: what else there is to go by.
            peers: knows who is connected with whom, where anyone does.
            watcher: tells how processes behave, likewise.
        """
        self._watcher = watcher
        self._kill_awaited = balance.memory_kill_awaited
        window = self._window(balance, evidence, signs, now, wall)
        felt = self._spared.without(window)
        load = self._detector.observe(felt)
        thermal = self._heat(window, load, spared_at_work=self._spared.at_work(window, felt))
        state = self._state.observe(state_of(load, thermal), wall)
        culprits = self._causes.follow(felt, self._ranking.order(self._detector.resources))
        self._behalf.follow(culprits, felt, peers)
        self._tell_causes(window, thermal, state, culprits)

        shares = share_out(window, thermal, self.classify)
        self._causes.book(shares)
        self._learning.book(window, shares)
        causes = cause_readings(culprits, thermal.after, balance, self.classify, signs)
        self._events.state_changed(state, causes)
        memory = self._memory.observe(felt, culprits)
        self._writers.observe(window)
        alerts = self._alerts.judge(
            felt,
            culprits,
            memory,
            hot=thermal.hot,
            dusty=self._learning.dusty,
        )
        self._events.alerts_changed(alerts, state.state, causes)

        self._learning.observe(window, at_rest=state.quiet and thermal.settled)
        return explanation(
            window,
            thermal,
            state,
            headline=self._headline.write(felt, load, thermal, culprits, memory),
            causes=causes,
            rejected=rejected_readings(culprits, self._spared.others(felt), self.classify),
            energy=self._learning.energy(window.day),
        )

    def energy(self, wall: float) -> WorkEnergyReading | None:
        """What each kind of work has used; ``None`` where no power is measured."""
        return self._learning.by_kind(Moment.of(wall).day, wall, self._now or 0.0)

    def transitions(self) -> list[EventReading]:
        """What happened since the last call."""
        return self._events.take()

    def wants_soon(self) -> float | None:
        """Seconds after which a further window could settle what is pending; ``None``: nothing."""
        now = self._now or 0.0
        waits = (
            self._detector.wants_soon(now),
            self._headline.wants_soon(now),
            SOONEST if self._kill_awaited else None,
        )
        return min((wait for wait in waits if wait is not None), default=None)

    def close(self) -> None:
        """Keeps what was learned; what goes on is told as ended, for it is no longer watched."""
        now = self._now or 0.0
        self._events.unwatched(
            self._causes.close(), self._alerts.close(now), self._state.state, now
        )
        self._learning.close(now)

    def clock_was_set(self, step: float) -> None:
        """Dates what goes on anew: the time of day jumped by so many seconds."""
        self._state.clock_was_set(step)
        self._causes.clock_was_set(step)
        self._thermal.clock_was_set(step)

    def take_rules(self, rules: RuleBook | None) -> None:
        """Goes on with other rules; ``None``: they are loaded when a work group is to be named."""
        self._classifier.take_rules(rules)
        self._causes.name_again()

    def classify(self, account: Account) -> Classification:
        """What kind of work an account's group does."""
        return self._behaviour.add_to(self._classifier.classify(account), account)

    def _classify_cause(self, account: Account) -> Classification:
        """Likewise, of a cause: where its name says little, its behaviour is looked at."""
        if self._watcher is not None:
            found = self._classifier.classify(account)
            self._behaviour.ask(found, account, self._watcher, self._now or 0.0)
        return self.classify(account)

    def classify_ranked(self, account: Account) -> Classification:
        """Likewise, for one of the many in rankings: some seconds late, and for less."""
        return self._classifier.at_a_glance(account, self._now or 0.0)

    def _heat(self, window: Window, load: Load, *, spared_at_work: bool) -> ThermalState:
        """How warm and loud it is; what is spared makes heat, too, and is not named for it."""
        loaded = load.loaded or spared_at_work
        thermal = self._thermal.observe(window, loaded=loaded, onset=load.onset)
        after = thermal.after
        if after is None or not any(map(self._spared.never, after.accounts)):
            return thermal
        named = tuple(each for each in after.accounts if not self._spared.never(each))
        return replace(thermal, after=replace(after, accounts=named))

    def _tell_causes(
        self, window: Window, thermal: ThermalState, state: StateSpan, culprits: Culprits
    ) -> None:
        """Tells which causes ended and began, before the window's energy is booked to them."""
        if not (culprits.began or culprits.ended or self._events.holds):
            return
        causes = cause_readings(
            culprits, thermal.after, window.balance, self.classify, window.signs
        )
        self._events.causes_changed(culprits, state.state, causes, window.now)

    def _window(
        self, balance: Balance, evidence: EvidenceReading, signs: Signs, now: float, wall: float
    ) -> Window:
        start = now - balance.window_seconds
        if self._now is not None:
            start = max(start, self._now)
        self._now = now
        return Window(
            balance=balance,
            evidence=evidence,
            signs=signs,
            start=start,
            now=now,
            wall=wall,
            day=Moment.of(wall).day,
        )
