"""``python -m publisher`` and the command ``fanwhy-pub``."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line; what it needs is loaded only when it is needed."""
    if sys.argv[1:2] == ["run"]:
        # What follows takes a while, and opens files.
        from publisher.daemon import descriptors, signals  # noqa: PLC0415

        signals.hold()
        descriptors.fill()
    if sys.argv[1:] == ["--version"]:
        from publisher import version_line  # noqa: PLC0415  # a version should come at once

        print(version_line("fanwhy-pub"))
        return
    if sys.argv[1:] == ["health"]:
        from publisher.daemon.health import report  # noqa: PLC0415  # engines ask every few minutes

        sys.exit(report())
    from publisher.cli import main as run  # noqa: PLC0415

    sys.exit(run())


if __name__ == "__main__":
    main()
