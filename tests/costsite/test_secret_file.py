from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from costsite import secret_file


def test_makes_secrets_once_for_their_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "data" / "secrets.json"

    made = secret_file.read_or_make(file)

    assert secret_file.read_or_make(file) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(set(made.values())) == len(secret_file.NAMES)
    assert list(file.parent.iterdir()) == [file]
    Fernet(made["COSTSITE_CREDENTIAL_KEYS"])


def test_agrees_on_one_set_when_many_start_at_once(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(secret_file.read_or_make, [file] * 8))

    assert all(one == found[0] for one in found)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"SECRET_KEY": "only this"}'])
def test_refuses_a_file_that_is_not_whole(tmp_path: Path, content: str) -> None:
    file = tmp_path / "secrets.json"
    file.write_text(content)
    file.chmod(0o600)

    with pytest.raises(ImproperlyConfigured, match="Restore it from a backup"):
        secret_file.read_or_make(file)


def test_refuses_a_file_that_others_can_read(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    file.write_text(json.dumps(dict.fromkeys(secret_file.NAMES, "x")))
    file.chmod(0o644)

    with pytest.raises(ImproperlyConfigured, match="chmod 600"):
        secret_file.read_or_make(file)


def test_says_so_when_there_is_no_place_for_it(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, no folder")

    with pytest.raises(ImproperlyConfigured, match=r"cannot be made: .*Set COSTSITE_DATA"):
        secret_file.read_or_make(tmp_path / "data" / "secrets.json")
