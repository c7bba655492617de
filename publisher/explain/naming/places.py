"""Units and containers: what they are by their names, and what they are called."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from publisher.contract.printable import printable
from publisher.contract.readings import GroupKind
from publisher.explain.naming.classification import (
    ALIKE,
    GUESS,
    INSIDE,
    KNOWN,
    LOOSE,
    MINING,
    Classification,
    said,
)
from publisher.explain.naming.lookup import program_rule, versionless
from publisher.explain.naming.place_names import (
    DOINGS,
    NEUTRAL,
    application_of,
    container_names,
    doing_in,
    ends_of,
    image_names,
    is_invented,
    is_number,
    is_part,
    owner_of,
    parts_of,
    product_of,
    service_of,
    unit_names,
    without_type,
)
from publisher.explain.naming.rules import Rule, RuleBook
from publisher.ledger.accounts import Clues, WorkGroup
from publisher.ledger.naming.generic import is_generic

_SERVED_WORDS = """
    database media ai web downloads file_sharing monitoring smart_home backup remote_access gaming
"""
_SERVED: Final = frozenset(_SERVED_WORDS.split())
"""Kinds of program that a container may be called after; ``code`` or ``mail`` may be anything."""
_TOOLS: Final = ("development", "shell")
"""Kinds of program that are no services: a unit of that name is something else."""
_CARRYING: Final = ("celery", "python-web")
"""Rules of programs that carry the work of the product that they are a part of."""
_RUNNING_RULES: Final = """
    npm node-build ruby-build php-build python-build python-projects make cargo go-build erlang
    maven gradle ruby-web python-web job-queues celery pm2 docker podman containerd
"""
RUNNING: Final = frozenset(_RUNNING_RULES.split())
"""Rules of programs by which a unit runs what it is called after: ``npm start``."""
_SERVING_RULES: Final = """
    nginx apache lighttpd php php-artisan tomcat java-web node-web caddy
"""
CARRYING: Final = RUNNING | frozenset(_SERVING_RULES.split())
"""The same, and those that serve what a container is called after."""
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_DEEDS: Final = ("backup", "backups", "dump")
"""What is done to a product by programs of another kind, in a container of its own."""
_PARTS: Final = (
    "tunnel",
    "proxy",
    "ui",
    "gui",
    "admin",
    "dashboard",
    "client",
    "cli",
    "controller",
)
"""Words for a part of a product, and not for what is done to it."""
_MAKER: Final = re.compile(r"-?(?:app|hq|io|org|team|project|dev|labs|inc|com)$")
"""What the makers of a product add to its name."""
_ORDINARY_WORDS: Final = """
    agora aide alloy anchor bees bind bird boundary bracket budge canvas capsule chroma clash
    conduit cortex crate crater cron drone edge executor exposed fleet flame flood flower foreman
    fulcrum galaxy gaps ghost glance harbor hatchet hive homer ignite imaginary infinity julia
    karma kilo kind knot lounge lucky matchbox maybe motion nebula neo nomad october octave
    outline pasta pause peanut pilot postal quake recipes registry revolt ripper rocker root
    semaphore send serve serving shiny signal sonic spark speaker stash stress stump sunshine
    sure tabby tempo temporal transmute trawl trip trojan unit vane vector verse wanderer
    waterfall wings wizard wolf zoom analytics notes gallery tickets search forms
"""
_ORDINARY: Final = frozenset(_ORDINARY_WORDS.split())
"""Products called by words that anybody may call a folder or a script of their own by."""
_SHORTEST: Final = 4
_SHORTEST_WHOLE: Final = 2
_TELLING: Final = 8
"""Letters that a container's name needs to mean a program of whatever kind: ``descheduler``."""


def by_container(book: RuleBook, clues: Clues) -> Classification | None:
    """What a container is by its image, else by its unit inside, else by its name."""
    image = clues.container_image.lower().split("@")[0]
    if image and (found := _by_image(book, clues, image)):
        return found
    container = clues.container_name.lower()
    if not container:
        return None
    if clues.unit and (found := by_unit(book, clues)):
        return found
    reason = f"container name {container!r}"
    if found := _by_deed(book, container):
        return found
    names = list(container_names(container))
    if image:
        names = [name for name in names if not is_part(name)]
    for name in names:
        rule = _housing(book.find_exact("image", name)) or _serving(book, name)
        if rule is not None:
            return said(rule, ALIKE, "container", reason)
    for name in names:
        if rule := _housing(book.find("image", name)):
            return said(rule, ALIKE, "container", reason)
        if len(name) >= _TELLING and (rule := _answering(book.find_exact("program", name))):
            return said(rule, INSIDE, "container", reason)
    for name in names:
        if found := _by_part(book, clues, name, "container", reason):
            return found
    return None


