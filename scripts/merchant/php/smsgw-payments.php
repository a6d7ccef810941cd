<?php
// Asks phones for payments over smsgw's API. Copy this file; it needs PHP 8.1 and nothing else.
declare(strict_types=1);

/** No payment was made; the problem is the problem's code, as in /docs. With "no_answer" nobody knows whether it was. */
final class SmsgwError extends Exception
{
    public function __construct(public readonly string $problem, int $status)
    {
        parent::__construct("$problem ($status)");
    }
}

/** A merchant's payments. */
final class SmsgwPayments
{
    private const PAUSES_MS = [500, 1500, null];

    /**
     * @param string $api where the API is: "https://pay.example/v1"
     * @param string $key of `smsgw keys create --merchant NAME`
     * @param string $merchant the merchant's name at smsgw
     * @param float $timeout longest wait for an answer, in seconds; the gateway takes five at most
     */
    public function __construct(
        private string $api,
        private string $key,
        private string $merchant,
        private float $timeout = 8.0,
    ) {
    }

    /**
     * Asks a phone for a payment; returns the payment. Send the buyer to its checkout_url.
     *
     * The reference is the Idempotency-Key too: call this again with the same order, after a crash too, and the phone
     * is still asked once. An order that is to be paid anew needs another reference.
     *
     * @param string $reference the order's, up to 100 visible characters of ASCII without quotes; no other order's
     * @param string $product the product's name at smsgw; the price is there
     * @param string $msisdn the phone's number as the buyer typed it, with its country code
     * @param string $state what the buyer's browser brings back
     * @return array<string, mixed>
     * @throws SmsgwError there is no payment. "confirmation_open": the phone waits for an answer to another question.
     *     Don't repeat it by yourself: have the buyer answer that SMS, and then call again with the same order.
     */
    public function create(string $reference, string $product, string $msisdn, string $state = ''): array
    {
        if (preg_match('/^[!#-~ ]{1,100}$/D', $reference) !== 1) {
            throw new InvalidArgumentException('no reference');
        }
        $order = ['merchant' => $this->merchant, 'merchant_reference' => $reference, 'product' => $product];
        $order += ['msisdn' => $msisdn, 'state' => $state];
        try {
            return $this->ask('POST', '/payments', $order, ["Idempotency-Key: $reference"]);
        } catch (SmsgwError $error) {
            $found = $error->problem === 'reference_used' ? $this->find($reference) : null;
            if ($found === null || $found['product'] !== $product || $found['state'] !== $state) {
                throw $error;
            }
            return $found; // the answers of the first day were lost
        }
    }

    private function find(string $reference): ?array
    {
        $query = http_build_query(['merchant' => $this->merchant, 'merchant_reference' => $reference]);
        return $this->ask('GET', "/payments?$query")['payments'][0] ?? null;
    }

    /** Returns what the API answers; asks again while there is none. */
    private function ask(string $method, string $path, ?array $body = null, array $headers = []): array
    {
        $context = stream_context_create(['http' => [
            'method' => $method,
            'header' => ["Authorization: Bearer $this->key", 'Content-Type: application/json', ...$headers],
            'content' => $body === null ? '' : json_encode($body, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE),
            'timeout' => $this->timeout,
            'ignore_errors' => true, // a problem is read as well
            'follow_location' => 0,
        ]]);
        foreach (self::PAUSES_MS as $pause) {
            $http_response_header = [];
            $told = json_decode((string) @file_get_contents($this->api . $path, false, $context), true);
            $status = (int) (explode(' ', $http_response_header[0] ?? '')[1] ?? 0);
            if ($status >= 200 && $status < 300 && is_array($told)) {
                return $told;
            }
            $code = is_array($told) && is_string($told['code'] ?? null) ? $told['code'] : 'unknown';
            if ($status >= 300 && $status < 500 && !in_array($code, ['idempotency_in_progress', 'too_many_requests'], true)) {
                throw new SmsgwError($code, $status);
            }
            // No connection, no answer in time, or cut off: it may have been heard, so the key stays the same.
            if ($pause !== null) {
                usleep($pause * 1000);
            }
        }
        throw new SmsgwError('no_answer', 0);
    }
}
