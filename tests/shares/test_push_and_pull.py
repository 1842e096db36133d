"""Files go to a share and come back to the byte; whatever is wrong with the share, readers say so and go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.commands import error_of, objects
from tests.fakes.crashes import stored
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.errors import NameTaken, OriginFault, OriginMissing, StoreFull
from wheelfs.model.shared import SharedFile
from wheelfs.remote.share.objects import open_objects
from wheelfs.remote.share.share import WrittenShare
from wheelfs.service.shares.condemned_view import CondemnedView
from wheelfs.service.shares.limits import PushLimits
from wheelfs.service.shares.pull import pull
from wheelfs.service.shares.push import push
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.limits import Limits
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunWheelfs
    from tests.shares.conftest import Place

DATA = incompressible(900_000, "data")


def wheel(version: str, project: str = "good", more: bytes = b"", data: bytes = DATA) -> tuple[str, bytes]:
    files = {"good/data.bin": data, f"{project}/__init__.py": version.encode(), f"{project}/more.bin": more}
    return wheel_filename(project, version), build_wheel(project, version, files=files, compression="stored")


def fill(path: Path, *wheels: tuple[str, bytes], private: bool = False, index: str = "main") -> None:
    with Store.open(path) as store:
        for filename, content in wheels:
            name = StoredName(
                project=filename.partition("-")[0],
                filename=filename,
                index=index,
                size_bytes=len(content),
                added_at_us=1,
                private=private,
                yanked="it breaks",
                upload_time_us=5,
            )
            copy = path.with_name("copy")
            copy.write_bytes(content)
            with copy.open("rb") as opened:
                store.add_content(opened.fileno(), len(content), expected_sha256=None, names=[name])


def pushed(path: Path, url: str, *words: str, private: bool = False) -> dict[str, tuple[str, int]]:
    with Store.open(path) as store:
        done = list(push(store, WrittenShare(open_objects(url)), words, private=private))
    return {file.filename: (file.result, file.written_bytes) for file in done}


def pulled(path: Path, url: str, *words: str, contents: bool = True) -> dict[str, tuple[str, str]]:
    with Store.open(path) as store:
        done = list(pull(store, WrittenShare(open_objects(url)), words, contents=contents))
    return {file.filename: (file.result, file.error_class or "") for file in done}


@pytest.fixture
def share(tmp_path: Path) -> Path:
    directory = tmp_path / "share"
    directory.mkdir()
    return directory


def the_one(share: Path, below: str) -> Path:
    [found] = [path for path in (share / below).rglob("*") if path.is_file()]
    return found


def test_a_file_comes_back_to_the_byte_and_with_all_that_is_known_of_it(place: Place, tmp_path: Path) -> None:
    one = wheel("1.0")
    fill(tmp_path / "a", one)
    assert pushed(tmp_path / "a", place.url)[one[0]][0] == "pushed"
    assert pulled(tmp_path / "b", place.url, contents=False) == {one[0]: ("missing", "")}
    assert pulled(tmp_path / "b", place.url) == {one[0]: ("pulled", "")}
    assert pulled(tmp_path / "b", place.url) == {one[0]: ("present", "")}
    assert stored(tmp_path / "b") == dict([one])
    with Store.open(tmp_path / "b") as store:
        [name] = store.catalog.stored_names("good")
    assert (name.index, name.private, name.yanked, name.upload_time_us) == ("main", False, "it breaks", 5)


def test_only_what_is_new_goes_either_way(place: Place, tmp_path: Path) -> None:
    one, two = wheel("1.0"), wheel("2.0")
    fill(tmp_path / "a", one)
    fill(tmp_path / "b", two)
    assert pushed(tmp_path / "a", place.url)[one[0]][1] > 900_000
    assert pushed(tmp_path / "b", place.url)[two[0]][1] < 10_000, "the data were there, in a pack of another writer"
    with Store.open(tmp_path / "a") as store:
        [file] = pull(store, WrittenShare(place.open()), [two[0]], contents=True)
    assert (file.result, file.read_bytes < 10_000) == ("pulled", True)
    assert stored(tmp_path / "a") == dict([one, two])


def test_what_is_there_already_is_not_written_again(place: Place, tmp_path: Path) -> None:
    one = wheel("1.0")
    fill(tmp_path / "a", one)
    fill(tmp_path / "b", one)
    pushed(tmp_path / "a", place.url)
    assert pushed(tmp_path / "a", place.url) == {one[0]: ("present", 0)}
    assert pushed(tmp_path / "b", place.url) == {one[0]: ("present", 0)}


def test_private_files_are_pushed_only_when_it_is_said(tmp_path: Path, share: Path) -> None:
    one, own = wheel("1.0"), wheel("1.0", "own")
    fill(tmp_path / "a", one)
    fill(tmp_path / "a", own, private=True, index="local")
    assert list(pushed(tmp_path / "a", share.as_uri())) == [one[0]]
    assert list(pushed(tmp_path / "a", share.as_uri(), "own")) == [own[0]]
    assert list(pushed(tmp_path / "a", share.as_uri(), private=True)) == [one[0], own[0]]
    pulled(tmp_path / "b", share.as_uri())
    with Store.open(tmp_path / "b") as store:
        assert [(name.index, name.private) for name in store.catalog.stored_names("own")] == [("local", True)]


def test_files_that_are_meant_by_their_content_are_copied_and_others_of_their_names_are_not(tmp_path: Path, share: Path) -> None:
    one, own = wheel("1.0"), (wheel("1.0")[0], wheel("1.0", data=b"own")[1])
    fill(tmp_path / "a", one)
    fill(tmp_path / "a", own, private=True, index="local")
    absent = ("good", wheel_filename("good", "9.0"), bytes(32))
    with Store.open(tmp_path / "a") as store:
        [name] = [name for name in store.catalog.stored_names("good") if not name.private]
        meant = frozenset({("good", name.filename, name.sha256), absent})
        [pushed] = push(store, WrittenShare(open_objects(share.as_uri())), meant, private=False)
        assert (pushed.sha256, pushed.result) == (name.sha256.hex(), "pushed")
        [_, _] = push(store, WrittenShare(open_objects(share.as_uri())), ["good"], private=False)
    with Store.open(tmp_path / "b") as store:
        [pulled] = pull(store, WrittenShare(open_objects(share.as_uri())), meant, contents=True)
        assert (pulled.sha256, pulled.result) == (name.sha256.hex(), "pulled")


def test_more_than_fits_into_the_quota_is_refused_once_the_first_file_has_to_go(tmp_path: Path, share: Path) -> None:
    wheels = [wheel(f"{number}.0", data=incompressible(900_000, f"{number}")) for number in range(8)]
    fill(tmp_path / "a", *wheels)
    pushed(tmp_path / "a", share.as_uri())
    done: list[str] = []
    target = WrittenShare(open_objects(share.as_uri()))
    with Store.open(tmp_path / "b", limits=Limits(quota_bytes=4_500_000)) as store:
        with pytest.raises(StoreFull, match="do not fit into the quota together"):
            done.extend(file.result for file in pull(store, target, [], contents=True))
        assert len(done) < len(wheels), "no more is read than is of use"
        assert set(done) == {"pulled"}
        some = [filename for filename, _ in wheels[-2:]]
        assert {file.result for file in pull(store, target, some, contents=True)} <= {"pulled", "present"}


def test_large_files_take_several_packs_and_each_is_seen_when_its_own_are_there(tmp_path: Path, share: Path) -> None:
    wheels = [wheel(f"{number}.0", more=incompressible(400_000, f"{number}")) for number in range(3)]
    fill(tmp_path / "a", *wheels)
    with Store.open(tmp_path / "a") as store:
        limits = PushLimits(pack_bytes=500_000)
        going = push(store, WrittenShare(open_objects(share.as_uri())), [], private=False, limits=limits)
        first = next(going)
        assert pulled(tmp_path / "b", share.as_uri()) == {first.filename: ("pulled", "")}, "before the last one is pushed"
        list(going)
    pulled(tmp_path / "b", share.as_uri())
    assert stored(tmp_path / "b") == dict(wheels)
    assert len(list((share / "packs").rglob("*/*"))) > 3


@pytest.mark.parametrize("below", ["packs", "manifests"])
@pytest.mark.parametrize("how", ["torn", "flipped", "foreign", "missing"])
def test_a_damaged_object_costs_the_files_that_need_it_and_nothing_else(
    tmp_path: Path, share: Path, below: str, how: str
) -> None:
    bad, good = wheel("1.0"), wheel("1.0", "other", data=b"small")
    fill(tmp_path / "a", bad)
    pushed(tmp_path / "a", share.as_uri())
    spoil(the_one(share, below), how)
    fill(tmp_path / "c", good)
    pushed(tmp_path / "c", share.as_uri())
    told = pulled(tmp_path / "b", share.as_uri())
    error = (OriginMissing if how == "missing" else OriginFault).__name__
    assert told == {bad[0]: ("failed", error), good[0]: ("pulled", "")}
    assert stored(tmp_path / "b") == dict([good])


@pytest.mark.parametrize("how", ["torn", "flipped", "foreign"])
def test_a_damaged_record_is_left_out_and_the_log_goes_on(tmp_path: Path, share: Path, how: str) -> None:
    one, two = wheel("1.0"), wheel("2.0")
    fill(tmp_path / "a", one)
    pushed(tmp_path / "a", share.as_uri())
    spoil(the_one(share, "log"), how)
    fill(tmp_path / "c", two)
    assert pushed(tmp_path / "c", share.as_uri())[two[0]][0] == "pushed"
    assert pulled(tmp_path / "b", share.as_uri()) == {two[0]: ("pulled", "")}
    assert pushed(tmp_path / "c", share.as_uri(), two[0])[two[0]][0] == "present"


def test_a_file_whose_manifest_was_deleted_is_pushed_again_when_it_is_named(tmp_path: Path, share: Path) -> None:
    one = wheel("1.0")
    fill(tmp_path / "a", one)
    pushed(tmp_path / "a", share.as_uri())
    the_one(share, "manifests").unlink()
    assert pushed(tmp_path / "a", share.as_uri(), one[0])[one[0]][0] == "pushed"
    assert pulled(tmp_path / "b", share.as_uri()) == {one[0]: ("pulled", "")}


@pytest.mark.parametrize("lost", ["packs", "manifests"])
def test_a_file_that_lacks_something_is_not_said_to_be_there_and_comes_back_as_it_is_told(
    tmp_path: Path, share: Path, lost: str
) -> None:
    one = wheel("1.0")
    fill(tmp_path / "a", one)
    pushed(tmp_path / "a", share.as_uri())
    described = the_one(share, "manifests")
    spoil(the_one(share, lost), "missing" if lost == "packs" else "torn")
    with Store.open(tmp_path / "a") as store:
        [failed] = push(store, WrittenShare(open_objects(share.as_uri())), [one[0]], private=False)
    assert (failed.result, failed.error_class) == ("failed", OriginFault.__name__)
    assert "delete that object" in (failed.reason or "")
    described.unlink()
    assert pushed(tmp_path / "a", share.as_uri(), one[0])[one[0]][0] == "pushed"
    assert pulled(tmp_path / "b", share.as_uri()) == {one[0]: ("pulled", "")}


def test_nothing_is_told_that_somebody_else_has_described_by_a_pack_that_was_lost(tmp_path: Path, share: Path) -> None:
    one = wheel("1.0")
    fill(tmp_path / "a", one)
    pushed(tmp_path / "a", share.as_uri())
    the_one(share, "packs").unlink()
    the_one(share, "log").unlink()
    fill(tmp_path / "b", one)
    assert pushed(tmp_path / "b", share.as_uri())[one[0]][0] == "failed"


def test_a_file_is_not_told_of_in_a_share_that_was_begun_anew_while_it_was_pushed(
    tmp_path: Path, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = wheel("1.0")
    fill(tmp_path / "a", one)

    def freshen(self: CondemnedView) -> None:
        """Wipe the share when the packs are written, and begin it again."""
        monkeypatch.undo()
        the_one(share, "packs").unlink()
        (share / "wheelfs-share").unlink()
        WrittenShare(open_objects(share.as_uri())).catalog.prepare()
        self.freshen()

    monkeypatch.setattr(WrittenShare, "has_manifest", lambda *_: monkeypatch.setattr(CondemnedView, "freshen", freshen))
    assert pushed(tmp_path / "a", share.as_uri())[one[0]][0] == "failed"
    assert not pulled(tmp_path / "b", share.as_uri())


def test_nothing_new_relies_on_a_pack_that_was_deleted(tmp_path: Path, share: Path) -> None:
    one, two = wheel("1.0"), wheel("2.0")
    fill(tmp_path / "a", one)
    pushed(tmp_path / "a", share.as_uri())
    the_one(share, "packs").unlink()
    fill(tmp_path / "c", two)
    assert pushed(tmp_path / "c", share.as_uri())[two[0]][1] > 900_000
    assert pulled(tmp_path / "b", share.as_uri(), two[0]) == {two[0]: ("pulled", "")}


def spoil(path: Path, how: str) -> None:
    content = path.read_bytes()
    path.unlink()
    if how == "torn":
        path.write_bytes(content[: len(content) // 2])
    elif how == "flipped":
        path.write_bytes(content[:600] + bytes([content[600] ^ 1]) + content[601:] if len(content) > 600 else bytes(len(content)))
    elif how == "foreign":
        path.write_bytes(b"<html>what a proxy says")


def test_strange_names_among_the_objects_are_passed_over(tmp_path: Path, share: Path) -> None:
    one = wheel("1.0")
    fill(tmp_path / "a", one)
    pushed(tmp_path / "a", share.as_uri())
    for below in ("log", "snapshots", "roots", "manifests"):
        (share / below).mkdir(exist_ok=True)
        for strange in (".new-0123", ".nfs0000", "notes.txt", "F" * 32, "lost+found"):
            (share / below / strange).write_bytes(b"?")
        (share / below / ("0" * 32)).mkdir()
    assert pulled(tmp_path / "b", share.as_uri()) == {one[0]: ("pulled", "")}


def test_a_record_that_claims_another_file_s_name_is_not_believed(tmp_path: Path, share: Path) -> None:
    """Bytes that do not have the sha256 that a record says never come into the store."""
    one = wheel("1.0")
    fill(tmp_path / "a", one)
    pushed(tmp_path / "a", share.as_uri())
    lie = SharedFile("good", one[0], "main", b"\1" * 32, len(one[1]))
    WrittenShare(open_objects(share.as_uri())).catalog.append(None, [lie], may_tell=lambda: True)
    manifest = the_one(share, "manifests")
    target = share / "manifests" / "01" / ("01" * 32)
    target.parent.mkdir()
    target.write_bytes(manifest.read_bytes())
    with Store.open(tmp_path / "b") as store:
        told = {file.sha256: file for file in pull(store, WrittenShare(open_objects(share.as_uri())), [], contents=True)}
    assert (told["01" * 32].result, told["01" * 32].error_class) == ("failed", "ContentMismatch")
    assert stored(tmp_path / "b") == dict([one])


def test_a_name_that_is_stored_with_other_content_keeps_it(tmp_path: Path, share: Path) -> None:
    one, other = wheel("1.0"), wheel("1.0", more=b"more")
    fill(tmp_path / "a", one)
    pushed(tmp_path / "a", share.as_uri())
    fill(tmp_path / "b", other)
    assert pulled(tmp_path / "b", share.as_uri()) == {one[0]: ("failed", NameTaken.__name__)}
    assert stored(tmp_path / "b") == dict([other])


def test_a_damaged_chunk_of_the_store_is_not_pushed(tmp_path: Path, share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = wheel("1.0")
    fill(tmp_path / "a", one)
    monkeypatch.setattr("wheelfs.store.chunks.sealed_file.SealedFile.read", lambda self, offset, size: bytes(size))
    assert pushed(tmp_path / "a", share.as_uri()) == {one[0]: ("failed", 0)}
    assert not (share / "log").exists()


def test_a_share_of_another_format_is_neither_read_nor_written(tmp_path: Path, share: Path) -> None:
    (share / "wheelfs-share").write_bytes(b"wheelfs share 9\n")
    fill(tmp_path / "a", wheel("1.0"))
    with pytest.raises(OriginFault, match="a format that this version does not know"):
        pushed(tmp_path / "a", share.as_uri())
    with pytest.raises(OriginFault, match="a format that this version does not know"):
        pulled(tmp_path / "a", share.as_uri())
    assert [path.name for path in share.iterdir()] == ["wheelfs-share"]


def test_the_commands_say_what_they_did(run_wheelfs: RunWheelfs, tmp_path: Path, share: Path) -> None:
    filename, content = wheel("1.0")
    (tmp_path / filename).write_bytes(content)
    run_wheelfs("--store", "a", "add", filename).succeeded()
    assert error_of(run_wheelfs("--store", "b", "pull", "--json", "--share", share.as_uri()))["class"] == "OriginMissing"
    [line] = objects(run_wheelfs("--store", "a", "push", "--json", "--share", share.as_uri(), filename).succeeded())
    assert (line["file"]["filename"], line["file"]["result"], line["file"]["private"]) == (filename, "pushed", True)
    assert run_wheelfs("--store", "b", "pull", "--share", share.as_uri()).succeeded().stdout.splitlines() == [
        f"missing {filename}",
        "1 file in the share: 0 here already, 1 missing here, --contents copies them",
    ]
    said = run_wheelfs("--store", "b", "pull", "--share", share.as_uri(), "--contents", "good>=1").succeeded().stdout
    assert said.splitlines()[-1].startswith("1 file pulled")
    assert error_of(run_wheelfs("--store", "b", "pull", "--json", "--share", share.as_uri(), "absent"))["class"] == "NotKnown"
    assert stored(tmp_path / "b") == {filename: content}


def test_a_manifest_of_one_chunk_repeated_needs_its_place_only_once(tmp_path: Path, share: Path) -> None:
    repeated = wheel_filename("good", "3.0"), build_wheel("good", "3.0", files={"good/a": b"x" * 4_000_000}, compression="stored")
    fill(tmp_path / "a", repeated)
    assert pushed(tmp_path / "a", share.as_uri())[repeated[0]][1] < 600_000
    assert pulled(tmp_path / "b", share.as_uri()) == {repeated[0]: ("pulled", "")}
    assert stored(tmp_path / "b") == dict([repeated])
