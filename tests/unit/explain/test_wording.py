"""The sentence: golden examples, the user's own first."""

from __future__ import annotations

from itertools import product

import pytest

from publisher.explain.wording import LONGEST, Named, Picture, counted, headline

TIME_MACHINE = Named("Time Machine backup", "backupd", "backup")
BORG = Named("Borg backup", "", "backup")
MAKE = Named("Software build", "make -j8", "development")
VITE = Named("JavaScript build", "npm run build", "development")
POSTGRES = Named("PostgreSQL database", "", "database")
REDIS = Named("Redis database", "redis-server", "database")
OLLAMA = Named("Ollama language model", "", "ai")
XMRIG = Named("XMRig cryptominer", "", "cryptomining")
QBITTORRENT = Named("qBittorrent", "", "downloads")

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
    (Picture(cpu=[MAKE], hot=True), "CPU hot: CPU usage high due to: Software build (make -j8)"),
    (Picture(hot=True), "CPU hot, though system load is normal"),
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
        Picture(cpu=[BORG], disk=[BORG]),
        "CPU usage high due to: Borg backup",
    ),
    (
        Picture(cpu=[MAKE], disk=[BORG]),
        "CPU usage high due to: Software build (make -j8); high disk I/O from Borg backup",
    ),
    (Picture(disk=[]), "High disk I/O"),
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
                cpu=cpu, memory=memory, disk=disk, cooling=cooling, since="since 02:00", hot=True
            )
            assert 0 < len(headline(picture)) <= LONGEST
