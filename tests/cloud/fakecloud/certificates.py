"""Certificates for HTTPS, made with openssl(1): a CA, what it has signed, and what it has not."""

import os
import ssl
import subprocess

_NAMES = "DNS:localhost,IP:127.0.0.1,IP:::1"
# Kind of certificate: CA, names, first and last day of openssl's ca.
_KINDS = {
    "good": ("ca", _NAMES, "20200101000000Z", "20991231000000Z"),
    "expired": ("ca", _NAMES, "20200101000000Z", "20200102000000Z"),
    "wrong-name": ("ca", "DNS:elsewhere.invalid", "20200101000000Z", "20991231000000Z"),
    "unknown-ca": ("other-ca", _NAMES, "20200101000000Z", "20991231000000Z"),
}
_CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = {names}
[ca]
default_ca = issuer
[issuer]
database = {directory}/index
rand_serial = yes
default_md = sha256
policy = any
new_certs_dir = {directory}
unique_subject = no
[any]
commonName = supplied
"""


class CertificateError(RuntimeError):
    """openssl failed."""


class Certificates:
    """The certificates of a directory, which are made if they are not there."""

    def __init__(self, directory):
        self.directory = directory
        self._contexts = {}
        os.makedirs(directory, exist_ok=True)
        if not os.path.exists(self._path("complete")):
            self._make_all()

    @property
    def ca_file(self):
        """What a client has to trust."""
        return self._path("ca.pem")

    def context(self, kind):
        """The TLS context of a server with a certificate of a kind."""
        if kind not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._path(f"{kind}.pem"), self._path("server.key"))
            context.set_alpn_protocols(["http/1.1"])
            self._contexts[kind] = context
        return self._contexts[kind]

    # --- making ---

    def _path(self, name):
        return os.path.join(self.directory, name)

    def _openssl(self, *arguments):
        try:
            result = subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL,
                                    capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise CertificateError("openssl(1) is not installed") from None
        if result.returncode:
            raise CertificateError(f"openssl {arguments[0]}: {result.stderr.strip()}")

    def _write(self, name, text):
        with open(self._path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self._path(name)

    def _make_all(self):
        self._write("index", "")
        for authority in ("ca", "other-ca"):
            self._make_key(authority + ".key")
            config = self._write("config", _CONFIG.format(name=f"imgsharefs tests, {authority}",
                                                          names=_NAMES, directory=self.directory))
            self._openssl("req", "-x509", "-new", "-config", config, "-extensions", "authority",
                          "-key", self._path(authority + ".key"), "-days", "36500",
                          "-out", self._path(authority + ".pem"))
        self._make_key("server.key")
        for kind, (authority, names, start, end) in _KINDS.items():
            config = self._write("config", _CONFIG.format(name="fake cloud", names=names,
                                                          directory=self.directory))
            request = self._path("request")
            self._openssl("req", "-new", "-config", config, "-key", self._path("server.key"),
                          "-out", request)
            self._openssl("ca", "-batch", "-notext", "-config", config, "-extensions", "server",
                          "-cert", self._path(authority + ".pem"),
                          "-keyfile", self._path(authority + ".key"), "-startdate", start,
                          "-enddate", end, "-in", request, "-out", self._path(f"{kind}.pem"))
        self._write("complete", "")

    def _make_key(self, name):
        self._openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-out", self._path(name))
