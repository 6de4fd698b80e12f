"""A PostgreSQL server of the system's packages in a directory of its own, with
synchronous commits."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from processes import cpu_seconds


class Postgres:
    def __enter__(self):
        found = pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb")
        self.bin = max(found, key=lambda path: int(path.parts[-3])).parent
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="weaver-bench-pg-"))
        if os.getuid() == 0:
            shutil.chown(self.dir, "postgres")
        self.server("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D", self.data)
        (self.data / "postgresql.auto.conf").write_text(
            "listen_addresses = '127.0.0.1'\n"
            f"port = {PORT}\nunix_socket_directories = '{self.dir}'\n"
            "max_connections = 400\nshared_buffers = '256MB'\nsynchronous_commit = on\nfsync = on\n"
        )
        self.server("pg_ctl", "start", "-w", "-D", self.data, "-l", self.dir / "log")
        return self

    def __exit__(self, *_):
        self.server("pg_ctl", "stop", "-m", "immediate", "-D", self.data)
        shutil.rmtree(self.dir, ignore_errors=True)

    @property
    def data(self):
        return self.dir / "data"

    def server(self, program, *arguments):
        command = [str(self.bin / program), *map(str, arguments)]
        if os.getuid() == 0:
            command = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.dir)

    def url(self, database):
        return f"postgres://postgres@127.0.0.1:{PORT}/{database}"

    def psql(self, database, statement):
        url = database if "://" in database else self.url(database)
        subprocess.run([str(self.bin / "psql"), "-X", "-q", "-d", url, "-c", statement], check=True)

    def cpu_seconds(self):
        """User and system time of all its processes, of those that have ended too."""
        return cpu_seconds(int((self.data / "postmaster.pid").read_text().split()[0]))

    def pgbench(self, url, statement, clients, seconds):
        """Transactions a second, the connecting left out."""
        script = self.dir / "script.sql"
        script.write_text(statement)
        command = [str(self.bin / "pgbench"), "-n", "-M", "prepared", "-j", "2", "-c", str(clients), "-T", str(seconds)]
        done = subprocess.run([*command, "-f", str(script), url], check=True, capture_output=True, text=True)
        return float(re.search(r"tps = ([0-9.]+)", done.stdout).group(1))


# Beside a server that may run already.
PORT = 54329
