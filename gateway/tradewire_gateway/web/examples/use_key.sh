#!/usr/bin/env bash
# Takes a key file that `tradewire keys create` wrote (JSON) into use for the programs of these
# pages: an Ed25519 key becomes tradewire.pem, an HMAC secret an environment variable. Needs
# openssl 3.
set -euo pipefail

file=$1
pem=${TRADEWIRE_KEY_FILE:-tradewire.pem}

field() { # NAME
  sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p' "$file"
}

echo "export TRADEWIRE_API_KEY=$(field api_key)"
if [[ $(field algorithm) == ed25519 ]]; then
  # What stands before the 32 bytes says that they are an Ed25519 key (RFC 8410).
  (umask 077 && {
    printf '\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20'
    echo "$(field private_key)=" | tr -- '-_' '+/' | openssl base64 -d -A
  } | openssl pkey -inform DER -out "$pem")
else
  echo "export TRADEWIRE_SECRET=$(field secret)"
fi
