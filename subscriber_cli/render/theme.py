"""Colours, all of them names that the user's own palette fills.

The state's colour is the loudest on the screen. A bar has the colour of its level where its name
says that it fills up; of others nobody knows whether much is bad. Without colour (``NO_COLOR``)
every state still stands there as a word.
"""

from __future__ import annotations

STATES = {
    "quiet": "green",
    "busy": "yellow",
    "hot": "red",
    "cooling": "cyan",
    "pressure": "magenta",
    "offline": "red",
    "stale": "yellow",
}
SEVERITIES = {"warning": "yellow", "critical": "red"}
BAR = "cyan"
TRACK = "dim"
SPARK = "cyan"
NAME = "bold"
TROUBLE = "bold red"
# The words by which psutil, OpenTelemetry and our own readings name what fills up.
_FILLING = ("usage", "used", "busy", "pressure", "fullest", "cpu", "share")
_HIGH, _HIGHER = 50.0, 80.0  # percent


def of_state(state: str) -> str:
    """The colour of a state; none for one that is unknown."""
    return STATES.get(state, "default")


def of_severity(severity: str) -> str:
    """The colour of an event of that severity; none for one that is unknown."""
    return SEVERITIES.get(severity, "default")


def of_level(percent: float) -> str:
    """The colour of a share from 0 to 100 that is worse the larger it is."""
    if percent < _HIGH:
        return BAR
    return "yellow" if percent < _HIGHER else "red"


def of_gauge(name: str, percent: float) -> str:
    """The colour of a bar by its field's name; the neutral one where much may be good."""
    words = name.split("_")
    return of_level(percent) if any(word in words for word in _FILLING) else BAR
