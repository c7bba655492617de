"""The verdict in one sentence of at most 255 characters.

It says who, not how much: numbers that move stand in the other fields, so that the sentence
changes when the causes change and at no other time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from publisher.explain.naming.named import Named

LONGEST: Final = 255
"""What Home Assistant takes as a state (MAX_LENGTH_STATE_STATE in homeassistant/const.py)."""

NORMAL: Final = "System load normal"
_SUSPECTED: Final = "Suspected cryptomining"
_BY_NAME: Final = 2
"""So many causes are told by name; more are counted."""
_KINDS_OF_WORK: Final = frozenset({"shell", "development"})
"""Categories whose labels are no products' names."""
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
    "unknown": "other process",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadlineInputs:
    """All that the sentence may speak of. Each list holds the causes, most important first.

    ``None`` for a resource means that it is at rest; an empty list that it is used much and
    no work group in particular can be named.

    Attributes:
        gpu_first: those who work the GPU make more heat than those who work the CPU.
        high: the CPU as a whole is used much, not only one of its cores.
        spread: what the sentence says of a busy CPU when no work group is named.
        upkeep: what an array is doing to itself, worded: "RAID check (md0)".
        hot: what is near its limit of temperature: ``CPU``, ``GPU`` or both.
        since: when the most important cause began, worded; empty while it is fresh.
        usual: what is known of its habits, worded: "as on 6 of the last 7 nights".
        cooling: what the machine is still warm from; ``None`` when it is not, empty when
            no work group can be named.
        ended: when that ended, worded; likewise ``quiet_at``, when it is expected to be cool.
        fan: a fan is heard (its speed is readable and above rest).
        hint: what fits when it is not load that makes heat or noise.
    """

    cpu: Sequence[Named] | None = None
    memory: Sequence[Named] | None = None
    io: Sequence[Named] | None = None
    disk: Sequence[Named] | None = None
    network: Sequence[Named] | None = None
    gpu: Sequence[Named] | None = None
    gpu_first: bool = False
    high: bool = True
    spread: str = ""
    upkeep: str = ""
    hot: Sequence[str] = ()
    since: str = ""
    usual: str = ""
    cooling: Sequence[Named] | None = None
    ended: str = ""
    quiet_at: str = ""
    fan: bool = False
    hint: str = ""


def headline(inputs: HeadlineInputs) -> str:
    """The sentence."""
    hot = f"{' and '.join(inputs.hot)} hot" if inputs.hot else ""
    text = _loaded(inputs)
    if text:
        heads = [_SUSPECTED, hot] if _is_mined(inputs) else [hot]
        head = ", ".join(filter(None, heads))
        text = f"{head}: {text}" if head else text[:1].upper() + text[1:]
        return fitted(text, inputs.usual, inputs.since)
    if hot:
        return f"{hot}, though system load is normal"
    if inputs.cooling is not None:
        how = "Fan still running: cooling" if inputs.fan else "Still cooling"
        who = joined(inputs.cooling) if inputs.cooling else "a load"
        text = f"{how} after {who}, which ended at {inputs.ended}"
        return fitted(text, f"quiet at about {inputs.quiet_at}" if inputs.quiet_at else "")
    return fitted(NORMAL, inputs.hint)


def fitted(text: str, *tails: str) -> str:
    """The text with as many of the tails as fit."""
    if len(text) > LONGEST:
        return f"{text[: LONGEST - 1].rstrip()}…"
    for tail in tails:
        if tail and len(text) + len(tail) + 2 <= LONGEST:
            text = f"{text}, {tail}"
    return text


def _loaded(inputs: HeadlineInputs) -> str:
    """What is used much and by whom, in the order of ``causes``; empty when nothing is."""
    parts = [*_memory(inputs), *_processors(inputs), *_transfers(inputs)]
    return _mined(inputs) or "; ".join(parts)


def _is_mined(inputs: HeadlineInputs) -> bool:
    everything = (inputs.cpu, inputs.gpu, inputs.memory, inputs.io, inputs.disk,
                  inputs.network)  # fmt: skip
    return any(named.is_miner for causes in everything for named in causes or ())


def _mined(inputs: HeadlineInputs) -> str:
    """Suspected miners at work stand first and by name, whatever else is at work."""
    parts = []
    for where, causes in (("CPU", inputs.cpu), ("GPU", inputs.gpu)):
        miners = [named for named in causes or () if named.is_miner]
        others = [named for named in causes or () if not named.is_miner]
        if miners and others:
            parts.append(f"{joined(miners)}; {where} usage also high due to: {joined(others)}")
        elif miners:
            parts.append(f"{where} usage high due to: {joined(miners)}")
    return "; ".join(parts)


