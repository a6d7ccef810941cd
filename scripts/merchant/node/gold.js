// A site that sells gold: a form, the way to the gateway's checkout and back, and the address where events come in.
// Try it: SMSGW_API=http://127.0.0.1:8081/v1 SMSGW_API_KEY=… SMSGW_MERCHANT=… SMSGW_WEBHOOK_SECRETS=whsec_… \
//   SMSGW_RETURN_KEYS="id=secret" SMSGW_FOLDER=… node gold.js 8000
'use strict'
const crypto = require('node:crypto')
const http = require('node:http')
const { SmsgwPayments, SmsgwError } = require('./smsgw-payments.js')
const { SmsgwPaymentReturn } = require('./smsgw-return.js')
const { SmsgwWebhooks } = require('./smsgw-webhooks.js')

const env = process.env
const test = env.SMSGW_TEST === 'yes'
const payments = new SmsgwPayments({
  api: env.SMSGW_API,
  key: env.SMSGW_API_KEY,
  merchant: env.SMSGW_MERCHANT,
  timeoutMs: 1000 * (env.SMSGW_TIMEOUT_S ?? 8)
})
const hooks = new SmsgwWebhooks({ secrets: words(env.SMSGW_WEBHOOK_SECRETS), folder: env.SMSGW_FOLDER, test })
const door = new SmsgwPaymentReturn({
  service: env.SMSGW_MERCHANT,
  keys: Object.fromEntries(words(env.SMSGW_RETURN_KEYS).map(pair => {
    const at = pair.indexOf('=')
    return [pair.slice(0, at), pair.slice(at + 1)]
  })),
  spent: env.SMSGW_FOLDER,
  test
})
const MOST = 65536 // octets of a body
const RESULTS = {
  '/paid': 'Paid. Your gold is there within seconds.',
  '/unpaid': 'Not paid, as far as we know. Should it be after all, your gold comes by itself.'
}
// What the buyer can do about it; after these the same order is sent again, as it was or put right.
const WORDS = {
  confirmation_open: 'Another SMS waits for your answer. Please answer that one, then press Pay again.',
  no_answer: 'We could not reach the payment. Please press Pay again: you pay once at most.',
  number_invalid: 'This is no phone number. Please write it with its country code.'
}

async function answer (request, response) {
  const url = addressOf(request)
  const posted = request.method === 'POST'
  if (url.pathname === '/hook' && posted) return hook(request, response)
  const visitor = /(?:^|; )visitor=([0-9a-f]{32})(?:;|$)/.exec(request.headers.cookie ?? '')?.[1]
  if (url.pathname === '/buy' && posted && visitor) return buy(request, response, visitor)
  if (url.pathname === '/back') {
    const claims = door.open(url.searchParams.get('rt') ?? '', stateOf(visitor))
    return go(response, claims === null ? '/unpaid' : '/paid')
  }
  if (Object.hasOwn(RESULTS, url.pathname)) return page(response, `<p>${RESULTS[url.pathname]}</p>`)
  if (url.pathname === '/') return page(response, form(fresh(), ''), 200, visitor ?? fresh())
  return go(response, '/')
}

// Takes an event; whatever goes wrong is no 2xx, and then it comes again.
async function hook (request, response) {
  const [name, at, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature']
    .map(header => request.headers[header] ?? '')
  response.writeHead(hooks.take(name, at, signatures, await bodyOf(request)))
  response.end()
}

// Asks the phone; sends the buyer to the checkout, or says what can be done.
async function buy (request, response, visitor) {
  const fields = new URLSearchParams((await bodyOf(request)).toString())
  const order = fields.get('order') ?? ''
  const number = fields.get('number') ?? ''
  if (!/^[0-9a-f]{32}$/.test(order)) return go(response, '/')
  try {
    const payment = await payments.create({ reference: order, product: 'gold', msisdn: number, state: stateOf(visitor) })
    return go(response, payment.checkout_url)
  } catch (error) {
    if (!(error instanceof SmsgwError)) throw error
    const known = Object.hasOwn(WORDS, error.code)
    const words = known ? WORDS[error.code] : `This cannot be paid by phone now (${error.code}).`
    return page(response, `<p>${escape(words)}</p>${form(known ? order : fresh(), number)}`, 409)
  }
}

// Returns the form. Its order is paid once, however often it is sent.
function form (order, number) {
  return `<form method="post" action="/buy"><input type="hidden" name="order" value="${order}">` +
    `<label>Your phone <input name="number" type="tel" value="${escape(number)}" required></label>` +
    '<button>Pay</button></form>'
}

// Returns what the gateway gives back with this visitor: addresses are seen by others, so not the cookie itself.
function stateOf (visitor) {
  return visitor ? crypto.createHash('sha256').update(visitor).digest('hex') : ''
}

// Returns the octets of a body.
async function bodyOf (request) {
  const parts = []
  let length = 0
  for await (const part of request) {
    length += part.length
    if (length > MOST) throw new Error('the body is too long')
    parts.push(part)
  }
  return Buffer.concat(parts)
}

// The address that is asked for; what cannot be one ("//") must not end the site.
function addressOf (request) {
  try {
    return new URL(request.url, 'http://site')
  } catch {
    return new URL('http://site/not-found')
  }
}

function page (response, body, status = 200, visitor = '') {
  const headers = { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' }
  if (visitor) headers['Set-Cookie'] = `visitor=${visitor}; HttpOnly; SameSite=Lax; Path=/` // and "; Secure" behind TLS
  response.writeHead(status, headers)
  response.end(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Gold</title><h1>Gold</h1>${body}</html>`)
}

function go (response, place) {
  response.writeHead(303, { Location: place, 'Cache-Control': 'no-store' })
  response.end()
}

function fresh () {
  return crypto.randomBytes(16).toString('hex')
}

function words (text) {
  return text.split(/\s+/).filter(Boolean)
}

function escape (text) {
  return text.replace(/[&<>"']/g, mark => `&#${mark.charCodeAt(0)};`)
}

http.createServer((request, response) => {
  answer(request, response).catch(error => {
    console.error(error)
    if (!response.headersSent) response.writeHead(500)
    response.end()
  })
}).listen(Number(process.argv[2]), '127.0.0.1')
