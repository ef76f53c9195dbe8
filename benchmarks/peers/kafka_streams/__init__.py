"""The rules in Java with Kafka Streams, and how its program is built."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from triggers.dev.artifacts import KAFKA_VERSION
from triggers.errors import SettingsError
from triggers.settings import cache_dir

_HERE = Path(__file__).parent
_CHECKSUMS = _HERE / "jars.sha256"
JAVA_OPTIONS = ("-Xmx1g", "-XX:+UseParallelGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
"""The collector was faster than G1 here, and a larger heap made no difference."""


def build_program() -> str:
    """Returns the class path of the built program. It builds if a source has changed. Raises SettingsError."""
    home = cache_dir() / "bench" / f"kafka-streams-{KAFKA_VERSION}-{_digest_of_sources()}"
    if not (home / "classes").exists():
        for command in ("java", "javac", "mvn"):
            if shutil.which(command) is None:
                raise SettingsError(f"{command} is missing: install Java 17 and Maven (openjdk-17-jdk-headless, maven)")
        _build(home)
    check_jars(home / "jars")
    return f"{home / 'classes'}:{home / 'jars'}/*"


def _build(home: Path) -> None:
    goals = ["compile", "dependency:copy-dependencies", f"-DoutputDirectory={home / 'jars'}", "-DincludeScope=runtime"]
    strict = "--strict-checksums"
    command = ["mvn", "-q", "-B", strict, "-f", str(_HERE / "pom.xml"), f"-Dtarget={home}", *goals]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(home, ignore_errors=True)
        raise SettingsError(f"Maven could not build the program:\n{(done.stdout + done.stderr)[-2000:]}")


def _digest_of_sources() -> str:
    sources = [_HERE / "pom.xml", *sorted(_HERE.rglob("*.java"))]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]


def check_jars(folder: Path) -> None:
    """Compares the jars with the checksums of this repository. Raises SettingsError."""
    lines = (line.split() for line in _CHECKSUMS.read_text().splitlines())
    expected = {name: checksum for checksum, name in lines}
    found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in folder.glob("*.jar")}
    if wrong := sorted(name for name in expected | found if expected.get(name) != found.get(name)):
        raise SettingsError(f"the checksum of {', '.join(wrong)} in {folder} is not that of {_CHECKSUMS}")
