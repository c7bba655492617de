"""Typed values as lines of text: pure functions of the values, the size and the time."""
