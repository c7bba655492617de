"""The sentence: golden examples, the user's own first."""

from __future__ import annotations

from itertools import product

import pytest

from publisher.explain.naming.named import Named
from publisher.explain.report.headline import LONGEST, HeadlineInputs, counted, headline

TIME_MACHINE = Named("Time Machine backup", "backupd", "backup")
BORG = Named("Borg backup", "", "backup")
MAKE = Named("Software build", "make -j8", "development")
VITE = Named("JavaScript build", "npm run build", "development")
POSTGRES = Named("PostgreSQL database", "", "database")
REDIS = Named("Redis database", "redis-server", "database")
OLLAMA = Named("Ollama language model", "", "ai")
XMRIG = Named("XMRig cryptominer", "", "cryptomining")
QBITTORRENT = Named("qBittorrent", "", "downloads")
PYTEST = Named("Python tests", "pytest", "development")
GZIP = Named("Compression", "gzip", "shell")
XZ = Named("Compression", "xz", "shell")
TWICE = "2 \N{MULTIPLICATION SIGN}"

GOLDEN = [
    (HeadlineInputs(cpu=[TIME_MACHINE]), "CPU usage high due to: Time Machine backup (backupd)"),
    (
        HeadlineInputs(cpu=[BORG, MAKE, VITE]),
        "System load high due to: 1 backup process, 2 development processes",
    ),
    (
        HeadlineInputs(memory=[POSTGRES, REDIS]),
        "CPU usage normal, memory pressure from database operations",
    ),
    (HeadlineInputs(io=[TIME_MACHINE]), "High disk I/O from Time Machine backup"),
    (HeadlineInputs(disk=[TIME_MACHINE]), "High disk I/O from Time Machine backup"),
    (HeadlineInputs(), "System load normal"),
    (
        HeadlineInputs(cpu=[BORG, MAKE]),
        "CPU usage high due to: Borg backup and Software build (make -j8)",
    ),
    (HeadlineInputs(cpu=[MAKE], high=False), "CPU busy with: Software build (make -j8)"),
    (
        HeadlineInputs(cpu=[MAKE], since="since 14:03"),
        "CPU usage high due to: Software build (make -j8), since 14:03",
    ),
    (
        HeadlineInputs(cpu=[BORG], usual="as on 6 of the last 7 nights", since="since 02:00"),
        "CPU usage high due to: Borg backup, as on 6 of the last 7 nights, since 02:00",
    ),
    (
        HeadlineInputs(cpu=[], spread="spread over many programs"),
        "CPU usage high, spread over many programs",
    ),
    (
        HeadlineInputs(cpu=[MAKE], hot=["CPU"]),
        "CPU hot: CPU usage high due to: Software build (make -j8)",
    ),
    (HeadlineInputs(hot=["CPU"]), "CPU hot, though system load is normal"),
    (
        HeadlineInputs(gpu=[OLLAMA], hot=["GPU"]),
        "GPU hot: GPU usage high due to: Ollama language model",
    ),
    (
        HeadlineInputs(cpu=[OLLAMA], gpu=[OLLAMA], hot=["CPU", "GPU"]),
        "CPU and GPU hot: CPU and GPU usage high due to: Ollama language model",
    ),
    (HeadlineInputs(hot=["GPU"]), "GPU hot, though system load is normal"),
    # two that read alike
    (
        HeadlineInputs(cpu=[PYTEST, PYTEST]),
        f"CPU usage high due to: {TWICE} Python tests (pytest)",
    ),
    (
        HeadlineInputs(cpu=[POSTGRES, POSTGRES]),
        f"CPU usage high due to: {TWICE} PostgreSQL database",
    ),
    (HeadlineInputs(cpu=[GZIP, XZ]), "CPU usage high due to: Compression (gzip, xz)"),
    (
        HeadlineInputs(cpu=[BORG, Named("Borg backup", "nightly", "backup")]),
        f"CPU usage high due to: {TWICE} Borg backup",
    ),
    (
        HeadlineInputs(cpu=[GZIP, MAKE, XZ]),
        "System load high due to: 2 batch processes, 1 development process",
    ),
    (HeadlineInputs(disk=[GZIP, XZ]), "High disk I/O from Compression (gzip, xz)"),
    (
        HeadlineInputs(cooling=[GZIP, XZ], ended="14:05"),
        "Still cooling after Compression (gzip, xz), which ended at 14:05",
    ),
    (
        HeadlineInputs(memory=[POSTGRES], cpu=[POSTGRES]),
        "Memory pressure and CPU usage high due to: PostgreSQL database",
    ),
    (
        HeadlineInputs(memory=[POSTGRES], cpu=[BORG]),
        "Memory pressure from PostgreSQL database; CPU usage high due to: Borg backup",
    ),
    (HeadlineInputs(memory=[]), "CPU usage normal, memory pressure"),
    (HeadlineInputs(gpu=[OLLAMA]), "GPU usage high due to: Ollama language model"),
    (
        HeadlineInputs(cpu=[OLLAMA], gpu=[OLLAMA]),
        "CPU and GPU usage high due to: Ollama language model",
    ),
    (
        HeadlineInputs(cpu=[OLLAMA], gpu=[OLLAMA], high=False),
        "GPU usage high due to: Ollama language model",
    ),
    (
        HeadlineInputs(cpu=[OLLAMA, MAKE], gpu=[OLLAMA], gpu_first=True),
        (
            "GPU usage high due to: Ollama language model; "
            "CPU usage high due to: Ollama language model and Software build (make -j8)"
        ),
    ),
    (
        HeadlineInputs(cpu=[MAKE], gpu=[OLLAMA]),
        (
            "CPU usage high due to: Software build (make -j8); "
            "GPU usage high due to: Ollama language model"
        ),
    ),
    (
        HeadlineInputs(cpu=[BORG], disk=[BORG]),
        "CPU usage high due to: Borg backup",
    ),
    (
        HeadlineInputs(cpu=[MAKE], disk=[BORG]),
        "CPU usage high due to: Software build (make -j8); high disk I/O from Borg backup",
    ),
    (HeadlineInputs(disk=[]), "High disk I/O"),
    (HeadlineInputs(disk=[], upkeep="RAID check (md0)"), "High disk I/O during a RAID check (md0)"),
    (HeadlineInputs(io=[], disk=[TIME_MACHINE]), "High disk I/O from Time Machine backup"),
    (
        HeadlineInputs(memory=[POSTGRES, BORG], cpu=[POSTGRES]),
        (
            "Memory pressure from PostgreSQL database and Borg backup; "
            "CPU usage high due to: PostgreSQL database"
        ),
    ),
    (
        HeadlineInputs(cpu=[BORG, MAKE, VITE], high=False),
        "CPU busy with: 1 backup process, 2 development processes",
    ),
    (HeadlineInputs(network=[QBITTORRENT]), "High network traffic from qBittorrent"),
    (
        HeadlineInputs(cpu=[XMRIG]),
        "Suspected cryptomining: CPU usage high due to: XMRig cryptominer",
    ),
    (
        HeadlineInputs(cpu=[MAKE, VITE, XMRIG, BORG]),
        (
            "Suspected cryptomining: XMRig cryptominer; CPU usage also high due to: "
            "2 development processes, 1 backup process"
        ),
    ),
    (
        HeadlineInputs(gpu=[XMRIG], hot=["GPU"]),
        "Suspected cryptomining, GPU hot: GPU usage high due to: XMRig cryptominer",
    ),
    (
        HeadlineInputs(memory=[XMRIG], cpu=[BORG]),
        (
            "Suspected cryptomining: memory pressure from XMRig cryptominer; "
            "CPU usage high due to: Borg backup"
        ),
    ),
    (
        HeadlineInputs(disk=[BORG, XMRIG, MAKE, VITE]),
        (
            "Suspected cryptomining: high disk I/O from XMRig cryptominer, 1 backup process, "
            "2 development processes"
        ),
    ),
    (
        HeadlineInputs(network=[XMRIG]),
        "Suspected cryptomining: high network traffic from XMRig cryptominer",
    ),
    (
        HeadlineInputs(cooling=[MAKE], ended="14:05", fan=True),
        "Fan still running: cooling after Software build (make -j8), which ended at 14:05",
    ),
    (
        HeadlineInputs(cooling=[MAKE], ended="14:05", quiet_at="14:08"),
        "Still cooling after Software build (make -j8), which ended at 14:05, quiet at about 14:08",
    ),
    (HeadlineInputs(cooling=[], ended="14:05"), "Still cooling after a load, which ended at 14:05"),
    (
        HeadlineInputs(hint="but the CPU is warm: dust, a failing fan or a warm room would fit"),
        "System load normal, but the CPU is warm: dust, a failing fan or a warm room would fit",
    ),
]


@pytest.mark.parametrize(("inputs", "sentence"), GOLDEN, ids=[text for _, text in GOLDEN])
def test_golden(inputs: HeadlineInputs, sentence: str) -> None:
    assert headline(inputs) == sentence


def test_counts_in_the_plural() -> None:
    games = [Named("A", "", "gaming"), Named("B", "", "gaming")]
    machines = [Named("A", "", "virtualization")] * 2
    assert counted(games) == "2 games"
    assert counted(machines) == "2 virtual machines or containers"


def test_is_never_longer_than_a_state_may_be() -> None:
    long = Named("L" * 200, "d" * 200, "backup")
    choices = [None, [], [long], [long, long], [long] * 5]
    for cpu, memory, disk in product(choices, repeat=3):
        for cooling in (None, [long]):
            inputs = HeadlineInputs(
                cpu=cpu, memory=memory, disk=disk, cooling=cooling,
                since="since 02:00", hot=["CPU", "GPU"], upkeep="RAID check (md0)",
            )  # fmt: skip
            assert 0 < len(headline(inputs)) <= LONGEST
