"""A machine with a few subsystems, and what it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from publisher.contract.metric import Reading, Unit, flag, gauge, instances, reading, records
from publisher.contract.model import json_schema
from publisher.contract.payload import Envelope, rfc3339, to_json
from publisher.contract.readings import (
    CauseReading,
    ConsumerReading,
    EvidenceReading,
    ExplanationReading,
    HealthReading,
    InfoReading,
)
from subscriber_cli.model.decode import OnlineStatus, Received
from subscriber_cli.model.fleet import Fleet

NOW = 1_800_000_000.0


@reading
class FanReading(Reading):
    """One fan."""

    speed_rpm: int | None = gauge("Speed", "How fast it turns.", unit=Unit.RPM, precision=0)
    fault: bool | None = flag("Fault", "It failed.")


@reading
class ThermalReading(Reading):
    """Heat."""

    cpu_temperature_celsius: float | None = gauge(
        "CPU", "The package.", unit=Unit.CELSIUS, precision=0, headline=True
    )
    fans: dict[str, FanReading] = instances(FanReading, "Fans", "All of them.")


@reading
class CpuReading(Reading):
    """Processors."""

    usage_percent: float | None = gauge(
        "Usage", "Busy time.", unit=Unit.PERCENT, precision=1, headline=True
    )
    per_core_percent: list[float] | None = gauge(
        "Usage by core", "Each core.", unit=Unit.PERCENT, precision=0
    )
    load_average: list[float] | None = gauge("Load average", "Tasks.", precision=2)
    top: tuple[ConsumerReading, ...] = records(ConsumerReading, "Top", "The busiest.")


CONTENTS = {
    "cpu": CpuReading,
    "thermal": ThermalReading,
    "explanation": ExplanationReading,
    "info": InfoReading,
}

CPU = CpuReading(
    usage_percent=87.4,
    per_core_percent=[100.0, 75.0, 90.0, 85.0, 10.0, 20.0, 30.0, 40.0],
    load_average=[8.1, 4.0, 2.0],
    top=(
        ConsumerReading(label="make -j8", kind="job", cpu_percent=640.0, memory_bytes=3 << 30),
        ConsumerReading(label="restic", kind="unit", cpu_percent=12.0, memory_bytes=400 << 20),
    ),
)
THERMAL = ThermalReading(
    cpu_temperature_celsius=78.0, fans={"nct6798/CPU fan": FanReading(speed_rpm=2100, fault=False)}
)
EXPLANATION = ExplanationReading(
    state="busy",
    headline="CPU usage high due to: compile job (make -j8)",
    causes=(
        CauseReading(
            category="development", label="make -j8", resource="cpu", share_percent=87.0,
            cpu_percent=640.0, process_count=27, since=rfc3339(NOW - 250), active=True,
            reason="27 processes of make, cc1plus and ld",
        ),
        CauseReading(
            category="backup", label="restic", resource="disk", share_percent=64.0,
            disk_bytes_per_second=3e7, since=rfc3339(NOW - 700), active=False,
        ),
    ),
    evidence=EvidenceReading(fan_speed_rpm=2100, cpu_temperature_celsius=78.0, cpu_percent=87.0),
    since=rfc3339(NOW - 250),
)  # fmt: skip
INFO = InfoReading(
    operating_system="Debian GNU/Linux 12",
    senses={
        "gpu.nvidia": HealthReading(state="absent", reason="no NVIDIA driver"),
        "power.rapl": HealthReading(state="denied", reason="root alone may read it"),
        "cpu.load": HealthReading(state="ok"),
    },
)


@pytest.fixture(scope="session")
def catalogue() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(json.dumps(json_schema(CONTENTS)))
    return schema


@pytest.fixture
def say() -> Callable[..., Received]:
    """A message as it comes in."""

    def make(
        leaf: str, content: Any, *, prefix: str = "host", at: float = NOW, retained: bool = False
    ) -> Received:
        if isinstance(content, Reading):
            host = "nas" if prefix == "host" else prefix.rpartition("/")[2]
            content = json.loads(json.dumps(Envelope(host).wrap(to_json(content), at)))
        elif isinstance(content, str):
            content = OnlineStatus(content)
        return Received(prefix, leaf, content, retained)

    return make


@pytest.fixture
def fleet(catalogue: dict[str, Any], say: Callable[..., Received]) -> Fleet:
    """One machine, busy."""
    fleet = Fleet()
    for leaf, content in (
        ("catalogue", catalogue),
        ("status", "online"),
        ("cpu", CPU),
        ("thermal", THERMAL),
        ("explanation", EXPLANATION),
        ("info", INFO),
    ):
        fleet.apply(say(leaf, content), NOW)
    return fleet


@pytest.fixture
def now() -> float:
    """The moment at which the machine of ``fleet`` spoke."""
    return NOW


@pytest.fixture
def cpu() -> Callable[[float], CpuReading]:
    """Readings that differ in their usage."""
    return lambda usage: CpuReading(usage_percent=usage)


@pytest.fixture
def fleet_contents() -> dict[str, Reading]:
    """What the machine of ``fleet`` says, by topic."""
    return {"cpu": CPU, "thermal": THERMAL, "explanation": EXPLANATION, "info": INFO}


@pytest.fixture
def explanation() -> ExplanationReading:
    """The verdict of the machine of ``fleet``."""
    return EXPLANATION
