from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from wheelfs.service.process.sockets import bound_socket, remove_stale, short_address

if TYPE_CHECKING:
    from pathlib import Path


def test_sockets_of_dead_processes_are_removed_and_others_left(tmp_path: Path) -> None:
    dead, alive, foreign = tmp_path / "11.sock", tmp_path / "12.sock", tmp_path / "notes.txt"
    with bound_socket(dead) as made:
        made.listen()
    foreign.write_text("not a socket")
    with bound_socket(alive) as listening:
        listening.listen()
        assert dead.exists()
        remove_stale([*tmp_path.iterdir(), tmp_path / "gone"])
        assert sorted(path.name for path in tmp_path.iterdir()) == ["12.sock", "notes.txt"]


def test_a_socket_is_this_users_alone_and_may_lie_however_deep(tmp_path: Path) -> None:
    path = tmp_path.joinpath(*["deep" * 20] * 3, "1.sock")
    path.parent.mkdir(parents=True)
    assert len(str(path)) > 107
    with bound_socket(path) as made, socket.socket(socket.AF_UNIX) as asking:
        made.listen()
        assert path.stat().st_mode & 0o777 == 0o600
        with short_address(path) as address:
            asking.connect(address)
