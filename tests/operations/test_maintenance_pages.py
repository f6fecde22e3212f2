"""Pages of maintenance: what is shown, who may do what, and what a step that does not fit says."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from operations import pauses, public_maintenance, window_notices, window_watch, windows
from operations.models import ChecklistItem, MaintenanceSchedule, MaintenanceWindow, Pause
from tests import factories
from tests.operations.windows_of import DAY, HOUR, MINUTE, a_schedule, a_subscriber, a_window, asha

pytestmark = pytest.mark.django_db
LIST = "admin:operations_maintenancewindow_changelist"


def now() -> datetime:
    return timezone.now()


def signed_in(client: Client, *names: str) -> Client:
    user = asha()
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(User.objects.get(pk=user.pk))
    return client


@pytest.fixture
def operator(client: Client) -> Client:
    return signed_in(
        client,
        "view_maintenancewindow",
        "add_maintenancewindow",
        "change_maintenancewindow",
        "change_checklistitem",
        "act_on_machine",
    )


@pytest.fixture
def reader(client: Client) -> Client:
    return signed_in(client, "view_maintenancewindow")


def address(window: MaintenanceWindow, name: str = "change", *more: Any) -> str:
    return reverse(f"admin:operations_maintenancewindow_{name}", args=[window.pk, *more])


def soon(**values: Any) -> MaintenanceWindow:
    start = now().replace(second=0, microsecond=0) + 10 * MINUTE
    return a_window(starts_at=start, **values)


def words(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    return " ".join(answer.content.decode().split())


def told(client: Client, path: str, **data: Any) -> str:
    """What the page says after the step."""
    return words(client.post(path, data, follow=True))


# Looking


def test_the_next_window_comes_first_and_what_is_over_last(reader: Client) -> None:
    a_window(title="In a week", starts_at=now() + 7 * DAY)
    a_window(title="In an hour", starts_at=now() + HOUR)
    windows.cancel(a_window(title="Not needed", starts_at=now() + DAY), by=asha(), now=now(), why="A holiday")
    page = words(reader.get(reverse(LIST)))
    assert page.index("In an hour") < page.index("In a week") < page.index("Not needed")
    assert "A holiday" in page
    assert "http://testserver/calendar/maintenance.ics" in page


def test_an_empty_page_says_how_to_begin(operator: Client) -> None:
    page = words(operator.get(reverse(LIST)))
    assert "No maintenance is planned" in page
    assert "Plan a window" in page


def test_a_reader_sees_everything_and_no_button(reader: Client) -> None:
    window = soon()
    page = words(reader.get(address(window)))
    assert "A full backup is made and verified" in page
    for word in ("Start the window", "Tick", "Run all checks", "Cancel the window"):
        assert word not in page
    assert "Plan a window" not in words(reader.get(reverse(LIST)))


def test_somebody_without_permission_sees_nothing_and_does_nothing(client: Client) -> None:
    window = soon()
    signed_in(client)
    for path in (reverse(LIST), address(window), reverse("admin:operations_maintenancewindow_add")):
        assert client.get(path).status_code == 403
    signed_in(client, "view_maintenancewindow")
    item = window.items.all()[0]
    posts = [address(window, name) for name in ("start", "extend", "complete", "cancel", "edit", "run_before")]
    posts += [address(window, f"item_{name}", item.pk) for name in ("tick", "untick", "run")]
    posts += [reverse(f"admin:operations_maintenancewindow_mode_{name}") for name in ("on", "off")]
    for path in (*posts, reverse("admin:operations_maintenanceschedule_add")):
        assert client.post(path).status_code == 403, path
    window.refresh_from_db()
    assert (window.state, Pause.objects.count()) == ("planned", 0)


def test_who_may_tick_only_ticks_and_starts_nothing(client: Client) -> None:
    window = soon()
    signed_in(client, "view_maintenancewindow", "change_checklistitem")
    page = words(client.get(address(window)))
    assert ("Tick" in page, "Start the window" in page) == (True, False)
    assert client.post(address(window, "item_tick", window.items.all()[0].pk)).status_code == 302
    assert client.post(address(window, "start"), {"why": "I want to"}).status_code == 403


@pytest.mark.parametrize("key", ["nonsense", "0190b7a0-0000-7000-8000-000000000000", "17"])
def test_a_window_that_is_not_there_is_not_found(operator: Client, key: str) -> None:
    assert operator.get(f"/admin/operations/maintenancewindow/{key}/change/").status_code == 404


def test_the_part_that_refreshes_says_when_the_window_has_moved_on(operator: Client) -> None:
    window = soon()
    live = address(window) + "?part=head&state="
    assert "has moved on" not in words(operator.get(live + "planned"))
    windows.start(window, by=asha(), now=now(), why="It is time")
    part = words(operator.get(live + "planned"))
    assert "has moved on" in part
    assert "In progress" in part


def test_notices_are_shown_with_what_became_of_them(reader: Client) -> None:
    a_subscriber()
    window = soon()
    window_watch.look(now())
    page = words(reader.get(address(window)))
    assert "1 recipient" in page
    assert "Ministry, e-mail:" in page


# Doing


def test_a_window_is_planned_by_hand(operator: Client) -> None:
    day = (now() + 5 * DAY).date().isoformat()
    fields = {"title": "New disk", "starts_at_0": day, "starts_at_1": "02:00", "ends_at_0": day, "ends_at_1": "03:30"}
    fields |= {"expected_downtime": "20", "components": "answers", "pauses_answering": "on", "notice": ""}
    page = told(operator, reverse("admin:operations_maintenancewindow_add"), **fields)
    window = MaintenanceWindow.objects.get()
    assert f"New disk is planned for {window_notices.when(window)}." in page
    assert (window.planned_by, window.expected_downtime, window.components) == (asha(), timedelta(minutes=20), ["answers"])
    assert window.items.count() == 12


@pytest.mark.parametrize(
    ("start", "end", "why"),
    [
        ((5, "02:00"), (5, "02:00"), "The end comes after the start."),
        ((5, "02:00"), (7, "02:00"), "A window lasts at most 24 hours."),
        ((-3, "02:00"), (-3, "04:00"), "This time is over."),
    ],
)
def test_times_that_make_no_sense_are_refused(operator: Client, start: Any, end: Any, why: str) -> None:
    fields = {"title": "New disk", "expected_downtime": "20", "starts_at_1": start[1], "ends_at_1": end[1]}
    days = {"starts_at_0": start[0], "ends_at_0": end[0]}
    fields |= {name: (now() + number * DAY).date().isoformat() for name, number in days.items()}
    assert why in told(operator, reverse("admin:operations_maintenancewindow_add"), **fields)
    assert not MaintenanceWindow.objects.exists()


def test_a_planned_window_is_changed_by_hand_and_is_somebodys_own_from_then_on(operator: Client) -> None:
    window = a_window(starts_at=now() + 4 * DAY)
    form = words(operator.get(address(window, "edit")))
    assert f'value="{window.starts_at:%Y-%m-%d}"' in form
    day = (now() + 6 * DAY).date().isoformat()
    fields = {"title": "New", "starts_at_0": day, "starts_at_1": "05:00", "ends_at_0": day, "ends_at_1": "06:00"}
    assert "Changed." in told(operator, address(window, "edit"), expected_downtime="0", **fields)
    window.refresh_from_db()
    assert (window.title, window.starts_at.hour, window.touched_by, window.pauses_answering) == ("New", 5, asha(), False)


def test_lines_are_ticked_opened_again_and_run(operator: Client) -> None:
    window = soon()
    item = window.items.get(check_name="backup")
    told(operator, address(window, "item_tick", item.pk))
    item.refresh_from_db()
    assert (item.state, item.ticked_by) == ("done", asha())
    told(operator, address(window, "item_untick", item.pk))
    told(operator, address(window, "item_run", item.pk))
    assert "No full backup was taken and verified" in words(operator.get(address(window)))
    told(operator, address(window, "run_before"))
    assert ChecklistItem.objects.get(window=window, check_name="on_call").state == "failed"


def test_a_line_of_another_window_is_not_found(operator: Client) -> None:
    other = soon().items.all()[0]
    assert operator.post(address(a_window(), "item_tick", other.pk)).status_code == 404


def test_a_window_goes_from_start_to_end_and_what_is_open_is_said(operator: Client) -> None:
    window = soon()
    assert "Not done yet: " in told(operator, address(window, "start"))
    assert "The window has begun." in told(operator, address(window, "start"), why="The disk is failing")
    page = words(operator.get(address(window)))
    assert "Begun with open lines:</strong> The disk is failing" in page
    assert "Complete the window" in page
    assert "Say by how many minutes." in told(operator, address(window, "extend"), minutes="some")
    assert "The window is longer now." in told(operator, address(window, "extend"), minutes="15")
    assert "The window is over." in told(operator, address(window, "complete"), why="Documentation tomorrow")
    assert "completed" in told(operator, address(window, "start"), why="Once more")


def test_a_window_is_cancelled_with_a_reason_only(operator: Client) -> None:
    window = soon()
    assert "Say why it is cancelled." in told(operator, address(window, "cancel"))
    assert "The window is cancelled." in told(operator, address(window, "cancel"), why="The vendor is not ready")


def test_steps_are_only_posted(operator: Client) -> None:
    window = soon()
    assert operator.get(address(window, "start")).status_code == 405
    window.refresh_from_db()
    assert window.state == "planned"


def test_a_far_window_has_no_button_to_begin(operator: Client) -> None:
    page = words(operator.get(address(a_window(starts_at=now() + 3 * DAY))))
    assert "Start the window" not in page
    assert "Change it" in page


# Schedules


def schedule_fields(**more: str) -> dict[str, str]:
    fields = {"title": "Monthly", "pattern": "FREQ=MONTHLY;BYDAY=+3SU", "at": "02:00", "lasts": "120", "expected_downtime": "30"}
    return fields | {"counted_from": now().date().isoformat(), "components": "answers", "active": "on"} | more


def test_a_schedule_shows_its_next_five_dates_in_words_before_it_is_kept(operator: Client) -> None:
    add = reverse("admin:operations_maintenanceschedule_add")
    assert "Third Sunday of each month" in words(operator.get(add))
    page = told(operator, add, **schedule_fields())
    assert page.count(", 02:00 to 04:00 UTC</li>") == 5
    assert not MaintenanceSchedule.objects.exists()
    page = told(operator, add, **schedule_fields(keep="1"))
    assert "Monthly is kept." in page
    schedule = MaintenanceSchedule.objects.get()
    assert (schedule.rule, schedule.created_by, schedule.windows.exists()) == ("FREQ=MONTHLY;BYDAY=+3SU", asha(), True)


@pytest.mark.parametrize("rule", ["FREQ=SECONDLY", "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30", "nonsense", ""])
def test_a_rule_that_cannot_be_kept_is_refused_with_the_reason(operator: Client, rule: str) -> None:
    page = told(operator, reverse("admin:operations_maintenanceschedule_add"), **schedule_fields(pattern="", rule=rule, keep="1"))
    assert 'class="problem"' in page
    assert not MaintenanceSchedule.objects.exists()


def test_a_change_of_a_schedule_moves_its_windows(operator: Client) -> None:
    schedule = a_schedule(counted_from=now().date())
    change = reverse("admin:operations_maintenanceschedule_change", args=[schedule.pk])
    assert schedule.title in words(operator.get(change))
    told(operator, change, **schedule_fields(at="05:00", keep="1"))
    assert {row.starts_at.hour for row in schedule.windows.all()} == {5}


def test_who_may_only_read_keeps_no_schedule(reader: Client) -> None:
    schedule = a_schedule()
    assert reader.get(reverse("admin:operations_maintenanceschedule_change", args=[schedule.pk])).status_code == 403
    assert reader.get("/admin/operations/maintenanceschedule/", follow=True).status_code == 200


# Maintenance mode, and the home page


def test_maintenance_mode_is_set_and_ended_and_stands_on_the_home_page(operator: Client) -> None:
    on, off = (reverse(f"admin:operations_maintenancewindow_mode_{name}") for name in ("on", "off"))
    assert "Emergencies are answered at once." in told(operator, on, hours="3", reason="Groq is changed")
    row = Pause.objects.get()
    assert (row.until - row.started_at, row.started_by, row.reason) == (3 * HOUR, asha(), "Groq is changed")
    assert "Maintenance mode is on" in words(operator.get("/admin/"))
    assert "Maintenance mode is off." in told(operator, off)
    assert "Maintenance mode is on" not in words(operator.get("/admin/"))


def test_messages_that_wait_on_purpose_are_not_an_alarm(operator: Client) -> None:
    factories.an_inbound(factories.a_contact(), received_at=now() - HOUR)
    assert "waited longer than a minute" in words(operator.get("/admin/"))
    pauses.begin(now=now())
    home = words(operator.get("/admin/"))
    assert "They wait on purpose, for maintenance." in home
    assert "waited longer than a minute" not in home


@pytest.mark.parametrize(("hours", "length"), [("0", 1), ("900", 24), ("some", 2)])
def test_hours_that_make_no_sense_are_made_to_fit(operator: Client, hours: str, length: int) -> None:
    told(operator, reverse("admin:operations_maintenancewindow_mode_on"), hours=hours)
    row = Pause.objects.get()
    assert row.until - row.started_at == length * HOUR


def test_the_home_page_names_the_next_window(reader: Client) -> None:
    assert "Next maintenance" not in words(reader.get("/admin/"))
    window = a_window(starts_at=now() + DAY)
    home = words(reader.get("/admin/"))
    assert f"Next maintenance: {window_notices.when(window)}." in home
    assert address(window) in home


def test_the_public_is_told_of_maintenance_in_sentences() -> None:
    a_window(starts_at=now() + 30 * DAY)
    assert public_maintenance.lines(now()) == ()
    window = soon(title="New disk")
    (line,) = public_maintenance.lines(now())
    assert line.startswith("Maintenance is planned for ")
    windows.start(window, by=asha(), now=now(), why="It is time")
    pauses.begin(now=now())
    first, second = public_maintenance.lines(now())
    assert "emergencies are answered at once" in second
    assert first.startswith("Answers come later than usual until")
