"""Downloads Apache Kafka's jars from Maven Central into the user's cache."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from triggers.errors import SettingsError
from triggers.settings import cache_dir

KAFKA_VERSION = "4.1.0"
_LOG4J_VERSION = "2.24.3"
"""The version that Kafka uses. Without the binding below, Kafka writes no log at all."""

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>triggers</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
      <version>{_LOG4J_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""


def kafka_jars() -> Path:
    """Return the folder of the jars. The first call downloads them (about 43 MB). Raises SettingsError."""
    folder = _folder()
    if not folder.exists():
        _download(folder)
    return folder


def kafka_jars_are_here() -> bool:
    """Return whether the jars have been downloaded."""
    return _folder().exists()


def _folder() -> Path:
    return cache_dir() / f"kafka-{KAFKA_VERSION}"


def _download(folder: Path) -> None:
    """Download into a temporary folder and rename it, so that an interrupted download leaves no incomplete folder.

    If two processes download at the same time, the second one discards its download.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        jars, pom = Path(scratch, "jars"), Path(scratch, "pom.xml")
        pom.write_text(_POM)
        command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SettingsError(
                f"Maven could not download Kafka {KAFKA_VERSION}:\n{(done.stdout + done.stderr)[-2000:]}"
            )
        with suppress(OSError):
            jars.rename(folder)
    if not folder.exists():
        raise SettingsError(f"the jars of Kafka {KAFKA_VERSION} could not be moved to {folder}")
