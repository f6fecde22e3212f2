"""A database that takes nobody in is answered with 503 and when to come back, by every page and by the webhook."""

from __future__ import annotations

import pytest
from django.db import connection

from conversations.models import InboundMessage
from operations import databases, postgres, restore_upkeep
from tests import factories
from tests.fixtures import Post


@pytest.mark.django_db(transaction=True)
def test_while_nobody_is_let_in_the_webhook_asks_to_deliver_again_and_then_takes_it(post: Post) -> None:
    body = factories.envelope(messages=[factories.text_message("Hello")])
    name = postgres.live().database
    with databases.connect(name) as one, databases.closed(name, but=one):
        connection.close()
        answer = post(body)
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert b"What was stored is safe" in answer.content
    assert restore_upkeep.open_door(), "nobody had opened it"
    assert not restore_upkeep.open_door()
    connection.close()
    assert post(body).status_code == 200
    assert InboundMessage.objects.count() == 1
