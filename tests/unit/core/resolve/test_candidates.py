from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from packaging.markers import default_environment
from packaging.specifiers import SpecifierSet

from wheelfs.core.platforms.targets import named
from wheelfs.core.resolve.candidates import NothingFits, choose, why_an_sdist
from wheelfs.model.links import FileLink
from wheelfs.model.names import ProjectName
from wheelfs.model.wanted import Wanted

TARGET = named(
    "3.11",
    ["manylinux_2_28_x86_64"],
    machine_platforms=[],
    environment={key: str(value) for key, value in default_environment().items()},
)


def link(filename: str, **more: object) -> FileLink:
    return FileLink(filename, f"https://files.example/{filename}", sha256=hashlib.sha256(filename.encode()).digest(), **more)  # type: ignore[arg-type]


def chosen(specifier: str, *links: FileLink | str, hashes: frozenset[str] = frozenset(), **more: Any) -> str | NothingFits:
    wanted = Wanted(ProjectName("a"), SpecifierSet(specifier), hashes, **more)
    found = choose(wanted, [link(one) if isinstance(one, str) else one for one in links], TARGET)
    return found if isinstance(found, NothingFits) else found.filename


PURE = "a-1.0-py3-none-any.whl"
EXACT = "a-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
STABLE = "a-1.0-cp38-abi3-manylinux_2_28_x86_64.whl"
FOREIGN = "a-1.0-cp311-cp311-win_amd64.whl"
SDIST = "a-1.0.tar.gz"


def test_the_most_preferred_wheel_goes_before_others_and_those_before_an_sdist() -> None:
    assert chosen("", SDIST, PURE, FOREIGN, STABLE, EXACT) == EXACT
    assert chosen("", SDIST, PURE, FOREIGN, STABLE) == STABLE
    assert chosen("", SDIST, FOREIGN, PURE) == PURE
    assert chosen("", FOREIGN, SDIST) == SDIST


def test_the_newest_version_that_has_something_usable_is_taken() -> None:
    assert chosen("", PURE, "a-2.0-cp312-cp312-win_amd64.whl") == PURE
    assert chosen("", PURE, "a-2.0.tar.gz") == "a-2.0.tar.gz"
    assert chosen("<2", PURE, "a-2.0.tar.gz") == PURE
    assert chosen("", "a-9.0-py3-none-any.whl", "a-10.0-py3-none-any.whl") == "a-10.0-py3-none-any.whl"


def test_an_old_sdist_has_dashes_in_its_version() -> None:
    """Each as pip 26.3 and uv 0.13.8 take it; by its last dash a-1.0-2 is version 2 of another project."""
    post, alpha, dev, revision = "a-1.0-2.tar.gz", "A-1.0-alpha1.zip", "a-0.9-dev.tar.gz", "a-1.0-r5.tar.gz"
    everything = (post, alpha, dev, revision, "a-1.5.tar.gz")
    assert chosen("", *everything) == "a-1.5.tar.gz"
    assert chosen("<1.5", *everything) == revision
    for specifier, name in (("==1.0.post2", post), ("==1.0a1", alpha), ("==0.9.dev0", dev), ("==1.0.post5", revision)):
        assert chosen(specifier, *everything) == name


def test_a_file_of_another_project_is_none_to_take() -> None:
    for other in ("a-b-2.0.tar.gz", "b-2.0-py3-none-any.whl", "b-2.0.tar.gz"):
        assert chosen("", PURE, other) == PURE


def test_prereleases_are_taken_when_asked_for_or_alone() -> None:
    beta = "a-2.0b1-py3-none-any.whl"
    assert chosen("", PURE, beta) == PURE
    assert chosen("==2.0b1", PURE, beta) == beta
    assert chosen("", beta) == beta


def test_the_highest_build_is_taken() -> None:
    assert chosen("", PURE, "a-1.0-10-py3-none-any.whl", "a-1.0-9-py3-none-any.whl") == "a-1.0-10-py3-none-any.whl"


@pytest.mark.parametrize(("specifier", "expected"), [("", PURE), (">=1", PURE), ("==2.*", None), ("==2.0", "a-2.0.tar.gz")])
def test_yanked_files_are_taken_only_when_one_version_is_asked_for(specifier: str, expected: str | None) -> None:
    found = chosen(specifier, PURE, link("a-2.0.tar.gz", yanked=""))
    assert found == (expected or NothingFits("what fits is yanked"))


def test_requires_python_is_heeded_and_nonsense_in_it_forbids_nothing() -> None:
    assert chosen("", PURE, link("a-2.0.tar.gz", requires_python=">=3.12")) == PURE
    assert chosen("", PURE, link("a-2.0.tar.gz", requires_python=">=nonsense")) == "a-2.0.tar.gz"


def test_a_prerelease_of_a_python_is_one_of_what_requires_its_release() -> None:
    environment = {key: str(value) for key, value in default_environment().items()}
    target = named("3.14.0rc1", [], machine_platforms=["linux_x86_64"], environment=environment)
    newest = link(PURE, requires_python=">=3.14")
    assert choose(Wanted(ProjectName("a")), [newest], target) == newest


