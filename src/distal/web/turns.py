"""Who comes next when many clients wait, each for several things: one of each in turn; knows no jobs and no threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Turns(Generic[Item]):
    """The items of every client in the order they came, and the clients in the order of their turns.

    A client joins at the end, and goes there when one of its items was taken. Several clients may wait for the same
    item, each in its own place: it is taken at the first of these turns, once.
    """

    def __init__(self) -> None:
        self._lines: dict[str, list[Item]] = {}  # the client on top is next; no line is empty

    def add(self, client: str, item: Item) -> None:
        """Put an item at the end of the client's line. It must not be there yet."""
        self._lines.setdefault(client, []).append(item)

    def take(self, wanted: Callable[[Item], bool] = lambda item: True) -> Item | None:
        """Remove and return the next item that is wanted; None where there is none.

        A client none of whose items is wanted keeps its turn.
        """
        for client, line in self._lines.items():
            item = next(filter(wanted, line), None)
            if item is not None:
                self._lines[client] = self._lines.pop(client)
                self.drop(item)
                return item
        return None

    def drop(self, item: Item, client: str | None = None) -> None:
        """Remove an item from the line of `client`, or from all of them, where it is in it."""
        for name in list(self._lines) if client is None else [client] * (client in self._lines):
            line = self._lines[name]
            if item in line:
                line.remove(item)
            if not line:
                del self._lines[name]

    def waiting(self, client: str) -> int:
        """How many items a client waits for."""
        return len(self._lines.get(client, ()))

    def order(self) -> list[Item]:
        """All items as they would be taken if none came any more."""
        copy: Turns[Item] = Turns()
        copy._lines = {client: line.copy() for client, line in self._lines.items()}
        taken = []
        while (item := copy.take()) is not None:
            taken.append(item)
        return taken
