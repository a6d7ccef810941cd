<?php
// Checks what smsgw's redirect brings back. Copy this file; it needs PHP 8.1 and nothing else.
declare(strict_types=1);

class SmsgwReturn
{
    protected const KIND = 'smsgw-return+jws';
    protected const OUTCOME = 'success';
    protected const ID = 'red';
    protected const FORGETS = true;

    /**
     * @param string $service the service's name at smsgw: the end of its verify address
     * @param array<string, string> $keys the return keys, id => secret in base64; both while one replaces the other
     * @param string $spent a folder that only this site can write to, outside of what the web server shows
     * @param bool $test whether codes that were bought from a simulated operator open the door
     */
    public function __construct(
        private string $service,
        private array $keys,
        private string $spent,
        private bool $test = false,
    ) {
    }

    /**
     * Returns what the token says if it opens the door for this visitor now, and null in every other case.
     *
     * @param string $token the field rt, as it came
     * @param string $state what this site gave this visitor, from the visitor's own session
     * @return array<string, mixed>|null
     */
    public function open(string $token, string $state): ?array
    {
        $claims = $this->read($token);
        $now = time();
        if ($claims === null
            || ($claims['iss'] ?? null) !== 'smsgw'
            || ($claims['aud'] ?? null) !== $this->service
            || ($claims['outcome'] ?? null) !== static::OUTCOME
            || !is_bool($claims['test'] ?? null) || ($claims['test'] && !$this->test)
            || !is_int($claims['exp'] ?? null) || $claims['exp'] <= $now
            || !is_int($claims['iat'] ?? null) || $claims['iat'] > $now + 60
            || $state === '' || !is_string($claims['state'] ?? null) || !hash_equals($state, $claims['state'])
            || !is_string($claims['jti'] ?? null) || preg_match('/^' . static::ID . '_[0-9a-z]{26}$/D', $claims['jti']) !== 1
        ) {
            return null;
        }
        return $this->spend($claims['jti']) ? $claims : null;
    }

    /** Returns the claims of a token that was signed with one of the keys, whatever they say. */
    private function read(string $token): ?array
    {
        $parts = explode('.', $token);
        if (strlen($token) > 4096 || count($parts) !== 3) {
            return null;
        }
        $header = json_decode(self::decode($parts[0]), true);
        // One algorithm and one kind, whatever the token asks for.
        if (!is_array($header) || ($header['alg'] ?? null) !== 'HS256' || ($header['typ'] ?? null) !== static::KIND) {
            return null;
        }
        $secret = is_string($header['kid'] ?? null) ? self::decode($this->keys[$header['kid']] ?? '') : '';
        if (strlen($secret) < 32) {
            return null;
        }
        $expected = hash_hmac('sha256', "$parts[0].$parts[1]", $secret, true);
        if (!hash_equals($expected, self::decode($parts[2]))) {
            return null;
        }
        $claims = json_decode(self::decode($parts[1]), true);
        return is_array($claims) ? $claims : null;
    }

    /** Returns whether this one comes for the first time: of two requests that race, one makes the file. */
    private function spend(string $name): bool
    {
        $file = @fopen("$this->spent/$name", 'x');
        if ($file === false) {
            return false;
        }
        fclose($file);
        foreach (static::FORGETS && random_int(1, 100) === 1 ? (array) glob("$this->spent/red_*") : [] as $old) {
            if (filemtime($old) < time() - 86400) {
                @unlink($old); // its token is long too old
            }
        }
        return true;
    }

    /** Returns the octets of base64 or base64url, with or without padding; none of anything else. */
    private static function decode(string $text): string
    {
        return (string) base64_decode(strtr($text, '-_', '+/'), true);
    }
}

/**
 * What a buyer's browser brings back from a payment: open() says what was paid, once, and null otherwise.
 *
 * The merchant's name stands in place of the service; state is what the site gave this visitor for the payment. A
 * browser may never come back: hand out the goods for the webhook payment.succeeded, and here show that they came.
 */
final class SmsgwPaymentReturn extends SmsgwReturn
{
    protected const KIND = 'smsgw-payment+jws';
    protected const OUTCOME = 'succeeded';
    protected const ID = 'pay';
    protected const FORGETS = false; // a payment's page gives a new token at each visit
}