def _by_deed(book: RuleBook, container: str) -> Classification | None:
    """``mailcow-backup`` is a backup, whatever is known of mailcow; ``restic-backup`` is restic."""
    doing = doing_in(container)
    word = book.find_exact("word", doing) if doing in _DEEDS else None
    if word is None or book.find_exact("image", container) is not None:
        return None
    product = product_of(container, doing)
    about = book.find_exact("image", product) or book.find_exact("program", product)
    if about is None or about.category == word.category:
        return None
    return said(word, INSIDE, "words", f"the word {doing!r} in the container name {container!r}")


def _by_image(book: RuleBook, clues: Clues, image: str) -> Classification | None:
    names = list(image_names(image))
    for find in (book.find_exact, book.find):  # no pattern goes before a name in full
        for name in names:
            rule = find("image", name)
            if rule is not None and rule.category != MINING:
                return said(rule, KNOWN, "container", f"container image {name!r}")
    return _by_program(book, image, names[-1]) or _by_part(
        book, clues, names[-1], "container", f"container image {names[-1]!r}"
    )


def _by_program(book: RuleBook, image: str, name: str) -> Classification | None:
    """An image that is called after a program, or whose maker is."""
    reason = f"container image {name!r}"
    rule = _answering(book.find_exact("program", name)) if len(name) >= _SHORTEST_WHOLE else None
    if rule is not None and name not in NEUTRAL:
        return said(rule, ALIKE if rule.category in _SERVED else INSIDE, "container", reason)
    maker = owner_of(image)
    for owner in dict.fromkeys((maker, _MAKER.sub("", maker))):
        if len(owner) >= _SHORTEST:
            rule = _answering(book.find_exact("image", owner)) or _serving(book, owner)
            if rule is not None:
                return said(rule, INSIDE, "container", f"container image {owner}/{name}")
    return None


def by_unit(book: RuleBook, clues: Clues) -> Classification | None:
    """What a unit is by its name."""
    unit = clues.unit.lower()
    if not unit:
        return None
    name, reason = without_type(unit), f"unit {unit!r}"
    for whole in (unit, name, name.partition("@")[0]):
        rule = _unit_rule(book, whole) if whole != unit else book.find_exact("unit", unit)
        if rule is not None:
            return None if rule.role == "host" else said(rule, KNOWN, "unit", reason)
    for plain in unit_names(unit):
        if len(plain) < _SHORTEST_WHOLE:
            continue
        rule = (
            _unit_rule(book, plain)
            or _fitting(book, clues, _answering(book.find_exact("program", plain)), plain)
            or book.find_exact("image", plain)
        )
        if rule is not None and rule.role != "host" and rule.category != MINING:
            return said(rule, ALIKE, "unit", reason)
    if application_of(unit):
        return None
    return _by_part(book, clues, name.partition("@")[0], "unit", reason)


def _unit_rule(book: RuleBook, name: str) -> Rule | None:
    """The rule of a unit; ``postgresql-backup`` is none of ``postgresql-*``."""
    rule, doing = book.find("unit", name), doing_in(name)
    if rule is None or not doing or book.find_exact("unit", name) is not None:
        return rule
    loosely = book.find("unit", name.replace(doing, "\0"))
    return None if loosely is not None and loosely.name == rule.name else rule


def _fitting(book: RuleBook, clues: Clues, rule: Rule | None, name: str) -> Rule | None:
    """The rule of a program that a unit may be called after.

    ``pinger`` is a helper of Squid's, but no unit of that name is Squid unless Squid works in it;
    and no unit is a compiler because it is called ``make``.
    """
    if rule is None or not clues.program:
        return rule
    at_work = program_rule(book, clues.program)
    if at_work is not None and at_work.name == rule.name:
        return rule
    whole = name == without_type(clues.unit.lower()).partition("@")[0]
    runs = at_work or program_rule(book, clues.executable)
    runner = runs is None or runs.role == "interpreter" or runs.name in RUNNING
    if rule.category in _TOOLS:
        return rule if whole and runner and len(name) >= _TELLING else None
    called = "".join(filter(str.isalnum, name)) in f"{rule.name}{rule.label}".lower().replace(
        " ", ""
    )
    return rule if called or (whole and runner) else None


def _answering(rule: Rule | None) -> Rule | None:
    """A rule of a program that answers for itself, and is no miner: those were looked for."""
    return rule if rule is not None and rule.role == "program" and rule.category != MINING else None


def _housing(rule: Rule | None) -> Rule | None:
    """A rule that may answer for a container of its name: a part of Kubernetes does, too."""
    if rule is not None and (rule.role, rule.category) == ("host", "virtualization"):
        return rule
    return _answering(rule)


def _serving(book: RuleBook, name: str) -> Rule | None:
    """The rule of a program that may be what a container is for."""
    known = book.find if name.isalnum() else book.find_exact
    rule = _answering(known("program", name))
    return rule if rule is not None and rule.category in _SERVED else None


