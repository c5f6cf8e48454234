#!/usr/bin/env bash
# Places an order, reads it back and cancels it. Needs curl and a token in TRADEWIRE_TOKEN.
set -euo pipefail

url=${TRADEWIRE_URL:-http://127.0.0.1:8080}
id="first-$(date +%s)-$RANDOM"

call() {
  curl --silent --show-error --fail-with-body --request "$1" "$url$2" "${@:3}" \
    --header "authorization: Bearer $TRADEWIRE_TOKEN"
  echo
}

call POST /v1/orders --header 'content-type: application/json' --data '{
  "clientOrderId": "'"$id"'",
  "symbol": "BTC-USD",
  "side": "SIDE_BUY",
  "type": "ORDER_TYPE_LIMIT",
  "quantity": "0.01",
  "price": "31000.00"
}'
call GET "/v1/orders/client/$id"
call DELETE "/v1/orders/client/$id"
