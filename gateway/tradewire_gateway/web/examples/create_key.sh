#!/usr/bin/env bash
# Makes an Ed25519 key pair, registers its public half and prints the key's id. The private half
# stays in the file. Needs curl, openssl 3 and a token in TRADEWIRE_TOKEN.
set -euo pipefail

url=${TRADEWIRE_URL:-http://127.0.0.1:8080}
key_file=${TRADEWIRE_KEY_FILE:-tradewire.pem}

(umask 077 && openssl genpkey -algorithm ed25519 -out "$key_file")
# The last 32 bytes of the DER form are the public key itself.
public_key=$(openssl pkey -in "$key_file" -pubout -outform DER | tail -c 32 |
  base64 | tr '+/' '-_' | tr -d '=\n')

curl --silent --show-error --fail-with-body "$url/v1/keys" \
  --header "authorization: Bearer $TRADEWIRE_TOKEN" \
  --header 'content-type: application/json' \
  --data '{
    "publicKey": "'"$public_key"'",
    "scopes": ["SCOPE_READ", "SCOPE_TRADE"],
    "label": "signing guide"
  }' |
  sed -n 's/.*"apiKey": *"\([^"]*\)".*/export TRADEWIRE_API_KEY=\1/p'
