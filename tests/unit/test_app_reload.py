"""What is taken over on SIGHUP, what needs a restart, and that neither is guessed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from wheelfs.app.reload import RELOADED, Reloader
from wheelfs.config import OPTIONS, IndexSetting, Settings, load
from wheelfs.errors import UsageError

if TYPE_CHECKING:
    import pytest

OLD = load(environ={"HOME": "/nowhere"})
NEW = msgspec.structs.replace(OLD, offline=True, quota_bytes=1 << 30, indexes=(IndexSetting(name="lab", url="https://a/"),))


def test_what_changed_is_named_once_and_what_is_left_each_time(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Settings] = []
    reloader = Reloader(OLD, lambda: NEW)
    reloader.give_to(seen.append)
    with caplog.at_level(logging.WARNING):
        reloader.reload()
        reloader.reload()
    assert seen == [NEW, NEW]
    assert [record.getMessage() for record in caplog.records] == [
        "SIGHUP: taken over: offline.always, cache.quota; needs a restart: index",
        "SIGHUP: taken over: nothing that changed; needs a restart: index",
    ]


def test_a_broken_configuration_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Settings:
        raise UsageError("read the configuration", "c.toml: not valid TOML")

    seen: list[Settings] = []
    reloader = Reloader(OLD, broken)
    reloader.give_to(seen.append)
    reloader.reload()
    assert seen == []
    assert "stays as it was: read the configuration: c.toml" in caplog.text


def test_the_fields_are_options() -> None:
    assert {option.field for option in OPTIONS} >= RELOADED
