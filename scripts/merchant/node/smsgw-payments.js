// Asks phones for payments over smsgw's API. Copy this file; it needs Node 18 and nothing else.
'use strict'
const { setTimeout: sleep } = require('node:timers/promises')

/** No payment was made; `code` is the problem's, as in /docs. With "no_answer" nobody knows whether it was. */
class SmsgwError extends Error {
  constructor (code, status) {
    super(`${code} (${status})`)
    this.code = code
  }
}

/** A merchant's payments. */
class SmsgwPayments {
  /**
   * @param {object} options
   * @param {string} options.api where the API is: "https://pay.example/v1"
   * @param {string} options.key of `smsgw keys create --merchant NAME`
   * @param {string} options.merchant the merchant's name at smsgw
   * @param {number} [options.timeoutMs] longest wait for an answer; the gateway takes five seconds at most
   */
  constructor ({ api, key, merchant, timeoutMs = 8000 }) {
    this.api = api
    this.key = key
    this.merchant = merchant
    this.timeoutMs = timeoutMs
  }

  /**
   * Asks a phone for a payment; returns the payment. Send the buyer to its `checkout_url`.
   *
   * The reference is the Idempotency-Key too: call this again with the same order, after a crash too, and the phone
   * is still asked once. An order that is to be paid anew needs another reference.
   *
   * It throws an SmsgwError when there is no payment. "confirmation_open": the phone waits for an answer to another
   * question. Don't repeat it by yourself: have the buyer answer that SMS, and then call again with the same order.
   *
   * @param {object} order
   * @param {string} order.reference the order's, up to 100 visible characters of ASCII without quotes; no other order's
   * @param {string} order.product the product's name at smsgw; the price is there
   * @param {string} order.msisdn the phone's number as the buyer typed it, with its country code
   * @param {string} [order.state] what the buyer's browser brings back
   */
  async create ({ reference, product, msisdn, state = '' }) {
    if (!/^[!#-~ ]{1,100}$/.test(reference)) throw new Error('no reference')
    const body = { merchant: this.merchant, merchant_reference: reference, product, msisdn, state }
    try {
      return await this.#ask('POST', '/payments', body, { 'Idempotency-Key': reference })
    } catch (error) {
      const found = error.code === 'reference_used' ? await this.#find(reference) : undefined
      if (found === undefined || found.product !== product || found.state !== state) throw error
      return found // the answers of the first day were lost
    }
  }

  async #find (reference) {
    const query = new URLSearchParams({ merchant: this.merchant, merchant_reference: reference })
    return (await this.#ask('GET', `/payments?${query}`)).payments[0]
  }

  // Returns what the API answers; asks again while there is none.
  async #ask (method, path, body, headers = {}) {
    for (const pause of [500, 1500, null]) {
      let answer, told
      try {
        answer = await fetch(this.api + path, {
          method,
          body: body && JSON.stringify(body),
          headers: { Authorization: `Bearer ${this.key}`, 'Content-Type': 'application/json', ...headers },
          redirect: 'error',
          signal: AbortSignal.timeout(this.timeoutMs)
        })
        told = await answer.text()
        if (answer.ok) return JSON.parse(told)
      } catch {
        answer = undefined // no connection, none in time, or cut off: it may have been heard, so the key stays the same
      }
      if (answer !== undefined && answer.status < 500) {
        const code = codeOf(told)
        if (code !== 'idempotency_in_progress' && code !== 'too_many_requests') throw new SmsgwError(code, answer.status)
      }
      if (pause !== null) await sleep(pause)
    }
    throw new SmsgwError('no_answer', 0)
  }
}

// Returns the code of a problem.
function codeOf (text) {
  try {
    return JSON.parse(text).code ?? 'unknown'
  } catch {
    return 'unknown' // it comes from something between
  }
}

module.exports = { SmsgwPayments, SmsgwError }
