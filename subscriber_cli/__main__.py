"""``python -m subscriber_cli`` and the command ``fanwhy-sub``."""

from __future__ import annotations

from subscriber_cli.command_line import main

if __name__ == "__main__":
    main()
