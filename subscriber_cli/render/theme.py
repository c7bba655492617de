"""Colours, all of them names that the user's own palette fills.

The state's colour is the only loud one on the screen; bars stay neutral, since what counts as
much is for the verdict to say. Without colour (``NO_COLOR``) every state still stands there as a
word.
"""

from __future__ import annotations

STATES = {
    "quiet": "green",
    "busy": "yellow",
    "hot": "red",
    "cooling": "cyan",
    "pressure": "magenta",
    "offline": "red",
}
SEVERITIES = {"warning": "yellow", "critical": "red"}
BAR = "cyan"
TRACK = "dim"
SPARK = "cyan"
NAME = "bold"
TROUBLE = "bold red"


def of_state(state: str) -> str:
    """The colour of a state; none for one that is unknown."""
    return STATES.get(state, "default")


def of_severity(severity: str) -> str:
    """The colour of an event of that severity; none for one that is unknown."""
    return SEVERITIES.get(severity, "default")
