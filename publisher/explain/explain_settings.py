"""What people may set about the verdict; every threshold and every dwell time stands here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from publisher.config.setting import number, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainSettings:
    """When the machine counts as busy, hot or under pressure, and how causes are named."""

    rules_file: str | None = setting(
        None,
        "A TOML file with rules of your own; they come before the shipped ones and replace those "
        "of the same name. `fanwhy-pub classify NAME` shows which rule matches.",
        example="/etc/fanwhy/rules.toml",
    )
    busy_cores: float = number(
        0.6,
        "CPU work that counts as busy, in cores; the larger of this and busy_percent.",
        minimum=0.05,
        maximum=1024,
    )
    busy_percent: float = number(
        5.0, "CPU work that counts as busy, in percent of all cores.", 0.1, 100
    )
    high_percent: float = number(
        30.0, "CPU usage of all cores from which it is called high.", 1, 100
    )
    busy_gpu_percent: float = number(30.0, "GPU utilisation that counts as busy.", 1, 100)
    busy_disk_bytes_per_second: float = number(40e6, "Disk traffic that counts as busy.", 1e5)
    busy_network_bytes_per_second: float = number(40e6, "Network traffic that counts as busy.", 1e5)
    memory_pressure_percent: float = number(
        10.0, "Share of time spent waiting for memory that counts as pressure.", 0.5, 100
    )
    memory_available_percent: float = number(
        5.0, "Available memory below which it counts as pressure.", 0.1, 90
    )
    io_pressure_percent: float = number(
        40.0, "Share of time spent waiting for disks that counts as pressure.", 1, 100
    )
    hot_celsius: float = number(
        85.0,
        "CPU temperature that counts as hot where the sensor names no limit of its own.",
        minimum=30,
        maximum=120,
    )
    hot_gpu_celsius: float = number(
        90.0, "GPU temperature that counts as hot where its driver names no limit.", 30, 130
    )
    hot_margin_celsius: float = number(
        5.0, "Degrees below the sensor's own limit that count as hot, of CPU or GPU.", 0, 50
    )
    enter_seconds: float = number(1.0, "How long a load must last before it is spoken of.", 0, 600)
    join_seconds: float = number(
        1.5, "How long a further program must work before it joins the causes.", 0, 600
    )
    leave_seconds: float = number(
        4.0, "How long a load must be gone before it counts as over.", 0, 600
    )
    leave_ratio: float = number(
        0.6, "Part of a threshold below which a load counts as gone.", 0.1, 1
    )
    cause_share_percent: float = number(
        15.0, "Least share of a resource's use for which a program is blamed.", 1, 100
    )
    never_blame: tuple[str, ...] = setting(
        (),
        "Programs, scripts, units and containers that are never blamed, by any name that they go "
        "by (patterns, `*` stands for anything). Their work is no load: it makes the machine "
        "neither busy nor is it told; only heat, want of memory and kills for it are. `fanwhy-pub "
        "doctor` lists the names.",
        example='["boinc*", "Folding@home"]',
    )
    blame_above_percent: Mapping[str, float] = setting(
        dict,
        "Likewise those that are blamed only for the use of more than so much: percent of all "
        "cores, of a GPU, or of the traffic of disks or network where that is much.",
        minimum=0,
        maximum=100,
        example='{ plex = 50, "restic*" = 80 }',
    )
    say_since_after_seconds: float = number(
        180.0, "A cause that lasts longer than this is told with the time it began.", 10, 86400
    )
    cooling_seconds: float = number(
        60.0, "Time constant of the machine's cooling until its own has been learned.", 5, 3600
    )
    learn: bool = setting(
        True, "Keep what was learned about this machine (cooling, usual hours, idle temperature)."
    )
    alerts: bool = setting(True, "Raise and clear alerts on host/event.")
    alert_cpu_percent: float = number(90.0, "CPU usage that raises an alert when it lasts.", 1, 100)
    alert_memory_available_percent: float = number(
        5.0, "Available memory below which an alert is raised.", 0.1, 90
    )
    alert_disk_used_percent: float = number(
        95.0, "Fullness of a file system that raises an alert.", 1, 100
    )
    alert_cpu_seconds: float = number(
        300.0, "How long high CPU usage must last to raise an alert.", 1, 86400
    )
    alert_seconds: float = number(
        30.0, "How long any other condition must last to raise an alert.", 1, 86400
    )
    alert_clear_seconds: float = number(
        60.0, "How long a condition must be gone before its alert is cleared.", 1, 86400
    )
