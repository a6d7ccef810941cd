<?php
// Takes what smsgw posts about payments, and hands out goods. Copy this file; it needs PHP 8.1 and nothing else.
declare(strict_types=1);

/**
 * Where the events of a merchant's payments come in.
 *
 * Each thing is kept as a file that is made whole or not at all, and once: of two requests at once one makes it. What a
 * crash left undone is done when the event comes again, for it has not been answered. In a database each file is a
 * row with a unique key.
 *
 *     goods/<payment>                       what was handed out
 *     notes/<event>                         money that went back or did not, or is odd: for a person
 *     events/<payment>/<sequence>-<event>   all that has come, in its order, whatever order it came in
 */
class SmsgwWebhooks
{
    /** What a person has to look at. */
    private const NOTED = ['payment.refunded', 'payment.refund_failed', 'payment.discrepancy'];

    /** @var list<string> */
    private array $keys = [];

    /**
     * @param list<string> $secrets those that `smsgw webhooks secret show` shows, "whsec_…"; both while one replaces the other
     * @param string $folder one that only this site can write to, outside of what the web server shows
     * @param bool $test whether goods are handed out for payments at a simulated operator
     */
    public function __construct(array $secrets, private string $folder, private bool $test = false)
    {
        foreach ($secrets as $secret) {
            $key = (string) base64_decode((string) preg_replace('/^whsec_/', '', $secret), true);
            if (strlen($key) < 24) {
                throw new InvalidArgumentException('a secret is whsec_ and the base64 of 24 octets or more');
            }
            $this->keys[] = $key;
        }
        foreach (['goods', 'notes', 'events'] as $name) {
            self::folder("$folder/$name");
        }
    }

    /**
     * Takes what was posted; returns the HTTP status to answer with.
     *
     * @param string $name the header webhook-id
     * @param string $at the header webhook-timestamp
     * @param string $signatures the header webhook-signature
     * @param string $body the octets as they came, before anything reads them
     * @throws RuntimeException it could not be stored; answer 500, and it comes again
     */
    public function take(string $name, string $at, string $signatures, string $body): int
    {
        if (!$this->isSigned($name, $at, $signatures, $body)) {
            return 400;
        }
        $event = json_decode($body, true, 64, JSON_THROW_ON_ERROR);
        // Other types may be added: pass over them. The question payment.authorize belongs to an address of its own.
        if (str_starts_with($event['type'], 'payment.') && $event['type'] !== 'payment.authorize') {
            $this->store($name, $event, $body);
        }
        return 204;
    }

    /** Returns what is known of a payment: the data of its newest event; null when there was none. */
    public function payment(string $id): ?array
    {
        $place = $this->place('events', $id);
        $newest = is_dir($place) ? scandir($place, SCANDIR_SORT_DESCENDING)[0] : '.';
        return $newest[0] === '.' ? null : json_decode((string) file_get_contents("$place/$newest"), true)['data'];
    }

    /**
     * Hands out the goods of a payment, if that was not done before.
     *
     * With a database: INSERT what the buyer gets, with the payment's id as the unique key. It is called again for the
     * same payment when two requests come at once, and after a crash.
     */
    protected function handOut(array $payment): void
    {
        if ($this->once('goods', $payment['id'], json_encode($payment, JSON_THROW_ON_ERROR))) {
            error_log("goods for {$payment['merchant_reference']}: {$payment['units']} of {$payment['product']}");
        }
    }

    /** Has a person look at an event: goods to be taken back, or money that came beside a payment. */
    protected function takeNote(string $name, string $body): void
    {
        $this->once('notes', $name, $body);
    }

    private function isSigned(string $name, string $at, string $signatures, string $body): bool
    {
        // No more than five minutes old, or ahead: nobody can post later what he has overheard.
        if (preg_match('/^[0-9]{1,12}$/D', $at) !== 1 || abs(time() - (int) $at) > 300) {
            return false;
        }
        $found = false;
        foreach ($this->keys as $key) {
            $good = 'v1,' . base64_encode(hash_hmac('sha256', "$name.$at.$body", $key, true));
            foreach (explode(' ', $signatures) as $signature) {
                $found = hash_equals($good, $signature) || $found;
            }
        }
        return $found;
    }

    private function store(string $name, array $event, string $body): void
    {
        $payment = $event['data'];
        $place = "events/{$payment['id']}";
        $file = sprintf('%010d-%s', $payment['sequence'], $name);
        if (file_exists($this->place($place, $file))) {
            return; // it has come before
        }
        if ($event['type'] === 'payment.succeeded' && $this->getsGoods($payment)) {
            $this->handOut($payment);
        }
        if (in_array($event['type'], self::NOTED, true)) {
            $this->takeNote($name, $body);
        }
        $this->once($place, $file, $body); // last: what was not done before this is done again
    }

    private function getsGoods(array $payment): bool
    {
        $newest = $this->payment($payment['id']) ?? $payment;
        $allBack = $newest['refunded_minor'] >= $newest['amount_minor']; // an event that came before this, and is later
        return ($this->test || $payment['test'] === false) && !$allBack;
    }

    /** Makes a file that is on disk when this returns; returns whether it is new. */
    private function once(string $place, string $name, string $body): bool
    {
        $target = $this->place($place, $name);
        self::folder(dirname($target));
        $draft = "$this->folder/draft-" . bin2hex(random_bytes(16));
        try {
            $file = self::good(fopen($draft, 'x'), $draft);
            self::good(chmod($draft, 0600), $draft);
            self::good(fwrite($file, $body) === strlen($body) && fsync($file) && fclose($file), $draft);
            $new = @link($draft, $target); // unlike a renaming it fails when there is one
            self::good($new || is_file($target), $target);
        } finally {
            @unlink($draft);
        }
        foreach ([dirname($target), dirname($target, 2)] as $folder) {
            self::good(fsync(self::good(fopen($folder, 'r'), $folder)), $folder);
        }
        return $new;
    }

    private static function folder(string $place): void
    {
        self::good(is_dir($place) || @mkdir($place, 0700, true) || is_dir($place), $place);
    }

    /** Returns what a function gave that says false when it fails. */
    private static function good(mixed $given, string $place): mixed
    {
        return $given !== false ? $given : throw new RuntimeException("$place could not be written");
    }

    private function place(string ...$names): string
    {
        foreach ($names as $name) {
            if (preg_match('~^[0-9a-z_/-]+$~D', $name) !== 1) {
                throw new InvalidArgumentException("no name of smsgw's");
            }
        }
        return "$this->folder/" . implode('/', $names);
    }
}
