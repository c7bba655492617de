"""The verdict from first to last: balance and evidence in, one explanation out."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from publisher.contract.payload import rfc3339
from publisher.contract.readings import (
    CauseReading,
    EventReading,
    EvidenceReading,
    ExplanationReading,
    RejectedReading,
)
from publisher.errors import ConfigError
from publisher.explain.detect.hysteresis import Gate
from publisher.explain.detect.onset import Onset
from publisher.explain.detect.ranking import Ranking
from publisher.explain.detect.resources import Watch, watches
from publisher.explain.detect.suspects import Suspect
from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.learned.habits import Moment
from publisher.explain.learned.store import Notebook
from publisher.explain.naming.classify import Classification, Classifier
from publisher.explain.naming.rules import RuleBook, load
from publisher.explain.report import causes as causing
from publisher.explain.report.alerts import Alert, Alerts, Condition, Signs
from publisher.explain.report.causes import Cause
from publisher.explain.report.events import Transitions
from publisher.explain.report.stability import Telling
from publisher.explain.report.wording import MINING, Named, Picture, headline
from publisher.explain.thermal.heat import gpu_watts
from publisher.explain.thermal.state import Warmth
from publisher.ledger.accounts import Account, Balance

log = logging.getLogger(__name__)

_HIGH_SECONDS = 8.0
_ONSET_SECONDS = 4.0
# Weather comes and goes by some degrees: what was told once is over when it is clearly over.
_DUST_CELSIUS, _DUST_GONE_CELSIUS = 5.0, 2.5
# Work below this many cores, or watts on a GPU, is not worth a look into the rules to book its
# energy.
_NAMED_CORES = 0.05
_NAMED_GPU_WATTS = 0.5
# Part of a spread load from which on it counts as nobody's, and below which it no longer does.
_UNNAMED, _UNNAMED_BELOW = 0.5, 0.35
_NO_SIGNS = Signs()


class Explainer:
    """Judges one window after another; keeps what it needs to remember between them.

    Args:
        state_dir: where what was learned is kept; ``None`` keeps it in memory only.
        keeps: what is learned is written there; else it is only read.
        rules: the rules, if they were loaded and checked already; else they are loaded when
            somebody is to be named for the first time.
    """

    def __init__(
        self,
        settings: ExplainSettings,
        *,
        state_dir: str | None = None,
        keeps: bool = True,
        rules: RuleBook | None = None,
    ) -> None:
        self._settings = settings
        known = state_dir if settings.learn else None
        self._state_dir = known if keeps else None
        self._classifier = Classifier(rules) if rules else None
        self._watches = watches(settings)
        self._onset = Onset()
        self._notebook = Notebook.open(known)
        self._warmth = Warmth(settings, self._notebook)
        self._alerts = Alerts(settings)
        self._causes: dict[str, Cause] = {}
        self._blamed: dict[str, list[str]] = {}
        self._ranking = Ranking(
            self._warmth.heat.level, lambda account: self.classify(account).category == MINING
        )
        self._unnamed = False
        self._upkeep = ""
        self._state = "quiet"
        self._state_since: float | None = None
        self._now: float | None = None
        self._high = Gate(_HIGH_SECONDS, float("inf"))
        self._telling = Telling()
        self._dusty = False
        self._look_for_dust()
        self._transitions = Transitions()

    def judge(
        self,
        balance: Balance,
        evidence: EvidenceReading,
        *,
        now: float,
        wall: float,
        signs: Signs = _NO_SIGNS,
    ) -> ExplanationReading:
        """The verdict on the window that ends now.

        Args:
            balance: who used what in the window.
            evidence: what was measured at its end.
            now: monotonic seconds.
            wall: seconds since the epoch.
            signs: what else there is to go by.
        """
        start = now - balance.window_seconds
        if self._now is not None:
            start = max(start, self._now)
        self._now = now
        if self._state_since is None:
            self._state_since = wall
        loaded = onset = False
        for watch in self._watches:
            watch.observe(balance, evidence, start=start, now=now)
        self._onset.observe(self._watches, start=start, now=now)
        for watch in self._watches:
            loaded = loaded or watch.gate.is_open
            onset = onset or watch.gate.pending
        self._judge_high(balance, start, now)
        self._warmth.observe(
            balance, evidence, loaded=loaded, onset=onset,
            start=start, now=now, wall=wall, upkeep=signs.upkeep,
        )  # fmt: skip
        before, self._state = self._state, self._judge_state()
        if loaded or self._causes or self._blamed:
            self._follow(balance, now, wall)
        self._upkeep = signs.upkeep[0] if signs.upkeep else ""
        self._book_energy(balance, evidence, now - start, wall)
        if self._state != before:
            self._state_since = None
            message = f"The machine is {_STATE_WORDS[self._state]}"
            self._tell("state_changed", message, balance, previous_state=before)
        if self._settings.alerts:
            conditions = self._alerts.from_signs(signs, now) + self._alerts.from_verdict(
                evidence, tuple(self._causes.values()),
                on_cpu=[self._causes[key] for key in self._blamed.get("cpu", ())],
                hot=self._warmth.too_hot, dusty=self._dusty, wall=wall,
            )  # fmt: skip
            self._alert(conditions, balance, start, now)
        self._learn(evidence, now, wall)
        return self._reading(balance, evidence, now, wall)

    def transitions(self) -> list[EventReading]:
        """What happened since the last call."""
        return self._transitions.take()

    def wants_soon(self) -> float | None:
        """Seconds after which a further window could settle what is pending; ``None``: nothing."""
        now = self._now or 0.0
        waits = [watch.wants_soon(now) for watch in self._watches]
        waits.append(self._onset.wants_soon(now, self._settings.enter_seconds))
        return min((wait for wait in waits if wait is not None), default=None)

    def close(self) -> None:
        """Keeps what was learned; what goes on is told as ended, for nobody watches it any more."""
        now = self._now or 0.0
        for cause in self._causes.values():
            words = f"{cause.named}: no longer watched"
            self._tell("cause_ended", words, None, **cause.over(now - cause.since))
        self._causes = {}
        for alert in self._alerts.close(now):
            self._tell_alert(alert, f"No longer watched: {alert.condition.message}", None)
        self._notebook.save(self._state_dir, now)

    def clock_was_set(self, step: float) -> None:
        """Dates what goes on anew: the time of day jumped by so many seconds."""
        if self._state_since is not None:
            self._state_since += step
        for cause in self._causes.values():
            cause.wall += step
        self._warmth.clock_was_set(step)

    def read_rules_again(self) -> None:
        """Forgets the rules; they are loaded anew when somebody is to be named."""
        self._classifier = None

    def classify(self, account: Account) -> Classification:
        """What kind of work an account's group does."""
        if self._classifier is None:
            # Not before somebody is to be named: a machine at rest needs no rules.
            try:
                rules = load(self._settings.rules_file)
            except ConfigError as error:  # it was checked, and has changed since
                log.warning("%s; the shipped rules alone are used until the next reload", error)
                rules = load()
            self._classifier = Classifier(rules)
        return self._classifier.classify(account.group, account.clues)

    # -- causes ---------------------------------------------------------------------------------

    def _follow(self, balance: Balance, now: float, wall: float) -> None:
        """Brings the causes up to date with the suspects, the most important first."""
        guilty: dict[str, tuple[Watch, Suspect]] = {}
        self._blamed = {}
        for watch, suspects in self._ranking.order(self._watches):
            self._blamed[watch.name] = [suspect.account.group.key for suspect in suspects]
            for suspect in suspects:
                guilty.setdefault(suspect.account.group.key, (watch, suspect))
        ended = [cause for key, cause in self._causes.items() if key not in guilty]
        began = []
        accounts = {account.group.key: account for account in balance.accounts}
        current: dict[str, Cause] = {}
        for key, (watch, suspect) in guilty.items():
            cause = self._causes.get(key)
            if cause is None:
                cause = self._begin(watch, suspect, now, wall)
                began.append(cause)
            account = accounts.get(key)
            if account is not None:
                cause.account = account
                cause.cpu_seconds += account.cpu_seconds
                self._reconsider(cause, account)
            cause.resource, cause.share = watch.resource, suspect.share
            cause.ending = watch.seems_over(suspect)
            current[key] = cause
        # A suspected miner deserves the most attention, however little it uses.
        self._causes = dict(sorted(current.items(), key=lambda item: not item[1].suspicious))
        for cause in ended:
            self._end(cause, balance, now)
        for cause in began:
            cause.told = cause.named
            self._tell("cause_began", f"{cause.named} began", balance, **cause.facts())

    def _begin(self, watch: Watch, suspect: Suspect, now: float, wall: float) -> Cause:
        account = suspect.account
        since = suspect.gate.since if suspect.gate.since is not None else now
        found = self.classify(account)
        began = wall - (now - since)
        cause = Cause(
            named=causing.named(account, found),
            classification=found,
            resource=watch.resource,
            since=since,
            wall=began,
            account=account,
            habit=self._notebook.habits.judge(found.label, began),
            share=suspect.share,
        )
        self._notebook.habits.note(found.label, began)
        return cause

    def _reconsider(self, cause: Cause, account: Account) -> None:
        """A surer answer replaces a guess; an equal one never changes the name."""
        found, before = self.classify(account), cause.classification
        # What a shell or a tool is called says little of the job.
        tells_more = _meaning(found) > _meaning(before) and found.confidence >= before.confidence
        if found.confidence > before.confidence or tells_more:
            cause.classification = found
            cause.named = causing.named(account, found)

    def _end(self, cause: Cause, balance: Balance, now: float) -> None:
        ended = now if cause.ending is None else cause.ending
        lasted = max(ended - cause.since, 0.0)
        self._tell("cause_ended", f"{cause.named} ended", balance, **cause.over(lasted))

    # -- states ---------------------------------------------------------------------------------

    def _judge_state(self) -> str:
        is_open = {watch.name for watch in self._watches if watch.gate.is_open}
        if is_open & {"memory", "io"}:
            return "pressure"
        if self._warmth.too_hot:
            return "hot"
        if is_open:
            return "busy"
        return "cooling" if self._warmth.after else "quiet"

    def _judge_high(self, balance: Balance, start: float, now: float) -> None:
        """Whether the CPU as a whole is used much; once it is, until the load is over.

        What the onset showed counts at once, a later rise only when it lasts: the sentence must
        not waver.
        """
        gate = next(watch.gate for watch in self._watches if watch.name == "cpu")
        if gate.since is None:
            self._high = Gate(_HIGH_SECONDS, float("inf"))
            return
        used = balance.busy_seconds / balance.window_seconds
        above = used >= self._settings.high_percent / 100 * balance.cores
        self._high.update(above=above, below=False, start=start, now=now)
        if above and now - gate.since <= _ONSET_SECONDS:
            self._high.is_open = True

    def _alert(
        self, conditions: list[Condition], balance: Balance, start: float, now: float
    ) -> None:
        for alert in self._alerts.observe(conditions, start=start, now=now):
            words = alert.condition.message
            self._tell_alert(alert, words if alert.raised else f"Over: {words}", balance)

    def _tell_alert(self, alert: Alert, message: str, balance: Balance | None) -> None:
        self._tell(
            "alert_raised" if alert.raised else "alert_cleared",
            message,
            balance,
            alert=alert.condition.alert,
            severity=alert.condition.severity if alert.raised else "info",
            duration_seconds=None if alert.raised else alert.lasted,
        )

    # -- learning -------------------------------------------------------------------------------

    def _learn(self, evidence: EvidenceReading, now: float, wall: float) -> None:
        self._notebook.habits.watch(wall)
        temperature = evidence.cpu_temperature_celsius
        at_rest = self._state == "quiet" and self._warmth.settled
        if at_rest and temperature is not None:
            day = Moment.of(wall).day
            if self._notebook.drift.observe(day, temperature, evidence.power_watts):
                self._look_for_dust()
        if self._state_dir is not None and self._notebook.due(now):
            self._notebook.save(self._state_dir, now)

    def _look_for_dust(self) -> None:
        risen = self._notebook.drift.risen()
        least = _DUST_GONE_CELSIUS if self._dusty else _DUST_CELSIUS
        self._dusty = risen is not None and risen >= least

    def _book_energy(
        self, balance: Balance, evidence: EvidenceReading, seconds: float, wall: float
    ) -> None:
        """Shares out the energy of the window, to the day's rows and to the causes."""
        watts = evidence.power_watts
        if watts is None or seconds <= 0:
            for cause in self._causes.values():
                cause.power_watts = None
            return
        idle = min(self._warmth.rest.power or 0.0, watts)
        window = balance.window_seconds
        scale = self._warmth.scale
        work: list[tuple[str, float]] = []
        total, unnamed = 0.0, balance.busy_seconds
        for account in balance.accounts:
            amount = scale.measured(account, window) or 0.0
            total += amount
            unnamed -= account.cpu_seconds
            if amount > 0 and (
                account.cpu_seconds >= _NAMED_CORES * window
                or gpu_watts(account) >= _NAMED_GPU_WATTS
            ):
                work.append((self.classify(account).label, amount))
        if scale.cpu_measured:
            total += scale.cpu_watts(max(unnamed, 0.0), window)
        self._notebook.energy.add(watts * seconds, idle * seconds, work, total, Moment.of(wall).day)
        for cause in self._causes.values():
            amount_of_cause = scale.measured(cause.account, window)
            if amount_of_cause is None:
                cause.power_watts = None
                continue
            part = amount_of_cause / total if cause.share > 0 and total else 0.0
            cause.power_watts = part * (watts - idle)
            cause.energy_joules = (cause.energy_joules or 0.0) + cause.power_watts * seconds

    # -- the verdict ----------------------------------------------------------------------------

    def _reading(
        self, balance: Balance, evidence: EvidenceReading, now: float, wall: float
    ) -> ExplanationReading:
        if self._state_since is None:
            self._state_since = wall
        warmth = self._warmth
        causes = self._cause_readings(balance)
        busy = balance.busy_seconds
        error = warmth.error
        estimate = warmth.quiet_in if error is not None else None
        return ExplanationReading(
            state=self._state,
            headline=self._telling.tell(
                headline(self._picture(balance, wall)),
                frozenset((*(str(c.named) for c in self._causes.values()), *warmth.too_hot))
                if self._causes
                else frozenset(),
                now,
            ),
            cause=causes[0].category if causes else None,
            causes=causes,
            evidence=evidence,
            unattributed_percent=100 * balance.unattributed_seconds / busy if busy > 0 else None,
            since=rfc3339(self._state_since),
            rejected=self._rejected(balance),
            quiet_in_seconds=estimate,
            quiet_in_error_percent=100 * error if estimate is not None and error else None,
            hint=warmth.odd or None,
            energy=self._notebook.energy.readings(Moment.of(wall).day)
            if self._notebook.energy.days
            else None,
        )

    def _cause_readings(self, balance: Balance) -> tuple[CauseReading, ...]:
        if self._causes:
            return tuple(cause.reading(balance) for cause in self._causes.values())
        after = self._warmth.after
        if after is None:
            return ()
        return tuple(
            causing.past_reading(account, self.classify(account)) for account in after.accounts
        )

    def _rejected(self, balance: Balance) -> tuple[RejectedReading, ...]:
        if not self._causes:
            return ()
        return causing.rejected(
            balance, self._causes, self.classify, cpu_busy="cpu" in self._blamed
        )

    def _picture(self, balance: Balance, wall: float) -> Picture:
        warmth = self._warmth
        blamed: dict[str, Sequence[Named]] = {
            name: [self._causes[key].named for key in keys] for name, keys in self._blamed.items()
        }
        if not blamed:
            after = warmth.after
            return Picture(
                hot=warmth.too_hot,
                cooling=None
                if after is None
                else [causing.named(account, self.classify(account)) for account in after.accounts],
                ended=_clock(after.ended - self._settings.leave_seconds) if after else "",
                quiet_at=_clock(after.quiet_at) if after and after.quiet_at else "",
                fan=bool(after and after.fan),
                odd=warmth.odd,
            )
        first = next(iter(self._causes.values()), None)
        return Picture(
            cpu=blamed.get("cpu"),
            memory=blamed.get("memory"),
            io=blamed.get("io"),
            disk=blamed.get("disk"),
            network=blamed.get("network"),
            gpu=blamed.get("gpu"),
            gpu_first=self._ranking.gpu_first,
            high=self._high.is_open,
            hot=warmth.too_hot,
            spread=self._spread(balance),
            upkeep=self._upkeep,
            since=self._long_since(first, wall),
            usual=first.habit.words() if first else "",
        )

    def _spread(self, balance: Balance) -> str:
        """Whose the work is when nobody has much of it; does not waver."""
        part = balance.unattributed_seconds / balance.busy_seconds if balance.busy_seconds else 0.0
        self._unnamed = part > (_UNNAMED_BELOW if self._unnamed else _UNNAMED)
        if self._unnamed:
            return "mostly from processes that cannot be named"
        return "spread over many programs"

    def _long_since(self, cause: Cause | None, wall: float) -> str:
        if cause is None or wall - cause.wall < self._settings.say_since_after_seconds:
            return ""
        if wall - cause.wall > 86400:
            return f"since {time.strftime('%d %b %H:%M', time.localtime(cause.wall))}"
        return f"since {_clock(cause.wall)}"

    def _tell(self, event: str, message: str, balance: Balance | None, **more: Any) -> None:
        """Notes an event; without a balance nobody watches any more."""
        self._transitions.note(
            event, message, state=self._state,
            causes=self._cause_readings(balance) if balance else (),
            unwatched=None if balance else True, **more,
        )  # fmt: skip


_STATE_WORDS = {
    "quiet": "quiet",
    "busy": "busy",
    "hot": "hot",
    "cooling": "cooling down",
    "pressure": "under pressure",
}


def _meaning(found: Classification) -> int:
    """How much a name says of the work, where two are as sure as each other."""
    return 2 if found.category == MINING else int(found.category != "shell")


def _clock(wall: float) -> str:
    return time.strftime("%H:%M", time.localtime(wall))
