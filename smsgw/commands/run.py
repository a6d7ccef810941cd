"""`smsgw run`: the daemon, until a signal ends it."""

import asyncio
import gc
import os
import signal
import sys
from typing import NoReturn

from smsgw.app import App
from smsgw.commands import ground
from smsgw.commands.ground import DEFAULT_FILE, ConfigFile, load, tell
from smsgw.kit import logs
from smsgw.kit.systemd import Systemd
from smsgw.settings import Configuration

_ENDED_AT_ONCE = 1


def run(config: ConfigFile = DEFAULT_FILE) -> None:
    """Run the gateway until SIGTERM."""
    configuration = load(config)
    log = configuration.main.log
    logs.configure(log.destination, log.level)
    ground.run(_serve(configuration))


async def _serve(configuration: Configuration) -> None:
    systemd = Systemd()
    app = App(configuration, systemd=systemd)
    stop_on_signals(app)
    await app.start()
    # What lives as long as the daemon need not be looked at again, and messages live too short to be worth a look each
    # few hundred: the collector would take a tenth of the time under load, and hold everything up when it looks at all.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    systemd.ready(f"verify address on port {app.verify_port}")
    try:
        await app.wait()
    finally:
        await app.stop()


def stop_on_signals(app: App) -> None:
    """Have SIGTERM and Ctrl+C stop it; the second one ends the process at once."""

    def stop() -> None:
        if not app.request_stop():
            _end_at_once()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, logs.get_logger(__name__).warning, "app.settings_are_read_at_the_start")


def _end_at_once() -> NoReturn:
    """End as a power cut would, which the store is made for: whoever asks twice does not want to wait."""
    tell("told again to stop: ended at once; what was in flight is taken up at the next start")
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(_ENDED_AT_ONCE)
