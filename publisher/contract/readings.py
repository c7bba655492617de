"""The topics that belong to no subsystem: who this host is, the verdict, the overview, our cost."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from publisher.contract.metric import (
    Field,
    Kind,
    Reading,
    Unit,
    bytes_per_second,
    celsius,
    choice,
    counter,
    fields_of,
    flag,
    gauge,
    group,
    instances,
    kilowatt_hours,
    milliseconds,
    percent,
    reading,
    records,
    rpm,
    seconds,
    size,
    text,
    timestamp,
    watts,
)


class HostState(StrEnum):
    """How a host is, as the verdict sums it up."""

    QUIET = "quiet"
    BUSY = "busy"
    HOT = "hot"
    COOLING = "cooling"
    PRESSURE = "pressure"


class Resource(StrEnum):
    """What a cause is named for: the resource that it uses much of."""

    CPU = "cpu"
    MEMORY = "memory"
    DISK = "disk"
    NETWORK = "network"
    GPU = "gpu"


class GroupKind(StrEnum):
    """Kinds of work group, from the most to the least specific name a person would use."""

    CONTAINER = "container"
    UNIT = "unit"
    JOB = "job"
    PROGRAM = "program"
    KERNEL = "kernel"


# Plain strings, since schemas, entities and pages are made of them.
STATES = tuple(state.value for state in HostState)
GROUP_KINDS = tuple(kind.value for kind in GroupKind)
RESOURCES = tuple(resource.value for resource in Resource)
EVENT_KINDS = ("cause_began", "cause_ended", "state_changed", "alert_raised", "alert_cleared")
ALERTS = (
    "cpu",
    "memory",
    "disk_full",
    "filesystem",
    "temperature",
    "raid_degraded",
    "disk_failing",
    "ups",
    "fan",
    "oom_kill",
    "cryptomining",
    "unusual",
    "dust",
)
SEVERITIES = ("info", "warning", "critical")
HEALTH_STATES = ("ok", "absent", "denied", "failing", "hanging")
CATEGORIES = (
    "backup",
    "development",
    "database",
    "media",
    "ai",
    "gaming",
    "web",
    "virtualization",
    "indexing",
    "updates",
    "antivirus",
    "file_sharing",
    "downloads",
    "cryptomining",
    "desktop",
    "remote_access",
    "monitoring",
    "smart_home",
    "shell",
    "system",
    "unknown",
)


@reading
class ConsumerReading(Reading):
    """One work group among those that use the most of a resource."""

    label: str | None = text(
        "Label", "The name a person would use for it; its group's where no verdict is made."
    )
    group: str | None = text("Group", "The container, unit, job or program that it is.")
    category: str | None = choice("Category", "The kind of work.", options=CATEGORIES)
    kind: str | None = choice("Kind", "What sort of group it is.", options=GROUP_KINDS)
    cpu_percent: float | None = percent(
        "CPU", "CPU time it used, in percent of one core.", precision=1, highest=None
    )
    memory_bytes: int | None = size("Memory", "Memory resident for its processes.")
    disk_read_bytes_per_second: float | None = bytes_per_second(
        "Disk reads", "Bytes it had read from disks."
    )
    disk_write_bytes_per_second: float | None = bytes_per_second(
        "Disk writes", "Bytes it caused to be written to disks, whichever process flushed them."
    )
    network_receive_bytes_per_second: float | None = bytes_per_second(
        "Receiving", "Bytes it received; absent while little moves on the network."
    )
    network_transmit_bytes_per_second: float | None = bytes_per_second(
        "Transmitting", "Bytes it transmitted; absent while little moves on the network."
    )
    gpu_percent: float | None = percent(
        "GPU", "Share of the GPUs' time it used.", precision=1, highest=None
    )
    gpu_memory_bytes: int | None = size("GPU memory", "GPU memory it holds.")
    process_count: int | None = gauge("Processes", "Processes in it now.")
    since: str | None = timestamp("Since", "When its oldest process began.")
    confidence: float | None = gauge(
        "Confidence", "How sure the category and label are, from 0 to 1.", precision=2
    )
    pid: int | None = gauge("Process id", "Its main process.")


@reading
class CauseReading(Reading):
    """One work group that the verdict holds responsible, and why."""

    category: str | None = choice("Category", "The kind of work.", options=CATEGORIES)
    label: str | None = text("Label", "The name a person would use for it.")
    name: str | None = text("Name", "What the sentence calls it: label and what is behind it.")
    kind: str | None = choice("Kind", "What sort of group it is.", options=GROUP_KINDS)
    group: str | None = text(
        "Group", "The container, unit, job or program behind it, as `top` calls it."
    )
    on_behalf_of: str | None = text(
        "On behalf of",
        "Whom it works for, where it serves others and most of it is for one: a database's "
        "application, a file server's client.",
    )
    resource: str | None = choice(
        "Resource", "What it uses so much of that it is named here.", options=RESOURCES
    )
    share_percent: float | None = percent(
        "Share", "Its part of all that was used of that resource."
    )
    cpu_percent: float | None = percent(
        "CPU", "CPU time it used, in percent of one core.", highest=None
    )
    memory_bytes: int | None = size("Memory", "Memory it holds.")
    disk_bytes_per_second: float | None = bytes_per_second("Disk", "Bytes it reads and writes.")
    network_bytes_per_second: float | None = bytes_per_second(
        "Network", "Bytes it receives and transmits; absent while little moves on the network."
    )
    power_watts: float | None = watts("Power", "Its part of the measured power.")
    process_count: int | None = gauge("Processes", "Processes in it now.")
    since: str | None = timestamp("Since", "When it became a cause.")
    active: bool | None = flag("Active", "Still at work; false when only its heat is left.")
    confidence: float | None = gauge(
        "Confidence", "How sure the category and label are, from 0 to 1.", precision=2
    )
    usual: str | None = text(
        "Usual", "What is known of its habits: as on 6 of the last 7 nights, not seen before."
    )
    reason: str | None = text("Reason", "One sentence: what speaks for it.")
    pid: int | None = gauge("Process id", "Its main process: of a job, the one that began it.")
    pids: tuple[int, ...] | None = gauge(
        "Process ids", "Its processes that work most, the busiest first, at most five."
    )
    unit: str | None = text("Unit", "The systemd unit that it is, by its full name.")
    container_id: str | None = text(
        "Container id", "The container that it is, as its runtime numbers or names it."
    )
    cgroup: str | None = text("Control group", "The control group that holds all of it.")
    to_stop: str | None = text(
        "To stop",
        "A command that stops or pauses it and can be taken back; absent where none is harmless.",
    )


@reading
class RejectedReading(Reading):
    """One work group that was looked at and is not to blame."""

    label: str | None = text("Label", "The name a person would use for it.")
    category: str | None = choice("Category", "The kind of work.", options=CATEGORIES)
    reason: str | None = text("Reason", "Why it is not to blame.")


@reading
class EnergyReading(Reading):
    """Energy that one work group used.

    With "idle", "other programs" and "unattributed" the rows add up to what was measured.
    """

    label: str | None = text("Label", "The name a person would use for it.")
    today_joules: float | None = gauge(
        "Energy today", "Energy it used since midnight.", unit=Unit.JOULES, precision=0
    )
    week_joules: float | None = gauge(
        "Energy this week",
        "Energy it used today and on the six days before.",
        unit=Unit.JOULES,
        precision=0,
    )


@reading
class KindEnergyReading(Reading):
    """Energy that one kind of work used."""

    label: str | None = text("Label", "What people call it.", triggers=False)
    energy_kilowatt_hours: float | None = kilowatt_hours(
        "Energy",
        "Energy that it used since this was first counted.",
        deadband=0.01,
        enabled=True,
        icon="mdi:lightning-bolt",
    )
    today_kilowatt_hours: float | None = gauge(
        "Energy today",
        "Energy that it used since midnight.",
        unit=Unit.KILOWATT_HOURS,
        precision=3,
        deadband=0.01,
        icon="mdi:lightning-bolt-outline",
    )


@reading
class WorkEnergyReading(Reading):
    """Energy by kind of work; with *at rest* and *nobody named* all that was measured."""

    since: str | None = timestamp("Since", "When today began.")
    kinds: dict[str, KindEnergyReading] = instances(
        KindEnergyReading, "Kinds", "Each kind of work that has used any, by its category."
    )


@reading
class ServiceReading(Reading):
    """One container or systemd unit."""

    label: str | None = text("Name", "The name a person would use for it.", triggers=False)
    up: bool | None = flag("Up", "Whether it runs.", device_class="running")
    cpu_percent: float | None = percent(
        "CPU",
        "CPU time that it used in the last minute, in percent of all processors.",
        precision=1,
        deadband=5,
        icon="mdi:chip",
    )
    memory_bytes: int | None = size(
        "Memory", "Memory that it holds.", deadband=64 << 20, deadband_percent=10
    )


@reading
class ServicesReading(Reading):
    """Containers, and those systemd units that use most: there where `ledger.services` is set."""

    containers: dict[str, ServiceReading] = instances(
        ServiceReading, "Containers", "Each container that has been seen at work, by its name."
    )
    units: dict[str, ServiceReading] = instances(
        ServiceReading, "Units", "The largest systemd units, by their full name."
    )


@reading
class EvidenceReading(Reading):
    """What was measured on the machine when the verdict was made."""

    cpu_percent: float | None = percent("CPU", "Busy share of all cores.")
    memory_available_percent: float | None = percent(
        "Available memory", "Memory that new work could have."
    )
    pressure_cpu_percent: float | None = percent(
        "CPU pressure", "Time in which some task waited for a CPU."
    )
    pressure_memory_percent: float | None = percent(
        "Memory pressure", "Time in which some task waited for memory."
    )
    pressure_io_percent: float | None = percent(
        "I/O pressure", "Time in which some task waited for I/O."
    )
    disk_bytes_per_second: float | None = bytes_per_second(
        "Disk", "Bytes read and written by all disks."
    )
    network_bytes_per_second: float | None = bytes_per_second(
        "Network", "Bytes received and transmitted by all interfaces."
    )
    gpu_percent: float | None = percent("GPU", "Utilisation of the busiest GPU.")
    fan_speed_rpm: int | None = rpm("Fan", "Speed of the fastest fan.")
    cpu_temperature_celsius: float | None = celsius(
        "CPU temperature", "The CPU package's temperature."
    )
    cpu_temperature_limit_celsius: float | None = celsius(
        "CPU temperature limit", "Temperature that the sensor itself calls high or critical."
    )
    fan_duty_percent: float | None = percent("Fan duty", "How hard the fastest fan is driven.")
    throttling: bool | None = flag("Throttling", "Heat or power holds the CPU back.")
    gpu_temperature_celsius: float | None = celsius(
        "GPU temperature", "The hottest GPU's temperature."
    )
    gpu_headroom_celsius: float | None = celsius(
        "GPU headroom",
        "Degrees until heat slows a GPU down: the fewest of all sensors that have a limit.",
        lowest=-200,
        highest=200,
    )
    gpu_throttling: bool | None = flag("GPU throttling", "Heat holds a GPU back.")
    gpu_fan_percent: float | None = percent("GPU fan", "How hard the fastest GPU fan is driven.")
    gpu_power_watts: float | None = watts("GPU power", "Measured power of the GPUs.", precision=0)
    power_watts: float | None = watts(
        "Power", "Measured power of the CPU packages and GPUs.", precision=0
    )


@reading
class ExplanationReading(Reading):
    """The verdict: why this machine is busy, hot or loud, and who did it."""

    state: str | None = choice(
        "State", "How the machine is.", options=STATES, headline=True, icon="mdi:fan-alert"
    )
    headline: str | None = text(
        "Why",
        "One sentence of at most 255 characters; it changes when the causes change.",
        enabled=True,
        headline=True,
        icon="mdi:fan",
    )
    cause: str | None = choice(
        "Cause",
        "Category of the first cause; absent when there is none.",
        options=CATEGORIES,
        headline=True,
        icon="mdi:magnify",
    )
    causes: tuple[CauseReading, ...] = records(
        CauseReading, "Causes", "Who is to blame, the most important first.", members=True
    )
    evidence: EvidenceReading | None = group(
        EvidenceReading, "Evidence", "What was measured when the verdict was made."
    )
    unattributed_percent: float | None = percent(
        "Unattributed",
        "Part of the busy CPU time that no work group could be named for.",
        diagnostic=True,
    )
    since: str | None = timestamp("Since", "When this state began.")
    rejected: tuple[RejectedReading, ...] = records(
        RejectedReading,
        "Rejected",
        "What else was looked at, and why it is not to blame.",
        triggers=False,
    )
    quiet_in_seconds: float | None = seconds(
        "Quiet in",
        "Estimate of when the machine will have cooled down, once that has been learned.",
    )
    quiet_in_error_percent: float | None = percent(
        "Estimate's error",
        "How far off earlier estimates were, in the median.",
        highest=None,
        diagnostic=True,
    )
    hint: str | None = text(
        "Hint", "What fits when heat or noise do not come from load; never a certainty."
    )
    energy: tuple[EnergyReading, ...] | None = records(
        EnergyReading,
        "Energy",
        "Who used how much energy; absent where no power is measured.",
        triggers=False,
        default=None,
    )


@reading
class ToldCauseReading(Reading):
    """One cause as people are told of it: it stays as it was when the sentence was worded."""

    name: str | None = text("Name", "What the sentence calls it.")
    told: str | None = text("Told", "Its share and whom it works for, in a few words.")
    label: str | None = text("Label", "The name a person would use for it.")
    category: str | None = choice("Category", "The kind of work.", options=CATEGORIES)
    kind: str | None = choice("Kind", "What sort of group it is.", options=GROUP_KINDS)
    resource: str | None = choice(
        "Resource", "What it uses so much of that it is named here.", options=RESOURCES
    )
    share_percent: float | None = percent(
        "Share", "Its part of all that was used of that resource."
    )
    since: str | None = timestamp("Since", "When it became a cause.")
    on_behalf_of: str | None = text("On behalf of", "Whom it works for, where that is known.")
    usual: str | None = text("Usual", "What is known of its habits.")
    reason: str | None = text("Reason", "One sentence: what speaks for it.")
    unit: str | None = text("Unit", "The systemd unit that it is, by its full name.")
    container_id: str | None = text(
        "Container id", "The container that it is, as its runtime numbers or names it."
    )
    to_stop: str | None = text(
        "To stop",
        "A command that stops or pauses it and can be taken back; absent where none is harmless.",
    )


@reading
class EventReading(Reading):
    """Something happened: a cause began or ended, the state changed, an alert came or went."""

    id: str | None = text("Id", "Unique; a reader that keeps ids takes nothing twice.")
    event: str | None = choice("Event", "What happened.", options=EVENT_KINDS)
    message: str | None = text("Message", "One sentence for people.")
    state: str | None = choice("State", "How the machine is now.", options=STATES)
    previous_state: str | None = choice(
        "Previous state", "How it was before, where the state changed.", options=STATES
    )
    alert: str | None = choice("Alert", "What the alert is about.", options=ALERTS)
    severity: str | None = choice("Severity", "How much it matters.", options=SEVERITIES)
    category: str | None = choice("Category", "The kind of work.", options=CATEGORIES)
    label: str | None = text("Label", "The name a person would use for the cause.")
    resource: str | None = choice("Resource", "What it uses so much of.", options=RESOURCES)
    began: str | None = timestamp("Began", "When it began.")
    duration_seconds: float | None = seconds(
        "Duration", "How long it lasted, once it is over.", precision=1
    )
    unwatched: bool | None = flag(
        "No longer watched",
        "True where its end was not seen, since fanwhy was stopped or set anew.",
    )
    cpu_seconds: float | None = seconds("CPU time", "CPU time that the cause used.", precision=1)
    energy_joules: float | None = gauge(
        "Energy",
        "Energy that the cause used, where power is measured.",
        unit=Unit.JOULES,
        precision=0,
    )
    causes: tuple[CauseReading, ...] = records(
        CauseReading, "Causes", "Who was to blame when it happened.", triggers=False
    )


@reading
class HealthReading(Reading):
    """Whether a subsystem, or a part of one, works, and if not, why and what would mend it."""

    state: str | None = choice("State", "How it is.", options=HEALTH_STATES)
    since: str | None = timestamp("Since", "Since when it has been so.")
    reason: str | None = text(
        "Reason", "Why there is no value; where there is one, what it is taken from and why."
    )
    remedy: str | None = text("Remedy", "What the machine's owner can do about it.")


@reading
class TotalReading(Reading):
    """How far one total may have gone."""

    label: str | None = text("Label", "Topic, device and field.")
    limit: float | None = gauge(
        "Limit", "What it does not pass before this is said anew.", precision=3
    )


@reading
class InfoReading(Reading):
    """Who this host is, what it can tell, and what it cannot and why."""

    machine_id: str | None = text(
        "Machine id",
        "Stable identity of this installation, derived from /etc/machine-id by a keyed hash, "
        "as machine-id(5) asks.",
        diagnostic=True,
    )
    fanwhy_version: str | None = text("fanwhy version", "Version of this daemon.", diagnostic=True)
    operating_system: str | None = text("Operating system", "Its name and release.")
    kernel: str | None = text("Kernel", "Kernel name and release.")
    architecture: str | None = text("Architecture", "Processor architecture.")
    manufacturer: str | None = text("Manufacturer", "Who made the machine, or its mainboard.")
    model: str | None = text("Model", "What its maker calls the machine, or the mainboard.")
    cpu_model: str | None = text("CPU model", "The processor's name.")
    physical_cores: int | None = gauge("Physical cores", "Processor cores.", deadband=1)
    logical_cores: int | None = gauge(
        "Logical cores", "Processors that the kernel schedules on.", deadband=1
    )
    memory_total_bytes: int | None = size("Memory", "Usable memory.")
    virtualization: str | None = text(
        "Virtualization", "The hypervisor or container engine that this host runs in."
    )
    boot_time: str | None = timestamp(
        "Last boot", "When the kernel started.", diagnostic=True, enabled=True, icon="mdi:restart"
    )
    started: str | None = timestamp("Started", "When this daemon started.", diagnostic=True)
    run: str | None = text(
        "Run", "Tells this run of the daemon from others of this machine; a later one sorts behind."
    )
    senses: dict[str, HealthReading] = instances(
        HealthReading, "Senses", "Every subsystem and every part of one, by name, and how it is."
    )
    totals: tuple[TotalReading, ...] | None = records(
        TotalReading,
        "Totals",
        "How far counters may have gone: none is ever published below what it once was, "
        "even when fanwhy's own folder is lost or taken from a backup.",
        triggers=False,
        default=None,
    )


@reading
class SelfReading(Reading):
    """What fanwhy itself costs this machine."""

    cpu_percent: float | None = percent(
        "CPU",
        "CPU time of the daemon in percent of one core, over the last minute.",
        precision=2,
        highest=None,
        deadband=0.5,
        diagnostic=True,
        enabled=True,
        icon="mdi:cpu-64-bit",
    )
    memory_bytes: int | None = size(
        "Memory",
        "Proportional set size of the daemon (PSS; resident size where there is no PSS).",
        deadband=4 << 20,
        diagnostic=True,
        enabled=True,
    )
    samples: int | None = counter("Samples", "Samples taken.", diagnostic=True)
    messages_sent: int | None = counter(
        "Messages sent", "MQTT messages published.", diagnostic=True
    )
    payload_sent_bytes: int | None = counter(
        "Payload sent",
        "Bytes of payload published.",
        unit=Unit.BYTES,
        diagnostic=True,
    )
    connections: int | None = counter(
        "Connections", "Times the broker was reached.", diagnostic=True
    )
    sample_milliseconds: float | None = milliseconds(
        "Sample", "CPU time of one sample, median of the last ones.", diagnostic=True
    )


_OVERVIEW = (
    "The few numbers that say how the machine is, and the sentence: one topic for simple readers, "
    "and for those who write down every change. A new sentence is sent at once, numbers every half "
    "minute at most and only when they moved by their deadband. Who is to blame is told as it was "
    "when the sentence was worded."
)
_TOLD: dict[str, tuple[Any, Any]] = {
    "culprit": (
        str | None,
        text("Culprit", "The first cause, by its name; absent when there is none."),
    ),
    "since": (str | None, timestamp("Since", "When this state began.")),
    "hint": (str | None, text("Hint", "What fits when heat or noise do not come from load.")),
    "causes": (
        tuple[ToldCauseReading, ...],
        records(ToldCauseReading, "Causes", "Who is to blame, the first three.", members=True),
    ),
    "evidence": (
        EvidenceReading | None,
        group(EvidenceReading, "Evidence", "What was measured when the sentence was worded."),
    ),
}
"""What the overview tells of the verdict besides its headlines, by name: type and field."""


def overview_of(subsystems: Mapping[str, type[Reading]]) -> type[Reading]:
    """The reading of ``host/overview``: every headline field, named ``<subsystem>_<field>``.

    The verdict's headline keeps its plain name.
    """
    members: list[tuple[str, Any, Any]] = []
    for leaf, field in headlines(subsystems):
        name = overview_key(leaf, field)
        members.append(
            (name, field.type, dataclasses.field(default=None, metadata={"metric": field.metric}))
        )
    members += [(name, kind, field) for name, (kind, field) in _TOLD.items()]
    return dataclasses.make_dataclass(
        "OverviewReading",
        members,
        bases=(Reading,),
        frozen=True,
        slots=True,
        kw_only=True,
        namespace={"__doc__": _OVERVIEW},
    )


def headlines(subsystems: Mapping[str, type[Reading]]) -> list[tuple[str, Field]]:
    """(topic, field) of every field that the overview shows, in the order of declaration."""
    return [
        (leaf, field)
        for leaf, cls in subsystems.items()
        for field in fields_of(cls)
        if field.metric.headline and field.metric.kind not in (Kind.INSTANCES, Kind.RECORDS)
    ]


def overview_key(leaf: str, field: Field) -> str:
    """The overview's name for a headline field of a topic."""
    return field.name if leaf == "explanation" else f"{leaf}_{field.name}"
