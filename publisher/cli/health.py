"""``fanwhy-pub health``: does the daemon live, and does it reach its broker?"""

from __future__ import annotations

from publisher.daemon.health import report


def command() -> int:
    """Say whether this user's daemon runs and reaches its broker.

    Exits with 1 when it does not. It asks neither the broker nor the machine, so that it may be
    asked often: container engines do. For more see check and doctor.

    Examples:
        fanwhy-pub health
        sudo STATE_DIRECTORY=/var/lib/fanwhy fanwhy-pub health
    """
    return report()
