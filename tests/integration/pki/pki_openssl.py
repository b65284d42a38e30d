"""The OpenSSL command line as a charger's own crypto, and as a verifier that shares no code."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


def openssl(*arguments: object, check: bool = True, stdin: str = "") -> str:
    """What it said on both streams; a machine without it fails the test in so many words."""
    program = shutil.which("openssl")
    if program is None:
        pytest.fail("the openssl command line is needed to verify certificates; install it")
    done = subprocess.run(
        [program, *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=60
    )
    if check and done.returncode != 0:
        raise AssertionError(f"openssl {arguments[0]}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


@dataclass
class Keys:
    """A private key and what has been signed for it, as files."""

    folder: Path
    name: str

    @property
    def key(self) -> Path:
        return self.folder / f"{self.name}.key"

    @property
    def chain(self) -> Path:
        return self.folder / f"{self.name}.pem"

    def new(self, kind: str = "ec") -> "Keys":
        options = {
            "ec": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            "weak": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
        }[kind]
        openssl("genpkey", *options, "-out", self.key)
        return self

    def request(self, common_name: str, organisation: str = "Yard") -> str:
        """A PKCS#10 request in PEM."""
        subject = f"/O={organisation}/CN={common_name}"
        path = self.folder / f"{self.name}.csr"
        openssl("req", "-new", "-key", self.key, "-subj", subject, "-out", path)
        return path.read_text()


class Authority:
    """A certificate authority made by OpenSSL: an operator's own, or a maker's of chargers."""

    def __init__(self, folder: Path, name: str) -> None:
        self.keys = Keys(folder, name).new()
        openssl(
            "req", "-x509", "-new", "-key", self.keys.key, "-days", "3650",
            "-subj", f"/O={name}/CN={name} root", "-out", self.keys.chain,
            "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip

    @property
    def root(self) -> str:
        return self.keys.chain.read_text()

    def sign(self, request: str, days: int = 30) -> str:
        folder = self.keys.folder
        (folder / "to_sign.csr").write_text(request)
        out = folder / "signed.pem"
        openssl(
            "x509", "-req", "-in", folder / "to_sign.csr", "-CA", self.keys.chain,
            "-CAkey", self.keys.key, "-CAcreateserial", "-days", days, "-out", out,
        )  # fmt: skip
        return out.read_text()

    def revoke(self, certificate: str) -> str:
        """A CRL that names it."""
        folder = self.keys.folder
        (folder / "index.txt").touch()
        (folder / "crlnumber").write_text("01\n")
        config = folder / "ca.cnf"
        config.write_text(
            f"[ca]\ndefault_ca=d\n[d]\ndatabase={folder}/index.txt\ncrlnumber={folder}/crlnumber\n"
            f"default_md=sha256\ndefault_crl_days=30\nprivate_key={self.keys.key}\n"
            f"certificate={self.keys.chain}\n"
        )
        (folder / "revoked.pem").write_text(certificate)
        openssl("ca", "-config", config, "-revoke", folder / "revoked.pem")
        openssl("ca", "-config", config, "-gencrl", "-out", folder / "list.crl")
        return (folder / "list.crl").read_text()


def verified(chain: str, root: str, folder: Path) -> str:
    """What ``openssl verify`` says of a chain (its own certificate first) under a root."""
    leaf, step, top = folder / "v_leaf.pem", folder / "v_step.pem", folder / "v_root.pem"
    end = "-----END CERTIFICATE-----\n"
    blocks = [part + end for part in chain.split(end) if part.strip()]
    leaf.write_text(blocks[0])
    step.write_text("".join(blocks[1:]) or blocks[0])
    top.write_text(root)
    return openssl("verify", "-CAfile", top, "-untrusted", step, leaf, check=False)
