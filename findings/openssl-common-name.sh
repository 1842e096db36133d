#!/usr/bin/env bash
# Guess:     the common name of a certificate is no matter once it has a subjectAltName (RFC 6125, section 6.4.4), so a server
#            at 127.0.0.1 below an authority that may only sign for 127.0.0.0/8 and localhost may be called as its address.
# Versions:  cryptography 50.0.2 (which brings OpenSSL 4.0.3), pyOpenSSL 26.4.0
# Behaviour: OpenSSL refuses it with "permitted subtree violation". While the subjectAltName has no DNS name, a common name that
#            looks like one (digits and dots do) is compared with the DNS constraints. The same certificate passes with an empty
#            subject, with another word as common name, and when `localhost` stands beside the address.
# Seen:      CN=127.0.0.1, SAN 127.0.0.1: permitted subtree violation
#            no CN, SAN 127.0.0.1: accepted
#            CN=a server, SAN 127.0.0.1: accepted
#            CN=127.0.0.1, SAN 127.0.0.1 localhost: accepted
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    cryptography==50.0.2 pyOpenSSL==26.4.0 cffi==2.1.1 pycparser==3.12 typing_extensions==4.16.0 || exit 2

seen=$(timeout 60 "$work/venv/bin/python" - <<'PYTHON'
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import crypto


def name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)] if common_name else [])


def unsigned(subject: str, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    begin = datetime.now(UTC) - timedelta(days=1)
    end = begin + timedelta(days=9)
    serial = x509.random_serial_number()
    return x509.CertificateBuilder(name("authority"), name(subject), public_key, serial, begin, end)


authority_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
address, localhost = x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")
permitted = x509.NameConstraints([x509.IPAddress(ip_network("127.0.0.0/8")), localhost], None)
authority = (
    unsigned("authority", authority_key.public_key())
    .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    .add_extension(permitted, critical=True)
    .sign(authority_key, hashes.SHA256())
)
store = crypto.X509Store()
store.add_cert(crypto.X509.from_cryptography(authority))

for subject, names in (("127.0.0.1", [address]), ("", [address]), ("a server", [address]), ("127.0.0.1", [address, localhost])):
    leaf = unsigned(subject, leaf_key.public_key()).add_extension(x509.SubjectAlternativeName(names), critical=not subject)
    certificate = crypto.X509.from_cryptography(leaf.sign(authority_key, hashes.SHA256()))
    try:
        crypto.X509StoreContext(store, certificate).verify_certificate()
        verdict = "accepted"
    except crypto.X509StoreContextError as error:
        verdict = str(error)
    label = f"CN={subject}" if subject else "no CN"
    print(f"{label}, SAN {' '.join(str(one.value) for one in names)}: {verdict}")
PYTHON
)
expected='CN=127.0.0.1, SAN 127.0.0.1: permitted subtree violation
no CN, SAN 127.0.0.1: accepted
CN=a server, SAN 127.0.0.1: accepted
CN=127.0.0.1, SAN 127.0.0.1 localhost: accepted'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
