"""Certificates for tests, made by openssl: an authority, a broker and clients."""

from __future__ import annotations

import subprocess
from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Authority:
    """A certificate authority with its files in a folder of its own."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.certificate = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        subject = ("-x509", "-days", "2", "-subj", f"/CN={name}")
        _openssl("req", *subject, *_KEY, "-keyout", self._key, "-out", self.certificate)

    def issue(self, name: str, host: str = "") -> tuple[Path, Path]:
        """Makes a certificate with this common name, for a server if there is a `host`. Returns it and its key."""
        request, key, certificate = (self.folder / f"{name}.{ending}" for ending in ("csr", "key", "crt"))
        _openssl("req", "-subj", f"/CN={name}", *_KEY, "-keyout", key, "-out", request)
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName=DNS:{host or name}\n")
        signer = ("-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial", "-days", "2")
        _openssl("x509", "-req", *signer, "-in", request, "-extfile", extensions, "-out", certificate)
        return certificate, key


def encrypt_key(key: Path, password: str) -> Path:
    """Writes a copy of a private key that needs a password. Returns the new file."""
    encrypted = key.with_suffix(".encrypted")
    _openssl("pkcs8", "-topk8", "-in", key, "-out", encrypted, "-passout", f"pass:{password}")
    return encrypted


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], capture_output=True, check=True)
