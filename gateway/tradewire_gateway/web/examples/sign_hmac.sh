#!/usr/bin/env bash
# Signs a request with HMAC-SHA256. Needs curl, openssl, TRADEWIRE_API_KEY and TRADEWIRE_SECRET.
set -euo pipefail

url=${TRADEWIRE_URL:-http://127.0.0.1:8080}
environment=${TRADEWIRE_ENVIRONMENT:-sandbox}
path='/v1/balances'
timestamp=$(date +%s)000 # milliseconds
nonce=$(openssl rand -hex 16)
hash=$(printf '' | openssl dgst -sha256 -r | cut -d ' ' -f 1)

# The key is the secret's text as it was shown, `tws_` included.
signature=$(printf 'TRADEWIRE-V1\n%s\n%s\n%s\nGET\n%s\n%s' \
  "$environment" "$timestamp" "$nonce" "$path" "$hash" |
  openssl dgst -sha256 -hmac "$TRADEWIRE_SECRET" -binary |
  base64 | tr '+/' '-_' | tr -d '=\n')

curl --silent --show-error --fail-with-body "$url$path" \
  --header "x-api-key: $TRADEWIRE_API_KEY" \
  --header "x-api-timestamp: $timestamp" \
  --header "x-api-nonce: $nonce" \
  --header "x-api-signature: $signature"
echo
