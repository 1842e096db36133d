from __future__ import annotations

import errno
import os
import socket
import stat
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio

from wheelfs import app
from wheelfs.cli.commands.inspect import status_lines
from wheelfs.config import Settings
from wheelfs.errors import StoreReadOnly
from wheelfs.service.process import control_client
from wheelfs.service.process.control_client import Answered, Silent, Unasked, ask, ask_all, let_mounts_look
from wheelfs.service.process.control_socket import CONTROL_LIMITS, ControlLimits, serve_control

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelfs.service.process import control_socket

pytestmark = pytest.mark.filterwarnings("error")


async def start(
    nursery: trio.Nursery,
    run_dir: Path,
    answers: Mapping[str, control_socket.Answer] | None = None,
    limits: ControlLimits = CONTROL_LIMITS,
) -> Path:
    serve = partial(serve_control, run_dir, answers or {}, limits=limits)
    path: Path = await nursery.start(serve)
    return path


async def asked(path: Path, request: dict[str, Any], timeout_s: float = 10) -> Any:
    return await trio.to_thread.run_sync(lambda: ask(path, request, timeout_s=timeout_s))


async def raw(path: Path, data: bytes, *, close: bool = False) -> bytes:
    stream = await trio.open_unix_socket(str(path))
    async with stream:
        await stream.send_all(data)
        if close:
            return b""
        answer = bytearray()
        with trio.fail_after(30):
            while more := await stream.receive_some():
                answer += more
        return bytes(answer)


async def test_a_request_gets_the_answer_of_its_name_and_the_socket_is_private(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    async with trio.open_nursery() as nursery:
        path = await start(nursery, run_dir, {"answer": lambda: {"is": 42}})
        assert path == run_dir / f"{os.getpid()}.sock"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(run_dir.stat().st_mode) == 0o700
        assert await asked(path, {"do": "answer"}) == {"is": 42}
        assert await asked(path, {"do": "ping"}) == {"pid": os.getpid()}
        replies = await trio.to_thread.run_sync(lambda: ask_all(run_dir, {"do": "ping"}, timeout_s=10))
        assert replies == [Answered(os.getpid(), {"pid": os.getpid()})]
        nursery.cancel_scope.cancel()
    assert list(run_dir.iterdir()) == []


async def test_an_answer_that_waits_delays_no_other_and_is_bounded(tmp_path: Path) -> None:
    asked_for, may_answer = trio.Event(), trio.Event()

    async def wait() -> str:
        asked_for.set()
        await may_answer.wait()
        return "waited"

    async with trio.open_nursery() as nursery:
        path = await start(nursery, tmp_path / "run", {"wait": wait})
        async with trio.open_nursery() as asking:

            @asking.start_soon
            async def _() -> None:
                assert await asked(path, {"do": "wait"}) == "waited"

            await asked_for.wait()
            assert await asked(path, {"do": "ping"}) == {"pid": os.getpid()}
            may_answer.set()
        nursery.cancel_scope.cancel()
    async with trio.open_nursery() as nursery:
        path = await start(nursery, tmp_path / "run", {"never": trio.sleep_forever}, ControlLimits(connection_s=0.01))
        with pytest.raises(ValueError, match="without an answer"):
            await asked(path, {"do": "never"})
        nursery.cancel_scope.cancel()


async def test_a_mount_of_an_older_build_is_not_asked_to_look(tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        await start(nursery, tmp_path / "run")
        await trio.to_thread.run_sync(let_mounts_look, tmp_path / "run")
        nursery.cancel_scope.cancel()
    let_mounts_look(tmp_path / "no store")


async def test_a_store_in_a_very_deep_directory_has_a_socket_too(tmp_path: Path) -> None:
    run_dir = tmp_path / ("d" * 100) / ("e" * 100) / "run"
    async with trio.open_nursery() as nursery:
        path = await start(nursery, run_dir)
        assert await asked(path, {"do": "ping"}) == {"pid": os.getpid()}
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"not json\n", b"error"),
        (b"\n", b"error"),
        (b"[1,2]\n", b"object with"),
        (b'{"do": 7}\n', b"object with"),
        (b'{"do": "explode"}\n', b"is not one of ping"),
        (b"\xff\xfe\n", b"error"),
        (b"[" * 60_000 + b"\n", b"error"),
        (b"x" * 70_000, b"longer than"),
    ],
)
async def test_a_hostile_line_is_answered_with_an_error_and_the_next_client_is_served(
    tmp_path: Path, line: bytes, complaint: bytes
) -> None:
    async with trio.open_nursery() as nursery:
        path = await start(nursery, tmp_path)
        answer = await raw(path, line)
        assert answer.startswith(b'{"error":') and answer.endswith(b"\n") and complaint in answer
        assert await asked(path, {"do": "ping"}) == {"pid": os.getpid()}
        nursery.cancel_scope.cancel()


async def test_an_answer_that_raises_does_not_end_the_server(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> object:
        raise KeyError("a bug")

    async with trio.open_nursery() as nursery:
        path = await start(nursery, tmp_path, {"broken": broken})
        with pytest.raises(ValueError, match="internal error"):
            await asked(path, {"do": "broken"})
        assert await asked(path, {"do": "ping"}) == {"pid": os.getpid()}
        nursery.cancel_scope.cancel()
    assert "a request on the control socket failed" in caplog.text


async def test_clients_that_vanish_or_say_nothing_do_not_keep_others_out(tmp_path: Path) -> None:
    limits = ControlLimits(connection_s=0.2)
    async with trio.open_nursery() as nursery:
        path = await start(nursery, tmp_path, limits=limits)
        for _ in range(5):
            await raw(path, b'{"do"', close=True)
        silent = [await trio.open_unix_socket(str(path)) for _ in range(limits.connections)]
        assert await asked(path, {"do": "ping"}, timeout_s=30) == {"pid": os.getpid()}
        for stream in silent:
            await stream.aclose()
        nursery.cancel_scope.cancel()


def test_a_process_that_accepts_and_never_answers_is_reported_as_silent_within_the_bound(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "4242.sock"))
        listening.listen()
        replies = ask_all(tmp_path, {"do": "status"}, timeout_s=0.2)
    assert replies == [Silent(4242, "timed out")]


def test_a_process_of_another_user_is_not_taken_for_a_silent_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member of ``store-group`` sees its socket."""

    def refused(_path: Path, _request: object, *, timeout_s: float) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "4242.sock").touch()
    monkeypatch.setattr(control_client, "ask", refused)  # root, who runs tests too, may connect to any
    assert ask_all(tmp_path / "run", {"do": "status"}, timeout_s=1) == [Unasked(4242)]
    status = app.status(Settings(store=tmp_path, no_index=True))
    assert (status.unasked, status.silent) == ((4242,), ())
    assert not {"no mounts", "mount   process 4242 does not answer"} & set(status_lines(status))


def test_asking_where_nobody_runs_gives_nothing(tmp_path: Path) -> None:
    assert ask_all(tmp_path / "missing", {"do": "status"}, timeout_s=1) == []
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "5.sock"))
    assert ask_all(tmp_path, {"do": "status"}, timeout_s=1) == []


def test_the_store_of_another_user_is_refused_with_what_to_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_path: Path) -> list[Path]:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refused)  # root, who runs tests too, may read everything
    with pytest.raises(StoreReadOnly, match=r"Permission denied.*owner and mode"):
        ask_all(tmp_path / "store" / "run", {"do": "status"}, timeout_s=1)
