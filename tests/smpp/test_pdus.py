"""PDUs are named, paired and printed as the specification and discretion demand."""

import msgspec
import pytest

from smsgw.smpp import pdus


@pytest.mark.parametrize("bind", [pdus.BindTransmitter, pdus.BindReceiver, pdus.BindTransceiver, pdus.Outbind])
def test_passwords_are_not_printed(bind: type[pdus.BindTransceiver | pdus.Outbind]) -> None:
    printed = repr(bind(system_id="smsgw", password="hunter2"))
    assert "hunter2" not in printed
    assert "smsgw" in printed
    assert "hunter2" not in f"{bind(password='hunter2')}"


def test_ids_are_unique_and_names_are_the_classes_names() -> None:
    assert len(pdus.BY_ID) == len(pdus.ALL) == 25
    for pdu in pdus.ALL:
        assert pdu.name.replace("_", "") == pdu.__name__.lower()


def test_every_request_has_its_response_but_two() -> None:
    requests = {pdu for pdu in pdus.ALL if not pdu.command_id & pdus.RESPONSE_BIT}
    assert requests - pdus.RESPONSE_TO.keys() == {pdus.Outbind, pdus.AlertNotification}
    for request, response in pdus.RESPONSE_TO.items():
        assert response.name == f"{request.name}_resp"


def test_pdus_are_frozen_and_equal_by_value() -> None:
    pdu = pdus.SubmitSm(source_addr="7575", tlvs={0x1400: b"1"})
    assert pdu == pdus.SubmitSm(source_addr="7575", tlvs={0x1400: b"1"})
    with pytest.raises(AttributeError):
        pdu.source_addr = "1"  # type: ignore[misc] # what is tested


def test_two_pdus_do_not_share_their_tlvs() -> None:
    assert pdus.Unbind().tlvs is not pdus.Unbind().tlvs
    assert msgspec.structs.fields(pdus.Unbind)[2].name == "tlvs"
