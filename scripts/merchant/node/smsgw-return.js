// Checks what smsgw's redirect brings back. Copy this file; it needs Node 18 and nothing else.
'use strict'
const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')

class SmsgwReturn {
  static kind = 'smsgw-return+jws'
  static outcome = 'success'
  static id = /^red_[0-9a-z]{26}$/
  static forgets = true

  /**
   * @param {object} options
   * @param {string} options.service the service's name at smsgw: the end of its verify address
   * @param {Object<string, string>} options.keys the return keys, id: secret in base64; both while one replaces the other
   * @param {string} options.spent a folder that only this site can write to, outside of what the web server shows
   * @param {boolean} [options.test] whether codes that were bought from a simulated operator open the door
   */
  constructor ({ service, keys, spent, test = false }) {
    this.service = service
    this.keys = new Map(Object.entries(keys))
    this.spent = spent
    this.test = test
  }

  /**
   * Returns what the token says if it opens the door for this visitor now, and null in every other case.
   *
   * @param {string} token the field rt, as it came
   * @param {string} state what this site gave this visitor, from the visitor's own session
   */
  open (token, state) {
    const claims = this.#read(token)
    return claims !== null && this.#isGood(claims, state) && this.#spend(claims.jti) ? claims : null
  }

  #isGood (claims, state) {
    const now = Date.now() / 1000
    return claims.iss === 'smsgw' &&
      claims.aud === this.service &&
      claims.outcome === this.constructor.outcome &&
      typeof claims.test === 'boolean' && (this.test || !claims.test) &&
      Number.isInteger(claims.exp) && claims.exp > now &&
      Number.isInteger(claims.iat) && claims.iat <= now + 60 &&
      typeof state === 'string' && state !== '' &&
      typeof claims.state === 'string' && equal(Buffer.from(state), Buffer.from(claims.state)) &&
      typeof claims.jti === 'string' && this.constructor.id.test(claims.jti)
  }

  // Returns the claims of a token that was signed with one of the keys, whatever they say.
  #read (token) {
    try {
      if (typeof token !== 'string' || token.length > 4096) return null
      const [head, body, signature, ...more] = token.split('.')
      if (more.length > 0 || signature === undefined) return null
      const header = JSON.parse(Buffer.from(head, 'base64url'))
      // One algorithm and one kind, whatever the token asks for.
      if (header.alg !== 'HS256' || header.typ !== this.constructor.kind) return null
      const secret = Buffer.from(this.keys.get(header.kid) ?? '', 'base64')
      if (secret.length < 32) return null
      const expected = crypto.createHmac('sha256', secret).update(`${head}.${body}`).digest()
      if (!equal(expected, Buffer.from(signature, 'base64url'))) return null
      const claims = JSON.parse(Buffer.from(body, 'base64url'))
      return claims !== null && typeof claims === 'object' ? claims : null
    } catch {
      return null
    }
  }

  // Returns whether this one comes for the first time: of two requests that race, one makes the file.
  #spend (name) {
    try {
      fs.closeSync(fs.openSync(path.join(this.spent, name), 'wx', 0o600))
    } catch {
      return false
    }
    if (this.constructor.forgets && Math.random() < 0.01) this.#forget()
    return true
  }

  // Removes redemptions whose tokens are long too old.
  #forget () {
    for (const name of fs.readdirSync(this.spent)) {
      const file = path.join(this.spent, name)
      if (name.startsWith('red_') && fs.statSync(file).mtimeMs < Date.now() - 86400000) fs.unlinkSync(file)
    }
  }
}

/**
 * What a buyer's browser brings back from a payment: open() says what was paid, once, and null otherwise.
 *
 * The merchant's name stands in place of the service; state is what the site gave this visitor for the payment. A
 * browser may never come back: hand out the goods for the webhook payment.succeeded, and here show that they came.
 */
class SmsgwPaymentReturn extends SmsgwReturn {
  static kind = 'smsgw-payment+jws'
  static outcome = 'succeeded'
  static id = /^pay_[0-9a-z]{26}$/
  static forgets = false // a payment's page gives a new token at each visit
}

function equal (one, other) {
  return one.length === other.length && crypto.timingSafeEqual(one, other)
}

module.exports = { SmsgwReturn, SmsgwPaymentReturn }
