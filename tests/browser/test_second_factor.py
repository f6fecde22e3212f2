"""A second factor in a real browser: set up from the key that is shown, asked for at the next sign-in, lost and recovered."""

from __future__ import annotations

from base64 import b32decode
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django_otp.plugins.otp_totp.models import TOTPDevice
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from operations import preparation, roles
from tests.browser.staff import Desk, has_sideways_scroll
from tests.fixtures import ChangeEnvironment
from tests.operations.accounts import PASSWORD, code, person, wait
from tests.stack import eventually

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def asha(environment: ChangeEnvironment) -> User:
    environment(second_factor="operators")
    preparation.make_roles()
    return person("asha", roles.OPERATOR)


@pytest.fixture(params=[1280, 360], ids=["desk", "phone"])
def desk(request: pytest.FixtureRequest, browser: Browser, live_server: LiveServer) -> Iterator[Desk]:
    page = browser.new_context(viewport={"width": request.param, "height": 800}, color_scheme="light").new_page()
    opened = Desk(page, f"{live_server.url}/admin/")
    yield opened
    page.context.close()
    # A code that is refused is answered with 400, which a browser writes into its console.
    assert [each for each in opened.faults if "400" not in each] == []


def key_on(page: Page) -> str:
    page.get_by_text("The picture cannot be taken").click()
    return b32decode(page.locator(".key").inner_text().replace(" ", "")).hex()


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()


def show(page: Page, typed: str) -> None:
    page.get_by_label("Code").fill(typed)
    page.get_by_role("button", name="Go on").click()


def test_it_is_set_up_asked_for_and_a_recovery_code_helps_once(desk: Desk, asha: User) -> None:
    page = desk.sign_in("asha", PASSWORD).page
    expect(page.get_by_role("heading", name="Set up the second factor")).to_be_visible()
    picture = page.get_by_alt_text("QR code that holds the key below")
    drawn = "image => image.complete && image.naturalWidth > 100"
    eventually(lambda: picture.evaluate(drawn), seconds=30, what="the picture")
    assert not has_sideways_scroll(page)
    key = key_on(page)
    page.get_by_label("The code that your app shows").fill(code(key))
    page.get_by_role("button", name="Confirm").click()

    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    codes = page.locator(".recovery-codes code").all_inner_texts()
    assert len(codes) == 10
    expect(page.get_by_role("button", name="Print")).to_be_visible()
    assert not has_sideways_scroll(page)
    page.get_by_role("link", name="I have them on paper, go on").click()
    expect(page.get_by_role("heading", name="Everything")).to_be_visible()

    sign_out(page)
    desk.sign_in("asha", PASSWORD)
    expect(page.get_by_role("heading", name="Your code")).to_be_visible()
    show(page, "000000")
    expect(page.get_by_role("alert")).to_contain_text("That code is not right")
    wait(TOTPDevice.objects.get())
    show(page, code(key))
    expect(page.get_by_role("heading", name="Everything")).to_be_visible()

    for comes_in in (True, False):
        sign_out(page)
        desk.sign_in("asha", PASSWORD)
        show(page, codes[0])
        expect(page.get_by_role("heading", name="Everything" if comes_in else "Your code")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("it was used before")


def test_new_codes_are_made_on_the_own_account_after_the_password(desk: Desk, asha: User) -> None:
    page = desk.sign_in("asha", PASSWORD).page
    key = key_on(page)
    page.get_by_label("The code that your app shows").fill(code(key))
    page.get_by_role("button", name="Confirm").click()
    first = page.locator(".recovery-codes code").all_inner_texts()
    page = desk.open("account/")
    expect(page.get_by_text("10 of 10 recovery codes are left")).to_be_visible()
    assert not has_sideways_scroll(page)
    for given, comes in (("not it", False), (PASSWORD, True)):
        page.locator("#id_renew-confirmation").fill(given)
        page.get_by_role("button", name="Make new codes").click()
        expect(page.get_by_role("heading", name="Your recovery codes" if comes else "Your account")).to_be_visible()
    assert not set(page.locator(".recovery-codes code").all_inner_texts()) & set(first)
