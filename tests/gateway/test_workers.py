"""A gateway of several processes: one upstream fetch whatever happens, none left over, all of them reported."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.faults import Fault, Slow
from tests.fakes.index import FakeIndex
from tests.fakes.processes import wheelfs_command, wheelfs_environment
from tests.fakes.waiting import eventually
from tests.gateway.serving import Serving
from wheelfs.model.manifest import Manifest

if TYPE_CHECKING:
    from tests.conftest import RunWheelfs
    from tests.fakes.clients import Clients

WORKERS = 3


def status(run: RunWheelfs, gateway: Serving) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(run("--store", str(gateway.store), "--json", "status").succeeded().stdout)
    return told


def pids(run: RunWheelfs, gateway: Serving) -> set[int]:
    return {one["pid"] for one in status(run, gateway)["gateways"]}


def is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def get(url: str, **headers: str) -> httpx2.Response:
    return httpx2.get(url, headers=headers, trust_env=False, timeout=60)


def test_sixteen_clients_of_three_workers_cost_one_upstream_fetch(tmp_path: Path, run_wheelfs: RunWheelfs) -> None:
    with FakeIndex() as index:
        name, content = index.add_wheel("big", "1.0", big_bytes=4_000_000)
        with Serving(tmp_path / "gateway", "--workers", str(WORKERS), "--index", f"main={index.url}") as gateway:
            assert len(pids(run_wheelfs, gateway)) == WORKERS
            # Slow, so that all of them come while it is under way.
            index.faults.append(Fault(name, Slow(4_000_000), times=None))
            with ThreadPoolExecutor(16) as pool:
                bodies = list(pool.map(lambda _: get(f"{gateway.url}/simple/big/{name}").content, range(16)))
            assert bodies == [content] * 16
            asked = [request for request in index.requests if request.path.endswith(name)]
            assert sum(request.body_bytes_sent for request in asked) == len(content)
            assert len([request for request in index.requests if request.path.rstrip("/").endswith("simple/big")]) == 1
            told = status(run_wheelfs, gateway)
            assert told["counters"]["fetched_bytes"] < 1.1 * len(content)
            assert (told["offline"], [origin["state"] for origin in told["origins"]]) == (False, ["up"])
            index.close()
            parts = {get(f"{gateway.url}/simple/big/{name}", Range="bytes=100-199").content for _ in range(8)}
            assert parts == {content[100:200]}


def test_pip_and_uv_install_and_people_and_nodes_are_answered(tmp_path: Path, clients: Clients) -> None:
    with FakeIndex() as index:
        index.add_wheel("app", "1.0", requires=["library"])
        _, library = index.add_wheel("library", "1.0")
        with Serving(tmp_path / "gateway", "--workers", "2", "--index", f"main={index.url}") as gateway:
            pip, uv = clients.pip(), clients.uv()
            pip.run("install", "--index-url", f"{gateway.url}/simple/", "app").succeeded()
            index.close()
            uv.run("pip", "install", "--default-index", f"{gateway.url}/simple/", "app").succeeded()
            assert pip.installed() == uv.installed() == {"app": "1.0", "library": "1.0"}
            assert f"{gateway.url}/simple/" in get(f"{gateway.url}/project/app/").text
            assert "app" in get(f"{gateway.url}/?q=app").text
            assert get(f"{gateway.url}/simple/app/", Accept="application/vnd.pypi.simple.v1+json").json()["name"] == "app"
            assert get(f"{gateway.url}/-/share/v1/news").headers["content-type"] == "application/msgpack"
            made = get(f"{gateway.url}/-/share/v1/manifest/{hashlib.sha256(library).hexdigest()}")
            assert Manifest.decode(made.content).size_bytes == len(library)
            assert b"wheelfs_" in get(f"{gateway.url}/metrics").content
            tag = get(f"{gateway.url}/simple/app/").headers["etag"]
            assert get(f"{gateway.url}/simple/app/", **{"If-None-Match": tag}).status_code == 304
            assert get(f"{gateway.url}/simple/APP/", **{}).status_code == 301
            assert get(f"{gateway.url}/nothing").status_code == 404


def test_a_dead_worker_is_replaced_and_a_signal_leaves_none(tmp_path: Path, run_wheelfs: RunWheelfs) -> None:
    with Serving(tmp_path / "gateway", "--workers", "2", "--offline") as gateway:
        before = pids(run_wheelfs, gateway)
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: len(pids(run_wheelfs, gateway) - {victim}) == 2)
        after = pids(run_wheelfs, gateway)
        assert len(before & after) == 1
        assert get(f"{gateway.url}/healthz").text == "ok\n"
    assert not any(map(is_alive, before | after))
    assert not list((gateway.store / "run").iterdir())


def metrics(gateway: Serving) -> dict[str, float]:
    """Every number that a scrape gives, by its name and labels; fails where two have the same."""
    told: dict[str, float] = {}
    for family in text_string_to_metric_families(get(f"{gateway.url}/metrics").text):
        assert family.documentation, family.name
        for sample in family.samples:
            key = " ".join([sample.name, *sample.labels.values()])
            assert key not in told
            told[key] = sample.value
    return told


def test_a_scrape_is_of_all_workers_and_no_count_goes_back_when_one_dies(tmp_path: Path, run_wheelfs: RunWheelfs) -> None:
    with FakeIndex() as index, Serving(tmp_path / "g", "--workers", "2", "--index", f"main={index.url}") as gateway:
        name, content = index.add_wheel("demo", "1.0", big_bytes=400_000)
        before = pids(run_wheelfs, gateway)
        with ThreadPoolExecutor(8) as pool:
            for path, status in ((f"/simple/demo/{name}", 200), (f"/simple/demo/{name}", 200), ("/simple/absent/", 404)):
                replies = list(pool.map(lambda path: get(f"{gateway.url}{path}"), [path] * 16))
                assert {reply.status_code for reply in replies} == {status}
        first = metrics(gateway)
        assert first["wheelfs_http_replies_total 404"] == 16
        assert first["wheelfs_http_replies_total 200"] == 32
        assert first["wheelfs_http_sent_bytes_total"] >= 32 * len(content)
        assert first["wheelfs_workers"] == 2
        assert first["wheelfs_origin_up main"] == 1
        os.kill(min(before), signal.SIGKILL)
        eventually(lambda: len(pids(run_wheelfs, gateway) - {min(before)}) == 2, deadline_s=60)
        get(f"{gateway.url}/simple/absent/")
        second = metrics(gateway)
        assert second["wheelfs_workers"] == 2
        assert second["wheelfs_http_replies_total 404"] == 17
        assert second["wheelfs_http_requests_under_way"] == 1
        counts = {key for key in first if key.startswith("wheelfs_") and "_total" in key}
        assert not {key: (first[key], second[key]) for key in counts if second[key] < first[key]}


def test_workers_end_when_their_head_is_killed_and_the_port_is_free(tmp_path: Path, run_wheelfs: RunWheelfs) -> None:
    gateway = Serving(tmp_path / "gateway", "--workers", "2", "--offline")
    gateway.__enter__()
    workers = pids(run_wheelfs, gateway)
    gateway.kill()
    eventually(lambda: not any(map(is_alive, workers)))
    where = urlsplit(gateway.url)
    with socket.socket() as asking, pytest.raises(ConnectionRefusedError):
        asking.connect((where.hostname, where.port))
    with gateway:
        assert len(pids(run_wheelfs, gateway)) == 2
        assert len(list((gateway.store / "run").glob("*.head"))) == 1


def test_no_worker_lets_pass_who_has_no_token(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret-word")
    with (
        FakeIndex() as index,
        Serving(tmp_path / "gateway", "--workers", "2", "--index", f"main={index.url}", "--token-file", str(token)) as gateway,
    ):
        name, content = index.add_wheel("demo", "1.0")
        for path in ("/simple/demo/", f"/simple/demo/{name}", "/", "/metrics", "/-/share/v1/news"):
            assert get(f"{gateway.url}{path}").status_code == 401
        assert get(f"{gateway.url}/simple/demo/{name}", Authorization="Bearer s3cret-word").content == content
        assert get(f"{gateway.url}/simple/demo/{name}").status_code == 401


@pytest.mark.parametrize("loaded", ["", "/lib-dynload/"], ids=["spawned", "importing"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_while_workers_start_ends_it_cleanly(
    tmp_path: Path, number: signal.Signals, loaded: str
) -> None:
    store = tmp_path / "store"
    command = wheelfs_command("--store", str(store), "serve", "--listen", "127.0.0.1:0", "--workers", "2", "--offline")
    environment = wheelfs_environment(tmp_path / "home")
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True) as gateway:
        children = Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children")
        eventually(lambda: len(children.read_text().split()) == 2)
        eventually(lambda: all(loaded in Path(f"/proc/{pid}/maps").read_text() for pid in children.read_text().split()))
        os.killpg(gateway.pid, number)
        _, talk = gateway.communicate(timeout=30)
    assert gateway.returncode == 0, talk
    assert "Traceback" not in talk
    assert not list((store / "run").iterdir())


@pytest.mark.parametrize("workers", ["0", "65", "many"])
def test_an_impossible_number_of_workers_is_told(run_wheelfs: RunWheelfs, store_dir: Path, workers: str) -> None:
    done = run_wheelfs("--store", str(store_dir), "serve", "--workers", workers)
    assert done.returncode == 2
    assert "1 to 64" in done.stderr
