"""One code, many visitors at once, two real daemons on one PostgreSQL: it opens the door no more often than it may."""

import asyncio
import shutil
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

from tests.peers.plain_smsc import PlainSmsc
from tests.system.books import Books
from tests.system.daemon import Daemon, daemon_of


async def _bring(daemon: Daemon, code: str, visitor: int) -> str:
    answer = await daemon.get(f"/v/sun?code={code}&state=visitor{visitor}")
    assert answer.status == 303
    return urlsplit(answer.location).path


async def test_of_200_visitors_at_two_daemons_three_come_in(tmp_path: Path, postgres_dsn: str) -> None:
    store = {"store": {"engine": "postgres", "dsn": postgres_dsn}}
    main = {name: {"node": name, **store} for name in ("left", "right")}
    for name in main:
        (tmp_path / name).mkdir()
    sold = {"uses": 3}
    async with (
        PlainSmsc() as smsc,
        daemon_of(tmp_path / "left", {"one": {"port": smsc.port}}, main=main["left"], service=sold) as left,
        daemon_of(tmp_path / "right", {}, main=main["right"], service=sold) as right,
    ):
        left.start()
        await smsc.until_bound()
        shutil.copy(tmp_path / "left" / "codes.key", tmp_path / "right" / "codes.key")
        right.start()
        mo = smsc.put("359888000001")
        await smsc.until(lambda: bool(smsc.codes.get(mo.source)))
        [code] = smsc.codes[mo.source]
        pages = Counter(await asyncio.gather(*(_bring((left, right)[at % 2], code, at) for at in range(200))))
        assert pages == {"/in": 3, "/over": 197}
        books = Books(dsn=postgres_dsn)
        assert await books.number("select used from codes") == 3
        assert await books.number("select count(*) from attempts where outcome = 'success'") == 3
        assert await left.stop() == 0
        assert await right.stop() == 0
