"""Answers that were given lately, as bytes, up to so many bytes together; knows nothing of what they say."""

from __future__ import annotations

import threading


class Recent:
    """Bytes by key; those not asked for longest go first. Safe for threads."""

    def __init__(self, max_bytes: int) -> None:
        self._max, self._size = max_bytes, 0
        self._lock = threading.Lock()
        self._kept: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        """What is kept under `key`, which is now the last asked for."""
        with self._lock:
            found = self._kept.pop(key, None)
            if found is not None:
                self._kept[key] = found
            return found

    def put(self, key: str, value: bytes) -> None:
        """Keep `value`, unless it is larger than all that may be kept."""
        with self._lock:
            self._size -= len(self._kept.pop(key, b""))
            if len(value) > self._max:
                return
            self._kept[key] = value
            self._size += len(value)
            while self._size > self._max:
                self._size -= len(self._kept.pop(next(iter(self._kept))))

    def __len__(self) -> int:
        return len(self._kept)
