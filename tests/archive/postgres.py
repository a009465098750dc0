"""A real PostgreSQL for the tests: on a free port, in a folder of its own, ended with the tests.

From the Debian package ``postgresql`` (``make tools``). Its programs refuse root, so as root they
run as the user ``postgres``.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.engine import URL

USER = "postgres"
START_SECONDS = "60"


class NoPostgres(RuntimeError):
    """There is no PostgreSQL to test on; the message says where one was looked for."""


def programs() -> Path:
    """The folder of the newest PostgreSQL here. Raises ``NoPostgres``."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: int(one.parts[-3])
    )
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    if initdb is None:
        raise NoPostgres("no initdb in PATH or /usr/lib/postgresql: make tools installs PostgreSQL")
    return Path(initdb).parent


class Postgres:
    """One server. It listens on 127.0.0.1 only, with a password."""

    password = "p@ss:word/ü"

    def __init__(self, folder: Path) -> None:
        self._programs = programs()
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            user = pwd.getpwnam(USER)
            self._as_user = ["setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid)]
            self._as_user += ["--clear-groups"]
            os.chown(folder, user.pw_uid, user.pw_gid)
        password = folder / "password"
        password.write_text(self.password + "\n", encoding="utf-8")
        if self._as_user:
            os.chown(password, user.pw_uid, user.pw_gid)
        self._run(
            "initdb",
            *("--pgdata", str(folder / "data"), "--username", USER, "--auth", "scram-sha-256"),
            *("--pwfile", str(password), "--encoding", "UTF8", "--no-sync", "--locale", "C.UTF-8"),
        )

    def url(self, database: str = "postgres") -> URL:
        """The address of a database."""
        return URL.create(
            "postgresql+psycopg", USER, self.password, "127.0.0.1", self.port, database
        )

    def own(self, folder: Path) -> None:
        """Give the server a folder."""
        if self._as_user:
            user = pwd.getpwnam(USER)
            os.chown(folder, user.pw_uid, user.pw_gid)

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        log = str(self._folder / "log")
        self._control("start", "--log", log, "--options", options)

    def stop(self, mode: str = "immediate") -> None:
        """Stop; ``immediate`` as a crash does."""
        self._control("stop", "--mode", mode)

    def kill(self) -> None:
        """SIGKILL of the server and all that it started."""
        pid = int((self._folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
        os.kill(pid, signal.SIGKILL)

    def _control(self, command: str, *arguments: str) -> None:
        data = str(self._folder / "data")
        self._run("pg_ctl", command, "--wait", "--timeout", START_SECONDS, "-D", data, *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        command: Sequence[str] = [*self._as_user, str(self._programs / program), *arguments]
        # Its output goes to a file: the server would keep a pipe open.
        with (self._folder.parent / f"{self._folder.name}.out").open("ab") as output:
            done = subprocess.run(
                command, stdout=output, stderr=output, cwd=self._folder, check=False
            )
        if done.returncode:
            said = Path(output.name).read_text(encoding="utf-8")[-2000:]
            raise RuntimeError(f"{program} {' '.join(arguments)}: {done.returncode}\n{said}")


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server, as long as it is needed. Raises ``NoPostgres``."""
    programs()
    with TemporaryDirectory(prefix="wanglou-postgres-") as name:
        os.chmod(name, 0o755)
        folder = Path(name) / "server"
        folder.mkdir()
        server = Postgres(folder)
        server.start()
        try:
            yield server
        finally:
            with contextlib.suppress(RuntimeError):  # a test may have stopped it
                server.stop()
