<?php
// A site that sells gold: a form, the way to the gateway's checkout and back, and the address where events come in.
// Try it: SMSGW_API=http://127.0.0.1:8081/v1 SMSGW_API_KEY=… SMSGW_MERCHANT=… SMSGW_WEBHOOK_SECRETS=whsec_… \
//   SMSGW_RETURN_KEYS="id=secret" SMSGW_FOLDER=… php -S 127.0.0.1:8000 gold.php
declare(strict_types=1);
require __DIR__ . '/smsgw.php';
require __DIR__ . '/smsgw-payments.php';
require __DIR__ . '/smsgw-webhooks.php';

const RESULTS = [
    '/paid' => 'Paid. Your gold is there within seconds.',
    '/unpaid' => 'Not paid, as far as we know. Should it be after all, your gold comes by itself.',
];
// What the buyer can do about it; after these the same order is sent again, as it was or put right.
const WORDS = [
    'confirmation_open' => 'Another SMS waits for your answer. Please answer that one, then press Pay again.',
    'no_answer' => 'We could not reach the payment. Please press Pay again: you pay once at most.',
    'number_invalid' => 'This is no phone number. Please write it with its country code.',
];

function setting(string $name): string
{
    return getenv($name) ?: throw new RuntimeException("$name is not set");
}

/** @return list<string> */
function words(string $text): array
{
    return preg_split('/\s+/', $text, -1, PREG_SPLIT_NO_EMPTY);
}

function isTest(): bool
{
    return getenv('SMSGW_TEST') === 'yes';
}

/** Takes an event; whatever goes wrong is no 2xx, and then it comes again. */
function hook(): never
{
    http_response_code(500); // until it is stored: where errors are displayed, PHP would say 200
    $hooks = new SmsgwWebhooks(words(setting('SMSGW_WEBHOOK_SECRETS')), setting('SMSGW_FOLDER'), isTest());
    $headers = array_map(
        fn (string $name): string => $_SERVER[$name] ?? '',
        ['HTTP_WEBHOOK_ID', 'HTTP_WEBHOOK_TIMESTAMP', 'HTTP_WEBHOOK_SIGNATURE'],
    );
    http_response_code($hooks->take(...$headers, body: (string) file_get_contents('php://input')));
    exit;
}

/** Asks the phone; sends the buyer to the checkout, or says what can be done. */
function buy(string $visitor): never
{
    $order = is_string($_POST['order'] ?? null) ? $_POST['order'] : '';
    $number = is_string($_POST['number'] ?? null) ? $_POST['number'] : '';
    if (preg_match('/^[0-9a-f]{32}$/D', $order) !== 1) {
        go('/');
    }
    $timeout = (float) (getenv('SMSGW_TIMEOUT_S') ?: 8);
    $payments = new SmsgwPayments(setting('SMSGW_API'), setting('SMSGW_API_KEY'), setting('SMSGW_MERCHANT'), $timeout);
    try {
        go($payments->create($order, 'gold', $number, state($visitor))['checkout_url']);
    } catch (SmsgwError $error) {
        $known = isset(WORDS[$error->problem]);
        $words = WORDS[$error->problem] ?? "This cannot be paid by phone now ($error->problem).";
        page('<p>' . htmlspecialchars($words) . '</p>' . form($known ? $order : fresh(), $number), 409);
    }
}

/** Reads what the buyer's browser brings back; the goods don't depend on it. */
function back(string $visitor): never
{
    $keys = [];
    foreach (words(setting('SMSGW_RETURN_KEYS')) as $pair) {
        [$id, $secret] = explode('=', $pair, 2);
        $keys[$id] = $secret;
    }
    $door = new SmsgwPaymentReturn(setting('SMSGW_MERCHANT'), $keys, setting('SMSGW_FOLDER'), isTest());
    $token = is_string($_GET['rt'] ?? null) ? $_GET['rt'] : '';
    go($door->open($token, state($visitor)) === null ? '/unpaid' : '/paid');
}

/** Returns the form. Its order is paid once, however often it is sent. */
function form(string $order, string $number): string
{
    return "<form method=\"post\" action=\"/buy\"><input type=\"hidden\" name=\"order\" value=\"$order\">"
        . '<label>Your phone <input name="number" type="tel" value="' . htmlspecialchars($number) . '" required></label>'
        . '<button>Pay</button></form>';
}

/** Returns what the gateway gives back with this visitor: addresses are seen by others, so not the cookie itself. */
function state(string $visitor): string
{
    return $visitor === '' ? '' : hash('sha256', $visitor);
}

function fresh(): string
{
    return bin2hex(random_bytes(16));
}

function page(string $body, int $status = 200): never
{
    http_response_code($status);
    header('Content-Type: text/html; charset=utf-8');
    exit("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Gold</title><h1>Gold</h1>$body</html>");
}

function go(string $place): never
{
    header("Location: $place", true, 303);
    exit;
}

header('Cache-Control: no-store');
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$posted = $_SERVER['REQUEST_METHOD'] === 'POST';
if ($path === '/hook' && $posted) {
    hook();
}
$visitor = is_string($_COOKIE['visitor'] ?? null) ? $_COOKIE['visitor'] : '';
$visitor = preg_match('/^[0-9a-f]{32}$/D', $visitor) === 1 ? $visitor : '';
if ($path === '/buy' && $posted && $visitor !== '') {
    buy($visitor);
}
if ($path === '/back') {
    back($visitor);
}
if (isset(RESULTS[$path])) {
    page('<p>' . RESULTS[$path] . '</p>');
}
if ($path === '/') {
    // and 'secure' => true behind TLS
    setcookie('visitor', $visitor ?: fresh(), ['httponly' => true, 'samesite' => 'Lax', 'path' => '/']);
    page(form(fresh(), ''));
}
go('/');
