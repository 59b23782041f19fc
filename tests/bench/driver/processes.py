"""Servers as processes: started, watched, and ended whatever happens."""

import http.client
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from .machine import HOME, Failed

TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    """A port of the loopback that nobody has at the moment."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Process:
    """A server that answers."""

    def __init__(self, command, port, folder, environment=None):
        self.port = port
        self.log = Path(folder) / f"log-{port}.txt"
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env={**os.environ, **(environment or {})},
            )

    def wait_ready(self):
        """Waits until it answers anything at all."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.child.poll() is not None:
                raise Failed(f"{self.child.args[0]} ended at once: {self.log.read_text()[-2000:]}")
            try:
                self.ask("GET", "/")
                return
            except OSError:
                time.sleep(0.02)
        raise Failed(f"{self.child.args[0]} does not answer")

    def ask(self, method, path, body=None, headers=None):
        """Sends one request; answers status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {"Content-Type": "application/json"} | (headers or {}) if body else headers or {}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def cpu(self):
        """The processor time it has had, in seconds."""
        # The second field is the command in brackets and may hold blanks.
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self):
        """What it holds of the machine's memory and the most it ever held, in MiB."""
        lines = Path(f"/proc/{self.child.pid}/status").read_text().splitlines()
        values = dict(line.split(":", 1) for line in lines)
        return {name: int(values[key].split()[0]) / 1024 for name, key in [("rss", "VmRSS"), ("peak", "VmHWM")]}

    def stop(self):
        """Ends it with SIGTERM, and with SIGKILL where that does not help."""
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


def folder():
    """A folder for one round, gone with it."""
    return tempfile.TemporaryDirectory(dir=HOME, prefix="round-")


class Fleet:
    """The servers of a round: none outlives it."""

    def __init__(self):
        self.folder = folder()
        self.processes = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.stop()
        self.folder.cleanup()

    def start(self, command, port, environment=None):
        """Starts a server and waits until it answers."""
        process = Process(command, port, self.folder.name, environment)
        self.processes.append(process)
        process.wait_ready()
        return process
