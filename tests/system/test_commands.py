"""The commands beside a running daemon: keys are made, codes found and changed, the vault's key is rotated."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.peers.plain_smsc import PlainSmsc
from tests.peers.programs import program
from tests.servers.engines import Engine
from tests.system.daemon import Daemon, daemon_of

NUMBER = "359888000001"
SCOPES = [word for scope in ("verify", "redeem", "read") for word in ("--scope", f"codes:{scope}")]
WALK = Path(__file__).parents[2] / "scripts" / "merchant" / "curl" / "walk-through.sh"


async def smsgw(daemon: Daemon, *words: str, status: int = 0) -> str:
    """Run a command; return what it prints."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "smsgw", *words, "--config", str(daemon.file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


async def bought(smsc: PlainSmsc) -> str:
    before = len(smsc.codes.get(NUMBER, []))
    smsc.put(NUMBER)
    await smsc.until(lambda: len(smsc.codes.get(NUMBER, [])) > before)
    return smsc.codes[NUMBER][-1]


async def test_everything_can_be_done_while_the_daemon_runs(tmp_path: Path, engine: Engine) -> None:
    store = {"store": {"engine": "postgres", "dsn": engine.place}} if engine.dialect == "postgres" else {}
    sold = {"allowed_ips": ["127.0.0.1"], "uses": 2}
    async with (
        PlainSmsc() as smsc,
        daemon_of(tmp_path, {"one": {"port": smsc.port}}, main=store, service=sold) as daemon,
    ):
        daemon.start()
        await smsc.until_bound()
        code = await bought(smsc)

        found = await smsgw(daemon, "codes", "find", "sun", "--number", NUMBER)
        [code_id] = re.findall(r"code_[0-9a-z]{26}", found)
        story = await smsgw(daemon, "codes", "show", code_id)
        assert code_id in story
        assert code not in found + story
        assert code in await smsgw(daemon, "codes", "reveal", code_id)

        key = (await smsgw(daemon, "keys", "create", "--service", "sun", *SCOPES)).split()[-1]
        assert key.startswith("smsgw_live_")
        assert key.rpartition("_")[2] not in await smsgw(daemon, "keys", "list")
        await _walk_through(daemon, key, code)

        await smsgw(daemon, "codes", "extend", code_id, "--uses", "1")
        assert (await daemon.verify(code)).place.endswith("/in")
        before = len(smsc.codes[NUMBER])
        await smsgw(daemon, "codes", "reissue", code_id)
        assert (await daemon.verify(code)).place.endswith("/wrong"), "the old one opens nothing any more"
        await smsc.until(lambda: len(smsc.codes[NUMBER]) > before)
        fresh = smsc.codes[NUMBER][-1]
        assert (await daemon.verify(fresh)).place.endswith("/in")
        [fresh_id, _] = re.findall(r"code_[0-9a-z]{26}", await smsgw(daemon, "codes", "find", "sun", "-n", NUMBER))
        await smsgw(daemon, "codes", "revoke", fresh_id)
        assert (await daemon.get(f"/v/sun?code={fresh}&state=other")).place.endswith("/wrong")
        assert await smsgw(daemon, "codes", "reissue", fresh_id, status=1) == "smsgw: this code is revoked\n"

        assert re.fullmatch(
            r"key_[0-9a-z]{26}=[A-Za-z0-9+/]{43}=\n",
            await smsgw(
                daemon, "keys", "return", "show", (await smsgw(daemon, "keys", "return", "list", "sun")).split()[-3]
            ),
        )
        assert "moon" in await smsgw(daemon, "keys", "create", "--service", "moon", status=1)
        assert await daemon.stop() == 0

        (tmp_path / "services" / "sun.toml").unlink()
        assert code_id in await smsgw(daemon, "codes", "find", "sun", "-n", NUMBER), "its history outlives a service"
        story = await smsgw(daemon, "codes", "show", code_id)
        assert "code.reissued" in story
        assert "attempt" in story
        assert re.search(r"red_[0-9a-z]{26}", story), "the redemption of each attempt"


async def _walk_through(daemon: Daemon, key: str, code: str) -> None:
    program("curl", "curl")
    port = (await daemon.until_told("web.listening"))["port"]
    environment = {"SMSGW_API": f"http://127.0.0.1:{port}/v1", "SMSGW_API_KEY": key, "SMSGW_SERVICE": "sun"}
    done = await asyncio.to_thread(
        subprocess.run,
        [str(WALK), code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"→ (\d+)$", done.stdout, re.MULTILINE) == ["200", "200", "200", "200", "409", "200"], done.stdout
    assert done.stdout.count('"uses_left":1') >= 2, "used once"


async def test_the_vault_s_key_is_rotated_without_a_pause(tmp_path: Path) -> None:
    async with PlainSmsc() as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port}}) as daemon:
        daemon.start()
        await smsc.until_bound()
        first = await bought(smsc)
        rotating = asyncio.create_task(smsgw(daemon, "keys", "rotate", "--settle", "1"))
        codes = [first]
        while not rotating.done():
            codes.append(await bought(smsc))
            for code in (codes[0], codes[len(codes) // 2], codes[-1]):
                answer = await daemon.get(f"/v/sun?code={code}&state={len(codes)}")
                assert answer.place.endswith("/in"), len(codes)
        told = await rotating
        assert "k2 is in use" in told
        assert (tmp_path / "codes.key").read_text().split()[0] == "k2"
        assert len((tmp_path / "codes.key").read_text().splitlines()) == 1
        for code in codes:
            assert (await daemon.get(f"/v/sun?code={code}&state=last")).place.endswith("/in")
        assert await daemon.stop() == 0
        daemon.start()
        assert (await daemon.get(f"/v/sun?code={first}&state=restarted")).place.endswith("/in")
        assert await daemon.stop() == 0
