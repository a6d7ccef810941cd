// A site that sells access: a form, a page behind the door, and the pages for those who have to stay outside.
// Try it: SMSGW_VERIFY_URL=… SMSGW_SERVICE=… SMSGW_RETURN_KEYS="id=secret" node shop.js 8000
'use strict'
const crypto = require('node:crypto')
const http = require('node:http')
const os = require('node:os')
const { SmsgwReturn } = require('./smsgw-return.js')

const env = process.env
const door = new SmsgwReturn({
  service: env.SMSGW_SERVICE,
  keys: Object.fromEntries(env.SMSGW_RETURN_KEYS.split(/\s+/).filter(Boolean).map(pair => {
    const at = pair.indexOf('=')
    return [pair.slice(0, at), pair.slice(at + 1)]
  })),
  spent: env.SMSGW_SPENT ?? os.tmpdir(),
  test: env.SMSGW_TEST === 'yes'
})
// Signs the visitors' cookies. Set it, or a restart throws everybody out.
const siteSecret = env.SITE_SECRET ?? crypto.randomBytes(32).toString('hex')

function answer (request, response) {
  const session = readCookie(request)
  const url = addressOf(request)
  const rt = url.searchParams.get('rt')
  switch (url.pathname) {
    case '/':
      session.state ??= crypto.randomBytes(16).toString('hex')
      return page(response, 'Sunrise Weather', form(session.state), session)
    case '/members':
      if (rt !== null) {
        const claims = door.open(rt, session.state ?? '')
        if (claims === null) return go(response, '/invalid', session)
        return go(response, '/members', { until: String(endOf(claims)) }) // without the token in the address
      }
      if (Number(session.until ?? 0) <= Date.now()) return go(response, '/', session)
      return page(response, 'Members only', '<p>The sun rises at 5:41.</p>', session)
    case '/expired':
      return page(response, 'This code is over', '<p><a href="/">Try another one</a></p>', session)
    case '/invalid':
      return page(response, 'This code is not valid', '<p><a href="/">Try again</a></p>', session)
    default:
      return page(response, 'Not found', '', session, 404)
  }
}

// The address that is asked for; what cannot be one ("//") must not end the site.
function addressOf (request) {
  try {
    return new URL(request.url, 'http://site')
  } catch {
    return new URL('http://site/not-found')
  }
}

// The form that brings the code to smsgw, and the visitor back.
function form (state) {
  return `<form method="post" action="${escape(env.SMSGW_VERIFY_URL)}">` +
    `<input type="hidden" name="state" value="${state}">` +
    '<label>Access code <input name="code" autocomplete="one-time-code" required></label>' +
    '<button>Enter</button></form>'
}

// When this visitor must bring a code again: after a day, or when the code is over.
function endOf (claims) {
  return Math.min(Date.now() + 86400000, claims.valid_until ? Date.parse(claims.valid_until) : Infinity)
}

function page (response, title, body, session, status = 200) {
  response.writeHead(status, { 'Content-Type': 'text/html; charset=utf-8', ...headers(session) })
  response.end(`<!doctype html><html lang="en"><meta charset="utf-8"><title>${escape(title)}</title>` +
    `<h1>${escape(title)}</h1>${body}</html>`)
}

function go (response, path, session) {
  response.writeHead(303, { Location: path, ...headers(session) })
  response.end()
}

function headers (session) {
  return {
    'Set-Cookie': `shop=${writeCookie(session)}; HttpOnly; SameSite=Lax; Path=/`, // and "; Secure" behind TLS
    'Cache-Control': 'no-store',
    'Referrer-Policy': 'no-referrer'
  }
}

function writeCookie (session) {
  const text = Buffer.from(JSON.stringify(session)).toString('base64url')
  return `${text}.${sign(text)}`
}

// A visitor's session; an empty one for a cookie that is not ours.
function readCookie (request) {
  const found = /(?:^|; )shop=([^.;]*)\.([^.;]*)/.exec(request.headers.cookie ?? '')
  if (found === null) return {}
  const expected = Buffer.from(sign(found[1]))
  const given = Buffer.from(found[2])
  if (expected.length !== given.length || !crypto.timingSafeEqual(expected, given)) return {}
  return JSON.parse(Buffer.from(found[1], 'base64url'))
}

function sign (text) {
  return crypto.createHmac('sha256', siteSecret).update(text).digest('hex')
}

function escape (text) {
  return text.replace(/[&<>"']/g, mark => `&#${mark.charCodeAt(0)};`)
}

http.createServer(answer).listen(Number(process.argv[2]), '127.0.0.1')
