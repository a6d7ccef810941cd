"""Takes what smsgw posts about payments, and hands out goods. Copy this file; it needs Python 3.9 and nothing else."""

import base64
import hashlib
import hmac
import json
import os
import re
import tempfile
import time

# What a person has to look at.
NOTED = ("payment.refunded", "payment.refund_failed", "payment.discrepancy")


class SmsgwWebhooks:
    """Where the events of a merchant's payments come in.

    Each thing is kept as a file that is made whole or not at all, and once: of two requests at once one makes it. What
    a crash left undone is done when the event comes again, for it has not been answered. In a database each file is a
    row with a unique key.

        goods/<payment>                       what was handed out
        notes/<event>                         money that went back or did not, or is odd: for a person
        events/<payment>/<sequence>-<event>   all that has come, in its order, whatever order it came in

    Args:
        secrets: those that `smsgw webhooks secret show` shows, "whsec_…"; both while one replaces the other.
        folder: one that only this site can write to, outside of what the web server shows.
        test: whether goods are handed out for payments at a simulated operator.
    """

    def __init__(self, secrets, folder, test=False):
        self._keys = [base64.b64decode(secret.removeprefix("whsec_"), validate=True) for secret in secrets]
        if not self._keys or min(map(len, self._keys)) < 24:
            raise ValueError("a secret is whsec_ and the base64 of 24 octets or more")
        self._folder = folder
        self._test = test
        for name in ("goods", "notes", "events"):
            os.makedirs(os.path.join(folder, name), mode=0o700, exist_ok=True)

    def take(self, name, at, signatures, body):
        """Take what was posted; return the HTTP status to answer with.

        Args:
            name: the header webhook-id.
            at: the header webhook-timestamp.
            signatures: the header webhook-signature.
            body: the octets as they came, before anything reads them.

        Raises:
            OSError: it could not be stored. Answer 500: it comes again.
        """
        if not self._is_signed(name, at, signatures, body):
            return 400
        event = json.loads(body)
        # Other types may be added: pass over them. The question payment.authorize belongs to an address of its own.
        if event["type"].startswith("payment.") and event["type"] != "payment.authorize":
            self._store(name, event, body)
        return 204

    def payment(self, payment):
        """Return what is known of a payment: the data of its newest event; None when there was none."""
        try:
            files = os.listdir(self._place("events", payment))
        except FileNotFoundError:
            return None
        if not files:
            return None
        with open(os.path.join(self._place("events", payment), max(files)), "rb") as file:
            return json.load(file)["data"]

    def hand_out(self, payment):
        """Hand out the goods of a payment, if that was not done before.

        With a database: INSERT what the buyer gets, with the payment's id as the unique key. It is called again for the
        same payment when two requests come at once, and after a crash.
        """
        if self._once("goods", payment["id"], json.dumps(payment).encode()):
            # One piece, with its end: threads write between two.
            line = f"goods for {payment['merchant_reference']}: {payment['units']} of {payment['product']}\n"
            print(line, end="", flush=True)

    def take_note(self, name, body):
        """Have a person look at an event: goods to be taken back, or money that came beside a payment."""
        self._once("notes", name, body)

    def _is_signed(self, name, at, signatures, body):
        # No more than five minutes old, or ahead: nobody can post later what he has overheard.
        if not re.fullmatch(r"[0-9]{1,12}", at) or abs(time.time() - int(at)) > 300:
            return False
        signed = f"{name}.{at}.".encode() + body
        found = False
        for key in self._keys:
            good = b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
            for signature in signatures.split(" "):
                found |= hmac.compare_digest(good, signature.encode())
        return found

    def _store(self, name, event, body):
        payment = event["data"]
        place = f"events/{payment['id']}"
        file = f"{payment['sequence']:010}-{name}"
        if os.path.exists(self._place(place, file)):
            return  # it has come before
        if event["type"] == "payment.succeeded" and self._gets_goods(payment):
            self.hand_out(payment)
        if event["type"] in NOTED:
            self.take_note(name, body)
        self._once(place, file, body)  # last: what was not done before this is done again

    def _gets_goods(self, payment):
        newest = self.payment(payment["id"]) or payment
        all_back = newest["refunded_minor"] >= newest["amount_minor"]  # an event that came before this, and is later
        return (self._test or payment["test"] is False) and not all_back

    def _once(self, place, name, body):
        """Make a file that is on disk when this returns; return whether it is new."""
        target = self._place(place, name)
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix="draft-", dir=self._folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, target)  # unlike a renaming it fails when there is one
            new = True
        except FileExistsError:
            new = False
        finally:
            os.unlink(draft)
        for folder in (os.path.dirname(target), os.path.dirname(os.path.dirname(target))):
            handle = os.open(folder, os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)
        return new

    def _place(self, *names):
        if not all(re.fullmatch(r"[0-9a-z_/-]+", name) for name in names):
            raise ValueError("no name of smsgw's")
        return os.path.join(self._folder, *names)
