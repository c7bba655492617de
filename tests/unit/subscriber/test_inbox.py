from __future__ import annotations

import os
import signal
import threading
import time

from subscriber_cli.inbox import Inbox
from subscriber_cli.model.budget import INBOX_BYTES, ITEM_BYTES


def test_a_key_goes_before_every_message() -> None:
    inbox = Inbox()
    for number in range(1000):
        inbox.put(number)
    inbox.press("q")

    assert inbox.get() == "q"
    assert [inbox.get(1), inbox.get(0)] == [0, 1]


def test_it_is_full_by_bytes_and_not_by_items() -> None:
    inbox = Inbox()
    full = []
    for size, count in ((INBOX_BYTES // 3, 3), (0, INBOX_BYTES // ITEM_BYTES + 2)):
        for _ in range(count):
            inbox.put("item", size)
        full.append(inbox.full)
        inbox.get()
        full.append(inbox.full)
        while inbox.get(0) is not None:
            pass
        full.append(inbox.full)

    assert full == [True, False, False, True, True, False]


def test_it_waits_no_longer_than_asked() -> None:
    inbox = Inbox()
    inbox.press("q")
    assert inbox.get(0) == "q"

    began = time.monotonic()
    assert inbox.get(0) is None  # the key's mark is still in the queue
    assert inbox.get(0.1) is None
    assert 0.09 < time.monotonic() - began < 5


def test_a_signal_wakes_who_waits() -> None:
    inbox = Inbox()
    before = signal.signal(signal.SIGUSR1, lambda *_: inbox.press("q"))
    try:
        threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
        assert inbox.get(30) == "q"
    finally:
        signal.signal(signal.SIGUSR1, before)
