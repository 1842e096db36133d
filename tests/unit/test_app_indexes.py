"""From an index's settings to the index that is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from wheelfs.app.indexes import decided_indexes, effective_indexes, index_notes, opened_index, with_indexes
from wheelfs.app.own_places import OwnPlaces
from wheelfs.config import IndexSetting, Settings
from wheelfs.core.proxy.environment import PROXIES
from wheelfs.core.proxy.hosts import Endpoint
from wheelfs.errors import UsageError
from wheelfs.remote.http.tls import CA_VARIABLES

URL = "https://me:hunter2@index.example/simple/"


def test_an_index_has_its_own_lifetime_and_names_else_those_of_all() -> None:
    settings = Settings(store=Path("/s"), page_ttl_s=600)
    plain = opened_index(IndexSetting("main", URL), settings)
    tied = opened_index(IndexSetting("lab", URL, projects=("lab-*",), ttl_s=0), settings)
    assert (plain.ttl_s, plain.projects, plain.url) == (600, (), "https://index.example/simple")
    assert (tied.ttl_s, tied.projects) == (0, ("lab-*",))
    for index in (plain, tied):
        trio.run(index.client.aclose)


def test_certificates_that_are_not_there_are_told_of_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ca\.pem.*check ca of the index"):
        opened_index(IndexSetting("lab", URL, ca=tmp_path / "ca.pem"), Settings(store=tmp_path))


def test_what_is_configured_goes_before_what_pip_is_configured_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip.example/simple")
    lab = IndexSetting("lab", URL)
    settings = Settings(store=Path("/s"), indexes=(lab,), provenance={"indexes": "--index"})
    assert effective_indexes(settings) == [(lab, "--index")]
    ((default, where),) = effective_indexes(Settings(store=Path("/s")))
    assert (default.name, default.url, where) == ("default", "https://pip.example/simple", "PIP_INDEX_URL in the environment")
    assert effective_indexes(Settings(store=Path("/s"), indexes=(lab,), no_index=True)) == []
    assert effective_indexes(Settings(store=Path("/s"), no_index=True)) == []


def test_an_index_of_pip_comes_with_what_pip_reaches_it_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / name for name in ("ca.pem", "me.pem")]
    for file in files:
        file.touch()
    named = tmp_path / "pip.conf"
    named.write_text(f"[global]\nindex-url = {URL}\ncert = {files[0]}\nclient-cert = {files[1]}\nproxy = proxy.example:3128\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(named))
    for variable in ("PIP_INDEX_URL", "PIP_CLIENT_CERT", "PIP_PROXY", *CA_VARIABLES, *PROXIES, *map(str.lower, PROXIES)):
        monkeypatch.delenv(variable, raising=False)
    ((found, _),) = effective_indexes(Settings(store=Path("/s")))
    assert (found.ca, found.client_cert, found.proxy) == (*files, "http://proxy.example:3128")


def test_a_process_takes_the_next_index_where_pip_is_configured_with_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "file:///mnt/wheels/here/simple")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://uv.example/simple")
    places, settings = OwnPlaces(mountpoint=Path("/mnt/wheels")), Settings(store=Path("/s"))
    ((index, origin),) = effective_indexes(with_indexes(settings, places))
    assert (index.name, index.url, origin) == ("default", "https://uv.example/simple", "UV_DEFAULT_INDEX in the environment")
    told = "PIP_INDEX_URL in the environment leads to the mount point itself, /mnt/wheels: no index to ask"
    assert index_notes(settings, places)[0].startswith(told)
    assert not any("leads to" in note for note in index_notes(settings))
    for silent in (Settings(store=Path("/s"), no_index=True), Settings(store=Path("/s"), indexes=(IndexSetting("lab", URL),))):
        assert index_notes(silent, places) == ()
        assert with_indexes(silent, places) == silent


def test_what_installers_are_configured_with_is_read_once_for_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "uv.toml").write_text("= broken")
    monkeypatch.setenv("UV_NO_CONFIG", "")
    monkeypatch.setenv("UV_CONFIG_FILE", str(tmp_path / "uv.toml"))
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip.example/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://more.example/simple")
    settings, notes = decided_indexes(Settings(store=Path("/s")))
    assert len(notes) == 1
    assert [index.url for index, _ in effective_indexes(settings)] == ["https://pip.example/simple"]
    assert len([record for record in caplog.records if "is passed over" in record.getMessage()]) == 1
    assert decided_indexes(settings) == (settings, ())


def test_an_index_that_is_given_and_is_the_process_itself_is_refused() -> None:
    places = OwnPlaces(listening=Endpoint("127.0.0.1", 8080))
    settings = Settings(store=Path("/s"), indexes=(IndexSetting("lab", "http://localhost:8080/simple"),))
    for refusing in (effective_indexes, index_notes, with_indexes, decided_indexes):
        with pytest.raises(UsageError, match=r"use the index lab: its URL leads to the gateway itself, at 127\.0\.0\.1:8080"):
            refusing(settings, places)
