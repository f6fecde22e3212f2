"""What `.env` says: every variable in its form, secrets that are secrets, keys that only their owner reads.

A value is never shown, only what is odd about it. A form that looks odd is a warning: the services themselves judge.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from jeevo.environment import Environment, EnvironmentProblem, read
from operations.preflight import Line, good

SHORTEST_SECRET, FEWEST_SIGNS = 32, 8
SHORTEST_TOKEN = 16
EXAMPLE = "helpline.example.org"
_NUMBER_ID, _APP_SECRET, _VERSION = re.compile(r"\d{10,20}"), re.compile(r"[0-9a-f]{32}"), re.compile(r"v\d{1,3}\.\d")


def lines() -> Iterator[Line]:
    environment = settings.ENVIRONMENT
    yield from variables(os.environ)
    yield from addresses(environment)
    yield secrets(environment)
    yield from key_folder(environment.keys, generated=environment.mode == "sandbox")
    if environment.mode == "live":
        yield whatsapp(environment)
        yield debts(environment)
    yield groq(environment)
    yield mail(environment)


def variables(source: Mapping[str, str]) -> Iterator[Line]:
    """Every variable that is wrong now, which the running processes may not know yet."""
    try:
        read(source)
    except EnvironmentProblem as problem:
        for name, remedy in problem.problems:
            yield Line(f"Setting {name}", "breached", f"It {remedy}.", "Set it in .env, where each variable is explained.")
    else:
        yield good("Settings", "Every variable has a value that Jeevo can work with.")


def addresses(environment: Environment) -> Iterator[Line]:
    """Those of `.env.example`, left as they are: every request would be refused."""
    left = [name for name in environment.allowed_hosts if name.endswith(EXAMPLE)]
    if left or (urlsplit(environment.public_url).hostname or "").endswith(EXAMPLE):
        remedy = "Put in your own address in ALLOWED_HOSTS and PUBLIC_URL; in the sandbox take both lines out."
        yield Line("Addresses", "breached", "They are still the examples of .env.example, so requests are refused.", remedy)


def secrets(environment: Environment) -> Line:
    """Long enough and of enough different signs that nobody guesses them."""
    named = {"SECRET_KEY": environment.secret_key, "INDEX_KEY": environment.index_key}
    weak = [name for name, value in named.items() if is_weak(value, least=SHORTEST_SECRET)]
    named = {"HEALTH_TOKEN": environment.health_token, "METRICS_TOKEN": environment.metrics_token}
    named |= {"ALERTS_TOKEN": environment.alerts_token}
    weak += [name for name, value in named.items() if value and is_weak(value, least=SHORTEST_TOKEN)]
    if not weak:
        return good("Secrets", "They are long enough and look random.")
    remedy = "Make new ones with `python -m jeevo.environment`; never change INDEX_KEY while there are contacts."
    return Line("Secrets", "at_risk", f"{', '.join(weak)}: short or easy to guess.", remedy)


def is_weak(value: str, *, least: int) -> bool:
    return len(value) < least or len(set(value)) < FEWEST_SIGNS


def key_folder(folder: Path, *, generated: bool) -> Iterator[Line]:
    """The keys open everything that patients wrote: for their owner alone."""
    if not folder.is_dir():
        if generated:
            yield Line("Keys", "breached", f"The folder {folder} is not there.", "Bring it back from your copy of the keys.")
        return
    open_ones = [path for path in (folder, *folder.iterdir()) if _others_may(path)]
    if open_ones:
        names = ", ".join(path.name for path in open_ones[:5])
        remedy = f"Close it: chmod 700 {folder} && chmod 600 {folder}/*"
        yield Line("Keys", "at_risk", f"Others on this machine may open {names}.", remedy)
    else:
        yield good("Keys", "Only the account that runs Jeevo may open them.")


def _others_may(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def whatsapp(environment: Environment) -> Line:
    given, odd = environment.whatsapp, list[str]()
    if len(given.token) < 50:
        odd.append("WHATSAPP_TOKEN is shorter than tokens of Meta are")
    if not _NUMBER_ID.fullmatch(given.phone_number_id):
        odd.append("WHATSAPP_PHONE_NUMBER_ID is not a row of digits (it is not the number itself)")
    if not all(_APP_SECRET.fullmatch(each) for each in given.app_secrets):
        odd.append("WHATSAPP_APP_SECRET is not 32 hexadecimal digits")
    if is_weak(given.verify_token, least=12):
        odd.append("WHATSAPP_VERIFY_TOKEN is easy to guess")
    if not _VERSION.fullmatch(given.graph_version):
        odd.append("WHATSAPP_GRAPH_VERSION does not look like v26.0")
    if urlsplit(given.graph_url).scheme != "https":
        odd.append("WHATSAPP_GRAPH_URL is not https")
    if odd:
        remedy = "Compare them with Meta's dashboard (docs/connect-a-number.md), then run `manage.py whatsapp check`."
        return Line("WhatsApp", "at_risk", f"{'; '.join(odd)}.", remedy)
    return good("WhatsApp", "Token, number and secret look as they should. `manage.py whatsapp check` asks Meta.")


def debts(environment: Environment) -> Line:
    """What a live service should not be without, although it starts."""
    if environment.second_factor == "off":
        return Line("Second factor", "at_risk", "A password alone opens the console.", "Set SECOND_FACTOR=operators in .env.")
    return good("Second factor", "The console asks for one.")


def groq(environment: Environment) -> Line:
    key, name = environment.groq.api_key, "Language model"
    if not key:
        return good(name, "There is no key of Groq, so answers are quoted from the sources.")
    if urlsplit(environment.groq.base_url).hostname == "api.groq.com" and not (key.startswith("gsk_") and len(key) > 40):
        return Line(name, "at_risk", "GROQ_API_KEY does not look like a key of Groq.", "Copy it anew from Groq's console.")
    return good(name, f"A key is there, and the model {environment.groq.model} is asked.")


def mail(environment: Environment) -> Line:
    if environment.email_url:
        if environment.email_from.endswith("@localhost"):
            said = "Notices come from an address at localhost, which other servers refuse."
            return Line("E-mail", "at_risk", said, "Set EMAIL_FROM in .env.")
        return good("E-mail", "A mail server is named for notices.")
    if environment.mode == "live":
        return Line("E-mail", "at_risk", "Notices of incidents reach nobody by e-mail.", "Set EMAIL_URL and EMAIL_FROM in .env.")
    return good("E-mail", "Notices are written to files in the data folder, as no mail server is named.")
