#!/usr/bin/env bash
# Opens a session and prints its token. Needs curl, openssl 3, TRADEWIRE_API_KEY, the key's file.
set -euo pipefail

url=${TRADEWIRE_URL:-http://127.0.0.1:8080}
environment=${TRADEWIRE_ENVIRONMENT:-sandbox}
key_file=${TRADEWIRE_KEY_FILE:-tradewire.pem}
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

timestamp=$(date +%s)000 # milliseconds
nonce=$(openssl rand -hex 16)
printf 'TRADEWIRE-V1\n%s\n%s\n%s\nSESSION' "$environment" "$timestamp" "$nonce" >"$work/to_sign"
signature=$(openssl pkeyutl -sign -rawin -inkey "$key_file" -in "$work/to_sign" |
  base64 | tr '+/' '-_' | tr -d '=\n')

curl --silent --show-error --fail-with-body "$url/v1/sessions" \
  --header 'content-type: application/json' \
  --data '{"signature": {
    "apiKey": "'"$TRADEWIRE_API_KEY"'",
    "timestampMs": "'"$timestamp"'",
    "nonce": "'"$nonce"'",
    "signature": "'"$signature"'"
  }}' |
  sed -n 's/.*"token": *"\([^"]*\)".*/\1/p'
