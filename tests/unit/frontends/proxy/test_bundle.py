"""The bundle of trusted authorities: one file, whole whenever it is read, and gone at the end."""

from __future__ import annotations

import fcntl
import os
import ssl
import subprocess
import sys
import tempfile
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from wheelfs.errors import DestinationError
from wheelfs.frontends.http.proxy import bundle as bundles
from wheelfs.frontends.http.proxy.bundle import Bundle, private_bundle, users_roots

if TYPE_CHECKING:
    from pathlib import Path

READS = """
import pathlib, sys
print("begun", flush=True)
print(pathlib.Path(sys.argv[1]).read_text(), flush=True)
"""


def test_who_opens_a_held_bundle_waits_for_what_is_written_then(tmp_path: Path) -> None:
    bundle = Bundle(tmp_path, b"roots ")
    if not bundle.hold():
        pytest.skip("this file system has no leases")
    with subprocess.Popen([sys.executable, "-c", READS, str(bundle.path)], stdout=subprocess.PIPE, text=True) as reading:
        assert reading.stdout is not None
        assert reading.stdout.readline() == "begun\n"
        bundle.write(b"and one of ours")
        assert reading.stdout.read() == "roots and one of ours\n"
    bundle.write(b"and a new one")
    assert bundle.path.read_bytes() == b"roots and a new one"


def test_where_there_are_no_leases_nothing_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    bundle = Bundle(tmp_path, b"roots ")
    assert not bundle.hold()
    bundle.write(b"and one of ours")
    assert bundle.path.read_bytes() == b"roots and one of ours"


def test_it_is_made_in_the_first_place_that_can_be_written_and_gone_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    for runtime, temporary, taken in [
        (tmp_path, tmp_path / "missing", str(tmp_path)),
        (".", tmp_path / "missing", str(tmp_path)),  # named in full, since the command may change its directory
        (tmp_path / "missing", tmp_path, str(tmp_path)),
        ("", tmp_path, str(tmp_path)),
        ("/proc/self", tmp_path / "file", "/tmp"),
    ]:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
        monkeypatch.setenv("TMPDIR", str(temporary))
        with private_bundle(b"roots") as bundle:
            assert str(bundle.path.parent.parent) == taken
            assert bundle.path.parent.stat().st_mode & 0o777 == 0o700
            assert bundle.path.read_bytes() == b"roots"
        assert not bundle.path.parent.exists()


def test_a_place_that_has_no_room_for_it_is_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not os.access("/dev/full", os.W_OK):
        pytest.skip("this machine has no /dev/full")
    full, other = tmp_path / "full", tmp_path / "other"
    full.mkdir()
    other.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(full))
    monkeypatch.setenv("TMPDIR", str(other))
    made = tempfile.mkdtemp

    def make(**words: Any) -> str:
        directory: str = made(**words)
        if str(full) in directory:
            os.symlink("/dev/full", f"{directory}/authorities.pem")  # noqa: PTH211
        return directory

    monkeypatch.setattr(tempfile, "mkdtemp", make)
    with private_bundle(b"roots") as bundle:
        assert bundle.path.parent.parent == other
    assert list(full.iterdir()) == []


def test_where_no_place_can_be_written_each_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> str:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1")
    monkeypatch.setenv("TMPDIR", "/nonexistent")
    with pytest.raises(
        DestinationError, match=r"/run/user/1: Read-only .*; /nonexistent: Read-only .*; /tmp: Read-only .*TMPDIR"
    ):
        private_bundle(b"roots").__enter__()


OF_THE_CLIENT = ssl.DER_cert_to_PEM_cert(b"\x01").encode()


@pytest.mark.parametrize(
    ("file", "directory", "trusted"),
    [
        ("file", "directory", b"of the file\n"),
        (None, "directory", b"of the directory\n"),
        (None, "empty", OF_THE_CLIENT),
        (None, None, OF_THE_CLIENT),
        ("missing", "missing", OF_THE_CLIENT),
    ],
)
def test_what_the_system_trusts_is_found_whatever_openssl_has_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str | None, directory: str | None, trusted: bytes
) -> None:
    class Trusting:
        def get_ca_certs(self, binary_form: bool) -> list[bytes]:
            assert binary_form
            return [b"\x01"]

    (tmp_path / "file").write_bytes(b"of the file\n")
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory" / "one.pem").write_bytes(b"of the directory\n")
    (tmp_path / "empty").mkdir()
    at = [None if name is None else str(tmp_path / name) for name in (file, directory)]
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: SimpleNamespace(cafile=at[0], capath=at[1]))
    monkeypatch.setattr(bundles, "trust", lambda bundle: Trusting())
    assert users_roots({}) == trusted
