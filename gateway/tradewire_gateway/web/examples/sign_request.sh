#!/usr/bin/env bash
# Signs requests with an Ed25519 key. Needs curl, openssl 3, TRADEWIRE_API_KEY and the key's file.
set -euo pipefail

url=${TRADEWIRE_URL:-http://127.0.0.1:8080}
environment=${TRADEWIRE_ENVIRONMENT:-sandbox}
key_file=${TRADEWIRE_KEY_FILE:-tradewire.pem}
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

signed() { # METHOD PATH [BODY]
  local method=$1 path=$2 body=${3-}
  local timestamp nonce hash signature
  timestamp=$(date +%s)000 # milliseconds
  nonce=$(openssl rand -hex 16)
  hash=$(printf '%s' "$body" | openssl dgst -sha256 -r | cut -d ' ' -f 1)
  # Seven lines, a line feed between them and none at the end.
  printf 'TRADEWIRE-V1\n%s\n%s\n%s\n%s\n%s\n%s' \
    "$environment" "$timestamp" "$nonce" "$method" "$path" "$hash" >"$work/to_sign"
  signature=$(openssl pkeyutl -sign -rawin -inkey "$key_file" -in "$work/to_sign" |
    base64 | tr '+/' '-_' | tr -d '=\n')
  # --data-binary sends the bytes as they are; --data would drop line feeds.
  curl --silent --show-error --fail-with-body --request "$method" "$url$path" \
    ${body:+--header 'content-type: application/json' --data-binary "$body"} \
    --header "x-api-key: $TRADEWIRE_API_KEY" \
    --header "x-api-timestamp: $timestamp" \
    --header "x-api-nonce: $nonce" \
    --header "x-api-signature: $signature"
  echo
}

id="signed-$(date +%s)-$RANDOM"
signed POST /v1/orders '{"clientOrderId":"'"$id"'","symbol":"BTC-USD","side":"SIDE_BUY",'\
'"type":"ORDER_TYPE_LIMIT","quantity":"0.01","price":"31000.00"}'
signed GET '/v1/orders?symbol=BTC-USD&pageSize=5'
signed DELETE "/v1/orders/client/$id"
