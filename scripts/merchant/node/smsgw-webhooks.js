// Takes what smsgw posts about payments, and hands out goods. Copy this file; it needs Node 18 and nothing else.
'use strict'
const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')

// What a person has to look at.
const NOTED = new Set(['payment.refunded', 'payment.refund_failed', 'payment.discrepancy'])

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
class SmsgwWebhooks {
  /**
   * @param {object} options
   * @param {string[]} options.secrets those that `smsgw webhooks secret show` shows, "whsec_…"; both while one replaces the other
   * @param {string} options.folder one that only this site can write to, outside of what the web server shows
   * @param {boolean} [options.test] whether goods are handed out for payments at a simulated operator
   */
  constructor ({ secrets, folder, test = false }) {
    this.keys = secrets.map(secret => Buffer.from(secret.replace(/^whsec_/, ''), 'base64'))
    if (this.keys.length === 0 || this.keys.some(key => key.length < 24)) {
      throw new Error('a secret is whsec_ and the base64 of 24 octets or more')
    }
    this.folder = folder
    this.test = test
    for (const name of ['goods', 'notes', 'events']) makeFolder(path.join(folder, name))
  }

  /**
   * Takes what was posted; returns the HTTP status to answer with. Throws when it could not be stored: answer 500, and
   * it comes again.
   *
   * @param {string} name the header webhook-id
   * @param {string} at the header webhook-timestamp
   * @param {string} signatures the header webhook-signature
   * @param {Buffer} body the octets as they came, before anything reads them
   */
  take (name, at, signatures, body) {
    if (!this.#isSigned(name, at, signatures, body)) return 400
    const event = JSON.parse(body)
    // Other types may be added: pass over them. The question payment.authorize belongs to an address of its own.
    if (event.type.startsWith('payment.') && event.type !== 'payment.authorize') this.#store(name, event, body)
    return 204
  }

  /** Returns what is known of a payment: the data of its newest event; null when there was none. */
  payment (id) {
    const place = this.#place('events', id)
    const files = fs.existsSync(place) ? fs.readdirSync(place).sort() : []
    return files.length === 0 ? null : JSON.parse(fs.readFileSync(path.join(place, files.at(-1)))).data
  }

  /**
   * Hands out the goods of a payment, if that was not done before.
   *
   * With a database: INSERT what the buyer gets, with the payment's id as the unique key. It is called again for the
   * same payment when two requests come at once, and after a crash.
   */
  handOut (payment) {
    if (this.#once('goods', payment.id, JSON.stringify(payment))) {
      console.log(`goods for ${payment.merchant_reference}: ${payment.units} of ${payment.product}`)
    }
  }

  /** Has a person look at an event: goods to be taken back, or money that came beside a payment. */
  takeNote (name, body) {
    this.#once('notes', name, body)
  }

  #isSigned (name, at, signatures, body) {
    // No more than five minutes old, or ahead: nobody can post later what he has overheard.
    if (!/^[0-9]{1,12}$/.test(at) || Math.abs(Date.now() / 1000 - Number(at)) > 300) return false
    let found = false
    for (const key of this.keys) {
      const hash = crypto.createHmac('sha256', key).update(`${name}.${at}.`).update(body).digest('base64')
      const good = Buffer.from(`v1,${hash}`)
      for (const signature of signatures.split(' ').map(one => Buffer.from(one))) {
        found = (signature.length === good.length && crypto.timingSafeEqual(signature, good)) || found
      }
    }
    return found
  }

  #store (name, event, body) {
    const payment = event.data
    const place = `events/${payment.id}`
    const file = `${String(payment.sequence).padStart(10, '0')}-${name}`
    if (fs.existsSync(this.#place(place, file))) return // it has come before
    if (event.type === 'payment.succeeded' && this.#getsGoods(payment)) this.handOut(payment)
    if (NOTED.has(event.type)) this.takeNote(name, body)
    this.#once(place, file, body) // last: what was not done before this is done again
  }

  #getsGoods (payment) {
    const newest = this.payment(payment.id) ?? payment
    const allBack = newest.refunded_minor >= newest.amount_minor // an event that came before this, and is later
    return (this.test || payment.test === false) && !allBack
  }

  // Makes a file that is on disk when this returns; returns whether it is new.
  #once (place, name, body) {
    const target = this.#place(place, name)
    const folder = path.dirname(target)
    makeFolder(folder)
    const draft = path.join(this.folder, `draft-${crypto.randomUUID()}`)
    let isNew = true
    try {
      fs.writeFileSync(draft, body, { mode: 0o600, flag: 'wx' })
      sync(draft)
      fs.linkSync(draft, target) // unlike a renaming it fails when there is one
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
      isNew = false
    } finally {
      fs.rmSync(draft, { force: true })
    }
    sync(folder)
    sync(path.dirname(folder))
    return isNew
  }

  #place (...names) {
    if (!names.every(name => /^[0-9a-z_/-]+$/.test(name))) throw new Error("no name of smsgw's")
    return path.join(this.folder, ...names)
  }
}

function makeFolder (place) {
  try {
    fs.mkdirSync(place, 0o700)
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  }
}

// Waits until a file or folder is on disk.
function sync (place) {
  const handle = fs.openSync(place, 'r')
  fs.fsyncSync(handle)
  fs.closeSync(handle)
}

module.exports = { SmsgwWebhooks }
