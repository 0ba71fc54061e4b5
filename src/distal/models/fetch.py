"""Downloads of weights: resumed, verified, never half there; knows HTTP, mirrors and the cache folder, and no model.

A file grows as ``NAME.part`` and gets its name when it is whole and its checksum is right. A second run goes on where
the first stopped, provided that the server says the file is still the same. Where nobody has published a checksum, the
computed one is kept in ``NAME.sha256`` and later runs compare with it.

``DISTAL_MIRROR`` names a folder or a URL that holds ``<model>/<file>``; it then replaces the network altogether.
``DISTAL_CACHE`` names the folder for downloads and fetched models.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

from distal.errors import InputError
from distal.files import digest
from distal.models.sources import Download

CHUNK = 1 << 20
TIMEOUT_S = 60.0
ATTEMPTS = 4
"""How many connections in a row may bring nothing before we give up."""

_ELSEWHERE = "download it elsewhere and set DISTAL_MIRROR to a folder that holds <model>/<file>"

Report = Callable[[int], object]
"""Called with the number of bytes that have just arrived."""


@dataclass(frozen=True)
class Fetched:
    """A file that is here, whole: its SHA-256, and whether a published checksum vouches for it."""

    path: Path
    sha256: str
    verified: bool


class _BrokenError(Exception):
    """The connection ended before the file did; another attempt may go on from there."""


def cache_folder() -> Path:
    """``$DISTAL_CACHE``, or distal's folder in ``$XDG_CACHE_HOME``, ``~/.cache`` or, on a Mac, ``~/Library/Caches``."""
    if chosen := os.environ.get("DISTAL_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "distal"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "distal"


def https_form(url: str) -> str:
    """``gs://bucket/path`` and ``hf://owner/repository/path`` as the https addresses that need no client."""
    if url.startswith("gs://"):
        return f"https://storage.googleapis.com/{url.removeprefix('gs://')}"
    if url.startswith("hf://"):
        owner, repository, path = url.removeprefix("hf://").split("/", 2)
        return f"https://huggingface.co/{owner}/{repository}/resolve/main/{path}"
    return url


def fetch(download: Download, model: str, folder: Path, report: Report = lambda n: None) -> Fetched:
    """Bring `download`, a file of `model`, into `folder`; nothing is transferred when it is there and right.

    Raises `InputError` when it cannot be had (what failed, and the remedy) or its checksum is wrong. What has arrived
    is kept in ``.part`` for the next run, unless its checksum was wrong.
    """
    target = folder / download.name
    try:
        if target.is_file():
            return _verified(target, target, download)
        folder.mkdir(parents=True, exist_ok=True)
        origin = _origin(download, model)
        with _alone(folder / f"{download.name}.part") as part:
            if isinstance(origin, Path):
                _copy(origin, part, report)
            else:
                _transfer(origin, part, report)
            part.flush()
            os.fsync(part.fileno())
            return _accepted(Path(part.name), target, download)
    except OSError as error:
        raise InputError(f"{error}; free some room, or set DISTAL_CACHE to a folder that can be written") from None


def _origin(download: Download, model: str) -> str | Path:
    """Where to read from: the mirror when there is one, else the published address."""
    mirror = os.environ.get("DISTAL_MIRROR")
    if not mirror:
        return https_form(download.url)
    if mirror.startswith(("http://", "https://")):
        return f"{mirror.rstrip('/')}/{quote(model)}/{quote(download.name)}"
    path = Path(mirror).expanduser() / model / download.name
    if not path.is_file():
        raise InputError(f"the mirror has no {path}; put the file there or unset DISTAL_MIRROR")
    return path


@contextmanager
def _alone(part: Path) -> Iterator[IO[bytes]]:
    """`part`, opened for appending and locked against a second `fetch` of the same file."""
    with part.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"another process is downloading {part}; wait for it") from None
        try:
            yield file
        finally:
            if not _size(file):
                part.unlink(missing_ok=True)


def _copy(source: Path, part: IO[bytes], report: Report) -> None:
    part.truncate(0)
    _require_room(part, source.stat().st_size)
    with source.open("rb") as file:
        while chunk := file.read(CHUNK):
            part.write(chunk)
            report(len(chunk))


def _transfer(url: str, part: IO[bytes], report: Report) -> None:
    """Read `url` into `part`, going on after broken connections for as long as they bring something."""
    report(_size(part))
    failures = 0
    while True:
        before = _size(part)
        try:
            return _receive(url, part, report)
        except _BrokenError as error:
            failures = 0 if _size(part) > before else failures + 1
            if failures == ATTEMPTS:
                kept = f"{_size(part):,} bytes are kept" if _size(part) else "nothing has arrived"
                raise InputError(f"{url} cannot be read ({error}; {kept}); try again, or {_ELSEWHERE}") from None
            time.sleep(0.2 * failures)


