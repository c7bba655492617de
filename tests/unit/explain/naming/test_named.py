"""How a cause is named in a sentence: whose it is before what does it."""

from __future__ import annotations

from typing import Any

import pytest

from publisher.contract.readings import GroupKind
from publisher.explain.naming.classifier import Classifier
from publisher.explain.naming.named import Named
from publisher.explain.naming.rules import RuleBook, load
from publisher.ledger.accounts import Account, Clues, WorkGroup


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return load()


def named(book: RuleBook, kind: str, label: str, **clues: Any) -> str:
    group, known = WorkGroup("k", GroupKind(kind), label), Clues(**clues)
    account = Account(group=group, clues=known, cpu_seconds=1)
    return str(Named.of(account, Classifier(book).classify(group, known)))


PYTHON = {"program": "python3", "interpreter": "python3"}


@pytest.mark.parametrize(
    ("script", "read"),
    [
        ("train.py", "train.py (ML training)"),
        ("finetune_birds.py", "finetune_birds.py (ML training)"),
        ("sync_photos.py", "sync_photos.py (backup)"),
        ("backup_videos.py", "backup_videos.py"),
        ("benchmark.py", "benchmark.py"),
        ("frobnicate.py", "frobnicate.py"),
        ("borgmatic", "Borg backup (borgmatic)"),
    ],
)
def test_a_script_of_ones_own_goes_before_its_kind_of_work(
    book: RuleBook, script: str, read: str
) -> None:
    assert named(book, "job", script, script=script, **PYTHON) == read


def test_a_script_goes_before_the_tool_that_works_in_it(book: RuleBook) -> None:
    members = ("gzip", "tar")
    clues = {"script": "nightly.sh", "interpreter": "bash", "members": members}
    told = named(book, "job", "nightly.sh", program="gzip", **clues)
    assert told.startswith("nightly.sh (")
    assert "gzip" in told


@pytest.mark.parametrize(
    ("label", "disguise", "read"),
    [
        ("kswapd0", "calls itself a kernel thread, and is none", "kswapd0 (no kernel thread)"),
        ("kworker", "calls itself a kernel thread, and is none", "kworker (no kernel thread)"),
        ("kcompactd0", "", "kcompactd0 (no kernel thread)"),
        ("sshd", "calls itself sshd, runs from /tmp/x", "sshd (runs from /tmp/x)"),
        ("rsync", "calls itself rsync, runs from /dev/shm", "rsync (runs from /dev/shm)"),
    ],
)
def test_a_borrowed_name_is_not_told_as_if_it_were_true(
    book: RuleBook, label: str, disguise: str, read: str
) -> None:
    clues = {"program": label, "executable": f"/tmp/x/{label}", "disguise": disguise}
    assert named(book, "job", label, **clues) == read
    assert named(book, "program", label, **clues) == read


def test_a_kernel_thread_bears_its_own_name(book: RuleBook) -> None:
    assert "no kernel thread" not in named(book, "kernel", "kswapd", program="kswapd")
