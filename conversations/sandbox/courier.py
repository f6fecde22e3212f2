"""Carries webhooks to Jeevo: signed, over real HTTP, again and again until one is answered with 200.

A few threads share one list ordered by time. The list lives in the store, so a webhook outlives this
process. What belongs together goes in order: the next is posted after the one before it was tried.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Sequence

import httpx

from conversations.sandbox.envelopes import signature
from conversations.sandbox.store import Store, Webhook

TIMEOUT = 10.0
# gunicorn closes an idle connection after two seconds; a connection must not be reused while it closes.
LIMITS = httpx.Limits(max_connections=32, max_keepalive_connections=16, keepalive_expiry=1.0)


class Courier:
    def __init__(
        self,
        store: Store,
        url: str,
        app_secret: str,
        *,
        twice: Callable[[], bool],
        backoff: tuple[float, float] = (1.0, 60.0),
        threads: int = 8,
    ) -> None:
        self.posted = self.taken = 0
        self._store, self._url, self._secret, self._twice = store, url, app_secret, twice
        self._first_wait, self._longest_wait = backoff
        # Two clients, so that a duplicate has its own connection. A proxy of the environment is not used.
        self._clients = [httpx.Client(timeout=TIMEOUT, limits=LIMITS, trust_env=False) for _ in range(2)]
        self._ready = threading.Condition()
        self._closed = self._over = False
        self._queue = store.unposted()
        heapq.heapify(self._queue)
        self._threads = [threading.Thread(target=self._work, daemon=True, name=f"courier-{n}") for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def hand_over(self, key: int, *, due: float) -> None:
        with self._ready:
            heapq.heappush(self._queue, (due, key))
            self._ready.notify()

    def post_now(self, keys: Sequence[int]) -> None:
        """Each in this order, before returning; one that is not taken is redelivered later."""
        for key in keys:
            self._carry(key)

    def close(self) -> None:
        with self._ready:
            self._closed = True
            self._ready.notify_all()
        until = time.monotonic() + 2
        for thread in self._threads:
            thread.join(timeout=max(0, until - time.monotonic()))
        self._over = True  # a post that still hangs notes nothing: the store is about to close
        for client in self._clients:
            client.close()

    def _work(self) -> None:
        while (key := self._next()) is not None:
            self._carry(key)

    def _next(self) -> int | None:
        with self._ready:
            while not self._closed:
                wait = self._queue[0][0] - time.time() if self._queue else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._queue)[1]
                self._ready.wait(wait)
        return None

    def _carry(self, key: int) -> None:
        webhook = self._store.webhook(key)
        if webhook is None:
            return
        taken = self._post_twice(webhook.body) if self._twice() else self._post(webhook.body, self._clients[0])
        if self._over:
            return
        self._note(webhook, taken)
        now = time.time()
        again = now + min(self._first_wait * 2**webhook.attempts, self._longest_wait)
        freed = self._store.settle(key, taken=taken, due=again, now=now)
        for due, each in freed if taken else [*freed, (again, key)]:
            self.hand_over(each, due=due)

    def _note(self, webhook: Webhook, taken: bool) -> None:
        """A person's message gets its second tick when Jeevo took it; a phone needs no receiver."""
        if webhook.status:
            self._store.forward(webhook.wamid, webhook.status)
        elif taken:
            self._store.forward(webhook.wamid, "delivered")

    def _post(self, body: bytes, client: httpx.Client) -> bool:
        headers = {
            "Content-Type": "application/json",
            "X-Hub-Signature-256": signature(body, self._secret),
            "User-Agent": "facebookexternalua",
        }
        try:
            taken = client.post(self._url, content=body, headers=headers).status_code == 200
        except (httpx.HTTPError, RuntimeError):  # RuntimeError: the client was closed under us
            taken = False
        self.posted += 1
        self.taken += taken
        return taken

    def _post_twice(self, body: bytes) -> bool:
        together = threading.Barrier(2)
        results: list[bool] = []

        def post(client: httpx.Client) -> None:
            together.wait(timeout=5)
            results.append(self._post(body, client))

        second = threading.Thread(target=post, args=(self._clients[1],), daemon=True)
        second.start()
        post(self._clients[0])
        second.join()
        return results == [True, True]
