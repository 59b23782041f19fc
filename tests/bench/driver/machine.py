"""The machine: what has to be there, what gets installed, and what the figures were measured on."""

import fcntl
import os
import platform
import shutil
import subprocess
import sys
import venv
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
# Everything that a run makes is here.
HOME = TARGET / "bench"
CRM = TARGET / "release" / "crm"
LIMIT = TARGET / "release" / "examples" / "limit"
VENV = HOME / "venv"
REQUIREMENTS = BENCH / "peers" / "requirements.txt"

# The command and Debian's package that has it.
TOOLS = {"wrk": "wrk", "sqlite3": "sqlite3", "strace": "strace", "curl": "curl"}


class Failed(Exception):
    """What ends a run, in one sentence."""


def say(text):
    """To standard error: standard output has the tables."""
    print(text, file=sys.stderr, flush=True)


def run(*command, **options):
    """Runs a command to its end and answers what it printed."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, **options)
    if done.returncode != 0:
        raise Failed(f"`{' '.join(map(str, command))}` failed with exit code {done.returncode}")
    return done.stdout.strip()


def take_home():
    """Makes the folder of all runs and takes it for this one, as two at once would measure each other."""
    HOME.mkdir(parents=True, exist_ok=True)
    # Open until the process ends, and the lock with it.
    lock = os.open(HOME / "lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Failed(f"another run is using {HOME}") from None
    for left in HOME.glob("round-*"):
        shutil.rmtree(left)


def install_tools(tools):
    """Installs what is missing where that can be done, or says what to install."""
    missing = [package for tool, package in tools.items() if not shutil.which(tool)]
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Failed(f"please install {', '.join(missing)} first")
    say(f"installing {', '.join(missing)}")
    run("apt-get", "update", stderr=subprocess.DEVNULL)
    run("apt-get", "install", "--yes", "--no-install-recommends", *missing, stderr=subprocess.DEVNULL)


def build(*what):
    """Builds crm, or parts of it, as it is released."""
    say("building crm as it is released")
    run("cargo", "build", "--release", "--locked", *what, cwd=ROOT)


def install_peers():
    """Installs the pinned peers into an environment of their own, unless these very ones are there."""
    wanted = REQUIREMENTS.read_text()
    stamp = VENV / "requirements.txt"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say("installing the peers")
    venv.create(VENV, clear=True, with_pip=True)
    run(VENV / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS)
    stamp.write_text(wanted)


def file_system(path):
    """The type of the file system that a path is on."""
    best = ("", "?")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind = line.split()[:3]
        if Path(path).is_relative_to(place) and len(place) >= len(best[0]):
            best = (place, kind)
    return best[1]


def describe():
    """The machine and the versions of all that takes part."""
    cpu = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    described = {
        "CPU": cpu.split(":")[1].strip(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": f"{int(memory.split()[1]) / 2**20:.0f} GiB",
        "kernel": f"Linux {platform.release()}",
        "file system": file_system(HOME),
        "rustc": run("rustc", "--version").split()[1],
        "crm": run(CRM, "--version").split()[-1] + commit(),
    }
    if shutil.which("wrk"):
        # wrk answers its version and its usage with exit code 1.
        version = subprocess.run(["wrk", "-v"], stdout=subprocess.PIPE, text=True).stdout
        described["wrk"] = version.split()[1].removeprefix("debian/")
    if VENV.exists():
        for line in REQUIREMENTS.read_text().splitlines():
            if "==" in line:
                name, version = line.split("==")
                described[name.removesuffix("-bin")] = version
        ask = "import platform, sqlite3; print(platform.python_version(), sqlite3.sqlite_version)"
        python, sqlite = run(VENV / "bin" / "python", "-c", ask).split()
        described |= {"Python": python, "its SQLite": sqlite}
    return described


def commit():
    """The commit that was built, with a plus where the sources are changed."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        return ""
    changed = run("git", "status", "--porcelain", "--", "src", "Cargo.toml", "Cargo.lock", cwd=ROOT)
    return f" ({run('git', 'rev-parse', '--short', 'HEAD', cwd=ROOT)}{'+' if changed else ''})"
