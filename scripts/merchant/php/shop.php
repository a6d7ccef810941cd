<?php
// A site that sells access: a form, a page behind the door, and the pages for those who have to stay outside.
// Try it: SMSGW_VERIFY_URL=… SMSGW_SERVICE=… SMSGW_RETURN_KEYS="id=secret" php -S 127.0.0.1:8000 shop.php
declare(strict_types=1);
require __DIR__ . '/smsgw.php';

function setting(string $name, ?string $fallback = null): string
{
    $value = getenv($name);
    if ($value === false && $fallback === null) {
        http_response_code(500);
        exit("$name is not set");
    }
    return $value === false ? (string) $fallback : $value;
}

function keys(): array
{
    $keys = [];
    foreach (preg_split('/\s+/', setting('SMSGW_RETURN_KEYS'), -1, PREG_SPLIT_NO_EMPTY) as $pair) {
        [$id, $secret] = explode('=', $pair, 2);
        $keys[$id] = $secret;
    }
    return $keys;
}

function page(string $title, string $body, int $status = 200): never
{
    http_response_code($status);
    header('Content-Type: text/html; charset=utf-8');
    echo '<!doctype html><html lang="en"><meta charset="utf-8"><title>' . htmlspecialchars($title)
        . '</title><h1>' . htmlspecialchars($title) . "</h1>$body</html>";
    exit;
}

function go(string $path): never
{
    header("Location: $path", true, 303);
    exit;
}

header('Cache-Control: no-store');
header('Referrer-Policy: no-referrer');
session_set_cookie_params(['httponly' => true, 'samesite' => 'Lax', 'path' => '/']); // and 'secure' => true behind TLS
session_start();
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);

if ($path === '/') {
    $_SESSION['state'] ??= bin2hex(random_bytes(16));
    page('Sunrise Weather', '<form method="post" action="' . htmlspecialchars(setting('SMSGW_VERIFY_URL')) . '">'
        . '<input type="hidden" name="state" value="' . $_SESSION['state'] . '">'
        . '<label>Access code <input name="code" autocomplete="one-time-code" required></label>'
        . '<button>Enter</button></form>');
}
if ($path === '/members') {
    if (is_string($_GET['rt'] ?? null)) {
        $spent = setting('SMSGW_SPENT', sys_get_temp_dir());
        $door = new SmsgwReturn(setting('SMSGW_SERVICE'), keys(), $spent, setting('SMSGW_TEST', '') === 'yes');
        $claims = $door->open($_GET['rt'], (string) ($_SESSION['state'] ?? ''));
        if ($claims === null) {
            go('/invalid');
        }
        session_regenerate_id(true);
        unset($_SESSION['state']);
        $_SESSION['until'] = min(time() + 86400, $claims['valid_until'] ? strtotime($claims['valid_until']) : PHP_INT_MAX);
        go('/members'); // without the token in the address
    }
    if (($_SESSION['until'] ?? 0) <= time()) {
        go('/');
    }
    page('Members only', '<p>The sun rises at 5:41.</p>');
}
if ($path === '/expired') {
    page('This code is over', '<p><a href="/">Try another one</a></p>');
}
if ($path === '/invalid') {
    page('This code is not valid', '<p><a href="/">Try again</a></p>');
}
page('Not found', '', 404);
