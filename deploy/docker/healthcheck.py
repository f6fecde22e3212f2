"""Whether the web process in this container takes requests: exit code 0 or 1, for Docker's HEALTHCHECK.

It asks under the first name of ALLOWED_HOSTS, because Django refuses any other. Nothing of Jeevo is
imported, so that a probe costs milliseconds.
"""

from __future__ import annotations

import os
import sys
import urllib.request


def main() -> int:
    name = os.environ.get("ALLOWED_HOSTS", "").split(",")[0].strip().lstrip(".")
    address = f"http://127.0.0.1:{os.environ.get('WEB_PORT') or 8000}/health/live"
    # The path is exempt from the redirect to HTTPS; a proxy of the environment would not reach this container.
    asked = urllib.request.Request(address, headers={"Host": name} if name and "*" not in name else {})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=4) as answer:
            return 0 if answer.status == 200 else 1
    except OSError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
