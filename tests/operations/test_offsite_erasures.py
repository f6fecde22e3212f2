"""The record of erasures outside: sealed, one newest copy, a damaged one never in place of a good one, and read back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from jeevo.environment import Offsite
from operations import erasure_record, offsite, offsite_erasures
from operations.models import OffsiteState
from tests.fixtures import ChangeEnvironment
from tests.operations.erased_people import NUMBER

pytestmark = pytest.mark.django_db
NOW = timezone.now()
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


@pytest.fixture
def mnt(environment: ChangeEnvironment, settings: Settings, tmp_path: Path) -> Path:
    place = tmp_path / "mnt"
    environment(data=tmp_path / "data", keys=tmp_path / "keys")
    settings.STORAGES = settings.STORAGES | {"offsite": Offsite(place.as_uri()).storage}
    return place


def copies(mnt: Path) -> list[Path]:
    return sorted(mnt.glob("*/erasures/*"))


def test_each_new_line_goes_outside_sealed_and_the_copy_before_goes(mnt: Path) -> None:
    assert offsite_erasures.round_of(now=NOW)
    assert copies(mnt) == []
    erasure_record.append([NUMBER], at=NOW)
    assert offsite_erasures.round_of(now=NOW)
    (first,) = copies(mnt)
    assert first.name.startswith("00000001-")
    assert b"people" not in first.read_bytes()
    erasure_record.append(["another"], at=NOW)
    assert offsite_erasures.round_of(now=NOW + SECOND)
    (second,) = copies(mnt)
    assert second.name.startswith("00000002-")
    assert offsite_erasures.fetch(offsite.ours()) == erasure_record.read()


def test_a_copy_that_was_removed_there_is_sent_again_within_the_hour(mnt: Path) -> None:
    erasure_record.append([NUMBER], at=NOW)
    offsite_erasures.round_of(now=NOW)
    copies(mnt)[0].unlink()
    offsite_erasures.round_of(now=NOW + SECOND)
    assert copies(mnt) == []
    offsite_erasures.round_of(now=NOW + 2 * HOUR)
    assert len(copies(mnt)) == 1


def test_a_damaged_record_is_not_sent_in_place_of_the_good_one(mnt: Path) -> None:
    erasure_record.append([NUMBER], at=NOW)
    offsite_erasures.round_of(now=NOW)
    good = copies(mnt)[0].read_bytes()
    erasure_record.append(["another"], at=NOW)
    path = erasure_record.path()
    path.write_bytes(path.read_bytes().replace(b"people", b"peoqle"))
    assert not offsite_erasures.round_of(now=NOW + SECOND)
    assert "erasures mend" in OffsiteState.objects.get(name="erasures").reason
    assert [each.read_bytes() for each in copies(mnt)] == [good]


def test_where_none_was_ever_sent_there_is_none(mnt: Path) -> None:
    assert offsite_erasures.fetch(offsite.ours()) == []


def test_a_copy_with_a_flipped_byte_is_refused(mnt: Path) -> None:
    erasure_record.append([NUMBER], at=NOW)
    offsite_erasures.round_of(now=NOW)
    (path,) = copies(mnt)
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(offsite.NotOffsite, match="is not what was written"):
        offsite_erasures.fetch(offsite.ours())
    path.rename(path.with_name("00000009-000000000000.age"))
    with pytest.raises(offsite.NotOffsite):
        offsite_erasures.fetch(offsite.ours())
