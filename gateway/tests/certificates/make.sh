#!/usr/bin/env bash
# Certificates for the tests of TLS: one authority, two certificates of ours (the second is the renewed one), and one
# of another name. Valid for a hundred years; their keys protect nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -keyout ca.key -out ca.pem \
    -subj "/CN=jiesu test authority" -addext "basicConstraints=critical,CA:TRUE" 2>/dev/null
leaf() { # leaf FILE NAMES
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" \
        -subj "/CN=$1" 2>/dev/null
    openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 36500 -out "$1.pem" \
        -extfile <(printf 'subjectAltName=%s\nbasicConstraints=CA:FALSE\n' "$2") 2>/dev/null
    rm "$1.csr"
}
leaf first "DNS:gateway.example,IP:127.0.0.1"
leaf renewed "DNS:gateway.example,IP:127.0.0.1"
leaf other "DNS:other.example"
rm -f ca.key ca.srl
