"""The kit opens with its passphrase alone and holds every key; one that is older than a key is told at every start."""

from __future__ import annotations

import io
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from jeevo.environment import Offsite
from operations import backup_keys, recovery_kit
from operations.models import RecoveryKit
from operations.preflight import Line, kit
from tests import factories
from tests.fixtures import ChangeEnvironment

pytestmark = pytest.mark.django_db(transaction=True)
NOW = timezone.now()
WORDS = "correct horse battery staple"
PLACE = Offsite("s3://copies/jeevo", "https://s3.example", "asha", "very-secret", "ap-south-1")


@pytest.fixture(autouse=True)
def _own_keys(environment: ChangeEnvironment, tmp_path: Path) -> None:
    environment(keys=tmp_path / "keys", offsite=PLACE, secret_key="s%=ecret", index_key="i" * 64)


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    path = tmp_path / "passphrase"
    path.write_text(f"{WORDS}\n")
    return path


def line() -> Line:
    with psycopg.connect(**{**connection.get_connection_params(), "cursor_factory": psycopg.Cursor}) as one:
        return kit.line(one)


def test_a_kit_holds_every_key_and_where_the_copies_are_but_not_the_storage_s_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMERGENCY_NUMBERS", "IN=112")
    backup_keys.recipient()
    backup_keys.rotate()
    sealed = recovery_kit.make(WORDS, now=NOW)
    assert b"AGE-SECRET-KEY" not in sealed
    found = recovery_kit.opened(sealed, WORDS)
    assert found.settings["SECRET_KEY"] == "s%=ecret"
    assert found.settings["INDEX_KEY"] == "i" * 64
    assert found.settings["FIELD_KEYS"]
    assert found.settings["JEEVO_MODE"] == "sandbox"
    assert found.settings["EMERGENCY_NUMBERS"] == "IN=112"
    assert list(found.backup_keys) == [str(each) for each in backup_keys.identities()]
    assert len(found.backup_keys) == 2
    assert found.system.isdigit()
    assert found.offsite == Offsite("s3://copies/jeevo", "https://s3.example", "", "", "ap-south-1")
    assert "very-secret" not in found.text
    assert "manage.py recover" in found.text


def test_two_that_make_the_first_key_at_once_agree_on_one() -> None:
    backup_keys.path().parent.mkdir()
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: str(backup_keys.recipient()), range(32)))
    assert len(found) == 1
    assert [each.name for each in backup_keys.path().parent.iterdir()] == [backup_keys.FILE]


@pytest.mark.matrix
def test_the_storage_s_secret_goes_in_only_when_asked_for() -> None:
    sealed = recovery_kit.make(WORDS, now=NOW, with_offsite_secrets=True)
    assert recovery_kit.opened(sealed, WORDS).offsite == PLACE


@pytest.mark.matrix
def test_a_wrong_passphrase_a_flipped_byte_and_another_text_are_refused() -> None:
    sealed = recovery_kit.make(WORDS, now=NOW)
    with pytest.raises(recovery_kit.KitProblem, match="passphrase is another one"):
        recovery_kit.opened(sealed, "wrong horse battery staple")
    changed = bytearray(sealed)
    changed[-1] ^= 1
    with pytest.raises(recovery_kit.KitProblem, match="damaged"):
        recovery_kit.opened(bytes(changed), WORDS)
    with pytest.raises(recovery_kit.KitProblem, match="damaged"):
        recovery_kit.opened(b"", WORDS)


def test_a_short_passphrase_makes_no_kit_and_no_note() -> None:
    with pytest.raises(recovery_kit.KitProblem, match="at least 12"):
        recovery_kit.make("short", now=NOW)
    assert not RecoveryKit.objects.exists()


def test_who_made_it_and_with_which_keys_is_noted_and_tells_no_key() -> None:
    meera = factories.staff("meera")
    recovery_kit.make(WORDS, now=NOW, by=meera)
    row = RecoveryKit.objects.get()
    assert (row.made_by, row.made_at) == (meera, NOW)
    assert backup_keys.key_ids()[0] in row.key_ids
    assert "i" * 64 not in str(row.key_ids)
    assert "AGE-SECRET" not in str(row.key_ids)


def test_without_a_kit_a_live_service_is_at_risk_and_a_sandbox_is_not(environment: ChangeEnvironment) -> None:
    assert line().state == "good"
    environment(mode="live")
    assert line().state == "at_risk"
    assert "recovery_kit --out" in line().remedy


def test_a_kit_older_than_the_newest_key_is_at_risk_until_a_new_one_is_made(environment: ChangeEnvironment) -> None:
    recovery_kit.make(WORDS, now=NOW)
    assert line().state == "good"
    backup_keys.rotate()
    assert (line().state, line().said) == ("at_risk", f"1 key that is in use is not in the kit of {NOW:%Y-%m-%d}.")
    recovery_kit.make(WORDS, now=timezone.now())
    assert line().state == "good"
    environment(field_keys=("A" * 43 + "=",))
    assert line().state == "at_risk"


def test_the_command_writes_a_private_file_once_and_shows_it_again(tmp_path: Path, passphrase: Path) -> None:
    path, out = tmp_path / "kit.age", io.StringIO()
    call_command("recovery_kit", out=path, passphrase_file=passphrase, stdout=out)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(CommandError, match="exists"):
        call_command("recovery_kit", out=path, passphrase_file=passphrase, stdout=out)
    call_command("recovery_kit", show=path, passphrase_file=passphrase, stdout=out)
    assert "SECRET_KEY=s%=ecret" in out.getvalue()
    passphrase.write_text("another passphrase altogether\n")
    with pytest.raises(CommandError, match="does not open"):
        call_command("recovery_kit", show=path, passphrase_file=passphrase, stdout=out)
    with pytest.raises(CommandError, match="No such file"):
        call_command("recovery_kit", show=tmp_path / "none", passphrase_file=passphrase, stdout=out)
