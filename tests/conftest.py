"""What holds for every test."""

from __future__ import annotations

import signal

# Tests in the background of a shell ignore interrupts, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
