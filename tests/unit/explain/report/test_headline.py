"""The sentence: golden examples, the user's own first."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from publisher.explain.naming.named import Named
from publisher.explain.report.headline import LONGEST, HeadlineInputs, Who, headline

TIME_MACHINE = Named("Time Machine backup", "backupd", "backup")
BORG = Named("Borg backup", "", "backup")
MAKE = Named("Software build", "make -j8", "development")
VITE = Named("JavaScript build", "npm run build", "development")
STOCKFISH = Named("stockfish", "", "gaming")
POSTGRES = Named("PostgreSQL database", "", "database")
REDIS = Named("Redis database", "redis-server", "database")
OLLAMA = Named("Ollama language model", "", "ai")
XMRIG = Named("XMRig cryptominer", "", "cryptomining")
QBITTORRENT = Named("qBittorrent", "", "downloads")
PYTEST = Named("Python tests", "pytest", "development")
GZIP = Named("Compression", "gzip", "shell")
XZ = Named("Compression", "xz", "shell")
TWICE = "2 \N{MULTIPLICATION SIGN}"


def who(*named: Named, **more: Any) -> Who:
    return Who(named=named, **more)


GOLDEN = [
    (HeadlineInputs(cpu=who(TIME_MACHINE)), "CPU usage high due to: Time Machine backup (backupd)"),
    (
        HeadlineInputs(cpu=who(MAKE, alike=3)),
        "CPU usage high due to: 3 development processes, most by Software build (make -j8)",
    ),
    (
        HeadlineInputs(cpu=who(BORG, MAKE, rest=1, small=False)),
        "System load high due to: Borg backup and Software build (make -j8); and 1 other",
    ),
    (
        HeadlineInputs(cpu=who(STOCKFISH, word="most", rest=3)),
        "System load high due to: stockfish, most of it; and 3 small ones",
    ),
    (
        HeadlineInputs(cpu=who(STOCKFISH, MAKE, word="most", ahead=True, rest=1)),
        (
            "System load high due to: stockfish, most of it, then Software build (make -j8); "
            "and 1 small one"
        ),
    ),
    (
        HeadlineInputs(cpu=who(STOCKFISH, MAKE, rest=2)),
        "System load high due to: stockfish and Software build (make -j8); and 2 small ones",
    ),
    # a person's own
    (
        HeadlineInputs(cpu=who(Named("nightly.sh", "archiving: gzip", "shell"))),
        "CPU usage high due to: nightly.sh (archiving: gzip)",
    ),
    (
        HeadlineInputs(disk=who(Named("sync_photos.py", "backup", "backup"))),
        "High disk I/O from sync_photos.py (backup)",
    ),
    # on whose behalf
    (
        HeadlineInputs(cpu=who(Named("PostgreSQL database", "", "database", whose="Immich"))),
        "CPU usage high due to: PostgreSQL database, working for Immich",
    ),
    # told apart
    (
        HeadlineInputs(
            cpu=who(
                Named("Python tests", "pytest", "development", apart="shop"),
                Named("Python tests", "pytest", "development", apart="blog"),
            )
        ),
        f"CPU usage high due to: {TWICE} Python tests (pytest): shop and blog",
    ),
    # everything churns
    (
        HeadlineInputs(cpu=who(MAKE), churn=(MAKE, XZ)),
        (
            "System load high from many programs in turn, most of it lately Software build "
            "(make -j8) and Compression (xz)"
        ),
    ),
    (
        HeadlineInputs(cpu=who(MAKE), churn=(MAKE,), brief=True, high=False),
        "Busy from many short programs, most of it lately Software build (make -j8)",
    ),
    (
        HeadlineInputs(cpu=who(MAKE), unnamed=True),
        "CPU usage high due to: Software build (make -j8)",
    ),
    (
        HeadlineInputs(cpu=who(), unnamed=True),
        "CPU usage high, mostly from processes that cannot be named",
    ),
    (
        HeadlineInputs(memory_story="leak.py fills its limit of 1.5 GB; the kernel killed it"),
        "leak.py fills its limit of 1.5 GB; the kernel killed it",
    ),
    (
        HeadlineInputs(memory=who(POSTGRES, REDIS)),
        "CPU usage normal, memory pressure from database operations, most by PostgreSQL database",
    ),
    (HeadlineInputs(io=who(TIME_MACHINE)), "High disk I/O from Time Machine backup (backupd)"),
    (HeadlineInputs(disk=who(TIME_MACHINE)), "High disk I/O from Time Machine backup (backupd)"),
    (HeadlineInputs(), "System load normal"),
    (
        HeadlineInputs(cpu=who(BORG, MAKE)),
        "CPU usage high due to: Borg backup and Software build (make -j8)",
    ),
    (HeadlineInputs(cpu=who(MAKE), high=False), "CPU busy with: Software build (make -j8)"),
    (
        HeadlineInputs(cpu=who(MAKE), since="since 14:03"),
        "CPU usage high due to: Software build (make -j8), since 14:03",
    ),
    (
        HeadlineInputs(cpu=who(BORG), usual="as on 6 of the last 7 nights", since="since 02:00"),
        "CPU usage high due to: Borg backup, as on 6 of the last 7 nights, since 02:00",
    ),
    (
        HeadlineInputs(cpu=who(MAKE, spread=True)),
        "CPU usage high, spread over many programs, the most by Software build (make -j8)",
    ),
    (
        HeadlineInputs(cpu=who(MAKE), hot=["CPU"]),
        "CPU hot: CPU usage high due to: Software build (make -j8)",
    ),
    (HeadlineInputs(hot=["CPU"]), "CPU hot, though system load is normal"),
    (
        HeadlineInputs(gpu=who(OLLAMA), hot=["GPU"]),
        "GPU hot: GPU usage high due to: Ollama language model",
    ),
    (
        HeadlineInputs(cpu=who(OLLAMA), gpu=who(OLLAMA), hot=["CPU", "GPU"]),
        "CPU and GPU hot: CPU and GPU usage high due to: Ollama language model",
    ),
    (HeadlineInputs(hot=["GPU"]), "GPU hot, though system load is normal"),
    # two that read alike
    (
        HeadlineInputs(cpu=who(PYTEST, PYTEST)),
        f"CPU usage high due to: {TWICE} Python tests (pytest)",
    ),
    (
        HeadlineInputs(cpu=who(POSTGRES, POSTGRES)),
        f"CPU usage high due to: {TWICE} PostgreSQL database",
    ),
    (HeadlineInputs(cpu=who(GZIP, XZ)), "CPU usage high due to: Compression (gzip, xz)"),
    (
        HeadlineInputs(cpu=who(BORG, Named("Borg backup", "nightly", "backup"))),
        "CPU usage high due to: Borg backup and Borg backup (nightly)",
    ),
    (
        HeadlineInputs(cpu=who(GZIP, alike=4)),
        "CPU usage high due to: 4 batch processes, most by Compression (gzip)",
    ),
    (HeadlineInputs(disk=who(GZIP, XZ)), "High disk I/O from Compression (gzip, xz)"),
    (
        HeadlineInputs(cooling=[GZIP, XZ], ended="14:05"),
        "Still cooling after Compression (gzip, xz), which ended at 14:05",
    ),
    (
        HeadlineInputs(memory=who(POSTGRES), cpu=who(POSTGRES)),
        "Memory pressure and CPU usage high due to: PostgreSQL database",
    ),
    (
        HeadlineInputs(memory=who(POSTGRES), cpu=who(BORG)),
        "Memory pressure from PostgreSQL database; CPU usage high due to: Borg backup",
    ),
    (HeadlineInputs(memory=who()), "CPU usage normal, memory pressure"),
    (HeadlineInputs(gpu=who(OLLAMA)), "GPU usage high due to: Ollama language model"),
    (
        HeadlineInputs(cpu=who(OLLAMA), gpu=who(OLLAMA)),
        "CPU and GPU usage high due to: Ollama language model",
    ),
    (
        HeadlineInputs(cpu=who(OLLAMA), gpu=who(OLLAMA), high=False),
        "GPU usage high due to: Ollama language model",
    ),
    (
        HeadlineInputs(cpu=who(OLLAMA, MAKE), gpu=who(OLLAMA), gpu_first=True),
        (
            "GPU usage high due to: Ollama language model; "
            "CPU usage high due to: Ollama language model and Software build (make -j8)"
        ),
    ),
    (
        HeadlineInputs(cpu=who(MAKE), gpu=who(OLLAMA)),
        (
            "CPU usage high due to: Software build (make -j8); "
            "GPU usage high due to: Ollama language model"
        ),
    ),
    (
        HeadlineInputs(cpu=who(BORG), disk=who(BORG)),
        "CPU usage high due to: Borg backup",
    ),
    (
        HeadlineInputs(cpu=who(MAKE), disk=who(BORG)),
        "CPU usage high due to: Software build (make -j8); high disk I/O from Borg backup",
    ),
    (HeadlineInputs(disk=who()), "High disk I/O"),
    (
        HeadlineInputs(disk=who(), upkeep="RAID check (md0)"),
        "High disk I/O during a RAID check (md0)",
    ),
    (
        HeadlineInputs(io=who(), disk=who(TIME_MACHINE)),
        "High disk I/O from Time Machine backup (backupd)",
    ),
    (
        HeadlineInputs(memory=who(POSTGRES, BORG), cpu=who(POSTGRES)),
        (
            "Memory pressure from PostgreSQL database and Borg backup; "
            "CPU usage high due to: PostgreSQL database"
        ),
    ),
    (
        HeadlineInputs(cpu=who(BORG, MAKE), high=False),
        "CPU busy with: Borg backup and Software build (make -j8)",
    ),
    (HeadlineInputs(network=who(QBITTORRENT)), "High network traffic from qBittorrent"),
    (
        HeadlineInputs(cpu=who(XMRIG)),
        "Suspected cryptomining: CPU usage high due to: XMRig cryptominer",
    ),
    (
        HeadlineInputs(cpu=who(MAKE, VITE, XMRIG, BORG)),
        (
            "Suspected cryptomining: XMRig cryptominer; CPU usage also high due to: "
            "Software build (make -j8), JavaScript build (npm run build) and Borg backup"
        ),
    ),
    (
        HeadlineInputs(gpu=who(XMRIG), hot=["GPU"]),
        "Suspected cryptomining, GPU hot: GPU usage high due to: XMRig cryptominer",
    ),
    (
        HeadlineInputs(memory=who(XMRIG), cpu=who(BORG)),
        (
            "Suspected cryptomining: memory pressure from XMRig cryptominer; "
            "CPU usage high due to: Borg backup"
        ),
    ),
    (
        HeadlineInputs(disk=who(XMRIG, BORG, rest=2, small=False)),
        (
            "Suspected cryptomining: high disk I/O from XMRig cryptominer and Borg backup; "
            "and 2 others"
        ),
    ),
    (
        HeadlineInputs(network=who(XMRIG)),
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
    assert headline(inputs).text == sentence


def test_counts_in_the_plural() -> None:
    game, machine = Named("A", "", "gaming"), Named("B", "", "virtualization")
    assert "3 games, most by A" in headline(HeadlineInputs(cpu=who(game, alike=3))).text
    text = headline(HeadlineInputs(cpu=who(machine, alike=3))).text
    assert "3 virtual machines or containers, most by B" in text


def test_soft_words_and_counts_are_not_the_core() -> None:
    one = headline(HeadlineInputs(cpu=who(STOCKFISH, word="most", rest=3), since="since 12:00"))
    other = headline(HeadlineInputs(cpu=who(STOCKFISH, word="half", rest=9)))
    assert one.text != other.text
    assert one.core == other.core
    assert one.told == {STOCKFISH}


def test_a_sentence_that_gets_long_is_told_more_briefly() -> None:
    long = Named("L" * 50, "d" * 50, "backup")
    text = headline(HeadlineInputs(cpu=who(long, word="most", rest=3))).text
    assert "small ones" not in text


def test_is_never_longer_than_a_state_may_be() -> None:
    long = Named("L" * 200, "d" * 200, "backup")
    choices = [None, who(), who(long), who(long, long, ahead=True, rest=3), who(long, alike=5)]
    for cpu, memory, disk in product(choices, repeat=3):
        for cooling in (None, [long]):
            inputs = HeadlineInputs(
                cpu=cpu, memory=memory, disk=disk, cooling=cooling,
                since="since 02:00", hot=["CPU", "GPU"], upkeep="RAID check (md0)",
            )  # fmt: skip
            assert 0 < len(headline(inputs).text) <= LONGEST
