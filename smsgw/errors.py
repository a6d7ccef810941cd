"""Every error that smsgw raises on purpose: whose fault it is, whether to try again, and what the peer is told.

SmsgwError
├── SettingsError               the administrator's; fix the named file; exit status 78
├── StartError                  the machine's; a port, folder or file that the daemon needs; exit status of its kind
├── SmppError                   the peer's, or ours towards it
│   ├── PduError                answerable: one PDU is bad, the session goes on; carries the status to answer with
│   ├── FramingError            the stream is lost; the session ends
│   └── SessionError            a request that the session's state, or its full window, does not allow; ours
├── TextError                   the text or its bytes cannot be carried or read in the coding named
├── BindError                   the SMSC refused the bind; tried again, slower when it is the password
├── RepeatUndecided             another node has the same message, unproven: peers get a temporary error
└── StoreError
    ├── StoreUnavailable        try again later: disk full, locked, server away; peers get a temporary error
    ├── StoreConflict           a constraint said no; the transaction that tried it is rolled back
    ├── SchemaError             the database is newer, older or damaged; exit status 65
    └── StoreBroken             an fsync failed: nothing may be acknowledged any more; the daemon stops, status 74
"""


class SmsgwError(Exception):
    """Root of the tree. ``retry`` says whether the same call may succeed later without anybody's help."""

    retry = False


class SettingsError(SmsgwError):
    """The settings are not usable.

    Args:
        problems: one sentence each, in the form "file: path: what is wrong; what is allowed".
    """

    exit_status = 78  # EX_CONFIG

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class StartError(SmsgwError):
    """The daemon cannot start (or go on) on this machine as it is; the message is one sentence."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


class SmppError(SmsgwError):
    """Something in an SMPP session that the specification does not allow."""


class PduError(SmppError):
    """One PDU is bad and can be answered; the session goes on.

    Args:
        message: one sentence without any content of the PDU's text or numbers.
        command_status: the status to answer with (SMPP 3.4 §5.1.3).
        command_id: as received, 0 when unknown; decides between an error response and a generic_nack.
        sequence_number: as received.
    """

    def __init__(self, message: str, *, command_status: int, command_id: int = 0, sequence_number: int = 0) -> None:
        super().__init__(message)
        self.command_status = command_status
        self.command_id = command_id
        self.sequence_number = sequence_number


class FramingError(SmppError):
    """The stream cannot be cut into PDUs any more (command_length below 16 or above the limit); the session ends."""

    def __init__(self, message: str, *, command_status: int, sequence_number: int = 0) -> None:
        super().__init__(message)
        self.command_status = command_status
        self.sequence_number = sequence_number


class SessionError(SmppError):
    """A request of ours that the session does not allow now: wrong state, or the window is full."""


class TextError(SmsgwError):
    """A text cannot be encoded, or bytes cannot be decoded, in the coding named."""


class IdempotencyMismatch(SmsgwError):  # noqa: N818 - named after the condition
    """The caller's fault: an Idempotency-Key came again with another request. Nothing was done."""


class BindError(SmsgwError):
    """The SMSC answered a bind with an error.

    Args:
        command_status: as answered (SMPP 3.4 §5.1.3).
        credentials: whether the system_id or password is what it refuses; retried slowly then.
    """

    retry = True

    def __init__(self, message: str, *, command_status: int, credentials: bool) -> None:
        super().__init__(message)
        self.command_status = command_status
        self.credentials = credentials


class RepeatUndecided(SmsgwError):  # noqa: N818 - named after the condition, as StoreUnavailable
    """An equal message is unproven on another node, so nobody can know yet whether this one repeats it.

    Nothing was stored or bought. Once that node's acknowledgement is proven, or its session over, it will be known.
    """

    retry = True


class StoreError(SmsgwError):
    """The database did not do what was asked; the transaction is rolled back."""


class StoreUnavailable(StoreError):  # noqa: N818 - "unavailable" is the state that peers are told, not a kind of fault
    """The store cannot write or read now (disk full, locked, server away). Try again later."""

    retry = True


class StoreConflict(StoreError):  # noqa: N818 - named after the condition, as StoreUnavailable
    """A unique, check or foreign key constraint said no."""


class SchemaError(StoreError):
    """The database's schema is newer than this program, or its migrations are not the ones that we know."""

    exit_status = 65  # EX_DATAERR


class StoreBroken(StoreError):  # noqa: N818 - named after the condition, as StoreUnavailable
    """An fsync failed or the file is damaged: what was written may be lost. Never acknowledge after it."""

    exit_status = 74  # EX_IOERR