def _receive(url: str, part: IO[bytes], report: Report) -> None:
    """One connection: the rest of the file, or `_BrokenError`."""
    response = _answer(url, part)
    if response is None:
        return
    with response:
        have = _size(part)
        if response.status != 206 or not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            report(-have)
            _restart(part, response)
        expected = int(response.headers.get("Content-Length", -1))
        _require_room(part, expected)
        received = 0
        for chunk in _chunks(response):
            part.write(chunk)
            received += len(chunk)
            report(len(chunk))
    if expected not in (-1, received):
        raise _BrokenError(f"{received:,} of {expected:,} bytes came")


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := response.read(CHUNK):
            yield chunk
    except (HTTPException, OSError) as error:
        raise _BrokenError(f"{type(error).__name__} {error}") from None


def _answer(url: str, part: IO[bytes]) -> HTTPResponse | None:
    """The open response to a request for the bytes that `part` lacks; None when it lacks none."""
    headers = {"User-Agent": "distal", "Accept-Encoding": "identity"}
    have, mark = _size(part), _mark(part)
    if have and mark.is_file():
        headers |= {"Range": f"bytes={have}-", "If-Range": mark.read_text()}
    try:
        response: HTTPResponse = urlopen(Request(url, headers=headers), timeout=TIMEOUT_S)
    except HTTPError as error:
        if error.code == 416 and error.headers.get("Content-Range") == f"bytes */{have}":
            return None
        if error.code in (416, 429) or error.code >= 500:
            if error.code == 416:
                mark.unlink(missing_ok=True)  # longer than the file there: start anew
            raise _BrokenError(f"HTTP {error.code} {error.reason}") from None
        raise InputError(f"{url} answers HTTP {error.code} {error.reason}; if it has moved, {_ELSEWHERE}") from None
    except (HTTPException, OSError) as error:
        reason = error.reason if isinstance(error, URLError) else f"{type(error).__name__} {error}"
        raise _BrokenError(f"{urlsplit(url).netloc}: {reason}") from None
    return response


def _restart(part: IO[bytes], response: HTTPResponse) -> None:
    """Empty `part` for a file that starts anew, and keep what tells this version of it from another."""
    part.truncate(0)
    mark = response.headers.get("ETag", "")
    mark = response.headers.get("Last-Modified", "") if mark.startswith("W/") or not mark else mark
    if mark:
        _mark(part).write_text(mark)
    else:
        _mark(part).unlink(missing_ok=True)


def _mark(part: IO[bytes]) -> Path:
    return Path(f"{part.name}.version")


def _size(part: IO[bytes]) -> int:
    part.flush()
    return os.fstat(part.fileno()).st_size


def _require_room(part: IO[bytes], needed: int) -> None:
    folder = Path(part.name).parent
    free = shutil.disk_usage(folder).free
    if needed > free:
        room = f"{free / 1e6:,.0f} MB free, {needed / 1e6:,.0f} MB are needed"
        raise InputError(f"{folder} has {room}; set DISTAL_CACHE to a larger disk")


def _accepted(part: Path, target: Path, download: Download) -> Fetched:
    """`part` under its final name, once its checksum is right; a wrong one leaves nothing behind."""
    mark = Path(f"{part}.version")
    try:
        fetched = _verified(part, target, download)
    except InputError:
        part.unlink()
        raise
    finally:
        mark.unlink(missing_ok=True)
    if not fetched.verified:
        _record(target).write_text(f"{fetched.sha256}  {target.name}\n")
    part.replace(target)
    return fetched


def _record(target: Path) -> Path:
    return target.with_name(f"{target.name}.sha256")


def _verified(path: Path, target: Path, download: Download) -> Fetched:
    """What `path`, which is or becomes `target`, holds, against the published checksum or the one of an earlier run."""
    sha256, record = digest(path), _record(target)
    published = download.sha256 or download.md5
    if download.sha256 or not download.md5:
        kind, found = "SHA-256", sha256
    else:
        kind, found = "MD5", digest(path, "md5")
    recorded = record.read_text().split()[0] if path == target and record.is_file() else found
    expected = published or recorded
    if found != expected:
        origin = "published" if published else "when it was first fetched"
        remedy = f"delete {target} and fetch again" if path == target else "nothing was kept; fetch again"
        raise InputError(f"{download.name} has {kind} {found}, not {expected} as {origin}; {remedy}")
    return Fetched(target, sha256, bool(published))
