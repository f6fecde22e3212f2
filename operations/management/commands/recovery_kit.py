import argparse
import getpass
import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from operations import backup_keys, recovery_kit


class Command(BaseCommand):
    help = "Writes the recovery kit: every key and how to bring the service back, sealed with a passphrase."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--out", type=Path, help="make a kit in this file")
        what.add_argument("--show", type=Path, help="open a kit and print it; needs no database")
        parser.add_argument("--with-offsite-secrets", action="store_true", help="the key of the off-site storage as well")
        parser.add_argument("--passphrase-file", type=Path, help="in place of being asked; its first line")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["show"]:
                self._show(options["show"], options["passphrase_file"])
            else:
                self._make(options["out"], options["passphrase_file"], secrets=options["with_offsite_secrets"])
        except (recovery_kit.KitProblem, backup_keys.KeyProblem) as problem:
            raise CommandError(str(problem)) from problem
        except OSError as problem:
            raise CommandError(f"{problem.filename}: {problem.strerror}.") from problem

    def _make(self, path: Path, passphrase_file: Path | None, *, secrets: bool) -> None:
        if path.exists():
            raise CommandError(f"{path} exists: name another file, so that no older kit is lost.")
        sealed = recovery_kit.make(passphrase(passphrase_file, twice=True), now=timezone.now(), with_offsite_secrets=secrets)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(file.fileno())
        self.stdout.write(f"The recovery kit is in {path}. Take it to another place than the copies, and its passphrase apart.")

    def _show(self, path: Path, passphrase_file: Path | None) -> None:
        self.stdout.write(recovery_kit.opened(path.read_bytes(), passphrase(passphrase_file)).text)


def passphrase(file: Path | None, *, twice: bool = False) -> str:
    if file is not None:
        return (file.read_text().splitlines() or [""])[0]
    said = getpass.getpass("Passphrase of the kit: ")
    if twice and getpass.getpass("Once more: ") != said:
        raise CommandError("The two differ; no kit was made.")
    return said
