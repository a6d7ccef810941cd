"""Payments that a phone confirms: asked, answered, charged, and told to whoever waits for them.

The way of one payment, and where it is told:

    asked for        desk → asking        limits, operator, price; the payment and its question, in one transaction
    the question     hearing              an SMSC has taken it, or refused it
    the answer       answering            what a message from a phone moves (domain/answers decides)
    the YES          charging             caps, then authorizing: the merchant's word; then an attempt
    the attempt      cashier              billed messages: intent on disk, then the first octet
                     teller               the same for operators' HTTP APIs
                     lines                what both hold until its link has room
    what came of it  hearing, findings    responses and receipts; answers of the APIs
                     inquiry, records     asking the API again; the operator's own records
                     resolving            what they, or a person, prove
    money back       refunding            by the API, or recorded
    the clock        sweeping             what must happen by itself, and what a death has left

Everything that changes a payment does it through a *book* (one transaction: locked rows, facts, status, events at
once), and leaves *effects* for after the commit, which the desk hands to whoever follows: senders, cashier, teller,
open pages (watch). Facts are append-only; what a payment's status may follow is in domain/payments alone, what an
attempt's may in domain/charging.
"""
