"""The mandatory fields of each PDU in wire order: smpplib's tables, completed, and corrected to SMPP 3.4."""

from collections.abc import Iterator
from typing import Any, Final, Literal

import msgspec
from smpplib import command, command_codes, consts
from smpplib.ptypes import ostr

from smsgw.smpp import pdus


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One mandatory field."""

    name: str
    kind: Literal["integer", "text", "octets"]  # one octet; C-octet string; octet string after its length octet
    limit: int  # the greatest integer, or the most octets without NUL or length


Param: Final[Any] = command.Param  # without types there


class _CancelSm:
    params: Final = {
        "service_type": Param(type=str, max=6),
        "message_id": Param(type=str, max=65),
        "source_addr_ton": Param(type=int, size=1),
        "source_addr_npi": Param(type=int, size=1),
        "source_addr": Param(type=str, max=21),
        "dest_addr_ton": Param(type=int, size=1),
        "dest_addr_npi": Param(type=int, size=1),
        "destination_addr": Param(type=str, max=21),
    }
    params_order = tuple(params)


class _ReplaceSm:
    params: Final = {
        "message_id": Param(type=str, max=65),
        "source_addr_ton": Param(type=int, size=1),
        "source_addr_npi": Param(type=int, size=1),
        "source_addr": Param(type=str, max=21),
        "schedule_delivery_time": Param(type=str, max=17),
        "validity_period": Param(type=str, max=17),
        "registered_delivery": Param(type=int, size=1),
        "sm_default_msg_id": Param(type=int, size=1),
        "sm_length": Param(type=int, size=1),
        "short_message": Param(type=ostr, max=254, len_field="sm_length"),
    }
    params_order = tuple(params)


class _Outbind:
    params: Final = {"system_id": Param(type=str, max=16), "password": Param(type=str, max=9)}
    params_order = tuple(params)


class _Nothing:
    params: Final[dict[str, Any]] = {}
    params_order = ()


_TABLES: Final[dict[type[pdus.Pdu], Any]] = {
    pdus.BindTransmitter: command.BindTransmitter,
    pdus.BindReceiver: command.BindReceiver,
    pdus.BindTransceiver: command.BindTransceiver,
    pdus.BindTransmitterResp: command.BindTransmitterResp,
    pdus.BindReceiverResp: command.BindReceiverResp,
    pdus.BindTransceiverResp: command.BindTransceiverResp,
    pdus.Outbind: _Outbind,
    pdus.Unbind: command.Unbind,
    pdus.UnbindResp: command.UnbindResp,
    pdus.GenericNack: command.GenericNAck,
    pdus.EnquireLink: command.EnquireLink,
    pdus.EnquireLinkResp: command.EnquireLinkResp,
    pdus.SubmitSm: command.SubmitSM,
    pdus.SubmitSmResp: command.SubmitSMResp,
    pdus.DeliverSm: command.DeliverSM,
    pdus.DeliverSmResp: command.DeliverSMResp,
    pdus.DataSm: command.DataSM,
    pdus.DataSmResp: command.DataSMResp,
    pdus.QuerySm: command.QuerySM,
    pdus.QuerySmResp: command.QuerySMResp,
    pdus.CancelSm: _CancelSm,
    pdus.CancelSmResp: _Nothing,
    pdus.ReplaceSm: _ReplaceSm,
    pdus.ReplaceSmResp: _Nothing,
    pdus.AlertNotification: command.AlertNotification,
}

# SMPP 3.4 §4.7.1 and §4.12.1 allow these addresses 65 octets with NUL; smpplib says 21.
_CORRECTED: Final = {
    (pdus.DataSm, "source_addr"): 64,
    (pdus.DataSm, "destination_addr"): 64,
    (pdus.AlertNotification, "source_addr"): 64,
    (pdus.AlertNotification, "esme_addr"): 64,
}
_HEADER_FIELDS: Final = {"sequence_number", "command_status", "tlvs"}


def _mandatory(pdu: type[pdus.Pdu], table: Any) -> Iterator[Field]:
    lengths = {getattr(param, "len_field", None) for param in table.params.values()}
    required = getattr(table, "mandatory_fields", ())
    for name in table.params_order:
        if name in lengths or (name in consts.OPTIONAL_PARAMS and name not in required):
            continue
        param = table.params[name]
        if param.type is int:
            yield Field(name=name, kind="integer", limit=256**param.size - 1)
        elif param.type is str:
            yield Field(name=name, kind="text", limit=_CORRECTED.get((pdu, name), param.max - 1))
        else:
            yield Field(name=name, kind="octets", limit=param.max)


def check(pdu: type[pdus.Pdu], fields: tuple[Field, ...]) -> None:
    """Raise TypeError where a PDU's class, its table and smpplib's command ids disagree."""
    if command_codes.commands.get(pdu.name, pdu.command_id) != pdu.command_id:
        raise TypeError(f"{pdu.name}: command_id differs from smpplib's")
    ours = set(pdu.__struct_fields__) - _HEADER_FIELDS
    theirs = {field.name for field in fields}
    if ours != theirs:
        raise TypeError(f"{pdu.name}: class and table disagree about {sorted(ours ^ theirs)}")
    if any(field.kind == "integer" and field.limit != 0xFF for field in fields):  # noqa: PLR2004 - one octet's maximum
        raise TypeError(f"{pdu.name}: an integer of more than one octet; the codec writes single octets")


def _build() -> dict[type[pdus.Pdu], tuple[Field, ...]]:
    built = {pdu: tuple(_mandatory(pdu, _TABLES[pdu])) for pdu in pdus.ALL}
    for pdu, fields in built.items():
        check(pdu, fields)
    return built


FIELDS: Final[dict[type[pdus.Pdu], tuple[Field, ...]]] = _build()
