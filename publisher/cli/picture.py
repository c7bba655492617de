"""``fanwhy-pub picture``: the last 24 hours as a file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from publisher.config.state_folder import state_dir
from publisher.daemon.timeline_store import recall
from publisher.daemon.timeline_svg import draw
from publisher.errors import FanwhyError


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write the SVG.")],
) -> None:
    """Draw the last 24 hours of this machine as an SVG: causes, temperature and fan.

    It is the picture that Home Assistant shows, from what the daemon keeps in its state
    directory.

    Examples:
        fanwhy-pub picture last-night.svg
    """
    timeline = recall(state_dir())
    if not timeline.spans and not timeline.points.points:
        raise FanwhyError("nothing is known of the last 24 hours: does the daemon run here?")
    file.write_text(draw(timeline, time.time()), encoding="utf-8")
