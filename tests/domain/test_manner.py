"""How an MT is submitted: what link, message and service say, and who goes before whom."""

from msgspec import structs

from smsgw.domain.manner import PLAIN, Manner, of_message, of_service, over
from smsgw.settings import LinkSettings, ServiceSettings
from smsgw.settings.submission import Tlv

LINK = LinkSettings(host="x", port=1, system_id="us", password_file="x")
SERVICE = ServiceSettings(
    short_code="1234", keywords=["SUN"], reply="{code}", success_url="x", expired_url="x", invalid_url="x"
)


def service(**changes: object) -> Manner:
    return of_service(structs.replace(SERVICE, **changes))


def link(received: dict[int, bytes] | None = None, **changes: object) -> Manner:
    return of_message(structs.replace(LINK, **changes), received or {})


def test_where_nothing_is_said_nothing_differs() -> None:
    assert service() is PLAIN
    assert link({0x1400: b"x"}) == PLAIN
    assert over(PLAIN, PLAIN) == PLAIN


def test_a_service_says_how_its_answers_go() -> None:
    said = service(
        service_type="PAY", priority=2, protocol_id=0x41, tlvs=[Tlv(tag=0x1400, type="int8", value=7)], source_ton=3
    )
    assert said == Manner(service_type="PAY", priority=2, protocol_id=0x41, tlvs={0x1400: b"\7"}, source_ton=3)
    assert service(protocol_id=0).protocol_id == 0, "0 is a value, -1 is none"


def test_a_name_has_its_own_kind_of_number_unless_the_settings_say_otherwise() -> None:
    assert service(source_addr="Sunny") == Manner(source="Sunny", source_ton=5, source_npi=0)
    assert service(source_addr="Sunny", source_npi=1) == Manner(source="Sunny", source_ton=5, source_npi=1)
    assert service(source_addr="777") == Manner(source="777")
    assert link(source_addr="+359888", source_ton=1) == Manner(source="+359888", source_ton=1)


def test_a_link_says_the_kinds_of_number_and_what_is_echoed() -> None:
    said = link(
        {0x1400: b"bill", 0x1401: b"", 0x1402: b"x"}, echo_tlvs=[0x1401, 0x1400, 0x1403], dest_ton=1, dest_npi=1
    )
    assert said == Manner(dest_ton=1, dest_npi=1, tlvs={0x1401: b"", 0x1400: b"bill"})


def test_the_later_one_goes_before_the_earlier_and_the_greater_priority_counts() -> None:
    first = Manner(source="1", source_ton=3, service_type="A", priority=3, protocol_id=1, tlvs={1: b"a", 2: b"b"})
    then = Manner(service_type="B", priority=1, protocol_id=0, tlvs={2: b"c", 3: b"d"}, dest_npi=9)
    assert over(first, then) == Manner(
        source="1",
        source_ton=3,
        service_type="B",
        priority=3,
        protocol_id=0,
        tlvs={1: b"a", 2: b"c", 3: b"d"},
        dest_npi=9,
    )
    assert over(first, PLAIN) == first


def test_another_source_does_not_have_the_kind_of_the_one_that_it_replaces() -> None:
    name = Manner(source="Sunny", source_ton=5, source_npi=0)
    assert over(name, Manner(source="777")) == Manner(source="777")
    assert over(name, Manner(source_npi=1)) == Manner(source="Sunny", source_ton=5, source_npi=1)
