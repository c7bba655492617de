"""A stage on which the verdict is played: machines made of numbers, on a clock of our own."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from publisher.contract.readings import EvidenceReading, GroupKind
from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.explainer import Explainer
from publisher.explain.inputs import Signs
from publisher.explain.naming.behaviour import Watcher
from publisher.explain.naming.rules import RuleBook, load
from publisher.ledger.accounts import Account, Balance, Clues, MemoryKill, WorkGroup

MakeAccount = Callable[..., Account]
Verdict = Any
"""An ``ExplanationReading``, of which a test knows what is there: any field may be ``None``."""
MIDNIGHT = 1_780_000_000.0 // 86400 * 86400
MAKE = {
    "kind": "job",
    "label": "make -j8",
    "command": "make -j8",
    "ancestors": ("sh", "make"),
}
SENTENCE = "CPU usage high due to: Software build (make -j8)"
NORMAL = "System load normal"


@cache
def _shipped() -> RuleBook:
    """The shipped rules, which nobody changes: folding them takes longer than most tests."""
    return load()


def account(program: str, cores: float = 0.0, *, seconds: float = 2.0, **more: Any) -> Account:
    """An account of a program; ``kind``, ``label`` and clues may be given by name."""
    kind = GroupKind(str(more.pop("kind", "program")))
    label = str(more.pop("label", program))
    key = str(more.pop("key", f"{kind}:{label}"))
    own = bool(more.pop("own", False))
    known = {name: more.pop(name) for name in list(more) if name in Clues.__dataclass_fields__}
    return Account(
        group=WorkGroup(key, kind, label, own=own),
        clues=Clues(program=program, **known),
        cpu_seconds=cores * seconds,
        **{"process_count": 1, **more},
    )


@dataclass
class Stage:
    """Drives one explainer through time."""

    settings: ExplainSettings = field(default_factory=ExplainSettings)
    state_dir: str | None = None
    cores: int = 4
    now: float = 1000.0
    wall: float = MIDNIGHT + 12 * 3600
    evidence: Callable[[float, float], Mapping[str, Any]] | None = None
    headlines: list[str] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        rules = None if self.settings.rules_file else _shipped()
        self.explainer = Explainer(self.settings, state_dir=self.state_dir, rules=rules)

    def step(
        self,
        *accounts: Account,
        seconds: float = 2.0,
        idle: float = 0.01,
        signs: Signs | None = None,
        kills: tuple[MemoryKill, ...] = (),
        kill_awaited: bool = False,
        watcher: Watcher | None = None,
        **evidence: Any,
    ) -> Verdict:
        """One window; the accounts' CPU time is that of a window of two seconds."""
        self.now += seconds
        self.wall += seconds
        scaled = tuple(
            Account(**{**_fields(a), "cpu_seconds": a.cpu_seconds * seconds / 2}) for a in accounts
        )
        busy = sum(a.cpu_seconds for a in scaled) + idle * seconds
        balance = Balance(
            window_seconds=seconds,
            cores=self.cores,
            busy_seconds=busy,
            accounts=scaled,
            memory_kills=kills,
            memory_kill_awaited=kill_awaited,
        )
        if self.evidence:
            evidence = {**self.evidence(busy / seconds, seconds), **evidence}
        evidence.setdefault("cpu_percent", 100 * busy / seconds / self.cores)
        verdict = self.explainer.judge(
            balance,
            EvidenceReading(**evidence),
            now=self.now,
            wall=self.wall,
            signs=signs or Signs(),
            watcher=watcher,
        )
        if not self.headlines or self.headlines[-1] != verdict.headline:
            self.headlines.append(verdict.headline or "")
        self.events += self.explainer.transitions()
        return verdict

    def soon(self) -> float:
        """Seconds after which the explainer asks for a further window."""
        wait = self.explainer.wants_soon()
        assert wait is not None
        return wait

    def play(self, *accounts: Account, lasting: float, **more: Any) -> Verdict:
        """Windows of two seconds for a while; the last verdict."""
        seconds = float(more.pop("seconds", 2.0))
        verdict = None
        for _ in range(max(1, round(lasting / seconds))):
            verdict = self.step(*accounts, seconds=seconds, **more)
        assert verdict is not None
        return verdict


