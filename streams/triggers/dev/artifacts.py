"""Apache Kafka's jars from Maven Central, kept in the user's cache."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from triggers.errors import SettingsError
from triggers.settings import cache_dir

KAFKA_VERSION = "4.1.0"

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>triggers</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""


def kafka_jars() -> Path:
    """Folder of the jars; downloads them the first time (some 43 MB). Raises SettingsError."""
    folder = cache_dir() / f"kafka-{KAFKA_VERSION}"
    if not folder.exists():
        _download(folder)
    return folder


def _download(folder: Path) -> None:
    """Into a folder beside it, renamed when complete: an interrupted or a second download leaves nothing half-done."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        jars, pom = Path(scratch, "jars"), Path(scratch, "pom.xml")
        pom.write_text(_POM)
        command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own command
        if done.returncode:
            raise SettingsError(f"Maven could not fetch Kafka {KAFKA_VERSION}:\n{(done.stdout + done.stderr)[-2000:]}")
        if not folder.exists():
            shutil.move(jars, folder)
