"""What a group is called now, and what its kind of work may be told by.

A group is named when its first process is described. Where that is a line of shell with several
commands, or where the process takes a title later, the label follows what works, calmly; its key
stays. Two groups that would read alike are told apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from publisher.contract.readings import GroupKind
from publisher.ledger.accounts import Clues
from publisher.ledger.looks import Looks
from publisher.ledger.naming.names import Name
from publisher.ledger.naming.words import base, clean
from publisher.ledger.open_accounts import Look, Member, OpenAccount
from publisher.sources.processes import ProcessDetails

_WORTH_A_LOOK: Final = 5_000_000  # nanoseconds in two windows
_MANY: Final = 256  # processes among which the busiest of a program is not searched for
_DEEPEST: Final = 32
_LASTING: Final = 3  # windows that another name must last before a second one is taken
_HOMES: Final = ("home", "Users", "")


class Portraits:
    """Describes groups that are asked for."""

    def __init__(self, looks: Looks, processes: ProcessDetails) -> None:
        self._looks = looks
        self._processes = processes
        self._told: dict[str, frozenset[str]] = {}

    def clues(self, account: OpenAccount) -> Clues:
        """What classification may go by, with a closer look at the process that works most."""
        account.settle()
        worker = _worker_of(account)
        if worker is None or account.group.own or account.group.kind is GroupKind.KERNEL:
            return account.clues()
        worth = account.cpu_ns + account.previous_ns >= _WORTH_A_LOOK
        look = (self._looks.at if worth else self._looks.known)(worker)
        path = _path(account, worker)
        if look is not None and account.group.kind in (GroupKind.JOB, GroupKind.PROGRAM):
            self._follow(account, path, look)
        return account.clues(path, look)

    def look_at(self, account: OpenAccount) -> None:
        """Takes a look at a group whatever it did lately, at who worked most in all its life."""
        account.settle()
        if account.worker is None and account.processes:
            account.worker = max(account.processes, key=_lifetime)
        if account.worker is not None:
            self._looks.at(account.worker)

    # -- the name of what it does now ----------------------------------------------------------

    def _follow(self, account: OpenAccount, path: list[Member], look: Look) -> None:
        name = account.name
        if name.line:
            now = self._chief(path)
        elif path[0] is account.root and (account.group.kind is GroupKind.JOB or look.name.titled):
            now = look.name
        else:
            return
        if now is None or now.nameless or now.label == account.group.label:
            account.following = None
            return
        window = self._looks.window
        if account.following is None or account.following[0] != now.label:
            account.following = now.label, window
        # The first name was a guess from the line; what replaces it was seen.
        if not account.renamed or window - account.following[1] >= _LASTING:
            account.name = replace(now, line=name.line)
            account.group = replace(account.group, label=clean(now.label) or "unknown")
            account.renamed, account.following = True, None

    def _chief(self, path: list[Member]) -> Name | None:
        """The uppermost program below a line of shell: subshells and further lines say nothing."""
        for process in reversed(path[:-1]):
            look = self._looks.at(process)
            if look is not None and not look.name.line and not look.name.nameless:
                return look.name
        return None

    # -- two that read alike -------------------------------------------------------------------

    def tell_apart(self, accounts: Iterable[OpenAccount]) -> None:
        """Says of groups with the same label what tells them apart."""
        alike: dict[str, list[OpenAccount]] = {}
        for account in accounts:
            alike.setdefault(account.group.label, []).append(account)
        told, self._told = self._told, {}
        for label, twins in alike.items():
            if len(twins) < 2:
                continue
            keys = frozenset(account.group.key for account in twins)
            self._told[label] = keys
            if told.get(label) != keys:
                self._tell_apart(twins)

    def _tell_apart(self, twins: list[OpenAccount]) -> None:
        told: list[str] = []
        for telling in (self._placed, self._owned, self._numbered):
            told = [telling(account) for account in twins]
            if len(set(told)) == len(told):
                break
        for account, apart in zip(twins, told, strict=True):
            account.group = replace(account.group, apart=clean(apart, 40))

    def _placed(self, account: OpenAccount) -> str:
        """Its unit, its container or the folder that it works in."""
        if account.place is not None:
            return account.place.inner or account.place.identity[:40]
        process = _first_of(account)
        folder = self._processes.working_folder(process.pid) if process is not None else ""
        above, _, last = folder.rstrip("/").rpartition("/")
        return "" if base(above) in _HOMES else last

    def _owned(self, account: OpenAccount) -> str:
        """Whose it is, beside where it is."""
        process = _first_of(account)
        user = self._processes.user(process.pid) if process is not None else ""
        place = self._placed(account)
        return f"{place}, {user}" if place and user else user or place

    def _numbered(self, account: OpenAccount) -> str:
        process = _first_of(account)
        return f"process {process.pid}" if process is not None else self._placed(account)


def _worker_of(account: OpenAccount) -> Member | None:
    """Who works most of those that run the program that works most."""
    worker, ranked = account.worker, account.ranked()
    if not ranked or (worker is not None and worker.membership.program == ranked[0]):
        return worker
    if len(account.processes) > _MANY:
        return None
    of_it = [one for one in account.processes if one.membership.program == ranked[0]]
    return max(of_it, key=_lifetime, default=None)


def _path(account: OpenAccount, process: Member) -> list[Member]:
    """The process and those above it in its group."""
    path = [process]
    while (above := path[-1].parent) is not None and above.membership.account is account:
        path.append(above)
        if len(path) == _DEEPEST:
            break
    return path


def _first_of(account: OpenAccount) -> Member | None:
    if account.root is not None and account.root.alive:
        return account.root
    return next(iter(account.processes), None)


def _lifetime(process: Member) -> int:
    return process.self_ns
