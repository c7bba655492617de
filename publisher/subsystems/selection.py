"""Which devices are looked at, which one of several counts, and what each is called.

Subsystems ask here where they find devices (``wanted``) and where one of several stands for all
(``chosen``); the pipeline gives the readings their names (``named``). So topics, Home Assistant,
the terminal, alerts and the verdict are all of the same devices under the same names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeVar

from publisher.config.patterns import Pattern, plain
from publisher.config.setting import setting
from publisher.contract.metric import Kind, Reading, fields_of
from publisher.contract.printable import printable
from publisher.errors import AbsentError, SourceError

_T = TypeVar("_T")

# Of a machine where devices come and go without an end, the last so many are remembered.
_MOST_SEEN: Final = 512
_MOST_TOLD: Final = 5
# The fields by which readings tell what a device is called.
_CALLED: Final = ("label", "device", "name", "source", "chip")
_HOW: Final = "Patterns, `*` stands for anything; `fanwhy-pub doctor` lists the names."


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoreSettings:
    """Devices that are left alone: neither read, nor published, nor counted into any sum."""

    sensors: tuple[str, ...] = setting(
        (), f"Temperature sensors. {_HOW}", example='["acpitz*", "nct6798 AUXTIN*"]'
    )
    fans: tuple[str, ...] = setting(
        (), "Fans, by chip and label, likewise.", example='["nct6798 fan7"]'
    )
    disks: tuple[str, ...] = setting(
        (), "Disks by model, identity or device, likewise.", example='["sr0", "*Card Reader*"]'
    )
    filesystems: tuple[str, ...] = setting(
        (),
        "File systems by mount point, source, type or identity, likewise.",
        example='["/mnt/backup*", "nfs4"]',
    )
    arrays: tuple[str, ...] = setting(
        (), "Arrays of md, ZFS or btrfs by name or identity, likewise.", example='["md0", "md1"]'
    )
    interfaces: tuple[str, ...] = setting(
        (), "Network interfaces by name or identity, likewise.", example='["wlan0"]'
    )
    gpus: tuple[str, ...] = setting(
        (), "GPUs by product or PCI address, likewise.", example='["*UHD Graphics*"]'
    )
    supplies: tuple[str, ...] = setting(
        (), "Batteries, adapters and UPSes by model or name, likewise.", example='["*Mouse*"]'
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChooseSettings:
    """Which one of several counts where one value stands for all."""

    cpu_sensor: str | None = setting(
        None,
        "The sensor that measures the processor; of several that the pattern fits, the hottest.",
        example="nct6798 CPUTIN",
    )
    fan: str | None = setting(
        None,
        "The fan that tells how loud the machine is; of several, the fastest. Unset: the fastest "
        "of all.",
        example="nct6798 fan2",
    )


@dataclass(frozen=True, slots=True)
class _Kind:
    """What devices of one kind are called, and where they are found."""

    words: str
    subsystem: str


KINDS: Final[Mapping[str, _Kind]] = MappingProxyType(
    {
        "sensors": _Kind("sensor", "thermal"),
        "fans": _Kind("fan", "thermal"),
        "disks": _Kind("disk", "disk"),
        "filesystems": _Kind("file system", "disk"),
        "arrays": _Kind("array", "disk"),
        "interfaces": _Kind("interface", "network"),
        "gpus": _Kind("GPU", "gpu"),
        "supplies": _Kind("battery, adapter or UPS", "power"),
    }
)
"""What can be ignored, by the setting's name."""
_CHOSEN: Final = MappingProxyType({"cpu_sensor": "sensors", "fan": "fans"})


