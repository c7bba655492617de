"""Every name of every shipped rule can be matched by something that a machine may show."""

from __future__ import annotations

from collections.abc import Iterator

from publisher.contract.readings import GroupKind
from publisher.explain.naming.classifier import Classifier
from publisher.explain.naming.rules import PLACES, load, shipped
from publisher.ledger.accounts import Clues, WorkGroup


def names() -> Iterator[tuple[str, str, str]]:
    for rules in shipped().values():
        for rule, body in rules.items():
            for place in PLACES:
                listed = body.get(place, [])
                for name in [listed] if isinstance(listed, str) else listed:
                    yield place, rule, name.lower().replace("*", "qqq")


def clues_of(place: str, name: str, *, hides: bool) -> tuple[GroupKind, Clues]:
    """A group that shows the name in this place and nothing else."""
    match place:
        case "kernel":
            return GroupKind.KERNEL, Clues(program=name)
        case "script":
            return GroupKind.PROGRAM, Clues(program="python3", script=name)
        case "command":
            return GroupKind.PROGRAM, Clues(program="frobnicate", command=name)
        case "path":
            return GroupKind.PROGRAM, Clues(program="frobnicate", executable=name)
        case "unit":
            return GroupKind.UNIT, Clues(program="frobnicate", unit=f"{name}.service")
        case "image":
            image = f"registry.example/{name}:1"
            return GroupKind.CONTAINER, Clues(container_image=image)
        case "word":
            return GroupKind.JOB, Clues(program="frobnicate", script=f"qqq-{name}-qqq.sh")
        case _:
            return GroupKind.PROGRAM, Clues(program=name, executable="/tmp/.q/q" if hides else "")


def test_every_name_can_be_matched() -> None:
    book = load()
    classifier = Classifier(book)
    hosts = {rule.split("\t")[0] for rule in book.rules if rule.split("\t")[3] == "host"}
    unmatched = []
    for number, (place, rule, name) in enumerate(names()):
        # A name that others have too counts only for a program that hides.
        kind, clues = clues_of(place, name, hides=rule == "miner-lookalikes")
        if rule in hosts and place in ("unit", "image"):
            continue  # a host lends its name to nothing that runs in it
        found = classifier.classify(WorkGroup(str(number), kind, "frobnicate"), clues)
        if found.rule != rule:
            unmatched.append((place, rule, name, found.rule))
    assert unmatched == []


def test_no_script_is_told_with_its_folder() -> None:
    """The ledger hands on the file's name, so that one with a folder can never match."""
    assert [name for place, _, name in names() if place == "script" and "/" in name] == []
