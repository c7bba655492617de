"""What is meant by a name, a command line or the number of a process: a group and its clues."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from publisher.cli.command_lines import typed
from publisher.cli.products import product
from publisher.config.state_folder import state_dir
from publisher.contract.readings import GroupKind
from publisher.daemon.lock import holder
from publisher.daemon.settings import Settings
from publisher.errors import FanwhyError
from publisher.explain.naming.rules import RuleBook
from publisher.ledger import open_ledger
from publisher.ledger.accounts import Account, Clues, WorkGroup
from publisher.ledger.described import DescribedLedger
from publisher.ledger.naming.cgroup_names import unit_label
from publisher.sources import Sources, machine_files
from publisher.sources.containers import Container, short_image

_OF_SERVICES = "/var/lib/fanwhy"


class Surroundings(NamedTuple):
    """What is said of a name besides: what it runs, where it is, what started it."""

    script: str = ""
    unit: str = ""
    image: str = ""
    inside: str = ""


_NOTHING = Surroundings()


def ask(
    what: str, settings: Settings, book: RuleBook, around: Surroundings = _NOTHING
) -> tuple[WorkGroup, Clues]:
    """The work group that is meant, and what classification may go by.

    Args:
        what: the number of a process, a command line, a program or a product.
        settings: those in force.
        book: the rules, among which a product is looked for.
        around: more of a name.

    Raises:
        FanwhyError: there is no such process.
    """
    if what.isdecimal():
        account = account_of_process(int(what), settings)
        return account.group, account.clues
    return _of_name(what, book, settings, around)


def _of_name(
    name: str, book: RuleBook, settings: Settings, around: Surroundings
) -> tuple[WorkGroup, Clues]:
    """What is called so: a command line, if it is no product's name, else a program."""
    known = product(book, name)
    is_line = re.search(r"[\s/;|&]", name) and not (known or name.istitle() or around.script)
    if is_line:
        ledger = DescribedLedger(settings.ledger)
        container = Container("", short_image(around.image)) if around.image else None
        line = typed(name, ledger.namer, unit=around.unit, container=container, above=around.inside)
        account = line.account(ledger)
        return account.group, account.clues
    if known is not None and not any(around):
        return WorkGroup(name, GroupKind.PROGRAM, name), known
    clues = Clues(
        program=name,
        script=around.script,
        unit=around.unit,
        container_image=around.image,
        ancestors=(around.inside,) if around.inside else (),
    )
    # As the ledger calls it.
    if around.unit:
        return WorkGroup(name, GroupKind.UNIT, unit_label(around.unit)), clues
    if around.image:
        return WorkGroup(name, GroupKind.CONTAINER, around.image.rpartition("/")[2] or name), clues
    return WorkGroup(name, GroupKind.PROGRAM, name), clues


def running_daemon() -> int | None:
    """The daemon of this user or this machine, by its number; ``None`` if none can be found.

    Who names a state folder means the daemon that keeps its state there, and no other.
    """
    own = state_dir()
    found = holder(own) if own else None
    return found if found or os.environ.get("STATE_DIRECTORY") else holder(_OF_SERVICES)


def account_of_process(pid: int, settings: Settings) -> Account:
    """The account of a living process's group, as the daemon has it when this process works.

    Raises:
        FanwhyError: there is no such process, or it is hidden.
    """
    # To the daemon neither we nor who called us are special.
    own = running_daemon() or (pid if pid == os.getpid() else 0)
    sources = Sources(files=machine_files(settings.root))
    ledger = open_ledger(sources, settings.ledger, own=own)
    try:
        ledger.sample()
        account = ledger.account_of_worker(pid)
        alive = sources.files.exists(f"/proc/{pid}")
    finally:
        ledger.close()
        sources.files.close()
    if account is None:
        raise FanwhyError(
            f"process {pid} cannot be seen by this user" if alive else f"there is no process {pid}"
        )
    return account
