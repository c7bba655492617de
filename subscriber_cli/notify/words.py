"""What a person reads on a phone: what, whose, since when, and what there is to do about it.

Names come from whoever may start a process. They leave here as what they are and nothing more: no
mention of people, no link, no markup, no control character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from publisher.contract.printable import printable
from publisher.contract.units import duration, humanise
from publisher.contract.when import clock
from subscriber_cli.model.explanation import Explanation, ExplanationCause
from subscriber_cli.model.fleet import KnownHost
from subscriber_cli.notify.incidents import Incident
from subscriber_cli.notify.rules import Rule, Sort

LONGEST_TITLE: Final = 120  # characters; of which services show less or cut it
_LONGEST_BODY: Final = 1000
_MOST_CAUSES: Final = 3
_MENTION: Final = re.compile(r"(?<!\w)@|@(?=everyone|here|channel|room|all\b)", re.IGNORECASE)
# Each would begin markup in some chat, a link or a mention; each has a like that does not.
_PLAIN: Final = str.maketrans(
    {"<": "\u2039", ">": "\u203a", "`": "'", "*": "\u2217", "|": "\u00a6", "[": "(", "]": ")"}
)
_AT: Final = "\uff20"
_STATES: Final = {
    "quiet": "quiet",
    "busy": "busy",
    "hot": "hot",
    "cooling": "cooling down",
    "pressure": "under pressure",
}
_MEASURED: Final = {
    "temperature_above": ("CPU", "°C"),
    "rpm_above": ("fan", "rpm"),
    "watts_above": ("power", "W"),
}


def plain(text: str, longest: int = _LONGEST_BODY) -> str:
    """Text from outside that no chat, mail or phone takes for anything but text.

    Also where Apprise does not escape it: an ``@`` that could call somebody, ``<`` and the like
    become signs that look alike and mean nothing, and ``://`` links nowhere.
    """
    text = printable(text).translate(_PLAIN).replace("://", ": //")
    text = _MENTION.sub(_AT, text)
    # Two of them are bold, struck out or a heading where one is part of a name.
    text = re.sub(r"(__+|~~+)", lambda found: " ".join(found[0]), text).lstrip("#")
    return text if len(text) <= longest else text[: longest - 1] + "…"


def measured(name: str, value: float) -> str:
    """One of the values that rules have limits for: ``CPU 84 °C``."""
    title, unit = _MEASURED[name]
    return f"{title} {humanise(value, unit, 0)}"


def level_title(rule: Rule, host: KnownHost, blamed: Iterable[ExplanationCause]) -> str:
    """What a rule about how a machine is has found, in a few words."""
    name = plain(host.name, 64)
    if rule.limits:
        values = values_of(host)
        found = [measured(each, values[each]) for each in rule.limits if each in values]
        return f"{name}: {', '.join(found)}"[:LONGEST_TITLE]
    if rule.states:
        return f"{name} is {_STATES.get(host.state, host.state)}"
    names = [plain(cause.name or "?", 60) for cause in blamed][:_MOST_CAUSES]
    return f"{name}: {', '.join(names)}"[:LONGEST_TITLE]


def why(host: KnownHost, now: float, *, begun: float | None = None) -> str:
    """The sentence, who is to blame, and what there is to do, a line each."""
    explanation = host.explanation
    lines = [plain(explanation.headline)] if explanation.headline else []
    for cause in _blamed(explanation):
        lines.append(_cause(host, cause, now))
        if cause.to_stop:
            lines.append(f"To stop or pause it: {plain(cause.to_stop, 200)}")
    values = values_of(host)
    if values:
        lines.append(", ".join(measured(name, value) for name, value in values.items()))
    if begun is not None:
        lines.append(f"Since {clock(begun, now)}.")
    return "\n".join(lines)[:_LONGEST_BODY]


def over(incident: Incident, now: float, ended: float) -> str:
    """From when to when something was."""
    lasted = max(ended - incident.began, 0.0)
    return f"{clock(incident.began, now)} to {clock(ended, now)} ({duration(lasted)})."


def before(times: int) -> str:
    """How often something came and went without a word; empty where it did not."""
    if times < 1:
        return ""
    return f"\nIt came and went {'once' if times == 1 else f'{times} times'} before that."


def silent(host_name: str, heard: float | None, now: float, *, offline: bool) -> tuple[str, str]:
    """Title and text about a machine that says nothing any more."""
    what = "is offline" if offline else "says nothing any more"
    since = f" Last heard {clock(heard, now)}." if heard is not None else ""
    remedy = "Is it switched on, and does fanwhy-pub run?"
    return f"{plain(host_name, 64)} {what}", f"{remedy}{since}"


def values_of(host: KnownHost) -> dict[str, float]:
    """The newest of what rules have limits for; what is not measured is not there."""
    overview, evidence = host.row("overview"), host.explanation.evidence
    found = {
        "temperature_above": overview.number("thermal_cpu_temperature_celsius")
        or evidence.number("cpu_temperature_celsius"),
        "rpm_above": _first(
            overview.number("thermal_fan_speed_rpm"), evidence.number("fan_speed_rpm")
        ),
        "watts_above": _first(
            overview.number("power_system_power_watts"), evidence.number("power_watts")
        ),
    }
    return {name: value for name, value in found.items() if value is not None}


def is_critical(rule: Rule, severity: str) -> bool:
    """Whether it is told in the quiet hours, too."""
    if rule.urgent is not None:
        return rule.urgent
    return rule.sort is Sort.ALERT and severity == "critical"


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def _blamed(explanation: Explanation) -> list[ExplanationCause]:
    ranked = sorted(
        explanation.causes, key=lambda cause: (not cause.active, -(cause.share_percent or 0.0))
    )
    return ranked[:_MOST_CAUSES]


def _cause(host: KnownHost, cause: ExplanationCause, now: float) -> str:
    return " · ".join(_facts(host, cause, now))


def _facts(host: KnownHost, cause: ExplanationCause, now: float) -> Iterator[str]:
    yield plain(cause.name or "?", 100)
    if cause.share_percent is not None:
        yield f"{cause.share_percent:.0f} % of {plain(cause.resource or 'the load', 20)}"
    if cause.on_behalf_of:
        yield f"for {plain(cause.on_behalf_of, 60)}"
    if cause.since is not None:
        begun = now - host.seconds_since(cause.since, now)
        yield f"since {clock(begun, now)}"
    if not cause.active:
        yield "its work has ended, its heat is left"
