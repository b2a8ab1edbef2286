"""What the state folder keeps of the host: a key and a name, each made once."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from embedded.keeping import SEAL_FILE, seal_key, site_name


def test_the_key_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    """The second start finds the first one's key, and nobody else may read it."""
    first = seal_key(tmp_path / "state").read_text()

    assert first == seal_key(tmp_path / "state").read_text()
    assert 32 == len(bytes.fromhex(first.strip()))
    assert 0o600 == stat.S_IMODE((tmp_path / "state" / SEAL_FILE).stat().st_mode)


def test_two_folders_have_two_keys_and_two_names(tmp_path: Path) -> None:
    """Hosts are told apart by their folders, and neither can read the other's records."""
    one, two = tmp_path / "one", tmp_path / "two"

    assert seal_key(one).read_text() != seal_key(two).read_text()
    assert site_name(one) != site_name(two)
    assert site_name(one) == site_name(one)


def test_whoever_comes_second_takes_the_first_one_s_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two starts that both saw no key yet: the second one's is thrown away, or the first one's records were lost."""
    first = seal_key(tmp_path).read_text()
    monkeypatch.setattr(Path, "exists", lambda _: False)

    assert first == seal_key(tmp_path).read_text()


def test_starts_at_the_same_moment_agree(tmp_path: Path) -> None:
    """Of several that make the key at once one wins, and nothing half-written is left beside it."""
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: seal_key(tmp_path).read_text(), range(40)))

    assert 1 == len(made)
    assert [SEAL_FILE] == [file.name for file in tmp_path.iterdir()]
