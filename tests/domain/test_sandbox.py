"""The simulated operator's link, and what keeps tests apart."""

from pathlib import Path

from smsgw.domain import reply_addresses, sandbox
from smsgw.domain.goods import build
from smsgw.settings import Configuration, LinkSettings, Settings
from smsgw.settings.main import Sandbox
from tests.flows.payments.market import GOLD, LINKS

REAL = LinkSettings(host="x", system_id="us", password_file="x")
OWN = LinkSettings(host="x", system_id="us", password_file="x", test=True)


def configuration(*, enabled: bool, **links: LinkSettings) -> Configuration:
    main = Settings(sandbox=Sandbox(enabled=enabled))
    return Configuration(file=Path("/etc/smsgw.toml"), state_dir=Path("/var"), main=main, links=links, services={})


def test_its_link_is_a_test_and_asks_for_receipts() -> None:
    found = sandbox.with_link(configuration(enabled=True, north=REAL), 7).links
    assert found.keys() == {"north", "sandbox"}
    one = found["sandbox"]
    assert (one.test, one.receipts, one.addresses, one.prefixes) == (True, True, [("127.0.0.1", 7)], [])
    assert sandbox.with_link(configuration(enabled=False, north=REAL), 7).links.keys() == {"north"}


def test_its_name_is_its_own_while_it_is_enabled() -> None:
    assert sandbox.problems(configuration(enabled=True, north=REAL)) == []
    assert sandbox.problems(configuration(enabled=False, sandbox=REAL)) == []
    [problem] = sandbox.problems(configuration(enabled=True, sandbox=REAL))
    assert problem.startswith("/etc/links/sandbox.toml: ")


def test_where_tests_go() -> None:
    assert sandbox.for_tests({"north": REAL}) is None
    assert sandbox.for_tests({"north": REAL, "try": OWN, "also": OWN}) == "also"
    assert sandbox.for_tests({"also": OWN, "sandbox": OWN}) == "sandbox"


def test_names_of_tests_meet_no_others() -> None:
    assert sandbox.apart("gold", test=False) == "gold"
    assert sandbox.apart("gold", test=True) == "test/gold"


def test_questions_of_all_merchants_are_answered_there() -> None:
    merchants = build({"gold": GOLD}, LINKS)
    found = reply_addresses.index(merchants, "sandbox")
    assert found["sandbox", "7700"] == ("bg", "en")
    assert {place for place in found if place[0] != "sandbox"} == reply_addresses.index(merchants).keys()
