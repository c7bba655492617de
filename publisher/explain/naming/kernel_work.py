"""What a kernel thread does: by its name, or by the queue of work that a kworker serves."""

from __future__ import annotations

import re

from publisher.contract.printable import printable
from publisher.explain.naming.classification import ALIKE, KNOWN, Classification, said
from publisher.explain.naming.rules import RuleBook

_KWORKER = re.compile(r"^kworker(?:/\S*?[-+]| )(?P<queue>.+)$")
_INTERRUPT = re.compile(r"^irq(?: |/\d+-)")


def kernel_work(book: RuleBook, thread: str) -> Classification:
    """What a thread does; ``thread`` is its name, or the ledger's short form of it.

    ``kworker/u8:2-btrfs-endio`` and ``kworker btrfs-endio`` are both Btrfs at work.
    """
    name = _INTERRUPT.sub("irq/", thread.lower())
    queue = match["queue"] if (match := _KWORKER.match(name)) else ""
    for text in (queue, name):
        for form in (text, plain := text.partition("/")[0], f"{plain}/" if plain else ""):
            rule = book.find("kernel", form) if form else None
            if rule is not None:
                return said(rule, KNOWN, "kernel", f"kernel thread {thread!r}")
    label = f"kernel ({printable(thread)})" if thread else "kernel"
    return Classification("system", label, ALIKE, "", "a kernel thread", "kernel")