def _fields(item: Account) -> dict[str, Any]:
    return {name: getattr(item, name) for name in Account.__dataclass_fields__}


@dataclass
class FirstOrder:
    """One lump of metal: power in, heat out through one resistance."""

    time_constant: float = 120.0
    degrees_per_watt: float = 0.5
    ambient: float = 22.0
    watts_idle: float = 10.0
    watts_per_core: float = 20.0
    noise: float = 0.3
    seed: int = 1

    def __post_init__(self) -> None:
        self.temperature = self.ambient + self.degrees_per_watt * self.watts_idle
        self.fan = Fan()
        self._random = random.Random(self.seed)

    def advance(self, cores: float, seconds: float) -> None:
        watts = self.watts_idle + self.watts_per_core * cores
        aim = self.ambient + self.degrees_per_watt * watts
        self.temperature = aim + (self.temperature - aim) * math.exp(-seconds / self.time_constant)
        self.watts = watts

    def __call__(self, cores: float, seconds: float) -> Mapping[str, Any]:
        self.advance(cores, seconds)
        self.fan.follow(self.temperature)
        return {
            "cpu_temperature_celsius": round(
                self.temperature + self._random.gauss(0, self.noise), 1
            ),
            "fan_speed_rpm": self.fan.speed(self._random),
        }


@dataclass
class TwoMass(FirstOrder):
    """A die on a heat sink: the die follows in seconds, the sink in minutes, the fan cools it."""

    die_seconds: float = 6.0
    die_degrees_per_watt: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        self.sink = self.temperature
        self.temperature = self.sink + self.die_degrees_per_watt * self.watts_idle

    def advance(self, cores: float, seconds: float) -> None:
        watts = self.watts_idle + self.watts_per_core * cores
        # More air, less resistance: the time constant shrinks with it.
        ease = 0.8 if self.fan.level else 1.0
        aim = self.ambient + ease * self.degrees_per_watt * watts
        self.sink = aim + (self.sink - aim) * math.exp(-seconds / (ease * self.time_constant))
        die = self.sink + self.die_degrees_per_watt * watts
        self.temperature = die + (self.temperature - die) * math.exp(-seconds / self.die_seconds)


@dataclass
class Card:
    """A graphics card: one lump of metal, which draws and warms by its load.

    Its load is set from outside; at full load it comes within a degree of ``limit``.
    """

    time_constant: float = 40.0
    degrees_per_watt: float = 0.22
    ambient: float = 26.0
    watts_idle: float = 20.0
    watts_full: float = 300.0
    limit: float | None = 93.0
    noise: float = 0.3
    load: float = 0.0

    def __post_init__(self) -> None:
        self.temperature = self.ambient + self.degrees_per_watt * self.watts_idle
        self._random = random.Random(3)

    def __call__(self, _: float, seconds: float) -> Mapping[str, Any]:
        watts = self.watts_idle + self.load * (self.watts_full - self.watts_idle)
        aim = self.ambient + self.degrees_per_watt * watts
        self.temperature = aim + (self.temperature - aim) * math.exp(-seconds / self.time_constant)
        seen = round(self.temperature + self._random.gauss(0, self.noise), 1)
        told: dict[str, Any] = {
            "gpu_percent": 100 * self.load,
            "gpu_temperature_celsius": seen,
            "gpu_fan_percent": min(max(seen - 20, 0), 100),
            "gpu_power_watts": watts,
            "power_watts": watts,
        }
        if self.limit is not None:
            told["gpu_headroom_celsius"] = self.limit - seen
        return told


@dataclass
class Fan:
    """A fan that starts at one temperature and stops at a lower one."""

    starts: float = 45.0
    stops: float = 36.0
    level: int = 0

    def follow(self, temperature: float) -> None:
        if temperature >= self.starts:
            self.level = 1
        elif temperature <= self.stops:
            self.level = 0

    def speed(self, noise: random.Random) -> int:
        return round((800, 2100)[self.level] + noise.gauss(0, 15))
