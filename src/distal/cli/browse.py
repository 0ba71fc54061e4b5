"""`distal browse`: a genome browser page with predicted tracks; knows options and addresses, no route."""

from __future__ import annotations

import gc
import ipaddress
import secrets
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from distal.cli.console import emit, say
from distal.cli.options import BothStrands, Device, Head, Json, Model, Precision
from distal.errors import InputError

if TYPE_CHECKING:
    from distal.web.served import Served

GB = 10**9
PORT = 8765
_DEMO_START = "HNF4A"


def browse(
    *,
    model: Model = "enformer-mini",
    fasta: Path | None = None,
    genes: Path | None = None,
    scores: Path | None = None,
    start: str = "",
    host: str = "127.0.0.1",
    port: int = PORT,
    token: str = "",
    no_open: bool = False,
    cache: Path | None = None,
    cache_gb: float = 2.0,
    rc: BothStrands = False,
    head: Head = "human",
    precision: Precision = "fp32",
    device: Device = "cpu",
    json: Json = False,
) -> None:
    """Look at predictions in a genome browser: a page on this machine, computed as one looks.

    Type a gene, a region or a variant; choose tracks; see REF against ALT, what every base contributes, a gene's
    enhancers. Nothing leaves the machine. Without --fasta it opens the demo: the HNF4A locus with the model that ships
    with distal. Ctrl-C ends it.

    Parameters
    ----------
    fasta
        The genome: .fa, .fa.gz (bgzip) or .2bit.
    genes
        Genes to search for, and whose enhancers can be asked for: GTF, GFF3 or BED.
    scores
        A folder that `distal score` wrote, to look up variants in.
    start
        What to show first: a gene, a region or a variant.
    host
        Address to listen at. Any other than this machine's own asks for a token.
    port
        Port to listen at; 0 for one that is free.
    token
        The token that is asked for, at least 16 letters and digits; one is made for addresses other machines can reach.
    no_open
        Only print the address, don't open the browser.
    cache
        Folder for tiles that were computed; distal's cache folder when left out.
    cache_gb
        How much it may hold.
    """
    import uvicorn

    from distal.web.app import application

    served = _opened(model, fasta, genes, scores, start, (head, precision, device), rc, (cache, cache_gb))
    local = _is_local(host)
    token = token or ("" if local else secrets.token_urlsafe(24))
    with _listening(host, port) as listener:
        port = listener.getsockname()[1]
        names = _names(host)  # at any port: that of a tunnel is its own
        app = application(served, names, token or None)
        address = f"http://{names[0]}:{port}/" + (f"?token={token}" if token else "")
        emit({"address": address, "model": served.predictor.spec.name, "genome": str(served.genome.path)}, json)
        say("browse: Ctrl-C ends it")
        if not no_open:
            _open(address)
        config = uvicorn.Config(
            app, log_level="warning", server_header=False, lifespan="on", ws="none", timeout_graceful_shutdown=2
        )
        gc.collect()
        gc.freeze()  # what was opened stays; looking through it for garbage, now and then, took 0.2 s of every client
        uvicorn.Server(config).run(sockets=[listener])


def _opened(
    model: str,
    fasta: Path | None,
    genes: Path | None,
    scores: Path | None,
    start: str,
    how: tuple[str, Precision, str],
    rc: bool,
    kept: tuple[Path | None, float],
) -> Served:
    """Everything that is served, opened and checked."""
    from distal.io.fasta import Genome
    from distal.io.genes import Genes
    from distal.io.scores import files
    from distal.models.fetch import cache_folder
    from distal.predictor import load
    from distal.web.cache import Cache
    from distal.web.equivalent import Called
    from distal.web.served import Served

    head, precision, device = how
    folder, size = kept
    if not size > 0:
        raise InputError(f"--cache-gb {size:g} leaves no room; give at least 0.1")
    if fasta is None:
        from distal.cli import demo

        fasta, genes, start = demo.FASTA, genes or demo.GENES, start or _DEMO_START
    if scores is not None:
        files(scores)  # says what is wrong before anything is loaded
    genome = Genome(fasta)
    annotation = None if genes is None else Genes.read(genes)
    called = Called(model, str(fasta), str(genes or ""), head)
    predictor = load(model, head, device, precision)
    tiles = Cache(folder or cache_folder() / "browse", int(size * GB))
    return Served(predictor, genome, tiles, called, annotation, scores, rc=rc, start=start)


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _names(host: str) -> list[str]:
    """What a browser may call the server, the best first."""
    if host == "::1":
        return ["[::1]", "localhost"]
    if _is_local(host):
        return [host, *(name for name in ("127.0.0.1", "localhost") if name != host)]
    if host in ("0.0.0.0", "::"):
        own = socket.gethostname()
        found = {*_addresses(own), "127.0.0.1"}
        numbers = sorted(f"[{name}]" if ":" in name else name for name in found)
        return [own, *numbers, "localhost"]
    return [f"[{host}]" if ":" in host else host]


def _addresses(name: str) -> list[str]:
    try:
        return [str(info[4][0]) for info in socket.getaddrinfo(name, None)]
    except OSError:
        return []


def _listening(host: str, port: int) -> socket.socket:
    if not 0 <= port < 65_536:
        raise InputError(f"port {port} is not one; give a number from 1 to 65535, or 0 for any that is free")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
        # connections take it over; without it the body of an answer waits 40 ms until the client acknowledges its head
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        raise InputError(f"cannot listen at {host}:{port} ({error.strerror or error}); give another --port") from None
    listener.set_inheritable(True)
    return listener


def _open(address: str) -> None:
    import webbrowser

    if not webbrowser.open(address):
        say("browse: no browser was found here; open the address yourself")
