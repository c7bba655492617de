"""The sentence: golden examples, the user's own first."""

from __future__ import annotations

from itertools import product

import pytest

from publisher.explain.report.wording import LONGEST, Named, Picture, counted, headline

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
    (Picture(cpu=[TIME_MACHINE]), "CPU usage high due to: Time Machine backup (backupd)"),
    (
        Picture(cpu=[BORG, MAKE, VITE]),
        "System load high due to: 1 backup process, 2 development processes",
    ),
    (
        Picture(memory=[POSTGRES, REDIS]),
        "CPU usage normal, memory pressure from database operations",
    ),
    (Picture(io=[TIME_MACHINE]), "High disk I/O from Time Machine backup"),
    (Picture(disk=[TIME_MACHINE]), "High disk I/O from Time Machine backup"),
    (Picture(), "System load normal"),
    (
        Picture(cpu=[BORG, MAKE]),
        "CPU usage high due to: Borg backup and Software build (make -j8)",
    ),
    (Picture(cpu=[MAKE], high=False), "CPU busy with: Software build (make -j8)"),
    (
        Picture(cpu=[MAKE], since="since 14:03"),
        "CPU usage high due to: Software build (make -j8), since 14:03",
    ),
    (
        Picture(cpu=[BORG], usual="as on 6 of the last 7 nights", since="since 02:00"),
        "CPU usage high due to: Borg backup, as on 6 of the last 7 nights, since 02:00",
    ),
    (
        Picture(cpu=[], spread="spread over many programs"),
        "CPU usage high, spread over many programs",
    ),
    (
        Picture(cpu=[MAKE], hot=["CPU"]),
        "CPU hot: CPU usage high due to: Software build (make -j8)",
    ),
    (Picture(hot=["CPU"]), "CPU hot, though system load is normal"),
    (
        Picture(gpu=[OLLAMA], hot=["GPU"]),
        "GPU hot: GPU usage high due to: Ollama language model",
    ),
    (
        Picture(cpu=[OLLAMA], gpu=[OLLAMA], hot=["CPU", "GPU"]),
        "CPU and GPU hot: CPU and GPU usage high due to: Ollama language model",
    ),
    (Picture(hot=["GPU"]), "GPU hot, though system load is normal"),
    # two that read alike
    (
        Picture(cpu=[PYTEST, PYTEST]),
        f"CPU usage high due to: {TWICE} Python tests (pytest)",
    ),
    (Picture(cpu=[POSTGRES, POSTGRES]), f"CPU usage high due to: {TWICE} PostgreSQL database"),
    (Picture(cpu=[GZIP, XZ]), "CPU usage high due to: Compression (gzip, xz)"),
    (
        Picture(cpu=[BORG, Named("Borg backup", "nightly", "backup")]),
        f"CPU usage high due to: {TWICE} Borg backup",
    ),
    (
        Picture(cpu=[GZIP, MAKE, XZ]),
        "System load high due to: 2 batch processes, 1 development process",
    ),
    (Picture(disk=[GZIP, XZ]), "High disk I/O from Compression (gzip, xz)"),
    (
        Picture(cooling=[GZIP, XZ], ended="14:05"),
        "Still cooling after Compression (gzip, xz), which ended at 14:05",
    ),
    (
        Picture(memory=[POSTGRES], cpu=[POSTGRES]),
        "Memory pressure and CPU usage high due to: PostgreSQL database",
    ),
    (
        Picture(memory=[POSTGRES], cpu=[BORG]),
        "Memory pressure from PostgreSQL database; CPU usage high due to: Borg backup",
    ),
    (Picture(memory=[]), "CPU usage normal, memory pressure"),
    (Picture(gpu=[OLLAMA]), "GPU usage high due to: Ollama language model"),
    (Picture(cpu=[OLLAMA], gpu=[OLLAMA]), "CPU and GPU usage high due to: Ollama language model"),
    (
        Picture(cpu=[OLLAMA], gpu=[OLLAMA], high=False),
        "GPU usage high due to: Ollama language model",
    ),
    (
        Picture(cpu=[OLLAMA, MAKE], gpu=[OLLAMA], gpu_first=True),
        (
            "GPU usage high due to: Ollama language model; "
            "CPU usage high due to: Ollama language model and Software build (make -j8)"
        ),
    ),
    (
        Picture(cpu=[MAKE], gpu=[OLLAMA]),
        (
            "CPU usage high due to: Software build (make -j8); "
            "GPU usage high due to: Ollama language model"
        ),
    ),
    (
        Picture(cpu=[BORG], disk=[BORG]),
        "CPU usage high due to: Borg backup",
    ),
    (
        Picture(cpu=[MAKE], disk=[BORG]),
        "CPU usage high due to: Software build (make -j8); high disk I/O from Borg backup",
    ),
    (Picture(disk=[]), "High disk I/O"),
    (Picture(disk=[], upkeep="RAID check (md0)"), "High disk I/O during a RAID check (md0)"),
    (Picture(io=[], disk=[TIME_MACHINE]), "High disk I/O from Time Machine backup"),
    (
        Picture(memory=[POSTGRES, BORG], cpu=[POSTGRES]),
        (
            "Memory pressure from PostgreSQL database and Borg backup; "
            "CPU usage high due to: PostgreSQL database"
        ),
    ),
    (
        Picture(cpu=[BORG, MAKE, VITE], high=False),
        "CPU busy with: 1 backup process, 2 development processes",
    ),
    (Picture(network=[QBITTORRENT]), "High network traffic from qBittorrent"),
    (Picture(cpu=[XMRIG]), "Suspected cryptomining: CPU usage high due to: XMRig cryptominer"),
    (
        Picture(cpu=[MAKE, VITE, XMRIG, BORG]),
        (
            "Suspected cryptomining: XMRig cryptominer; CPU usage also high due to: "
            "2 development processes, 1 backup process"
        ),
    ),
    (
        Picture(gpu=[XMRIG], hot=["GPU"]),
        "Suspected cryptomining, GPU hot: GPU usage high due to: XMRig cryptominer",
    ),
    (
        Picture(memory=[XMRIG], cpu=[BORG]),
        (
            "Suspected cryptomining: memory pressure from XMRig cryptominer; "
            "CPU usage high due to: Borg backup"
        ),
    ),
    (
        Picture(disk=[BORG, XMRIG, MAKE, VITE]),
        (
            "Suspected cryptomining: high disk I/O from XMRig cryptominer, 1 backup process, "
            "2 development processes"
        ),
    ),
    (
        Picture(network=[XMRIG]),
        "Suspected cryptomining: high network traffic from XMRig cryptominer",
    ),
    (
        Picture(cooling=[MAKE], ended="14:05", fan=True),
        "Fan still running: cooling after Software build (make -j8), which ended at 14:05",
    ),
    (
        Picture(cooling=[MAKE], ended="14:05", quiet_at="14:08"),
        "Still cooling after Software build (make -j8), which ended at 14:05, quiet at about 14:08",
    ),
    (Picture(cooling=[], ended="14:05"), "Still cooling after a load, which ended at 14:05"),
    (
        Picture(odd="but the CPU is warm: dust, a failing fan or a warm room would fit"),
        "System load normal, but the CPU is warm: dust, a failing fan or a warm room would fit",
    ),
]


@pytest.mark.parametrize(("picture", "sentence"), GOLDEN, ids=[text for _, text in GOLDEN])
def test_golden(picture: Picture, sentence: str) -> None:
    assert headline(picture) == sentence


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
            picture = Picture(
                cpu=cpu, memory=memory, disk=disk, cooling=cooling,
                since="since 02:00", hot=["CPU", "GPU"], upkeep="RAID check (md0)",
            )  # fmt: skip
            assert 0 < len(headline(picture)) <= LONGEST
