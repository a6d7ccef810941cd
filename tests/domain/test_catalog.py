"""What is sold: services made ready, the answers they give, and every sentence that says what is wrong with one."""

from pathlib import Path

import msgspec
import pytest

from smsgw.domain import catalog, codes
from smsgw.domain.catalog import build, problems, replies_to, reply_segments
from smsgw.settings import Answers, Configuration, LinkSettings, ServiceSettings, Settings
from smsgw.text.segments import Outlet

SERVICE = ServiceSettings(
    short_code="1234",
    keywords=["SUN"],
    reply="{service}: {code}, {valid_until}, {uses}, {price}, {support}",
    success_url="https://x.example/",
    expired_url="https://x.example/",
    invalid_url="https://x.example/",
    title="Sun",
    price="2.40 EUR",
    support="help@x.example",
    valid_for_s=86_400,
)
LINK = LinkSettings(host="smsc.example", port=2775, system_id="us", password_file="x")
PLACEHOLDERS = "{code}, {valid_until}, {uses}, {price}, {service}, {support}"
BETWEEN = "allowed are letters and digits, with one of - _ & ' between two"
NOON = 1_785_499_200_000  # 2026-07-31T12:00Z


def changed(**changes: object) -> ServiceSettings:
    return msgspec.structs.replace(SERVICE, **changes)


def ready(**changes: object) -> catalog.Service:
    return build({"sun": changed(**changes)})["sun"]


def found(*, answers: Answers | None = None, **services: ServiceSettings) -> list[str]:
    configuration = Configuration(
        file=Path("/conf/smsgw.toml"),
        state_dir=Path("/state"),
        main=Settings(answers=answers or Answers()),
        links={"north": LINK},
        services=services,
    )
    return problems(configuration)


def first_reply(service: catalog.Service, code: str, issued_ms: int) -> str:
    return replies_to(service, code, issued_ms)[0]


def test_a_code_that_can_be_guessed_is_refused_with_the_figure_and_the_length_that_is_enough() -> None:
    [problem] = found(sun=changed(length=6))
    assert "with 10,000 live codes and 1,000 wrong guesses a day" in problem
    assert "within a year is 98.36%; guessing.most_chance_per_year allows 1.00%" in problem
    assert problem.endswith("the shortest length that passes is 8")
    assert found(sun=changed(length=8)) == []


def test_what_is_no_network_is_refused() -> None:
    [problem] = found(sun=changed(allowed_ips=["192.0.2.0/24", "192.0.2.7/24"]))
    assert 'allowed_ips: "192.0.2.7/24" is no address and no network' in problem


# --- made ready -----------------------------------------------------------------------------------------------------


def test_a_service_s_conditions_become_the_policy_that_each_code_keeps() -> None:
    service = ready(length=6, alphabet="digits", valid_for_s=60, counted_from="first_use", uses=3)
    policy = codes.Policy(length=6, alphabet="digits", valid_ms=60_000, counted_from="first_use", uses=3)
    assert service.policy == policy
    assert msgspec.json.decode(service.policy_json, type=codes.Policy) == policy


def test_what_is_not_limited_is_none() -> None:
    assert ready(valid_for_s=0, uses=3).policy.valid_ms is None
    assert ready(uses=0).policy.uses is None


# --- answers --------------------------------------------------------------------------------------------------------


def test_the_answer_tells_everything_that_the_template_asks_for() -> None:
    text = first_reply(ready(uses=5, time_zone="Europe/Sofia"), "ABCD2345", NOON)
    assert text == "Sun: ABCD2345, 2026-08-01 15:00, 5, 2.40 EUR, help@x.example"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"valid_for_s": 0, "uses": 2}, "-"),
        ({"counted_from": "first_use"}, "1 day after first use"),
        ({"valid_for_s": 5_400}, "2026-07-31 13:30"),
    ],
)
def test_valid_until_follows_the_kind_of_code(changes: dict[str, object], told: str) -> None:
    assert first_reply(ready(reply="{code} {valid_until}", **changes), "X", NOON) == f"X {told}"


def test_without_a_title_the_file_s_name_is_the_service_s() -> None:
    assert first_reply(ready(title="", reply="{service} {code} {uses}"), "X", NOON) == "sun X -"


def test_a_long_answer_is_cut_into_as_many_parts_as_it_takes() -> None:
    service = ready(reply="x" * 200 + "{code}", max_replies=2)
    assert [segment.parts for segment in reply_segments(service, "ABCD2345", NOON, reference=7)] == [2, 2]


# --- what can be wrong ----------------------------------------------------------------------------------------------


