"""Downloads from a real server on this machine: resumed, verified, from mirrors, and with every failure named."""

import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from distal.errors import InputError
from distal.models.fetch import cache_folder, fetch, https_form
from distal.models.sources import KNOWN, Download

CONTENT = bytes(range(256)) * 4096 * 3  # 3 MiB: three chunks
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()


@dataclass
class Site:
    """What the server holds and how it behaves; `requests` is what it was asked."""

    content: bytes = CONTENT
    etag: str = '"v1"'
    ranges: bool = True
    length: bool = True
    status: int = 200
    cuts: list[int] = field(default_factory=list)
    """Bytes to send before the connection drops, one entry per request to spoil."""
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    """GET with Range, If-Range, and the faults that `Site` asks for."""

    def log_message(self, format, *args):
        pass

    def do_GET(self):
        site = self.server.site
        wanted = self.headers.get("Range")
        site.requests.append((self.path, wanted))
        if site.status != 200:
            return self.send_error(site.status)
        start = 0
        if wanted and site.ranges and self.headers.get("If-Range") == site.etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(site.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(site.content)}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        body = site.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(site.content) - 1}/{len(site.content)}")
        if site.length:
            self.send_header("Content-Length", str(len(body)))
        if site.etag:
            self.send_header("ETag", site.etag)
        self.end_headers()
        self.wfile.write(body[: site.cuts.pop(0)] if site.cuts else body)
        return None