def _by_part(
    book: RuleBook, clues: Clues, name: str, by: str, reason: str
) -> Classification | None:
    """What a longer name is about: its product, or what is done with that."""
    at_work = program_rule(book, clues.program)
    if doing := doing_in(name):
        for end in ends_of(name):  # what is called a controller itself is no part of another
            if rule := _answering(book.find_exact("image", end)):
                return said(rule, INSIDE, by, reason)
        word = _done_to(book, at_work, product_of(name, doing), doing)
        return said(word, GUESS, by, f"the word {doing!r} in {reason}") if word else None
    first: Rule | None = None
    for part in parts_of(name):
        rule = _part_rule(book, clues, part)
        if rule is None and by == "container" and len(part) >= _TELLING:
            rule = _answering(book.find_exact("program", part))
        if rule is None:
            continue
        if at_work is not None and rule.name == at_work.name:
            return said(rule, ALIKE, by, reason)
        first = first or rule
    # What is plainly at work says more than a part of a name that it does not fit.
    works = _answering(at_work)
    if works is not None and works.name in _CARRYING:
        works = None
    if first is None or (works is not None and works.category in _SERVED):
        return None
    return said(first, INSIDE, by, reason)


def _part_rule(book: RuleBook, clues: Clues, part: str) -> Rule | None:
    if len(part) < _SHORTEST:
        return None
    image = _answering(book.find_exact("image", part))
    return image or _fitting(book, clues, _serving(book, part), part)


def _done_to(book: RuleBook, at_work: Rule | None, product: str, doing: str) -> Rule | None:
    """``redis-backup`` is a backup, though a Redis program works in it."""
    if doing in _PARTS:
        return None
    rule = book.find_exact("image", product) or book.find_exact("program", product)
    if at_work is None or rule is None or rule.name != at_work.name:
        return None
    word = book.find_exact("word", doing)
    # But ``restic-backup`` is better called restic.
    return word if word is not None and word.category != at_work.category else None


def by_beginning(book: RuleBook, group: WorkGroup, clues: Clues) -> Classification | None:
    """What a longer name begins with, where nothing else is known: ``plex-auto-languages``.

    It is about that product, most likely, though none of its own programs.
    """
    image = clues.container_image.lower().partition("@")[0].rpartition("/")[2].partition(":")[0]
    container = service_of(clues.container_name.lower())
    unit = without_type(clues.unit.lower()) if group.kind is GroupKind.UNIT else ""
    scripts = (clues.script, clues.worker_script)
    for name in (image, container, unit, *map(_plain, scripts)):
        words = re.split(r"[-_.@ ]", name)
        if DOINGS.intersection(words):
            continue  # nginx-log-cleaner is no nginx
        for count in range(len(words) - 1, 0, -1):
            rule = _begun(book, words[:count])
            if rule is not None:
                reason = f"the name {name!r} begins with {' '.join(words[:count])!r}"
                return said(rule, LOOSE, "words", reason)
    return None


def _plain(script: str) -> str:
    """The name of a script or its folder, in small letters and words."""
    folder, _, name = script.rpartition("/")
    told = folder.rpartition("/")[2] if folder and is_generic(name) else name
    return _HUMP.sub("-", told.rpartition(".")[0] or told).lower()


def _begun(book: RuleBook, words: list[str]) -> Rule | None:
    if sum(map(len, words)) < _SHORTEST or NEUTRAL.issuperset(words):
        return None
    for separator in "-_":
        name = separator.join(words)
        rule = _answering(book.find_exact("image", name)) or _serving(book, name)
        if rule is not None:
            return rule
    return None


def by_name_of_folder(book: RuleBook, folder: str) -> Rule | None:
    """The rule of a product that a folder is called after."""
    for name in dict.fromkeys((folder, versionless(folder))):
        if len(name) >= _SHORTEST and name not in NEUTRAL | _ORDINARY:
            rule = _answering(book.find_exact("image", name)) or _serving(book, name)
            if rule is not None:
                return rule
    return None


def own_name(group: WorkGroup, clues: Clues) -> str:
    """The name of the group itself: ``burner service`` for ``burner.service``."""
    label = group.label.strip()
    if group.kind is GroupKind.CONTAINER:
        return printable(_first((_container_name(label, clues), clues.program, "unknown program")))
    script = clues.script.strip() if group.kind is not GroupKind.UNIT else ""
    name = printable(_first((script, label, clues.program, "unknown program")))
    unit = clues.unit.lower()
    plain = unit.startswith("app-") or name.lower().endswith("service")
    is_service = unit.endswith(".service") and group.kind is GroupKind.UNIT and not plain
    return f"{name} service" if is_service else name


def _container_name(label: str, clues: Clues) -> str:
    image = clues.container_image.rpartition("/")[2].partition(":")[0].partition("@")[0]
    if image and is_part(label.lower()) and not is_part(image.lower()):
        return image  # every other pod has a container ``app``
    if is_invented(label) and (image or clues.program):
        return image or clues.program
    unit = without_type(clues.unit).rstrip("@")
    if unit and is_number(label):
        return unit
    service = service_of(label) if label.lower() == clues.container_name.lower() else label
    return service or label


def _first(names: Iterable[str]) -> str:
    return next(filter(None, (name.strip() for name in names)))