def test_what_uv_has_chosen_is_not_asked_again_for_which_pythons_it_is() -> None:
    bounded = link(PURE, requires_python=">=3.8,<3.11")
    assert chosen("==1.0", bounded) == NothingFits("none of its files is for this Python and platform")
    assert chosen("==1.0", bounded, filenames=frozenset({PURE})) == PURE
    assert chosen("==1.0", bounded, is_resolved=True) == PURE


def test_only_a_file_with_one_of_the_hashes_is_taken() -> None:
    digest = hashlib.sha256(PURE.encode()).hexdigest()
    assert chosen("", PURE, EXACT, hashes=frozenset({f"sha256:{digest}"})) == PURE
    refused = chosen("", PURE, EXACT, hashes=frozenset({"sha256:00"}))
    assert isinstance(refused, NothingFits)
    assert refused.is_mismatch
    assert chosen("", FileLink(PURE, "https://files.example/x"), hashes=frozenset({"sha256:00"})) == PURE
    other = FileLink(PURE, "https://files.example/x", other_hashes={"sha512": "ab"})
    assert chosen("", other, hashes=frozenset({"sha512:ab"})) == PURE
    assert chosen("", other, hashes=frozenset({"sha512:cd"})) == NothingFits(refused.reason, is_mismatch=True)


def test_a_hash_of_an_algorithm_that_is_not_told_is_left_open() -> None:
    assert chosen("", PURE, hashes=frozenset({"sha512:ab"})) == PURE
    assert chosen("", PURE, hashes=frozenset({"sha512:ab", "sha256:00"})) == PURE
    digest = hashlib.sha256(PURE.encode()).hexdigest()
    newer = "a-2.0-py3-none-any.whl"
    assert chosen("", PURE, newer, hashes=frozenset({f"sha256:{digest}", "sha512:ab"})) == PURE


def test_kinds_that_are_excluded_are_not_taken() -> None:
    newer = "a-2.0.tar.gz"
    assert chosen("", PURE, newer, kinds=frozenset({"wheel"})) == PURE
    assert chosen("", PURE, newer, prefers_wheels=True) == PURE
    assert chosen("", PURE, "a-1.0.tar.gz", kinds=frozenset({"sdist"})) == "a-1.0.tar.gz"
    assert chosen("", newer, kinds=frozenset({"wheel"})) == NothingFits("what fits is excluded by --only-binary")
    assert chosen("", PURE, kinds=frozenset({"sdist"})) == NothingFits("what fits is excluded by --no-binary")
    only = NothingFits("none of its files that --only-binary allows is for this Python and platform")
    assert chosen("", FOREIGN, newer, kinds=frozenset({"wheel"})) == only


def test_a_lock_names_the_files_of_which_one_is_taken() -> None:
    assert chosen("", PURE, EXACT, filenames=frozenset({PURE})) == PURE
    assert chosen("", EXACT, filenames=frozenset({PURE})) == NothingFits("it has none of the files that the lock names")


def test_of_a_lock_another_hash_of_the_best_file_is_no_reason_to_take_the_next() -> None:
    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in (PURE, SDIST)}
    names = frozenset({PURE, SDIST, FOREIGN})
    wrong = frozenset({f"sha256:{digests[SDIST]}", f"sha256:{'0' * 64}"})
    assert chosen("==1.0", PURE, SDIST, FOREIGN, filenames=names, hashes=wrong) == NothingFits(
        f"{PURE} has none of the hashes that the lock gives", is_mismatch=True
    )
    assert chosen("==1.0", FOREIGN, SDIST, filenames=names, hashes=wrong) == SDIST
    right = wrong | {f"sha256:{digests[PURE]}"}
    assert chosen("==1.0", PURE, SDIST, filenames=names, hashes=right) == PURE
    assert chosen("==1.0", link(PURE, yanked=""), SDIST, filenames=names, hashes=right) == PURE


def test_a_prerelease_is_taken_when_no_other_version_can_be_used_here() -> None:
    beta = "a-2.0b1-py3-none-any.whl"
    assert chosen("", FOREIGN, beta) == beta
    assert chosen("", FOREIGN, beta, prereleases=False) == NothingFits("what fits is a pre-release")


def test_of_a_pinned_version_what_is_not_yanked_goes_first() -> None:
    assert chosen("==1.0", link(EXACT, yanked=""), PURE) == PURE


def test_an_sdist_that_comes_for_want_of_a_wheel_is_explained() -> None:
    wanted = Wanted(ProjectName("a"))
    links = [link("a-2.0.tar.gz"), link(PURE)]
    assert (said := why_an_sdist(links[0], wanted, links)) is not None
    assert "version 2.0 has no wheel (--only-binary" in said
    links = [link("a-1.0.tar.gz"), link(FOREIGN)]
    assert "no wheel of version 1.0 is for this Python and platform" in (why_an_sdist(links[0], wanted, links) or "")
    assert why_an_sdist(links[1], wanted, links) is None
    assert why_an_sdist(links[0], replace(wanted, kinds=frozenset({"sdist"})), links) is None


def test_variant_wheels_are_passed_over() -> None:
    assert chosen("", "a-1.0-py3-none-any-cu130.whl", PURE, "a-1.0-variants.json") == PURE


def test_what_does_not_fit_is_told_apart() -> None:
    assert chosen("", "README.txt") == NothingFits("it has no files")
    assert chosen(">5", PURE) == NothingFits("no version fits")
    assert chosen("", FOREIGN) == NothingFits("none of its files is for this Python and platform")
