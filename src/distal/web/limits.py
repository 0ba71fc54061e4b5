"""How much one request, one client and all of them together may ask of the server; enforces nothing itself."""

from __future__ import annotations

from dataclasses import dataclass, fields

from distal.errors import InputError


@dataclass(frozen=True)
class Limits:
    """Every bound of the server in one place, as ``/api/about`` reports them. All are above 0."""

    region_bp: int = 1_048_576
    """The widest region that is predicted at once."""
    mutagenesis_bp: int = 400
    """The widest region of in-silico mutagenesis: 3 passes or so a base."""
    contributions_bp: int = 196_608
    """The widest region of contributions that is given out: Enformer's input."""
    tracks: int = 24
    """The most tracks of one request."""
    variants: int = 100
    """The most variants of one request."""
    body_bytes: int = 65_536
    """The longest body of a request, chunked or not."""
    address_bytes: int = 8_192
    """The longest path with its query, as they come over the wire."""
    header_bytes: int = 32_768
    """All headers of a request together; cookies of other servers on this machine are among them."""
    body_seconds: float = 10.0
    """How long a client may take to send a body."""
    queue: int = 64
    """Jobs that wait, of all clients."""
    queue_per_client: int = 8
    """Jobs that wait for one client."""
    seconds: float = 600.0
    """How long a job may run."""
    wait: float = 60.0
    """How long a request may wait for a job to end."""
    kept: int = 128
    """Ended jobs whose results can still be asked for; the oldest are forgotten first."""
    kept_bytes: int = 268_435_456
    """Memory of the results of ended jobs; the newest is kept whatever its size."""
    kept_seconds: float = 900.0
    """How long the result of a job is kept after it was last asked for."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise InputError(f"limit {field.name} is {getattr(self, field.name)}; it has to be above 0")
