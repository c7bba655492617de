"""Attention to miners: they are looked for before anything else, in somebody else's house too.

A miner in the container ``redis`` is no database, and one below a virus scanner's unit is no scan.
What counts is a name known for it, wherever in the group it stands, or options of its command line
that only miners have (``Clues.mining``). A name that others have as well counts only where the
program also hides, and then as a suspicion.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from publisher.contract.printable import printable
from publisher.explain.naming.classification import (
    ALIKE,
    GUESS,
    INSIDE,
    KNOWN,
    MINING,
    Classification,
    said,
)
from publisher.explain.naming.lookup import (
    base,
    hides,
    passing,
    program_rule,
    script_names,
    words_of,
)
from publisher.explain.naming.place_names import (
    container_names,
    doing_in,
    image_names,
    parts_of,
    unit_names,
    without_type,
)
from publisher.explain.naming.rules import Rule, RuleBook
from publisher.ledger.accounts import Clues

_WORDS: Final = frozenset(("xmr", "miner", "mining", "monero", "randomx", "stratum", "pool"))
"""Words that accuse nobody by themselves, but a script in a temporary folder."""


_COIN_WORDS: Final = """
    aleo alephium alph autolykos beam bismuth bitcoin bitnet blake3 bugna clore conflux cryptonight
    cuckatoo cuckoo dcr decred dero derohe dogecoin duino duinocoin dynex epic equihash ergo
    ethash ethereum firo ghostrider gr grin hoohash idena initverse iron ironfish karlsen karlsend
    kaspa kaspad kawpow koto litecoin mimblewimble minotari monero neoxa nexellia nimiq octa ore
    orz pyrin quai qubic randomx raptoreum ravencoin rvn salvium scash siacoin spectre tari
    vecno verthash vertcoin verus veruscli waglayla warthog wownero xelis xmr yespower zcash zec
    zephyr zil
"""
_COIN_MINER: Final = re.compile(
    rf"(?:{'|'.join(_COIN_WORDS.split())})[-_]?(?:cpu|gpu|cuda|opencl)?[-_]?miner"
    r"(?:[-_](?:cpu|gpu|cuda|opencl|amd|nvidia|linux|x64|x86_64|amd64|v?\d[\d.]*))*"
)
"""A coin or its algorithm, and that it mines it: ``kaspa-miner-linux``. Other things are mined too
(``process-miner``)."""


def miner_in(book: RuleBook, clues: Clues) -> Classification | None:
    """A miner among the programs of a group, in its place's name, or told by its options."""
    suspected = None
    for name, confidence, by in _programs(clues):
        rule = _mining(program_rule(book, name))
        if rule is None:
            if _mines_a_coin(name):
                told = Classification(
                    MINING, "Cryptominer", min(confidence, ALIKE), "", f"{name!r} names a coin", by
                )
                return _called(told, name)
            continue
        reason = f"{name!r} is known for mining"
        if not _ambiguous(rule):
            return _called(said(rule, confidence, by, reason), name)
        if suspected is None and _hides(clues):
            suspected = _called(said(rule, GUESS, by, f"{reason}, and hides"), name)
    if clues.mining:
        told = Classification(
            MINING, "Cryptominer", ALIKE, "", "its options are a miner's", "program"
        )
        return _called(told, clues.program)
    return _by_place(book, clues) or suspected


def _mines_a_coin(name: str) -> bool:
    return _COIN_MINER.fullmatch(base(name.lower())) is not None


def _called(found: Classification, name: str) -> Classification:
    """With the program's own name: in somebody else's container, that is what to look for."""
    name = printable(base(name)).strip()
    kind, _, last = found.label.rpartition(" ")
    if not name or last.lower() != "cryptominer" or (kind and kind.lower() in name.lower()):
        return found
    return replace(found, label=f"{found.label} {name}"[:60])


def is_weak(rule: Rule) -> bool:
    """A rule on mining that is not enough by itself."""
    return rule.category == MINING and _ambiguous(rule)


def _hides(clues: Clues) -> bool:
    return bool(clues.disguise) or hides(clues.executable)


def _ambiguous(rule: Rule) -> bool:
    return rule.confidence is not None and rule.confidence <= GUESS


def _mining(rule: Rule | None) -> Rule | None:
    return rule if rule is not None and rule.category == MINING else None


def _certain(rule: Rule | None) -> Rule | None:
    rule = _mining(rule)
    return None if rule is None or _ambiguous(rule) else rule


def _programs(clues: Clues) -> Iterator[tuple[str, float, str]]:
    """Names that a program of the group goes by, how sure that makes, and by what it is found."""
    yield clues.program, KNOWN, "program"
    yield base(clues.executable), KNOWN, "program"
    yield clues.command.partition(" ")[0], KNOWN, "job"
    for script in (clues.script, clues.worker_script):
        yield base(script), ALIKE, "script"
    for name in clues.members:
        yield name, ALIKE, "program"
    for name in clues.ancestors:
        yield name, INSIDE, "above"


def _by_place(book: RuleBook, clues: Clues) -> Classification | None:
    path = clues.executable.lower()
    if path and (rule := _certain(book.find("path", path))):
        return said(rule, ALIKE, "path", f"executable {path!r}")
    for place, by, name in _places(clues):
        if rule := _certain(book.find(place, name)):
            return said(rule, KNOWN, by, f"{by} {name!r}")
        if by in ("unit", "container") and _mines_a_coin(name):
            label = f"Cryptominer {printable(name)}"[:60]
            return Classification(MINING, label, INSIDE, "", f"{by} {name!r} names a coin", by)
    for by, text in (
        ("container", clues.container_image.lower().rpartition("/")[2].partition(":")[0]),
        ("container", clues.container_name.lower()),
        ("unit", without_type(clues.unit.lower())),
    ):
        if text and not doing_in(text):
            for name in parts_of(text):
                if certain := _certain(book.find_exact("image", name)):
                    return said(certain, INSIDE, by, f"{by} {text!r}")
    for text in (clues.script, clues.worker_script, clues.unit, clues.container_name, base(path)):
        if doing_in(without_type(base(text.lower()))) not in ("", "start"):
            continue
        for word in words_of(text):
            rule = _mining(book.find_exact("word", word))
            if rule is None and word not in _WORDS:
                continue
            reason = f"the word {word!r} in {text!r}"
            if rule is not None:
                return said(rule, GUESS, "words", reason)
            if passing(clues.script_path):
                label = "Suspected cryptominer"
                return Classification(MINING, label, GUESS, "", f"{reason}, and hides", "words")
    return None


def _places(clues: Clues) -> Iterator[tuple[str, str, str]]:
    for name in image_names(clues.container_image.lower().split("@")[0]):
        yield "image", "container", name
    for name in container_names(clues.container_name.lower()):
        yield "image", "container", name  # of programs, rigel and excavator may be anything
    if clues.unit:
        for name in unit_names(clues.unit.lower()):
            yield "unit", "unit", name
            yield "image", "unit", name
            yield "program", "unit", name
    if clues.script:
        for name in script_names(clues.script.lower()):
            yield "script", "script", name
    if clues.command:
        yield "command", "command", clues.command.lower()