def test_nothing_is_wrong_with_a_good_service() -> None:
    assert found(sun=SERVICE, rest=changed(keywords=["*"])) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"keywords": ["SUN SHINE"]},
            'keywords: "SUN SHINE" is not one word; allowed are single words, or "*" for all others',
        ),
        ({"keywords": [""]}, 'keywords: "" is not one word; allowed are single words, or "*" for all others'),
        (
            {"keywords": ["SUN!"]},
            f'keywords: "SUN!" matches no message; {BETWEEN}',
        ),
        (
            {"keywords": ["**"]},
            f'keywords: "**" matches no message; {BETWEEN}',
        ),
        (
            {"reply": "{code} {kode}"},
            'reply: "{kode}" is no placeholder; allowed are ' + PLACEHOLDERS,
        ),
        (
            {"reply": "{code} {}"},
            'reply: "{}" is no placeholder; allowed are ' + PLACEHOLDERS,
        ),
        (
            {"reply": "{code} {"},
            'reply: "{" is no placeholder; allowed are ' + PLACEHOLDERS,
        ),
        ({"reply": "no code"}, "reply: does not tell the code; put {code} in"),
        (
            {"time_zone": "Europe/Atlantis"},
            'time_zone: "Europe/Atlantis" is unknown; allowed are names such as "Europe/Kyiv"',
        ),
        ({"time_zone": ""}, 'time_zone: "" is unknown; allowed are names such as "Europe/Kyiv"'),
        (
            {"time_zone": "../../etc/passwd"},
            'time_zone: "../../etc/passwd" is unknown; allowed are names such as "Europe/Kyiv"',
        ),
        (
            {"reply": "x" * 160 + "{code}", "max_replies": 1},
            "reply: takes 2 SMS with its longest values; max_replies allows 1",
        ),
        (
            {"reply": "ж" * 70 + "{code}", "max_replies": 1},
            "reply: takes 2 SMS with its longest values; max_replies allows 1",
        ),
        (
            {"reply": "{support}{code}", "support": "я" * 70, "max_replies": 1},
            "reply: takes 2 SMS with its longest values; max_replies allows 1",
        ),
        ({"keywords": ["SUN", "SUN"]}, 'keywords: "SUN" stands there twice'),
        ({"again_keywords": ["*"]}, 'again_keywords: "*" is not allowed: every message would be free'),
    ],
)
def test_each_mistake_has_a_sentence_that_names_the_file_the_field_and_what_is_allowed(
    changes: dict[str, object], sentence: str
) -> None:
    assert found(sun=changed(**changes)) == [f"/conf/services/sun.toml: {sentence}"]


@pytest.mark.parametrize("keyword", ["☀", "SUN😀", "SUN,MOON", "-SUN", "SUN-", "X--RAY", "A.B", "'", "\u200b"])
def test_a_keyword_that_no_message_can_begin_with_is_refused(keyword: str) -> None:
    [sentence] = found(sun=changed(keywords=[keyword]))
    assert f'"{keyword}" matches no message; allowed are letters and digits' in sentence


@pytest.mark.parametrize(
    "keyword", ["SUN", "sun2", "X-RAY", "R&B", "SUN_1", "KID'S", "KID\u2019S", "СЛЪНЦЕ", "सूरज", "E\u0301TE\u0301"]
)
def test_letters_digits_and_marks_between_them_are_keywords(keyword: str) -> None:
    assert found(sun=changed(keywords=[keyword])) == []


def test_what_is_wrong_with_a_keyword_does_not_hide_a_reply_that_does_not_fit() -> None:
    sentences = found(sun=changed(keywords=["a b"], reply="x" * 160 + "{code}", max_replies=1))
    assert [sentence.split(": ")[1] for sentence in sentences] == ["keywords", "reply"]


def test_every_mistake_is_named_at_once() -> None:
    sentences = found(
        sun=changed(keywords=["a b", "c d"], reply="{x}", time_zone="x"),
        moon=changed(keywords=["moon"], reply="nothing"),
        answers=Answers(unknown_keyword="x" * 500, unreadable="ж" * 500),
    )
    assert len(sentences) == 8


def test_an_answer_of_its_own_leaves_room_for_a_code_that_had_to_grow() -> None:
    fits = "x" * (160 - 12)
    assert found(sun=changed(reply=f"{fits}{{code}}", max_replies=1)) == []
    assert found(sun=changed(reply=f"{fits}x{{code}}", max_replies=1)) != []
    service = ready(reply=f"{fits}{{code}}", max_replies=1)
    assert len(reply_segments(service, "W" * 12, NOON, reference=0)) == 1


def test_a_keyword_that_two_services_claim_is_named_with_both() -> None:
    assert found(sun=SERVICE, moon=changed(keywords=["moon", "sun"])) == [
        '/conf/services/moon.toml: keywords: "sun" already belongs to service "sun"'
    ]


