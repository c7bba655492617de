"""The verdict in one sentence of at most 255 characters.

It always says who, and how much only in words that do not move with every reading: the greatest
user by name, a second one where it matters, the rest counted. Numbers stand in the other fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from publisher.explain.naming.named import Named

LONGEST: Final = 255
"""What Home Assistant takes as a state (MAX_LENGTH_STATE_STATE in homeassistant/const.py)."""

NORMAL: Final = "System load normal"
_COMFORTABLE: Final = 120
"""What a person reads at a glance; what goes beyond that is told more briefly."""
_IN_TURN: Final = 180
"""Where everything churns each further name spares a sentence."""
_SUSPECTED: Final = "Suspected cryptomining"
_BY_NAME: Final = 2
_TWICE: Final = "2 \N{MULTIPLICATION SIGN} "

_SINGULAR: Final = {
    "backup": "backup process",
    "development": "development process",
    "database": "database process",
    "media": "media process",
    "ai": "AI process",
    "gaming": "game",
    "web": "web server process",
    "virtualization": "virtual machine or container",
    "indexing": "indexing process",
    "updates": "update process",
    "antivirus": "antivirus process",
    "file_sharing": "file sharing process",
    "downloads": "download process",
    "cryptomining": "suspected mining process",
    "desktop": "desktop process",
    "remote_access": "remote access process",
    "monitoring": "monitoring process",
    "smart_home": "smart home process",
    "shell": "batch process",
    "system": "system process",
    "unknown": "program",
}
_OPERATIONS: Final = {
    "backup": "backups",
    "development": "software development",
    "database": "database operations",
    "media": "media processing",
    "ai": "AI workloads",
    "gaming": "games",
    "web": "web serving",
    "virtualization": "virtual machines and containers",
    "indexing": "indexing",
    "updates": "software updates",
    "antivirus": "virus scans",
    "file_sharing": "file sharing",
    "downloads": "downloads",
    "desktop": "desktop programs",
    "remote_access": "remote access",
    "monitoring": "monitoring",
    "smart_home": "smart home services",
    "shell": "batch jobs",
    "system": "system work",
    "unknown": "several programs",
}


@dataclass(frozen=True, slots=True)
class Who:
    """Who is to blame for the use of one resource.

    Attributes:
        named: who is told by name, the greatest first; empty where no group can be named.
        word: how much of it the first one is, in a soft word; empty where that is plain.
        ahead: the first one does far more than the second.
        rest: how many more there are.
        small: the rest have little of it.
        alike: how many of one kind there are with none ahead, so that they are counted; else 0.
        spread: no group has much of it.
    """

    named: tuple[Named, ...] = ()
    word: str = ""
    ahead: bool = False
    rest: int = 0
    small: bool = True
    alike: int = 0
    spread: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadlineInputs:
    """All that the sentence may speak of.

    ``None`` for a resource means that it is at rest.

    Attributes:
        gpu_first: those who work the GPU make more heat than those who work the CPU.
        high: the CPU as a whole is used much, not only one of its cores.
        unnamed: most of the CPU's use is by processes that cannot be named.
        memory_story: what is known of a memory limit and who hit it, worded.
        upkeep: what an array is doing to itself, worded: "RAID check (md0)".
        churn: those who did most lately, where the greatest user changes all the time.
        brief: most of them live for seconds only.
        hot: what is near its limit of temperature: ``CPU``, ``GPU`` or both.
        since: when the most important cause began, worded; empty while it is fresh.
        usual: what is known of its habits, worded: "as on 6 of the last 7 nights".
        cooling: what the machine is still warm from; ``None`` when it is not, empty when
            no work group can be named.
        ended: when that ended, worded; likewise ``quiet_at``, when it is expected to be cool.
        fan: a fan is heard (its speed is readable and above rest).
        hint: what fits when it is not load that makes heat or noise.
    """

    cpu: Who | None = None
    memory: Who | None = None
    io: Who | None = None
    disk: Who | None = None
    network: Who | None = None
    gpu: Who | None = None
    gpu_first: bool = False
    high: bool = True
    unnamed: bool = False
    memory_story: str = ""
    upkeep: str = ""
    churn: Sequence[Named] = ()
    brief: bool = False
    hot: Sequence[str] = ()
    since: str = ""
    usual: str = ""
    cooling: Sequence[Named] | None = None
    ended: str = ""
    quiet_at: str = ""
    fan: bool = False
    hint: str = ""

    @property
    def everybody(self) -> tuple[Who, ...]:
        """All who are to blame for anything."""
        resources = (self.cpu, self.gpu, self.memory, self.io, self.disk, self.network)
        return tuple(who for who in resources if who is not None)


@dataclass(frozen=True, slots=True)
class Headline:
    """A sentence, and what it says of whom.

    Attributes:
        core: the sentence without what may move while nothing of note changes: soft words, how
            many more there are, since when.
        told: the names in it.
    """

    text: str
    core: str = ""
    told: frozenset[Named] = field(default_factory=frozenset)


def headline(inputs: HeadlineInputs) -> Headline:
    """The sentence, as long as it may be and as short as it can be."""
    core, tails = _sentence(inputs, plain=True)
    text, _ = _sentence(inputs, plain=False)
    if len(text) > _COMFORTABLE:
        text = core
    return Headline(fitted(text, *tails), fitted(core), _told(inputs))


def _sentence(inputs: HeadlineInputs, *, plain: bool) -> tuple[str, list[str]]:
    """The sentence and what may follow it.

    Args:
        inputs: what is known.
        plain: without soft words and counts of small ones.
    """
    hot = f"{' and '.join(inputs.hot)} hot" if inputs.hot else ""
    text = _loaded(inputs, plain=plain)
    if text:
        heads = [_SUSPECTED, hot] if _is_mined(inputs) else [hot]
        head = ", ".join(filter(None, heads))
        if head:
            text = f"{head}: {text}"
        elif not inputs.memory_story:  # which begins with a name
            text = text[:1].upper() + text[1:]
        return text, [inputs.usual, inputs.since]
    if hot:
        return f"{hot}, though system load is normal", []
    if inputs.cooling is not None:
        how = "Fan still running: cooling" if inputs.fan else "Still cooling"
        who = joined(inputs.cooling) if inputs.cooling else "a load"
        text = f"{how} after {who}, which ended at {inputs.ended}"
        return text, [f"quiet at about {inputs.quiet_at}" if inputs.quiet_at else ""]
    return NORMAL, [inputs.hint]


def fitted(text: str, *tails: str) -> str:
    """The text with as many of the tails as fit."""
    if len(text) > LONGEST:
        return f"{text[: LONGEST - 1].rstrip()}…"
    for tail in tails:
        if tail and len(text) + len(tail) + 2 <= LONGEST:
            text = f"{text}, {tail}"
    return text


def _told(inputs: HeadlineInputs) -> frozenset[Named]:
    if inputs.churn:
        return frozenset(_in_turn(inputs)[1])
    return frozenset(named for who in inputs.everybody for named in who.named)


def _loaded(inputs: HeadlineInputs, *, plain: bool) -> str:
    """What is used much and by whom, in the order of ``causes``; empty when nothing is."""
    if _is_mined(inputs) and (mined := _mined(inputs)):
        return "; ".join(filter(None, (mined, inputs.memory_story)))
    if inputs.churn:
        return "; ".join(filter(None, (inputs.memory_story, _in_turn(inputs)[0])))
    parts = [*_memory(inputs), *_processors(inputs, plain=plain), *_transfers(inputs, plain=plain)]
    return "; ".join(parts)


def _in_turn(inputs: HeadlineInputs) -> tuple[str, Sequence[Named]]:
    """What is said where everything churns, and of whom: of as many as a glance takes in."""
    many = "many short programs" if inputs.brief else "many programs in turn"
    what = "system load high" if inputs.high else "busy"
    told = list(inputs.churn)
    while True:
        names = _listed(list(dict.fromkeys(named.brief for named in told)))
        text = f"{what} from {many}, most of it lately {names}"
        if len(text) <= _IN_TURN or len(told) == 1:
            return text, told
        del told[-1]


def _is_mined(inputs: HeadlineInputs) -> bool:
    return any(named.is_miner for who in inputs.everybody for named in who.named)


def _mined(inputs: HeadlineInputs) -> str:
    """Suspected miners at work stand first and by name, whatever else is at work."""
    parts = []
    for where, who in (("CPU", inputs.cpu), ("GPU", inputs.gpu)):
        named = who.named if who else ()
        miners = [one for one in named if one.is_miner]
        others = [one for one in named if not one.is_miner]
        if miners and others:
            parts.append(f"{joined(miners)}; {where} usage also high due to: {joined(others)}")
        elif miners:
            parts.append(f"{where} usage high due to: {joined(miners)}")
    return "; ".join(parts)


def _memory(inputs: HeadlineInputs) -> list[str]:
    if inputs.memory_story:
        return [inputs.memory_story]
    if inputs.memory is None:
        return []
    if _same(inputs.memory, inputs.cpu):
        return [f"memory pressure and CPU usage high due to: {phrase(inputs.memory, plain=True)}"]
    cpu = "CPU usage normal, " if inputs.cpu is None else ""
    who = f" from {operations(inputs.memory, plain=True)}" if inputs.memory.named else ""
    return [f"{cpu}memory pressure{who}"]


def _processors(inputs: HeadlineInputs, *, plain: bool) -> list[str]:
    cpu, gpu = inputs.cpu, inputs.gpu
    told = _same(inputs.memory, cpu) and not inputs.memory_story
    if cpu and _same(cpu, gpu) and not told:
        which = "CPU and GPU" if inputs.high else "GPU"
        return [f"{which} usage high due to: {phrase(cpu, plain=plain)}"]
    parts = []
    if cpu is not None and not told:
        parts.append(_cpu(cpu, inputs, plain=plain))
    if gpu is not None:
        who = f" due to: {phrase(gpu, plain=plain)}" if gpu.named else ""
        parts.append(f"GPU usage high{who}")
    return parts[::-1] if inputs.gpu_first else parts


def _same(one: Who | None, other: Who | None) -> bool:
    """Whether two resources are used much by the same ones, so that one sentence will do."""
    if one is None or other is None or not one.named:
        return False
    return set(one.named) == set(other.named)


def _cpu(who: Who, inputs: HeadlineInputs, *, plain: bool) -> str:
    if inputs.unnamed and (who.spread or not who.named):
        return "CPU usage high, mostly from processes that cannot be named"
    if not who.named:
        return "CPU usage high"
    if who.spread:
        return f"CPU usage high, spread over many programs, the most by {joined(who.named[:1])}"
    text = phrase(who, plain=plain)
    if not inputs.high:
        return f"CPU busy with: {text}"
    what = "CPU usage" if len(who.named) + who.rest <= _BY_NAME else "system load"
    return f"{what} high due to: {text}"


def _transfers(inputs: HeadlineInputs, *, plain: bool) -> list[str]:
    parts = []
    io = inputs.io if inputs.io and inputs.io.named else None
    disk = io or (inputs.io if inputs.disk is None else inputs.disk)
    told = {named for who in (inputs.cpu, inputs.gpu, inputs.memory) if who for named in who.named}
    if disk is not None and not (disk.named and set(disk.named) <= told):
        during = f" during a {inputs.upkeep}" if inputs.upkeep else ""
        who = f" from {operations(disk, plain=plain)}" if disk.named else during
        parts.append(f"high disk I/O{who}")
    network = inputs.network
    if network is not None:
        told |= set(disk.named) if disk else set()
        if not (network.named and set(network.named) <= told):
            who = f" from {operations(network, plain=plain)}" if network.named else ""
            parts.append(f"high network traffic{who}")
    return parts


def phrase(who: Who, *, plain: bool) -> str:
    """Who is to blame: one or two by name, and how many more there are."""
    if who.alike:
        return f"{_many(who.alike, who.named[0].category)}, most by {joined(who.named[:1])}"
    first, *others = who.named[:_BY_NAME]
    more = not plain or not who.small
    rest = _rest(who) if who.rest and more else ""
    if others and who.ahead and not plain:
        return f"{first}, {who.word or 'most'} of it, then {others[0].short}{rest}"
    word = f", {who.word} of it" if who.word and not others and rest else ""
    return f"{joined(who.named[:_BY_NAME])}{word}{rest}"


def _rest(who: Who) -> str:
    if who.small:
        return f"; and {who.rest} small one{'s' if who.rest > 1 else ''}"
    return f"; and {who.rest} other{'s' if who.rest > 1 else ''}"


def joined(causes: Sequence[Named]) -> str:
    """Causes by name; two that people call alike are folded."""
    if len(causes) == _BY_NAME:
        one, other = causes
        if one.label == other.label:
            return _folded(one, other)
        return f"{one.short} and {other.short}"
    return _listed([named.short for named in causes]) if len(causes) > 1 else str(causes[0])


def _listed(names: Sequence[str]) -> str:
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last


def _folded(one: Named, other: Named) -> str:
    """Two causes that people call alike: twice the name, or ``Backup (a, b)``."""
    if one.detail == other.detail:
        if one.apart and other.apart and one.apart != other.apart:
            return f"{_TWICE}{one.short}: {one.apart} and {other.apart}"
        return f"{_TWICE}{one.short}"
    if one.detail and other.detail:
        return f"{one.label} ({one.detail}, {other.detail})"
    return f"{one.short} and {other.short}"


def _many(count: int, category: str) -> str:
    noun = _SINGULAR.get(category, _SINGULAR["unknown"])
    if count == 1:
        return f"1 {noun}"
    if noun == "virtual machine or container":
        return f"{count} virtual machines or containers"
    return f"{count} {noun}{'es' if noun.endswith('process') else 's'}"


def operations(who: Who, *, plain: bool) -> str:
    """Who works memory, disks or network: several of one kind with none ahead by what they do."""
    kinds = {named.category for named in who.named}
    if len(who.named) > 1 and len(kinds) == 1 and not who.ahead and "unknown" not in kinds:
        (kind,) = kinds
        if kind not in ("shell", "development", "cryptomining"):
            what = _OPERATIONS.get(kind, _OPERATIONS["unknown"])
            return f"{what}, most by {joined(who.named[:1])}"
    return phrase(who, plain=plain)
