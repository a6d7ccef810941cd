#!/usr/bin/env bash
# A merchant's server and a payment, step by step: the price, the question to the phone, the outcome, money back.
#   SMSGW_API=http://127.0.0.1:8081/v1 SMSGW_API_KEY=smsgw_test_… SMSGW_MERCHANT=gold pay.sh PRODUCT NUMBER
# The key: smsgw keys create --merchant gold --test --scope payments:read --scope payments:write --scope payments:refund;
# this machine must be among the merchant's allowed_ips. With a test key and a NUMBER such as 359888129000 nobody's phone
# is asked ([sandbox] must be enabled); with a live one its owner has to answer YES, and pays.
set -euo pipefail
: "${SMSGW_API:?where the API is, e.g. http://127.0.0.1:8081/v1}" "${SMSGW_API_KEY:?an API key}" "${SMSGW_MERCHANT:?the merchant}"
product=${1:?usage: pay.sh PRODUCT NUMBER} number=${2:?usage: pay.sh PRODUCT NUMBER}
. "$(dirname "$0")/calls.sh"

order=$(fresh order) key=$(fresh walk-through)
wanted="{\"merchant\":$(json "$SMSGW_MERCHANT"),\"product\":$(json "$product"),\"msisdn\":$(json "$number")"
wanted+=",\"merchant_reference\":$(json "$order")}"

echo "1. What is sold, and what it costs at this phone's operator."
call GET "/products?merchant=$SMSGW_MERCHANT&msisdn=$number"
echo "2. Ask the phone. Nothing is paid yet."
call POST /payments "$wanted" "Idempotency-Key: $key"
payment=$(field id)
[ -n "$payment" ] || { echo "The phone was not asked; see the problem above."; exit 1; }
echo "3. The same request again, as after a lost answer: the same payment, and no second question."
call POST /payments "$wanted" "Idempotency-Key: $key"
echo "4. Wait for the outcome. In life the webhook payment.succeeded tells it, and the goods are handed out for that."
for _ in $(seq 120); do
    call GET "/payments/$payment" >/dev/null
    case $(field status) in created | awaiting_confirmation | charging) sleep 0.5 ;; *) break ;; esac
done
printf '%s is %s\n' "$payment" "$(field status)"
case $(field status) in
    succeeded) ;;
    charge_unknown) echo "Nobody knows yet whether it was paid: never ask again for it, wait for the webhook." && exit 1 ;;
    *) echo "It was not paid." && exit 1 ;;
esac
echo "5. Give a little of it back; never more than was taken."
call POST "/payments/$payment/refunds" '{"amount_minor":1,"reason":"walk-through"}' "Idempotency-Key: $key-refund"
echo "6. What was posted to the merchant's webhook_url, if there is one."
call GET "/payments/$payment/events"