class Selection:
    """What the user wants of this machine's devices.

    Args:
        ignore: patterns of what is left alone.
        choose: patterns of what counts.
        names: what devices are to be called, by what they are called without that.
    """

    def __init__(
        self,
        ignore: IgnoreSettings | None = None,
        choose: ChooseSettings | None = None,
        names: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        patterns = ignore or IgnoreSettings()
        self._ignore = {kind: [*map(Pattern, getattr(patterns, kind))] for kind in KINDS}
        picked = choose or ChooseSettings()
        self._choose = {
            key: Pattern(text) for key in _CHOSEN if (text := getattr(picked, key)) is not None
        }
        self._names = {plain(known): (known, name) for known, name in names.items()}
        self._seen: dict[str, dict[str, tuple[str, ...]]] = {kind: {} for kind in KINDS}
        self._verdicts: dict[tuple[str, str], bool] = {}
        self._matched: set[tuple[str, str]] = set()
        self._called: dict[tuple[str, str, str], tuple[Reading, Reading]] = {}
        self._given: dict[tuple[str, str, str], str] = {}
        self._labels: dict[str, tuple[str, ...]] = {}
        self._fields: dict[str, tuple[str, ...]] = {}
        self._hints: dict[tuple[str, str], str] = {}
        self.changed = True
        """Whether ``misses`` may give something else than it did; set to false by who asks."""

    @property
    def configured(self) -> bool:
        """Whether the user has said anything."""
        return bool(self._names or self._choose or any(self._ignore.values()))

    def ignores(self, kind: str) -> bool:
        """Whether anything of a kind is to be ignored."""
        return bool(self._ignore[kind])

    def wanted(self, kind: str, identity: str, *names: str | None, listed: bool = True) -> bool:
        """Whether a device is to be looked at.

        Args:
            kind: one of ``KINDS``.
            identity: the one that its reading has.
            names: what else it may go by.
            listed: a person would name it; false for what comes and goes by the hundred.
        """
        key = (kind, identity)
        verdict = self._verdicts.get(key)
        every = (identity, *(name for name in names if name))
        if verdict is not None and (not listed or self._seen[kind].get(identity) == every):
            return verdict
        if listed:
            _remember(self._seen[kind], identity, every)
        fitting = [pattern for pattern in self._ignore[kind] if pattern.fits(every)]
        self._matched |= {(kind, pattern.text) for pattern in fitting}
        _remember(self._verdicts, key, not fitting)
        self.changed = True
        return not fitting

    def chosen(self, key: str, devices: Mapping[str, _T]) -> dict[str, _T] | None:
        """Those that the user has chosen; ``None`` where that is not set, or fits none.

        Args:
            key: one of ``ChooseSettings``.
            devices: those there are, by identity; ``wanted`` was asked for each of them.
        """
        pattern = self._choose.get(key)
        if pattern is None:
            return None
        seen = self._seen[_CHOSEN[key]]
        found = {
            identity: device
            for identity, device in devices.items()
            if pattern.fits(seen.get(identity, (identity,)))
        }
        return found or None

    def named(self, readings: Mapping[str, Reading]) -> Mapping[str, Reading]:
        """The readings of all topics, with the names that the user gave to devices."""
        if not self._names:
            return readings
        return {topic: self._renamed(topic, reading) for topic, reading in readings.items()}

    def _renamed(self, topic: str, reading: Reading) -> Reading:
        changes: dict[str, Any] = {}
        if topic not in self._fields:
            self._fields[topic] = _of_devices(type(reading))
        for field in self._fields[topic]:
            devices: Mapping[str, Reading] = getattr(reading, field)
            called = {
                identity: self._device(topic, field, identity, device)
                for identity, device in devices.items()
            }
            if any(called[identity] is not device for identity, device in devices.items()):
                changes[field] = called
        return dataclasses.replace(reading, **changes) if changes else reading  # type: ignore[type-var]

    def _device(self, topic: str, field: str, identity: str, device: Reading) -> Reading:
        """One device by its new name: the same object for as long as its reading is the same."""
        known = self._called.get((topic, field, identity))
        if known is not None and known[0] is device:
            return known[1]
        names = names_of(identity, device)
        if self._labels.get(identity) != names:
            _remember(self._labels, identity, names)
            self.changed = True
        for name in map(plain, names):
            if name in self._names:
                label = self._names[name][1]
                if self._given.setdefault((topic, field, label), identity) != identity:
                    label = f"{label} ({names[1] if names[1:] else identity})"  # two of one name
                self._matched.add(("names", self._names[name][0]))
                result: Reading = dataclasses.replace(device, label=label)  # type: ignore[type-var]
                break
        else:
            result = device
        _remember(self._called, (topic, field, identity), (device, result))
        return result

    def names(self, kind: str) -> list[tuple[str, ...]]:
        """What each device of a kind that was found goes by, its identity first."""
        return list(self._seen[kind].values())

    def misses(self, running: Iterable[str]) -> Iterator[tuple[str, SourceError]]:
        """What of the configuration fits nothing that was found, by setting.

        Args:
            running: the subsystems that look for devices.
        """
        looked = frozenset(running)
        for kind, patterns in self._ignore.items():
            if KINDS[kind].subsystem in looked:
                texts = [pattern.text for pattern in patterns]
                yield from self._miss(f"ignore.{kind}", kind, kind, texts)
        for key, pattern in self._choose.items():
            kind = _CHOSEN[key]
            there = any(map(pattern.fits, self.names(kind)))
            if KINDS[kind].subsystem in looked and not there:
                yield from self._miss(f"choose.{key}", key, kind, [pattern.text])
        texts = [known for known, _ in self._names.values()]
        yield from self._miss("names", "names", "", texts)

    def _miss(
        self, setting_name: str, key: str, kind: str, texts: Iterable[str]
    ) -> Iterator[tuple[str, SourceError]]:
        missed = [text for text in texts if (key, text) not in self._matched]
        if not missed:
            return
        found = list((self._seen[kind] if kind else self._labels).values())
        what = KINDS[kind].words if kind else "device"
        for text in missed[:_MOST_TOLD]:
            if (key, text) not in self._hints:  # once: devices that come and go are no news
                self._hints[key, text] = _hint(text, found, what)
        told = [self._hints[key, text] for text in missed[:_MOST_TOLD]]
        if len(missed) > _MOST_TOLD:
            told.append(f"and {len(missed) - _MOST_TOLD} more")
        yield (
            setting_name,
            AbsentError("; ".join(told), remedy="fanwhy-pub doctor lists the names there are"),
        )


def names_of(identity: str, device: Reading) -> tuple[str, ...]:
    """What a device goes by: its identity, and what its reading calls it."""
    told = {key: getattr(device, key, None) for key in _CALLED}
    words = {key: str(value) for key, value in told.items() if value}
    chip = words.pop("chip", "")
    both = [f"{chip} {words['label']}"] if chip and "label" in words else []
    return (identity, *both, *words.values(), *([chip] if chip else []))


def _hint(text: str, found: Iterable[tuple[str, ...]], what: str) -> str:
    """Why a pattern fits nothing, and what may have been meant."""
    # Loaded for a mistake only: it is of no use to a daemon that was set up rightly.
    from difflib import get_close_matches  # noqa: PLC0415

    shown = printable(f'"{text}"')
    every = {plain(name): name for names in found for name in names}
    if not every:
        return f"{shown} fits nothing: no {what} was found here"
    meant = plain(text).replace("*", "")
    near = [every[name] for name in get_close_matches(meant, every, n=3, cutoff=0.5)]
    near += [name for key, name in every.items() if len(meant) > 2 and meant in key]
    shortest = list(dict.fromkeys(near))[:3]
    if shortest:
        return f"{shown} fits no {what} here; did you mean {printable(', '.join(shortest))}?"
    return f"{shown} fits no {what} here"


def _of_devices(cls: type[Reading]) -> tuple[str, ...]:
    """The fields of a reading that hold devices which can be called something."""
    return tuple(
        field.name
        for field in fields_of(cls)
        if field.metric.kind is Kind.INSTANCES and field.metric.of and _is_called(field.metric.of)
    )


def _is_called(cls: type[Reading]) -> bool:
    return any(field.name == "label" for field in fields_of(cls))


def _remember(known: dict[Any, Any], key: object, value: object) -> None:
    if len(known) >= _MOST_SEEN and key not in known:
        del known[next(iter(known))]
    known[key] = value