def _memory(inputs: HeadlineInputs) -> list[str]:
    if inputs.memory is None:
        return []
    if _same(inputs.memory, inputs.cpu):
        return [f"memory pressure and CPU usage high due to: {joined(inputs.memory)}"]
    cpu = "CPU usage normal, " if inputs.cpu is None else ""
    who = f" from {operations(inputs.memory)}" if inputs.memory else ""
    return [f"{cpu}memory pressure{who}"]


def _processors(inputs: HeadlineInputs) -> list[str]:
    cpu, gpu = inputs.cpu, inputs.gpu
    told = _same(inputs.memory, cpu)
    if _same(cpu, gpu) and not told:
        which = "CPU and GPU" if inputs.high else "GPU"
        return [f"{which} usage high due to: {joined(cpu or ())}"]
    parts = []
    if cpu is not None and not told:
        parts.append(_cpu(cpu, inputs))
    if gpu is not None:
        parts.append(f"GPU usage high due to: {joined(gpu)}" if gpu else "GPU usage high")
    return parts[::-1] if inputs.gpu_first else parts


def _same(causes: Sequence[Named] | None, others: Sequence[Named] | None) -> bool:
    """Whether two resources are used much by the same ones, so that one sentence will do."""
    return bool(causes and others) and set(causes or ()) == set(others or ())


def _cpu(causes: Sequence[Named], inputs: HeadlineInputs) -> str:
    if not causes:
        return f"CPU usage high, {inputs.spread}" if inputs.spread else "CPU usage high"
    if not inputs.high:
        return f"CPU busy with: {joined(causes)}"
    what = "CPU usage" if len(causes) <= _BY_NAME else "system load"
    return f"{what} high due to: {joined(causes)}"


def _transfers(inputs: HeadlineInputs) -> list[str]:
    parts = []
    disk = inputs.io or (inputs.io if inputs.disk is None else inputs.disk)
    told = [*(inputs.cpu or ()), *(inputs.gpu or ()), *(inputs.memory or ())]
    if disk is not None and not (disk and set(disk) <= set(told)):
        during = f" during a {inputs.upkeep}" if inputs.upkeep else ""
        parts.append(f"high disk I/O from {operations(disk)}" if disk else f"high disk I/O{during}")
    network = inputs.network
    if network is not None and not (network and set(network) <= {*told, *(disk or ())}):
        who = f" from {operations(network)}" if network else ""
        parts.append(f"high network traffic{who}")
    return parts


def joined(causes: Sequence[Named]) -> str:
    """One or two causes by name, more by what kind of work they are."""
    if len(causes) > _BY_NAME:
        return counted(causes)
    if len(causes) == _BY_NAME and causes[0].label == causes[1].label:
        return _folded(causes[0], causes[1])
    return " and ".join(str(named) for named in causes)


def _folded(one: Named, other: Named) -> str:
    """Two causes that people call alike: twice the name, or ``Backup (a, b)``."""
    if one.detail == other.detail:
        return f"{_TWICE}{one}"
    if one.detail and other.detail:
        return f"{one.label} ({one.detail}, {other.detail})"
    return f"{_TWICE}{one.label}"


def counted(causes: Sequence[Named]) -> str:
    """Causes counted by category: ``1 backup process, 2 development processes``.

    One or two suspected miners among others go first, by name.
    """
    miners = [named for named in causes if named.is_miner]
    rest = [named for named in causes if not named.is_miner]
    if not 0 < len(miners) <= _BY_NAME:
        miners, rest = [], list(causes)
    counts: dict[str, int] = {}
    for named in rest:
        counts[named.category] = counts.get(named.category, 0) + 1
    names = [joined(miners)] if miners else []
    return ", ".join([*names, *(_many(count, category) for category, count in counts.items())])


def _many(count: int, category: str) -> str:
    noun = _SINGULAR.get(category, _SINGULAR["unknown"])
    if count == 1:
        return f"1 {noun}"
    if noun == "virtual machine or container":
        return f"{count} virtual machines or containers"
    return f"{count} {noun}{'es' if noun.endswith('process') else 's'}"


def operations(causes: Sequence[Named]) -> str:
    """Causes that are called alike by their label, several of one kind by what they do.

    What is only a kind of work, such as ``File processing``, does not tell which: it keeps the
    name of the program.
    """
    if len(causes) <= _BY_NAME and all(named.category in _KINDS_OF_WORK for named in causes):
        return joined(causes)
    if len({named.label for named in causes}) == 1:
        return causes[0].label
    if len({named.category for named in causes}) == 1 and not causes[0].is_miner:
        return _OPERATIONS.get(causes[0].category, _OPERATIONS["unknown"])
    return joined(causes)
