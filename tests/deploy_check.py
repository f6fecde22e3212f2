"""`manage.py check --deploy` under live settings with made-up secrets: `python -m tests.deploy_check`.

The services named here do not exist; a check opens no connection.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from jeevo.environment import ROOT, _fernet_key


def live_variables(folder: Path) -> dict[str, str]:
    """A full live environment whose secrets are made up."""
    return {
        "JEEVO_MODE": "live",
        "JEEVO_DATA_DIR": str(folder / "data"),
        "JEEVO_KEYS_DIR": str(folder / "keys"),
        "SECRET_KEY": "made-up-for-the-check-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEF",
        "FIELD_KEYS": _fernet_key(),
        "INDEX_KEY": "0123456789abcdef" * 4,
        "DATABASE_URL": "postgres://jeevo:made-up@127.0.0.1:1/jeevo",
        "REDIS_URL": "redis://127.0.0.1:1",
        "ALLOWED_HOSTS": "jeevo.example",
        "PUBLIC_URL": "https://jeevo.example",
        "WHATSAPP_TOKEN": "EAAG-made-up",
        "WHATSAPP_PHONE_NUMBER_ID": "100000000000001",
        "WHATSAPP_BUSINESS_ACCOUNT_ID": "100000000000002",
        "WHATSAPP_APP_SECRET": "made-up-app-secret",
        "WHATSAPP_VERIFY_TOKEN": "made-up-verify-token",
        "HEALTH_TOKEN": "made-up-health-token",
        "WHATSAPP_GRAPH_URL": "",
        "GROQ_API_KEY": "",
        "EMBEDDING_MODEL": "",
        "SERVE_STARTER_CONTENT": "",
    }


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(
            [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
            cwd=ROOT,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "jeevo.settings"} | live_variables(Path(folder)),
            check=False,
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
