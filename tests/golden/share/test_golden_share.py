"""What an earlier build has pushed, this one pulls to the byte."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from tests.fakes.crashes import stored
from wheelfs.remote.share.objects import open_objects
from wheelfs.remote.share.share import WrittenShare
from wheelfs.service.shares.pull import pull
from wheelfs.service.shares.push import push
from wheelfs.store.store import Store

GOLDEN = sorted(Path(__file__).parent.glob("*.tar.xz"))


@pytest.mark.parametrize("packed", GOLDEN, ids=lambda path: path.name.partition(".")[0])
def test_a_share_of_an_earlier_build_is_pulled_to_the_byte_and_pushed_to(packed: Path, tmp_path: Path) -> None:
    expected = json.loads(packed.with_name(packed.name.partition(".")[0] + ".json").read_text())["files"]
    with tarfile.open(packed) as archive:
        for entry in archive:
            content = archive.extractfile(entry)
            assert content is not None
            (tmp_path / "share" / entry.name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "share" / entry.name).write_bytes(content.read())
    share = WrittenShare(open_objects((tmp_path / "share").as_uri()))
    with Store.open(tmp_path / "store") as store:
        assert {file.filename: file.result for file in pull(store, share, [], contents=True)} == dict.fromkeys(expected, "pulled")
        names = {name.filename: name for name in store.catalog.stored_names("golden")}
        assert {file.result for file in push(store, share, [], private=True)} == {"present"}
    assert {name: hashlib.sha256(content).hexdigest() for name, content in stored(tmp_path / "store").items()} == expected
    first = names["golden-1.0-py3-none-any.whl"]
    assert (first.index, first.yanked, first.requires_python, first.upload_time_us) == (
        "main",
        "it breaks",
        ">=3.11",
        1_760_000_000_000_000,
    )


def test_there_is_a_golden_share() -> None:
    assert GOLDEN
