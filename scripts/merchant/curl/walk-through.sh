#!/usr/bin/env bash
# A merchant's server and the API, step by step: look at a code, use it, spend the redemption, read its story.
#   SMSGW_API=http://127.0.0.1:8081/v1 SMSGW_API_KEY=smsgw_live_… SMSGW_SERVICE=sunrise walk-through.sh CODE
# The key: smsgw keys create -s sunrise --scope codes:verify --scope codes:redeem --scope codes:read; this machine must be
# among the service's allowed_ips.
set -euo pipefail
: "${SMSGW_API:?where the API is, e.g. http://127.0.0.1:8081/v1}" "${SMSGW_API_KEY:?an API key}" "${SMSGW_SERVICE:?the service}"
code=${1:?usage: walk-through.sh CODE}

call() { # call METHOD PATH [BODY] [HEADER]: prints what was asked and answered; the answer is in $answer
    local method=$1 path=$2 body=${3:-} header=${4:-}
    local options=(--silent --show-error --max-time 10 --request "$method" --write-out '\n%{http_code}')
    [ -n "$body" ] && options+=(--header 'Content-Type: application/json' --data-binary "$body")
    [ -n "$header" ] && options+=(--header "$header")
    # the key goes through a file descriptor: what stands in arguments, every process can read
    answer=$(curl "${options[@]}" --config <(printf 'header = "Authorization: Bearer %s"\n' "$SMSGW_API_KEY") "$SMSGW_API$path")
    printf '%s %s\n  %s\n' "$method" "$path" "${answer//$'\n'/  → }"
}
field() { # field NAME: a string member of the answer
    printf '%s' "$answer" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" | head -n 1
}
json() { # json TEXT: the text as a JSON string
    local text=${1//\\/\\\\}
    printf '"%s"' "${text//\"/\\\"}"
}

what="{\"service\":$(json "$SMSGW_SERVICE"),\"code\":$(json "$code")}"
key="walk-through-$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')"

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
