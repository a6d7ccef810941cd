"""A scenario's file is read as it is written, and every mistake in it is one sentence with its place."""

from pathlib import Path
from typing import Final

import pytest

from smsgw.errors import SettingsError
from smsgw.simulator import scenario as scenarios, steps
from smsgw.simulator.rehearsal import Rehearsal
from smsgw.simulator.steps import Deliver, ExpectReply, Throttle

GOOD: Final = """
description = "One message."
link = { receipts = true }

[smsc]
window = 5

[[steps]]
do = "throttle"
per_second = 5
status = "ESME_RMSGQFUL"

[[steps]]
do = "deliver"
from = "359888000001"
note = "the first"

[[steps]]
do = "expect reply"
"""


def problems(tmp_path: Path, text: str, name: str = "mine.toml") -> list[str]:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(SettingsError) as raised:
        scenarios.load(file)
    lines = str(raised.value).splitlines()
    assert all(line.startswith(f"{file}: ") for line in lines)
    return [line.removeprefix(f"{file}: ") for line in lines]


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(GOOD)
    found = scenarios.find(str(file))
    assert (found.name, found.description, found.smsc.window) == ("mine", "One message.", 5)
    assert found.steps == (
        Throttle(per_second=5, status="ESME_RMSGQFUL"),
        Deliver(source="359888000001", note="the first"),
        ExpectReply(),
    )


def test_a_python_file_makes_its_steps_by_itself(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "deliver = [{'do': 'deliver', 'from': f'35988800000{n}'} for n in range(3)]\n"
        "scenario = {'description': 'Three.', 'steps': [*deliver, {'do': 'expect reply'}]}\n"
    )
    assert [step.source for step in scenarios.load(file).steps if isinstance(step, Deliver)] == [
        "359888000000",
        "359888000001",
        "359888000002",
    ]


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ('description = "One message."', "", "description: missing; say in a sentence what is rehearsed"),
        ("window = 5", "window = 0", "window: 0 is not allowed; allowed are whole numbers from 1 to 1000"),
        ("window = 5", "windows = 5", "smsc.windows: no such setting; there are answer_timeout_s, "),
        ("[smsc]\nwindow = 5", "smsc = 5", "smsc: must be a table, below a line with [smsc]"),
        ('do = "throttle"', 'do = "throtle"', 'step 1: do: "throtle" is not allowed; allowed are alert, behave, '),
        ('do = "throttle"', "", "step 1: do: missing; allowed are alert, "),
        ("per_second = 5", "", "step 1 (throttle): per_second: missing; it must be set"),
        ("per_second = 5", "per_second = 0", "step 1 (throttle): per_second: 0 is not allowed; allowed are whole "),
        ('"ESME_RMSGQFUL"', '"QFULL"', 'step 1 (throttle): status: "QFULL" is not allowed; allowed are names such as'),
        ('from = "359888000001"', "from = 7", "step 2 (deliver): from: 7 is not allowed; allowed are texts in quotes"),
        ('from = "359888000001"', "form = 'fax'", 'step 2 (deliver): form: "fax" is not allowed; allowed are '),
        ('from = "359888000001"', "octets = 'xy'", 'step 2 (deliver): octets: "xy" is not allowed; allowed are pairs'),
        ('from = "359888000001"', "tlvs = { x = '00' }", 'step 2 (deliver): tlvs: "x = 00" is not allowed; allowed '),
        ('do = "expect reply"', "do = 'expect pdu'\npdu = 'x'", 'step 3 (expect pdu): pdu: "x" is not allowed; '),
        (
            'do = "expect reply"',
            "do = 'expect pdu'\npdu = 'unbind'\nfields = { x = 1 }",
            "step 3 (expect pdu): fields: unbind has no x; it has command_status, sequence_number, tlvs",
        ),
        (
            'do = "expect reply"',
            "do = 'expect answer'\nmessage = 'a'",
            'step 3 (expect answer): message: no step delivers one named "a"',
        ),
        ('do = "expect reply"', "do = 'drop'", "steps: nothing is expected of the gateway; there is no step"),
        (
            "window = 5",
            "listens = false",
            'smsc.listens: false, and no step does "outbind": nobody would ever be bound',
        ),
        ("[[steps]]", "[[step]]", "step: no such setting; there are description, link, "),
        ("[[steps]]", "[[steps", "not TOML: "),
    ],
)
def test_a_mistake_is_one_sentence_with_its_place(tmp_path: Path, before: str, after: str, sentence: str) -> None:
    assert before in GOOD
    found = problems(tmp_path, GOOD.replace(before, after))
    assert any(sentence in one for one in found), found


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("window = 5", "window = 0").replace("per_second = 5", "per_second = 0").replace("from", "form")
    assert len(problems(tmp_path, text)) == 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("raise ValueError('no')", "not a Python program that runs: ValueError: no"),
        ("x = 1", "scenario: missing; the file must define a dictionary of this name"),
    ],
)
def test_a_python_file_that_is_none(tmp_path: Path, text: str, sentence: str) -> None:
    assert problems(tmp_path, text, "mine.py") == [sentence]


def test_a_file_that_is_not_there_names_those_that_ship() -> None:
    with pytest.raises(SettingsError, match=r"nowhere: no such file; of the shipped scenarios there are .*, hang, "):
        scenarios.find("nowhere")


def test_every_word_can_be_played() -> None:
    for word in steps.BY_WORD:
        assert hasattr(Rehearsal, f"_{word.replace(' ', '_')}") or issubclass(
            steps.BY_WORD[word], steps.Fault | steps.Throttle
        )
