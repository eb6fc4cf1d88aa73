"""Where a text may be cut: at a place that no word and no run of spaces crosses.

A byte-level BPE never joins across such a place, so it makes the same tokens of the parts as of
the whole.
"""

from __future__ import annotations

from collections.abc import Iterator

REACH = 1 << 16  # characters from the end in which a place is looked for


def chunks(text: str, size: int = REACH) -> Iterator[str]:
    r"""Yield a text in parts of at most `size` characters, or longer ones for want of a place.

    Examples
    --------
    >>> list(chunks("one two three\nfour", 8))
    ['one', ' two', ' three\n', 'four']
    """
    start = 0
    while len(text) - start > size and (place := find_cut(text[start : start + size])):
        yield text[start : start + place]
        start += place
    yield text[start:]


def find_cut(text: str) -> int:
    r"""Return the last good place to cut, or 0: after a line end, or else before a space.

    The signs beside it are no spaces, so that no run of spaces is torn.

    Examples
    --------
    >>> find_cut("one\ntwo three"), find_cut("one two"), find_cut("one  \n  two")
    (4, 3, 0)
    """
    first = max(1, len(text) - REACH)
    for sign, after in (("\n", 1), (" ", 0)):
        place = text.rfind(sign, first, -1)
        while place > 0:
            if not text[place - 1].isspace() and not text[place + 1].isspace():
                return place + after
            place = text.rfind(sign, first, place)
    return 0
