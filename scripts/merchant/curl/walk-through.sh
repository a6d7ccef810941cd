#!/usr/bin/env bash
# A merchant's server and the API, step by step: look at a code, use it, spend the redemption, read its story.
#   SMSGW_API=http://127.0.0.1:8081/v1 SMSGW_API_KEY=smsgw_live_… SMSGW_SERVICE=sunrise walk-through.sh CODE
# The key: smsgw keys create -s sunrise --scope codes:verify --scope codes:redeem --scope codes:read; this machine must be
# among the service's allowed_ips.
set -euo pipefail
: "${SMSGW_API:?where the API is, e.g. http://127.0.0.1:8081/v1}" "${SMSGW_API_KEY:?an API key}" "${SMSGW_SERVICE:?the service}"
code=${1:?usage: walk-through.sh CODE}

. "$(dirname "$0")/calls.sh"

what="{\"service\":$(json "$SMSGW_SERVICE"),\"code\":$(json "$code")}"
key=$(fresh walk-through)

echo "1. Look: uses up nothing."
call POST /codes/verify "$what"
echo "2. Use it. The Idempotency-Key makes it safe to ask again when no answer came."
call POST /codes/redeem "$what" "Idempotency-Key: \"$key\""
redemption=$(field redemption) id=$(field code)
echo "3. The same request again: the same answer, and no second use."
call POST /codes/redeem "$what" "Idempotency-Key: \"$key\""
[ -n "$redemption" ] && [ -n "$id" ] || { echo "The code opened nothing; see the outcome above."; exit 1; }
echo "4. Spend the redemption: whoever comes first gets the goods."
call POST "/redemptions/$redemption/consume"
echo "5. A second time is refused."
call POST "/redemptions/$redemption/consume"
echo "6. The story of the code."
call GET "/codes/$id"
