"""A WhatsApp network of one business number: people write to it, and Jeevo's Graph calls end here.

Everything that is sent is kept and can be counted. Whatever a caller sees (a refusal, a hang, a lost
report) is what Meta's network would show for the fault that is switched on.
"""

from __future__ import annotations

import hmac
import random
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conversations.sandbox import refusals
from conversations.sandbox.courier import Courier
from conversations.sandbox.envelopes import (
    Json,
    Number,
    Person,
    fingerprint,
    message_envelope,
    new_wamid,
    raw,
    status_envelope,
)
from conversations.sandbox.faults import Faults
from conversations.sandbox.samples import SAMPLES
from conversations.sandbox.store import Draft, Message, Store

WINDOW = 24 * 3600.0
TYPING = 25.0
# Calls that hang must not use up every thread of the sandbox; more of them are cut off at once.
MOST_HANGING = 10
NAMES = ("Kavya", "Imran", "Lakshmi", "Joseph", "Anita", "Gurpreet", "Fatima", "Suresh", "Nandini", "Bilal")
PLACE = {"latitude": 12.9716, "longitude": 77.5946, "name": "City market", "address": "A sample place"}


class NotPossible(Exception):
    """The person cannot do this; the message is for whoever asked."""


class Network:
    def __init__(
        self,
        path: Path,
        webhook_url: str,
        app_secret: str,
        token: str,
        phone_number_id: str,
        *,
        business_account_id: str = "100000000000000",
        auto_read: bool = False,
        status_wait: tuple[float, float] = (0.02, 0.08),
        backoff: tuple[float, float] = (1.0, 60.0),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`status_wait`, `backoff`: the shortest and the longest, in seconds. `clock` sets the window."""
        self.token, self.number = token, Number(phone_number_id, business_account_id)
        self.auto_read, self.clock = auto_read, clock
        self.store = Store(path)
        self.faults = Faults(self.store)
        self._status_wait = status_wait
        self._typing: dict[str, float] = {}
        self._hanging = threading.BoundedSemaphore(MOST_HANGING)
        self._closing = threading.Event()
        self.courier = Courier(
            self.store,
            webhook_url,
            app_secret,
            twice=lambda: self.faults.take("duplicate_webhooks") is not None,
            backoff=backoff,
        )

    def close(self) -> None:
        self._closing.set()
        self.courier.close()
        self.store.close()

    # What a person does

    def text(self, phone: str, text: str, *, name: str = "", context: str = "", phone_known: bool = True) -> str:
        """A text of this person; the WhatsApp id of the message."""
        return self._write(phone, "text", {"body": text}, text, name=name, context=context, phone_known=phone_known)

    def press(self, phone: str, wamid: str, button: str) -> str:
        """Presses a button of a message that this person was sent. Raises NotPossible without one."""
        message = self.store.message(wamid)
        if message is None or message.from_person or message.phone != phone:
            raise NotPossible("This person was not sent that message.")
        for each in buttons(message):
            if each["id"] == button:
                part = {"type": "button_reply", "button_reply": each}
                return self._write(phone, "interactive", part, each["title"], context=wamid)
        raise NotPossible("That message has no such button.")

    def media(self, phone: str, kind: str, *, caption: str = "", name: str = "") -> str:
        """A sample image, audio (a voice note), document, sticker or location. Or raises NotPossible."""
        if kind == "location":
            return self._write(phone, kind, dict(PLACE), "", name=name)
        sample = SAMPLES.get(kind)
        if sample is None:
            raise NotPossible(f"The kinds are: text, {', '.join(SAMPLES)}, location.")
        key = str(secrets.randbelow(9 * 10**15) + 10**15)
        self.store.add_media(key, sample.mime_type, sample.content)
        part: Json = {"id": key, "mime_type": sample.mime_type, "sha256": fingerprint(sample.content)}
        if kind == "audio":
            part["voice"] = True
        elif kind == "document":
            part["filename"] = sample.filename
        elif kind == "sticker":
            part["animated"] = False
        if caption:
            part["caption"] = caption
        return self._write(phone, kind, part, caption, name=name)

    def person(self, phone: str, *, name: str = "", shown: bool = False) -> Person:
        """The person with this number, made when there is none. Raises NotPossible for no number at all."""
        if not (phone.isascii() and phone.isdigit() and 7 <= len(phone) <= 15):
            raise NotPossible("A WhatsApp number has 7 to 15 digits and nothing else.")
        return self.store.person(phone) or self.store.add_person(phone, name or NAMES[int(phone) % len(NAMES)], shown=shown)

    def new_person(self) -> Person:
        taken = {each.phone for each in self.store.people()}
        number = next(n for n in range(910000020001, 910000099999) if str(n) not in taken)
        return self.store.add_person(str(number), NAMES[len(taken) % len(NAMES)], shown=True)

    def _write(
        self,
        phone: str,
        kind: str,
        part: Json,
        text: str,
        *,
        name: str = "",
        context: str = "",
        phone_known: bool = True,
    ) -> str:
        person, now = self.person(phone, name=name), self.clock()
        message: Json = {
            "id": new_wamid(person.phone, from_person=True),
            "timestamp": str(int(now)),
            "type": kind,
            kind: part,
        }
        if context:
            message["context"] = {"from": self.number.phone_number_id, "id": context}
        body = raw(message_envelope(self.number, person, message, phone_known=phone_known))
        row = Message(message["id"], person.phone, True, kind, text, part, context, "", now, "sent")
        due = time.time()
        for key in self.store.add_message(row, [Draft(body, row.wamid)], now=due):
            self.courier.hand_over(key, due=due)
        return row.wamid

    def looks_at(self, phone: str) -> None:
        """The chat is open on this person: what has arrived is read now, and WhatsApp reports it."""
        for message in self.store.take_unread(phone):
            if self.faults.take("lost_statuses") is None:
                draft = self._status(message, "read")
                for key in self.store.add_webhooks([draft], now=time.time()):
                    self.courier.hand_over(key, due=time.time() + draft.wait)

    def is_typing(self, phone: str) -> bool:
        return self._typing.get(phone, 0) > time.monotonic()

    # What Jeevo calls

    def admit(self, token: str) -> None:
        """Every Graph call passes here. Raises Down or GraphError."""
        if self.faults.take("down"):
            raise refusals.Down
        if slow := self.faults.take("slow"):
            self._closing.wait(slow.value or 0)
        if self.faults.take("expired_token"):
            raise refusals.bad_token(expired=True)
        if not hmac.compare_digest(token.encode(), self.token.encode()):
            raise refusals.bad_token()
        if failing := self.faults.take("server_error"):
            raise refusals.server_error(int(failing.value or 0))

    def call_messages(self, body: Json, *, token: str, phone_number_id: str) -> Json:
        """A message to a person, or the read call. Raises Down, NoAnswer or GraphError."""
        self.admit(token)
        if phone_number_id != self.number.phone_number_id:
            raise refusals.unknown_object(phone_number_id, "post")
        if body.get("status") is not None:
            return self._read(body)
        return self._send(body)

    def _read(self, body: Json) -> Json:
        if body.get("messaging_product") != "whatsapp" or body.get("status") != "read":
            raise refusals.invalid("The parameters messaging_product and status=read are required.")
        wamid, typing = body.get("message_id"), body.get("typing_indicator")
        message = self.store.message(wamid) if isinstance(wamid, str) else None
        if message is None or not message.from_person:
            raise refusals.invalid("Param message_id must be the id of a message that was received.")
        if typing is not None and typing != {"type": "text"}:
            raise refusals.invalid("Param typing_indicator['type'] must be one of {text}")
        self.store.mark_read(message)
        if typing:
            self._typing[message.phone] = time.monotonic() + TYPING
        return {"success": True}

    def _send(self, body: Json) -> Json:
        refusals.check_message(body)
        if self.faults.take("pair_rate"):
            raise refusals.pair_rate()
        asked = refusals.address(body)
        person = self.store.person(asked.removeprefix("+"))
        if person is None or self.clock() - (person.last_wrote or 0) > WINDOW:
            raise refusals.outside_window()
        message = self._accepted(body, person)
        contact = {"input": asked, "wa_id": person.phone}
        answer: Json = {
            "messaging_product": "whatsapp",
            "contacts": [contact],
            "messages": [{"id": message.wamid}],
        }
        if hang := self.faults.take("timeout_after_accept"):
            self._hang(hang.value or 0)
        return answer

    def _accepted(self, body: Json, person: Person) -> Message:
        kind = body.get("type", "text")
        part = body[kind]
        text = part["body"] if kind == "text" else part["body"]["text"]
        wamid = new_wamid(person.phone, from_person=False)
        context = (body.get("context") or {}).get("message_id", "")
        callback = body.get("biz_opaque_callback_data", "")
        reports = ["sent", "delivered", "read"] if self.auto_read else ["sent", "delivered"]
        lost, reordered = self.faults.take("lost_statuses"), self.faults.take("reordered_webhooks")
        status = reports[-1] if lost else "sent"
        message = Message(wamid, person.phone, False, kind, text, part, context, callback, self.clock(), status)
        drafts = [] if lost else [self._status(message, each, follows=not reordered and each != "sent") for each in reports]
        if reordered:
            drafts.reverse()
        keys = self.store.add_message(message, drafts, now=time.time())
        self._typing.pop(person.phone, None)
        if reordered:
            self.courier.post_now(keys)
        elif keys:
            self.courier.hand_over(keys[0], due=time.time() + drafts[0].wait)
        return message

    def _status(self, message: Message, status: str, *, follows: bool = False) -> Draft:
        person = self.person(message.phone)
        envelope = status_envelope(
            self.number,
            person,
            wamid=message.wamid,
            status=status,
            at=self.clock(),
            callback=message.callback,
        )
        wait = random.uniform(*self._status_wait)  # noqa: S311  (chance, not a secret)
        return Draft(raw(envelope), message.wamid, status, wait, follows)

    def _hang(self, seconds: float) -> None:
        if self._hanging.acquire(blocking=False):
            try:
                self._closing.wait(seconds)
            finally:
                self._hanging.release()
        raise refusals.NoAnswer

    # What tests and the page ask

    def sent_to(self, phone: str | None = None) -> list[Message]:
        """Everything Jeevo sent, to one person or to all, oldest first."""
        return self.store.sent(phone)

    def counts(self) -> Json:
        return self.store.counts() | {
            "webhooks_posted": self.courier.posted,
            "webhooks_taken": self.courier.taken,
        }


def buttons(message: Message) -> list[dict[str, str]]:
    """The reply buttons of a message, each with `id` and `title`."""
    action: Any = message.body.get("action") if message.kind == "interactive" else None
    return [dict(each["reply"]) for each in (action or {}).get("buttons", [])]
