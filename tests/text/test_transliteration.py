"""Transliteration: the standards' own examples, letter by letter, and what becomes of quotes, dashes and accents."""

import pytest
from hypothesis import given, strategies as st

from smsgw.text import gsm7
from smsgw.text.transliteration import Language, transliterate


@pytest.mark.parametrize(
    ("text", "latin"),
    [  # the law of 2009 and its examples
        ("Стара планина", "Stara planina"),
        ("Атанасовско езеро", "Atanasovsko ezero"),
        ("Централен Балкан", "Tsentralen Balkan"),
        ("Александровска", "Aleksandrovska"),
        ("Държавен вестник", "Darzhaven vestnik"),
        ("Щастие, Юндола, Ямбол", "Shtastie, Yundola, Yambol"),
        ("София", "Sofia"),
        ("СОФИЯ", "SOFIA"),
        ("Мария и Илиян", "Maria i Iliyan"),
        ("България", "Bulgaria"),
        ("БЪЛГАРИЯ", "BULGARIA"),
        ("шофьор, ЩЪРКЕЛ, Щъркел, Ю", "shofyor, SHTARKEL, Shtarkel, Yu"),
        ("Кодът Ви за достъп е {code}", "Kodat Vi za dostap e {code}"),
    ],
)
def test_bulgarian(text: str, latin: str) -> None:
    assert transliterate(text, "bg") == latin


@pytest.mark.parametrize(
    ("text", "latin"),
    [  # the table of resolution 55 of 2010
        ("Алушта Андрій", "Alushta Andrii"),
        ("Вінниця", "Vinnytsia"),
        ("Гадяч Богдан Згурський", "Hadiach Bohdan Zghurskyi"),
        ("Ґалаґан Ґорґани", "Galagan Gorgany"),
        ("Єнакієве Гаєвич Короп'є", "Yenakiieve Haievych Koropie"),
        ("Їжакевич Кадиївка Мар’їне", "Yizhakevych Kadyivka Marine"),
        ("Йосипівка Стрий Олексій", "Yosypivka Stryi Oleksii"),
        ("Харків Біла Церква", "Kharkiv Bila Tserkva"),
        ("Щербухи Гоща Гаращенко", "Shcherbukhy Hoshcha Harashchenko"),
        ("Юрій Корюківка", "Yurii Koriukivka"),
        ("Яготин Ярошенко Костянтин Знам'янка Феодосія", "Yahotyn Yaroshenko Kostiantyn Znamianka Feodosiia"),
        ("Згорани Розгон ЗГОДА", "Zghorany Rozghon ZGHODA"),
        ("Розкішний Ужгород Жмеринка", "Rozkishnyi Uzhhorod Zhmerynka"),
    ],
)
def test_ukrainian(text: str, latin: str) -> None:
    assert transliterate(text, "uk") == latin


@pytest.mark.parametrize(
    ("text", "latin"),
    [  # ICAO Doc 9303, as in passports
        ("Юлия Щербакова", "Iuliia Shcherbakova"),
        ("Подъезд, объём, мышь", "Podieezd, obieem, mysh"),
        ("Цыганов Эдуард Хрущёв", "Tsyganov Eduard Khrushchev"),
        ("Айвазовский, Яна", "Aivazovskii, Iana"),
        ("ЧЖАН", "CHZHAN"),
    ],
)
def test_russian(text: str, latin: str) -> None:
    assert transliterate(text, "ru") == latin


@pytest.mark.parametrize(
    ("text", "latin"), [("мышь", "mysh"), ("їжак", "yizhak"), ("щъркел", "shtarkel"), ("Йога", "Yoga")]
)
def test_where_the_language_is_not_known_the_letters_tell(text: str, latin: str) -> None:
    assert transliterate(text) == latin


def test_letters_of_the_neighbours_are_written_as_these_do() -> None:
    assert transliterate("їжак и мышь", "bg") == "izhak i myshy"
    assert transliterate("щъркел", "uk") == "shchierkel"
    assert transliterate("Љубљана", "bg") == "Ljubljana"


@pytest.mark.parametrize(
    ("text", "latin"),
    [
        ("“Да” – „не“ — «може би»…", '"Da" - "ne" - "mozhe bi"...'),
        ("it’s 5\u00a0€", "it's 5 €"),
        ("№ 7 ×2 ©™", "No 7 x2 (c)(tm)"),
        ("Příliš žluťoučký kůň", "Prilis zlutoucky kun"),
        ("Zażółć gęślą jaźń, Łódź", "Zazolc gesla jazn, Lodz"),
        ("Çiğdem ışık İzmir ç", "Çigdem isik Izmir c"),
        ("naïve façade œuvre", "naive facade oeuvre"),
        ("e\u0301te\u0301", "été"),
        ("ﬁne \uff21\uff22", "fine AB"),
        ("a\u200bb\u00adc", "abc"),
    ],
)
def test_marks_and_accents(text: str, latin: str) -> None:
    assert transliterate(text, "bg") == latin


def test_what_gsm_7_bit_carries_stays_as_it_is() -> None:
    assert transliterate("Größe: ñ é ù Δ [5 €] @") == "Größe: ñ é ù Δ [5 €] @"
    assert transliterate("Größe Ж", "ru") == "Größe Zh"


def test_other_scripts_and_pictures_stay_and_are_named() -> None:
    text = transliterate("Код 日本 😀", "ru")
    assert text == "Kod 日本 😀"
    assert gsm7.missing(text) == {"日": [5], "本": [6], "😀": [8]}


CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґ"


@given(st.text(st.sampled_from(CYRILLIC + CYRILLIC.upper() + " '’—“”…,.")), st.sampled_from(["en", "bg", "uk", "ru"]))
def test_no_cyrillic_is_left(text: str, language: Language) -> None:
    assert gsm7.encode(transliterate(text, language)) is not None


@given(st.text(), st.sampled_from(["en", "bg", "uk", "ru"]))
def test_any_text_can_be_tried_and_a_second_time_changes_nothing(text: str, language: Language) -> None:
    once = transliterate(text, language)
    assert transliterate(once, language) == once
    assert len(gsm7.missing(once)) <= len(gsm7.missing(text)) + sum(character >= "\u0300" for character in text)
