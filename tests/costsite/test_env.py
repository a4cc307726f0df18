from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from costsite import env


@pytest.fixture
def set_env(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("THING", raising=False)
    monkeypatch.delenv("THING_FILE", raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("written", "meant"),
    [("1", True), ("true", True), ("ON", True), ("0", False), ("no", False), ("", True)],
)
def test_reads_yes_and_no(set_env: pytest.MonkeyPatch, written: str, meant: bool) -> None:
    set_env.setenv("THING", written)

    assert env.truth("THING", default=True) is meant


def test_refuses_a_truth_it_does_not_know_and_names_it(set_env: pytest.MonkeyPatch) -> None:
    set_env.setenv("THING", "maybe")

    with pytest.raises(ImproperlyConfigured, match="THING='maybe' is neither yes nor no"):
        env.truth("THING", default=False)


@pytest.mark.parametrize("written", ["ten", "1.5", "-1", "1e3"])
def test_refuses_what_is_no_whole_number(set_env: pytest.MonkeyPatch, written: str) -> None:
    set_env.setenv("THING", written)

    with pytest.raises(ImproperlyConfigured, match="THING"):
        env.whole("THING", 7)


@pytest.mark.parametrize("written", ["NaN", "Infinity", "-0.01", "1,5"])
def test_refuses_what_is_no_amount(set_env: pytest.MonkeyPatch, written: str) -> None:
    set_env.setenv("THING", written)

    with pytest.raises(ImproperlyConfigured, match="THING"):
        env.decimal("THING", "1")


def test_reads_decimals_exactly(set_env: pytest.MonkeyPatch) -> None:
    set_env.setenv("THING", "0.1")

    assert env.decimal("THING", "1") == Decimal("0.1")


def test_drops_blanks_and_empty_items_of_a_list(set_env: pytest.MonkeyPatch) -> None:
    set_env.setenv("THING", " a.example , ,b.example,")

    assert env.listing("THING") == ["a.example", "b.example"]


def test_reads_a_secret_from_the_file_that_is_named(
    set_env: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    set_env.setenv("THING_FILE", str(tmp_path / "secret"))

    assert env.text("THING") == "s3cret"


def test_refuses_a_value_and_a_file_at_once(set_env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_env.setenv("THING", "a")
    set_env.setenv("THING_FILE", str(tmp_path / "secret"))

    with pytest.raises(ImproperlyConfigured, match="not both"):
        env.text("THING")


def test_refuses_a_secret_file_that_is_not_there(
    set_env: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_env.setenv("THING_FILE", str(tmp_path / "nothing"))

    with pytest.raises(ImproperlyConfigured, match=r"THING_FILE: cannot read .*No such file"):
        env.text("THING")


def test_reads_a_postgres_address_as_libpq_does(set_env: pytest.MonkeyPatch) -> None:
    set_env.setenv("THING", "postgresql://ann:p%40ss@db.example:6432/costs?sslmode=require")

    assert env.postgres("THING") == {
        "user": "ann",
        "password": "p@ss",
        "host": "db.example",
        "port": "6432",
        "dbname": "costs",
        "sslmode": "require",
    }


@pytest.mark.parametrize(
    "written",
    ["mysql://a/b", "sqlite:///x", "postgresql://host/", "postgresql://h/db?nonsense=1"],
)
def test_refuses_other_databases_and_half_addresses(
    set_env: pytest.MonkeyPatch, written: str
) -> None:
    set_env.setenv("THING", written)

    with pytest.raises(ImproperlyConfigured, match="THING"):
        env.postgres("THING")


def test_keeps_blanks_in_values_of_a_connection_string() -> None:
    assert env.conninfo({"host": "/a b", "dbname": "x"}) == "host='/a b' dbname=x"


def test_reads_where_mail_goes(set_env: pytest.MonkeyPatch) -> None:
    set_env.setenv("THING", "smtp+tls://ann%40example.com:p%2Fw@mail.example:2525?timeout=3")

    found = env.email("THING", "console:")

    assert found["EMAIL_BACKEND"].endswith("smtp.EmailBackend")
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"]) == ("mail.example", 2525)
    assert (found["EMAIL_HOST_USER"], found["EMAIL_HOST_PASSWORD"]) == ("ann@example.com", "p/w")
    assert (found["EMAIL_USE_TLS"], found["EMAIL_USE_SSL"]) == (True, False)
    assert found["EMAIL_TIMEOUT"] == 3


@pytest.mark.parametrize("written", ["mailgun://x", "smtp://h:port", "smtp://h?timeout=soon"])
def test_refuses_mail_that_cannot_be_sent(set_env: pytest.MonkeyPatch, written: str) -> None:
    set_env.setenv("THING", written)

    with pytest.raises(ImproperlyConfigured, match="THING"):
        env.email("THING", "console:")


@pytest.mark.parametrize("written", ["costs.example.com", "ftp://x", "https://"])
def test_refuses_what_is_no_web_address(set_env: pytest.MonkeyPatch, written: str) -> None:
    set_env.setenv("THING", written)

    with pytest.raises(ImproperlyConfigured, match="THING"):
        env.web_address("THING", "")


def test_takes_lines_of_a_file_but_what_is_set_stays(
    set_env: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_env.setenv("THING", "set")
    set_env.delenv("OTHER", raising=False)
    file = tmp_path / ".env"
    file.write_text("# comment\n\nTHING=from-file\nexport OTHER='a # b'\nTHIRD=x # why\n")

    env.load_file(file)

    assert env.text("THING") == "set"
    assert env.text("OTHER") == "a # b"
    assert env.text("THIRD") == "x"
    set_env.delenv("OTHER")
    set_env.delenv("THIRD")


def test_names_the_line_of_a_file_that_it_cannot_read(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# fine\nno equals sign\n")

    with pytest.raises(ImproperlyConfigured, match="line 2"):
        env.load_file(file)
