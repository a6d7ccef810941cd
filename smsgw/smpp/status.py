"""Values of command_status (SMPP 3.4 §5.1.3): their names, and what each of them means in one sentence."""

from typing import Final

from smpplib import consts

ESME_ROK: Final[int] = consts.SMPP_ESME_ROK
ESME_RINVMSGLEN: Final[int] = consts.SMPP_ESME_RINVMSGLEN
ESME_RINVCMDLEN: Final[int] = consts.SMPP_ESME_RINVCMDLEN
ESME_RINVCMDID: Final[int] = consts.SMPP_ESME_RINVCMDID
ESME_RINVBNDSTS: Final[int] = consts.SMPP_ESME_RINVBNDSTS
ESME_RALYBND: Final[int] = consts.SMPP_ESME_RALYBND
ESME_RSYSERR: Final[int] = consts.SMPP_ESME_RSYSERR
ESME_RINVSRCADR: Final[int] = consts.SMPP_ESME_RINVSRCADR
ESME_RINVDSTADR: Final[int] = consts.SMPP_ESME_RINVDSTADR
ESME_RINVMSGID: Final[int] = consts.SMPP_ESME_RINVMSGID
ESME_RBINDFAIL: Final[int] = consts.SMPP_ESME_RBINDFAIL
ESME_RINVPASWD: Final[int] = consts.SMPP_ESME_RINVPASWD
ESME_RINVSYSID: Final[int] = consts.SMPP_ESME_RINVSYSID
ESME_RCANCELFAIL: Final[int] = consts.SMPP_ESME_RCANCELFAIL
ESME_RREPLACEFAIL: Final[int] = consts.SMPP_ESME_RREPLACEFAIL
ESME_RMSGQFUL: Final[int] = consts.SMPP_ESME_RMSGQFUL
ESME_RINVSERTYP: Final[int] = consts.SMPP_ESME_RINVSERTYP
ESME_RSUBMITFAIL: Final[int] = consts.SMPP_ESME_RSUBMITFAIL
ESME_RINVSYSTYP: Final[int] = consts.SMPP_ESME_RINVSYSTYP
ESME_RTHROTTLED: Final[int] = consts.SMPP_ESME_RTHROTTLED
ESME_RINVSCHED: Final[int] = consts.SMPP_ESME_RINVSCHED
ESME_RINVEXPIRY: Final[int] = consts.SMPP_ESME_RINVEXPIRY
ESME_RX_T_APPN: Final[int] = consts.SMPP_ESME_RX_T_APPN
ESME_RX_P_APPN: Final[int] = consts.SMPP_ESME_RX_P_APPN
ESME_RX_R_APPN: Final[int] = consts.SMPP_ESME_RX_R_APPN
ESME_RQUERYFAIL: Final[int] = consts.SMPP_ESME_RQUERYFAIL
ESME_RINVOPTPARSTREAM: Final[int] = consts.SMPP_ESME_RINVOPTPARSTREAM
ESME_ROPTPARNOTALLWD: Final[int] = consts.SMPP_ESME_ROPTPARNOTALLWD
ESME_RINVPARLEN: Final[int] = consts.SMPP_ESME_RINVPARLEN
ESME_RDELIVERYFAILURE: Final[int] = consts.SMPP_ESME_RDELIVERYFAILURE
ESME_RUNKNOWNERR: Final[int] = consts.SMPP_ESME_RUNKNOWNERR

_PREFIX = "SMPP_ESME_"

# SMPP 5.0 §4.7.6: SMSCs of that version send these to ESMEs of any version.
_SMPP_5 = {
    0x100: ("ESME_RSERTYPUNAUTH", "The ESME is not authorised to use this service_type."),
    0x101: ("ESME_RPROHIBITED", "The ESME is prohibited from this operation."),
    0x102: ("ESME_RSERTYPUNAVAIL", "This service_type is not available now."),
    0x103: ("ESME_RSERTYPDENIED", "This service_type is denied."),
    0x104: ("ESME_RINVDCS", "The data_coding is not valid."),
}

# Where smpplib's sentence is missing, or says ESME where the specification says receiver.
_CORRECTED = {
    consts.SMPP_ESME_ROK: "No error.",
    consts.SMPP_ESME_RINVREGDLVFLG: "The registered_delivery flag is not valid.",
    consts.SMPP_ESME_RX_T_APPN: "The receiving application has a temporary error; the message may be sent again.",
    consts.SMPP_ESME_RX_P_APPN: "The receiving application has a permanent error; the message may not be sent again.",
    consts.SMPP_ESME_RX_R_APPN: "The receiving application rejects the message.",
}


def _names() -> dict[int, str]:
    named = {
        value: constant.removeprefix("SMPP_")
        for constant, value in vars(consts).items()
        if constant.startswith(_PREFIX)
    }
    return named | {value: row[0] for value, row in _SMPP_5.items()}


def _meanings() -> dict[int, str]:
    said = {value: f"{sentence}." for value, sentence in consts.DESCRIPTIONS.items()}
    return said | _CORRECTED | {value: row[1] for value, row in _SMPP_5.items()}


NAMES: Final[dict[int, str]] = _names()
MEANINGS: Final[dict[int, str]] = _meanings()


def name(status: int) -> str:
    """Return the specification's name, such as "ESME_RTHROTTLED", or eight hex digits where it has none (vendors')."""
    return NAMES.get(status) or f"0x{status:08X}"


def meaning(status: int) -> str:
    """Return one sentence for people."""
    return MEANINGS.get(status, "A status of the operator's own, or reserved: ask the operator.")