@pytest.mark.parametrize("name", Answers.__struct_fields__)
def test_a_free_answer_takes_three_parts_at_most(name: str) -> None:
    good = msgspec.structs.replace(Answers(), **{name: "x" * 153 * 3})
    bad = msgspec.structs.replace(Answers(), **{name: "x" * (153 * 3 + 1)})
    assert found(answers=good) == []
    assert found(answers=bad) == [f"/conf/smsgw.toml: answers.{name}: the text takes 4 parts; 3 are allowed"]


# --- characters that GSM 7 bit cannot carry -------------------------------------------------------------------------


def test_an_answer_is_transliterated_where_the_service_says_so_with_all_that_is_filled_in() -> None:
    service = ready(
        reply="Код: {code}, {service}, {support}",
        title="Слънце",
        characters="transliterate",
        language="bg",
        instructions=["Питай „нас“…"],
    )
    assert replies_to(service, "ABCD2345", NOON) == ["Kod: ABCD2345, Slantse, help@x.example", 'Pitay "nas"...']
    assert [one.data_coding for one in reply_segments(service, "ABCD2345", NOON, reference=7)] == [0, 0]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"reply": "Ж {code}", "characters": "refuse"}, 'reply: "Ж" (at 1) cannot be sent in GSM 7 bit'),
        ({"instructions": ["“a“"], "characters": "refuse"}, 'instructions: "“" (at 1, 3) cannot be sent in GSM 7 bit'),
        ({"title": "☀", "characters": "refuse"}, 'title: "☀" (at 1) cannot be sent in GSM 7 bit'),
        ({"reply": "😀 {code}", "characters": "transliterate"}, 'reply: "😀" (at 1) cannot be sent in GSM 7 bit'),
        (
            {"counted_from": "first_use", "valid_for_s": 172_800, "language": "uk", "characters": "refuse"},
            'language: {valid_until} becomes "2 дн. після першого використання", which',
        ),
    ],
)
def test_what_is_refused_is_named_with_its_place(changes: dict[str, object], sentence: str) -> None:
    [problem] = found(sun=changed(max_replies=5, **changes))
    assert problem.startswith(f"/conf/services/sun.toml: {sentence}")
    assert found(sun=changed(max_replies=5, **(changes | {"characters": "allow"}))) == []


# --- links differ ---------------------------------------------------------------------------------------------------


def at(links: dict[str, LinkSettings], service: ServiceSettings, answers: Answers | None = None) -> list[str]:
    configuration = Configuration(
        file=Path("/conf/smsgw.toml"),
        state_dir=Path("/state"),
        main=Settings(answers=answers or Answers()),
        links=links,
        services={"sun": service},
    )
    return [problem.partition(".toml: ")[2] for problem in problems(configuration)]


def link(**changes: object) -> LinkSettings:
    return msgspec.structs.replace(LINK, **changes)


def test_an_answer_must_fit_at_every_link_that_it_is_sold_at() -> None:
    links = {"north": LINK, "south": link(long_messages="udh16"), "west": link(codings=["ucs2"])}
    service = changed(reply="{code}" + "x" * 294, max_replies=2)
    allowed = "SMS with its longest values; max_replies allows 2"
    assert at(links, service) == [f"reply: takes 3 {allowed} (link south)", f"reply: takes 5 {allowed} (link west)"]
    assert at(links, msgspec.structs.replace(service, links=["north"])) == []
    assert at({"west": links["west"]}, service) == [f"reply: takes 5 {allowed}"], "it is the only one"


def test_a_link_s_limit_on_parts_counts_for_each_text() -> None:
    service = changed(reply="{code}" + "x" * 200, instructions=["y" * 200], max_replies=4)
    assert at({"north": link(max_parts=2)}, service) == []
    told = "reply: takes 2 SMS with its longest values; the link's max_parts allows 1"
    assert at({"north": link(max_parts=1)}, service) == [told]
    assert at({"north": link(max_parts=1)}, SERVICE, Answers(empty="x" * 161)) == [
        "answers.empty: the text takes 2 parts; 1 are allowed"
    ]


def test_what_a_link_cannot_carry_is_refused() -> None:
    told = "reply: no coding that the link takes carries the text; there are default"
    assert at({"north": link(codings=["default"])}, changed(reply="Ж {code}")) == [told]


def test_a_whole_text_counts_as_all_the_sms_that_it_becomes() -> None:
    service = ready(reply="{code}" + "x" * 200, instructions=["y" * 200], max_replies=3)
    [only] = reply_segments(service, "ABCD2345", NOON, 7, Outlet(long_messages="payload"))
    assert (only.sms, only.whole) == (2, True), "the instructions would make four"
