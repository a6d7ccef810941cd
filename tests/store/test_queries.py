"""From ``.sql`` files to queries: placeholders, dialects, and what is refused at load."""

from pathlib import Path
from typing import Final

import pytest

import smsgw.store
from smsgw.store.queries import DIALECTS, Dialect, build, load

STORE: Final = Path(smsgw.store.__file__).parent


def folder(place: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return place


def test_a_query_is_named_after_its_file_and_itself(tmp_path: Path) -> None:
    text = "-- About the file.\n\n-- name: insert*!\n-- Remembers one.\n-- More.\ninsert into mos (id)\nvalues (:id);\n"
    query = load(folder(tmp_path, {"mos.sql": text}), "sqlite")["mos.insert"]
    assert query.name == "mos.insert"
    assert query.description == "Remembers one."
    assert query.sql == "insert into mos (id)\nvalues (?1)"
    assert query.parameters == ("id",)


@pytest.mark.parametrize("suffix", ["", "!", "*!", "^", "$", "<!", "(a)", "(a)!"])
def test_each_of_aiosqls_kinds_is_a_query(tmp_path: Path, suffix: str) -> None:
    queries = load(folder(tmp_path, {"t.sql": f"-- name: q{suffix}\n-- Does it.\nselect :a"}), "postgres")
    assert queries["t.q"].sql == "select $1"


@pytest.mark.parametrize(
    ("written", "sqlite", "postgres", "parameters"),
    [
        ("select 1", "select 1", "select 1", ()),
        ("select :a, :b", "select ?1, ?2", "select $1, $2", ("a", "b")),
        ("select :b, :a, :b", "select ?1, ?2, ?1", "select $1, $2, $1", ("b", "a")),
        ("(:a)", "(?1)", "($1)", ("a",)),
        (":a", "?1", "$1", ("a",)),
        ("x=:a_1+:a", "x=?1+?2", "x=$1+$2", ("a_1", "a")),
        ("any(:ids::text[])", "any(?1::text[])", "any($1::text[])", ("ids",)),
        ("x::text = :x", "x::text = ?1", "x::text = $1", ("x",)),
        ("':no' || :yes", "':no' || ?1", "':no' || $1", ("yes",)),
        ("'it''s :no' || :yes", "'it''s :no' || ?1", "'it''s :no' || $1", ("yes",)),
        ('":no" = :yes', '":no" = ?1', '":no" = $1', ("yes",)),
        ("select :a -- not :b\n, :c", "select ?1 -- not :b\n, ?2", "select $1 -- not :b\n, $2", ("a", "c")),
        ("tags[1:2]", "tags[1:2]", "tags[1:2]", ()),
    ],
)
def test_names_become_the_engines_placeholders(
    written: str, sqlite: str, postgres: str, parameters: tuple[str, ...]
) -> None:
    for dialect, expected in zip(DIALECTS, (sqlite, postgres), strict=True):
        query = build("t.q", "Does it.", written, dialect=dialect)
        assert (query.sql, query.parameters) == (expected, parameters)


def test_long_comments_are_left_out(tmp_path: Path) -> None:
    text = "-- name: q\n-- Does it.\nselect /* not :this */ :that"
    assert load(folder(tmp_path, {"t.sql": text}), "sqlite")["t.q"].parameters == ("that",)


class Row:
    a, b = 1, b"2"


@pytest.mark.parametrize(("sql", "values"), [("1", ()), (":a", (1,)), (":b, :a, :b", (b"2", 1))])
def test_parameters_are_picked_from_an_object(sql: str, values: tuple[object, ...]) -> None:
    assert build("t.q", "Does it.", sql, dialect="sqlite").pick(Row()) == values


def test_parameters_are_bound_by_name() -> None:
    query = build("t.q", "Does it.", ":b, :a", dialect="sqlite")
    assert query.bind({"a": 1, "b": 2}) == (2, 1)
    for wrong in ({"a": 1}, {"a": 1, "c": 2}, {"a": 1, "b": 2, "c": 3}):
        with pytest.raises(TypeError, match=r"t\.q takes \['a', 'b'\], was given"):
            query.bind(wrong)


@pytest.mark.parametrize(
    ("written", "three_rows"),
    [
        ("insert into t values (:a, :b)", "insert into t values (?1, ?2), (?3, ?4), (?5, ?6)"),
        ("insert into t VALUES (:a, 'x', :a)", "insert into t VALUES (?1, 'x', ?1), (?2, 'x', ?2), (?3, 'x', ?3)"),
        (
            "insert into t (a) values (:a) on conflict (a) do nothing",
            "insert into t (a) values (?1), (?2), (?3) on conflict (a) do nothing",
        ),
        ("insert into t values (:a, abs(:b))", None),  # brackets in the row are not looked into
        ("insert into t values (:a) on conflict (a) do update set b = :b", None),
        ("insert into t select :a", None),
        ("update t set a = :a", None),
        ("with v as (values (:a)) insert into t values (:b)", None),
    ],
)
def test_sqlite_takes_many_rows_in_one_statement_where_it_can(written: str, three_rows: str | None) -> None:
    query = build("t.q", "Does it.", written, dialect="sqlite")
    assert query.repeatable is (three_rows is not None)
    if three_rows is not None:
        assert query.repeated(3) == three_rows
        assert query.repeated(1) == query.sql
    else:
        with pytest.raises(ValueError, match="not repeatable"):
            query.repeated(3)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_engine_has_its_own_words_beside_the_shared_ones(tmp_path: Path, dialect: Dialect) -> None:
    files = {"t.sql": "-- name: same\n-- Both.\nselect 1\n-- name: other\n-- Shared.\nselect 2"}
    files |= {f"{name}/t.sql": f"-- name: own\n-- Own.\nselect '{name}', :a" for name in DIALECTS}
    files["postgres/u.sql"] = "-- name: q\n-- Own.\nselect 'postgres'"
    files["u.sql"] = "-- name: q\n-- For whoever has no own.\nselect 'shared'"
    queries = load(folder(tmp_path, files), dialect)
    assert queries["t.same"].sql == "select 1"
    assert dialect in queries["t.own"].sql
    assert queries["u.q"].sql == ("select 'postgres'" if dialect == "postgres" else "select 'shared'")


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"t.sql": "-- name: q\nselect 1"}, r"t\.q has no line that says what it is for"),
        ({"t.sql": "-- name: q\n-- A.\nselect 1\n-- name: q\n-- B.\nselect 2"}, r"t\.q stands twice"),
        ({"t.sql": "-- name: q\n-- Nothing."}, "empty sql"),
        ({"t.sql": "-- name: 1st\n-- Bad name.\nselect 1"}, r"t\.sql.*invalid query name"),
        ({"t.sql": "-- name: q(b)\n-- Says b, takes a.\nselect :a"}, "undeclared parameter"),
        ({"sqlite/t.sql": "-- name: q\n-- Alone.\nselect 1"}, r"only one of the engines has t\.q"),
        (
            {f"{name}/t.sql": f"-- name: q\n-- Not the same.\nselect :{name}" for name in DIALECTS},
            r"t\.q does not take the same parameters",
        ),
    ],
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_wrong_is_told_at_load(tmp_path: Path, files: dict[str, str], why: str, dialect: Dialect) -> None:
    with pytest.raises(ValueError, match=why):
        load(folder(tmp_path, files), dialect)


def test_a_file_that_is_no_text_is_told_at_load(tmp_path: Path) -> None:
    (tmp_path / "t.sql").write_bytes(b"-- name: q\n-- \xff\nselect 1")
    with pytest.raises(ValueError, match=r"t\.sql"):
        load(tmp_path, "sqlite")


def test_a_missing_folder_is_told_at_load(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such folder"):
        load(tmp_path / "missing", "sqlite")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_our_own_queries_load(dialect: Dialect) -> None:
    queries = load(STORE / "sql", dialect)
    assert {"schema.exists", "schema.applied", "schema.record"} < queries.keys()
    with pytest.raises(KeyError):
        queries["no.such"]
