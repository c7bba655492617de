"""Standard input, output and error, which whoever starts us may have closed.

What is opened next would get their numbers: the log would be written into the lock of the state
folder, or over the connection to the broker.
"""

from __future__ import annotations

import os

_STANDARD = (0, 1, 2)


def fill() -> None:
    """Opens those that are closed on nothing, for us and for what we become by ``exec``."""
    for number in _STANDARD:
        try:
            os.fstat(number)
        except OSError:
            nothing = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            if nothing == number:
                os.set_inheritable(nothing, True)
            else:
                os.dup2(nothing, number)
                os.close(nothing)
