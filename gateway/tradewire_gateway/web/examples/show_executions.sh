#!/usr/bin/env bash
# Shows the executions of the account for three seconds, from the first one on. Needs curl and a
# token in TRADEWIRE_TOKEN.
set -euo pipefail

url=${TRADEWIRE_URL:-http://127.0.0.1:8080}
status=0
curl --silent --show-error --fail-with-body --no-buffer --max-time 3 \
  "$url/v1/executions:stream?afterSequence=0" \
  --header "authorization: Bearer $TRADEWIRE_TOKEN" || status=$?
# 28 is the time that was set, not an error of the stream.
((status == 0 || status == 28))
