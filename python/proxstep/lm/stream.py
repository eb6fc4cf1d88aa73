"""Text from tokens as they come: only what later tokens can no longer change is let out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .tokenizer import Tokenizer

UNFINISHED = "\ufffd"  # what a decoder writes for bytes that are not, or not yet, a character


class TextStream:
    """The text of tokens, piece by piece; the pieces joined are the text of all tokens.

    A token may be a part of a character (bytes, byte-level BPE) or change its neighbour (a space
    before a word), so a few tokens are decoded together and a last U+FFFD waits for the next one.

    Examples
    --------
    >>> from proxstep.lm.tokenizer import ByteTokenizer
    >>> stream = TextStream(ByteTokenizer())
    >>> [stream.add(byte) for byte in "né!".encode()], stream.finish()
    (['n', '', 'é', '!'], '')
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._tokens: list[int] = []
        self._shown = 0  # characters of their text

    def add(self, token: int) -> str:
        """Take a token and return what is certain now."""
        self._tokens.append(token)
        text = self.tokenizer.decode(self._tokens)
        sure = text.removesuffix(UNFINISHED)
        piece = sure[self._shown :]
        self._shown = max(self._shown, len(sure))
        if sure == text:  # the next tokens need no more than one before them
            del self._tokens[:-1]
            self._shown = len(self.tokenizer.decode(self._tokens))
        return piece

    def finish(self) -> str:
        """Return the rest; it is not followed by anything."""
        return self.tokenizer.decode(self._tokens)[self._shown :]


def pieces(tokenizer: Tokenizer, tokens: Iterable[int]) -> Iterator[str]:
    """Yield the text of tokens as it becomes certain."""
    stream = TextStream(tokenizer)
    for token in tokens:
        yield stream.add(token)
    yield stream.finish()


def until(text: Iterable[str], stop: str) -> Iterator[str]:
    """Yield text up to the first `stop`, which may lie across pieces; nothing more is taken then.

    Examples
    --------
    >>> list(until(["one ", "two.", ".", " three"], ".."))
    ['one ', 'two']
    """
    if not stop:
        yield from text
        return
    held = ""
    for piece in text:
        before, found, _ = (held + piece).partition(stop)
        if found:
            if before:
                yield before
            return
        sure = len(before) - _begun(before, stop)
        if sure:
            yield before[:sure]
        held = before[sure:]
    if held:
        yield held


def _begun(text: str, stop: str) -> int:
    """Return the length of the longest beginning of `stop` at the end of `text`."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