@pytest.fixture
def site(monkeypatch) -> Iterator[Site]:
    monkeypatch.delenv("DISTAL_MIRROR", raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.site = Site(url=f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.site
    server.shutdown()
    thread.join()
    server.server_close()


def download(site: Site, sha256: str | None = SHA256, md5: str | None = None) -> Download:
    return Download("model.h5", f"{site.url}/a/model.h5", len(CONTENT), sha256, md5)


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_whole_and_is_verified(site, tmp_path):
    arrived: list[int] = []
    fetched = fetch(download(site), "m", tmp_path / "new" / "folder", arrived.append)
    assert fetched.path.read_bytes() == CONTENT
    assert (fetched.sha256, fetched.verified) == (SHA256, True)
    assert sum(arrived) == len(CONTENT)
    assert names(tmp_path / "new" / "folder") == ["model.h5"]


def test_a_file_that_is_here_is_not_asked_for_again(site, tmp_path):
    first = fetch(download(site), "m", tmp_path)
    assert fetch(download(site), "m", tmp_path) == first
    assert len(site.requests) == 1


@pytest.mark.parametrize("cuts", [[1_500_000], [1_500_000, 700_000, 0, 1]])
def test_a_broken_connection_is_taken_up_where_it_broke(site, tmp_path, cuts):
    site.cuts = list(cuts)
    arrived: list[int] = []
    assert fetch(download(site), "m", tmp_path, arrived.append).path.read_bytes() == CONTENT
    starts, have = [None], 0
    for cut in cuts:
        have += cut
        starts.append(f"bytes={have}-")
    assert [wanted for _, wanted in site.requests] == starts
    assert sum(arrived) == len(CONTENT)
    assert names(tmp_path) == ["model.h5"]


def test_a_second_run_goes_on_where_the_first_gave_up(site, tmp_path):
    site.cuts = [1_000_000, 0, 0, 0, 0]
    with pytest.raises(InputError, match=r"1,000,000 bytes are kept\); try again, or download it elsewhere"):
        fetch(download(site), "m", tmp_path)
    assert names(tmp_path) == ["model.h5.part", "model.h5.part.version"]
    site.requests.clear()
    arrived: list[int] = []
    assert fetch(download(site), "m", tmp_path, arrived.append).path.read_bytes() == CONTENT
    assert [wanted for _, wanted in site.requests] == ["bytes=1000000-"]
    assert sum(arrived) == len(CONTENT)


def test_a_whole_part_needs_only_its_name(site, tmp_path):
    (tmp_path / "model.h5.part").write_bytes(CONTENT)
    (tmp_path / "model.h5.part.version").write_text('"v1"')
    assert fetch(download(site), "m", tmp_path).path.read_bytes() == CONTENT
    assert [wanted for _, wanted in site.requests] == [f"bytes={len(CONTENT)}-"]


def test_a_part_longer_than_the_file_starts_anew(site, tmp_path):
    (tmp_path / "model.h5.part").write_bytes(CONTENT + b"more")
    (tmp_path / "model.h5.part.version").write_text('"v1"')
    assert fetch(download(site), "m", tmp_path).path.read_bytes() == CONTENT


@pytest.mark.parametrize("mark", ['"v0"', None], ids=["another version", "no version known"])
def test_a_part_of_another_file_starts_anew(site, tmp_path, mark):
    (tmp_path / "model.h5.part").write_bytes(b"x" * 1000)
    if mark:
        (tmp_path / "model.h5.part.version").write_text(mark)
    assert fetch(download(site, sha256=None), "m", tmp_path).path.read_bytes() == CONTENT


@pytest.mark.parametrize("length", [True, False])
def test_a_server_without_ranges_starts_anew(site, tmp_path, length):
    site.ranges, site.length = False, length
    (tmp_path / "model.h5.part").write_bytes(CONTENT[:1000])
    (tmp_path / "model.h5.part.version").write_text('"v1"')
    arrived: list[int] = []
    assert fetch(download(site), "m", tmp_path, arrived.append).path.read_bytes() == CONTENT
    assert sum(arrived) == len(CONTENT)


def test_a_server_that_never_sends_all_of_it_is_given_up(site, tmp_path):
    site.ranges, site.cuts = False, [1000] * 9
    with pytest.raises(InputError, match="1,000 of 3,145,728 bytes came"):
        fetch(download(site), "m", tmp_path)
    assert len(site.requests) == 5


@pytest.mark.parametrize(("sha256", "md5", "kind"), [("0" * 64, None, "SHA-256"), (None, "0" * 32, "MD5")])
def test_a_wrong_checksum_leaves_nothing_behind(site, tmp_path, sha256, md5, kind):
    with pytest.raises(InputError, match=rf"model\.h5 has {kind} .* not 0+ as published; nothing was kept"):
        fetch(download(site, sha256, md5), "m", tmp_path)
    assert names(tmp_path) == []


def test_an_md5_vouches_where_no_sha256_is_published(site, tmp_path):
    assert fetch(download(site, None, MD5), "m", tmp_path).verified


def test_an_unknown_checksum_is_kept_and_compared_later(site, tmp_path):
    fetched = fetch(download(site, None), "m", tmp_path)
    assert (fetched.sha256, fetched.verified) == (SHA256, False)
    assert (tmp_path / "model.h5.sha256").read_text() == f"{SHA256}  model.h5\n"
    assert fetch(download(site, None), "m", tmp_path) == fetched
    fetched.path.write_bytes(CONTENT[:-1])
    with pytest.raises(InputError, match=f"not {SHA256} as when it was first fetched; delete"):
        fetch(download(site, None), "m", tmp_path)


def test_a_file_that_has_changed_here_is_reported_not_replaced(site, tmp_path):
    (tmp_path / "model.h5").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"as published; delete .*model\.h5 and fetch again"):
        fetch(download(site), "m", tmp_path)
    assert (tmp_path / "model.h5").read_bytes() == b"mine"
    assert site.requests == []


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_named_at_once(site, tmp_path, status):
    site.status = status
    with pytest.raises(InputError, match=rf"answers HTTP {status} .*set DISTAL_MIRROR"):
        fetch(download(site), "m", tmp_path)
    assert len(site.requests) == 1
    assert names(tmp_path) == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again_and_then_named(site, tmp_path, status):
    site.status = status
    with pytest.raises(InputError, match=f"HTTP {status} .*nothing has arrived"):
        fetch(download(site), "m", tmp_path)
    assert len(site.requests) == 4


def test_no_network_is_named_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.delenv("DISTAL_MIRROR", raising=False)
    closed = Download("model.h5", "http://127.0.0.1:9/model.h5", 1)
    with pytest.raises(InputError, match=r"127\.0\.0\.1:9: .*refused.*set DISTAL_MIRROR"):
        fetch(closed, "m", tmp_path)


def test_a_mirror_on_the_web_replaces_the_address(site, tmp_path, monkeypatch):
    monkeypatch.setenv("DISTAL_MIRROR", f"{site.url}/mirror/")
    elsewhere = Download("model.h5", "gs://nowhere/model.h5", 1, SHA256)
    assert fetch(elsewhere, "basenji2", tmp_path).path.read_bytes() == CONTENT
    assert [path for path, _ in site.requests] == ["/mirror/basenji2/model.h5"]


def test_a_mirror_folder_replaces_the_network(tmp_path, monkeypatch):
    (tmp_path / "mirror" / "basenji2").mkdir(parents=True)
    (tmp_path / "mirror" / "basenji2" / "model.h5").write_bytes(CONTENT)
    monkeypatch.setenv("DISTAL_MIRROR", str(tmp_path / "mirror"))
    arrived: list[int] = []
    fetched = fetch(
        Download("model.h5", "gs://nowhere/model.h5", 1, SHA256), "basenji2", tmp_path / "here", arrived.append
    )
    assert fetched.path.read_bytes() == CONTENT
    assert sum(arrived) == len(CONTENT)
    with pytest.raises(InputError, match=r"the mirror has no .*enformer/other\.h5"):
        fetch(Download("other.h5", "gs://nowhere/other.h5", 1), "enformer", tmp_path / "here")
    assert names(tmp_path / "here") == ["model.h5"]


def test_two_downloads_of_one_file_do_not_mix(site, tmp_path):
    with (tmp_path / "model.h5.part").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another process is downloading"):
            fetch(download(site), "m", tmp_path)


def test_a_folder_that_cannot_be_made_is_named(site, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="set DISTAL_CACHE to a folder that can be written"):
        fetch(download(site), "m", tmp_path / "file" / "folder")


def test_a_file_larger_than_the_disk_is_refused_before_it_is_read(tmp_path, monkeypatch):
    model = tmp_path / "mirror" / "m"
    model.mkdir(parents=True)
    try:
        with (model / "model.h5").open("wb") as file:
            file.truncate(2**42)  # 4 TiB of nothing: a sparse file
    except OSError:
        pytest.skip("this file system has no sparse files of 4 TiB")
    monkeypatch.setenv("DISTAL_MIRROR", str(tmp_path / "mirror"))
    with pytest.raises(InputError, match="MB free, 4,398,047 MB are needed; set DISTAL_CACHE"):
        fetch(Download("model.h5", "", 1), "m", tmp_path / "here")


def test_cloud_addresses_become_https():
    assert https_form("gs://bucket/a/b.h5") == "https://storage.googleapis.com/bucket/a/b.h5"
    assert https_form("hf://owner/repo/a/b.bin") == "https://huggingface.co/owner/repo/resolve/main/a/b.bin"
    assert https_form("https://x.org/y") == "https://x.org/y"
    for source in KNOWN.values():
        assert all(https_form(file.url).startswith("https://") for file in source.files)


def test_the_cache_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("DISTAL_CACHE", str(tmp_path / "c"))
    assert cache_folder() == tmp_path / "c"
    monkeypatch.delenv("DISTAL_CACHE")
    if os.uname().sysname == "Linux":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        assert cache_folder() == tmp_path / "xdg" / "distal"
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert cache_folder() == tmp_path / ".cache" / "distal"
