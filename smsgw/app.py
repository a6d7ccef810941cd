"""The composition root: builds the parts from the settings, starts them in order, stops them in reverse.

A start that fails half-way stops what it has started. While the daemon runs, an incident (a task that ended, a store
that cannot be trusted any more) ends it: the service manager starts it again, from what is on disk.
"""

import asyncio
import random
import secrets
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from smsgw.domain import sandbox
from smsgw.domain.payments import Status
from smsgw.errors import SettingsError, SmsgwError, StartError, StoreBroken
from smsgw.flows import catalog
from smsgw.flows.leftovers import Leftovers
from smsgw.flows.operations import Operations
from smsgw.flows.outgoing import Outgoing
from smsgw.flows.payments.authorizing import Authorizer
from smsgw.flows.payments.cashier import Cashier
from smsgw.flows.payments.counts import Counts
from smsgw.flows.payments.desk import Payments
from smsgw.flows.payments.direct import Direct
from smsgw.flows.payments.effects import Effects
from smsgw.flows.payments.sweeping import Sweeper
from smsgw.flows.payments.watch import Watch
from smsgw.flows.ports import Catalog, Ports
from smsgw.flows.receive import Receiver
from smsgw.flows.redeem import Verifier
from smsgw.flows.upkeep import Upkeep
from smsgw.flows.webhooks import Hooked, Webhooks
from smsgw.hooks.charging import HttpCharger
from smsgw.hooks.poster import HttpPoster
from smsgw.kit import tls, vault
from smsgw.kit.clock import Clock, SystemClock
from smsgw.kit.ids import IdMaker
from smsgw.kit.logs import get_logger
from smsgw.kit.passwords import Passwords, read_credentials, read_passwords
from smsgw.kit.randomness import RandomPool
from smsgw.kit.systemd import Systemd
from smsgw.kit.tasks import Incident, Supervisor
from smsgw.kit.turns import every
from smsgw.links.link import Link
from smsgw.links.traces import Traces
from smsgw.settings import Configuration
from smsgw.simulator.sandbox import Sandbox
from smsgw.store import database as seam, migrate
from smsgw.store.opening import MIGRATIONS, only_daemon, open_database
from smsgw.web.server import Desks, Look, Server, create

log = get_logger(__name__)

_CANNOT_CREATE: Final = 73  # EX_CANTCREAT
_INTERNAL: Final = 70  # EX_SOFTWARE
_PAYMENTS_S: Final = 1.0  # between two looks at what is due
_POSTING_S: Final = 2.0  # at the stop, for webhooks that are being posted
_CHARGING_S: Final = 5.0  # at the stop, for calls to operators' charging APIs


class App:
    """The daemon.

    Args:
        configuration: what was read and checked.
        systemd: the service manager, if there is one.
        clock: the machine's, or a test's.
        random_bytes: from a cryptographic generator.
        chance: 0 ≤ x < 1, for jitter.
        look: of the plain pages that visitors may meet at the verify address.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        systemd: Systemd | None = None,
        clock: Clock | None = None,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
        chance: Callable[[], float] = random.random,
        look: Look | None = None,
    ) -> None:
        self.links: dict[str, Link] = {}
        self.verify_port = 0
        self.payments: Payments | None = None
        self._configuration = configuration
        self._systemd = systemd or Systemd()
        self._clock = clock or SystemClock()
        self._random_bytes = RandomPool(random_bytes).take
        self._chance = chance
        self._look = look
        self._stack = AsyncExitStack()
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._broken = False
        self._late: SmsgwError | None = None  # what went wrong after somebody had asked for the stop

    async def start(self) -> None:
        """Start everything; what was started is stopped again when something fails.

        Raises:
            SettingsError, StartError, StoreError: what is missing on this machine; nothing is left running.
        """
        try:
            async with AsyncExitStack() as stack:
                await self._build(stack)
                self._stack = stack.pop_all()
            log.info("app.started", node=self._configuration.main.node, links=len(self.links), port=self.verify_port)
        except BaseException:
            if self._ended.done() and not self._ended.cancelled():
                self._ended.exception()  # looked at: the caller hears of the failed start, not of the incident within
            raise

    async def _build(self, stack: AsyncExitStack) -> None:
        passwords = read_passwords(self._configuration, self._systemd)
        contexts = tls.read_contexts(self._configuration)
        configuration = await self._with_sandbox(stack, passwords, contexts)
        database, keep_name = await self._open_store(stack)
        ports, sold = await self._ports(database), catalog.build(configuration)
        supervisor = Supervisor("app", self._on_incident)
        webhooks, poster = await self._webhooks(ports, stack)
        self.payments = payments = Payments(ports, sold, self._send, webhooks.wake)
        stack.push_async_callback(payments.close)
        receiver = Receiver(ports, sold, self._send, webhooks.wake, payments)
        await receiver.recover()
        sweeper = Sweeper(ports, sold, payments)
        await sweeper.recover()
        stack.push_async_callback(receiver.close)
        for name, settings in configuration.links.items():
            link = Link(ports, name, settings, passwords[name], receiver, context=contexts[name], payments=payments)
            self.links[name] = link
        cashier = self._cashier(ports, sold, payments)
        stack.push_async_callback(self._close_outboxes)
        direct = self._direct(stack, ports, sold, payments)
        authorizer = Authorizer(ports, sold, payments, poster, webhooks.secrets_of)
        payments.follow(authorizer.hear)
        stack.push_async_callback(authorizer.close)
        upkeep = await self._serve(stack, ports, sold, payments, webhooks)
        stack.push_async_callback(self._close_webhooks, webhooks)
        stack.push_async_callback(supervisor.stop, 2.0)
        stack.push_async_callback(self._stop_links)
        supervisor.start("webhooks", webhooks.run)
        for link in self.links.values():
            link.start(supervisor)
        tasks: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "sweep": lambda: self._sweep(receiver, Leftovers(ports, configuration.links), keep_name),
            "cashier": cashier.run,
            **direct.tasks,
            "payments": lambda: self._keep_payments(sweeper, cashier, direct),
            "upkeep": lambda: upkeep.run(self._look_again),
            "operations": Operations(ports, sold, self.links).run,
            "traces": Traces(configuration.state_dir, self.links, self._clock).run,
            "watchdog": self._watch,
        }
        for name, run in tasks.items():
            supervisor.start(name, run)

    async def _with_sandbox(
        self, stack: AsyncExitStack, passwords: dict[str, Passwords], contexts: dict[str, ssl.SSLContext | None]
    ) -> Configuration:
        """Start the simulated operator if it is enabled; return the settings with its link."""
        if self._configuration.main.sandbox.enabled:
            operator = Sandbox(self._clock, self._random_bytes)
            port = await operator.start()
            stack.push_async_callback(operator.stop)
            self._configuration = sandbox.with_link(self._configuration, port)
            passwords[sandbox.NAME] = Passwords(bind=operator.password)
            contexts[sandbox.NAME] = None
        return self._configuration

    async def _open_store(self, stack: AsyncExitStack) -> tuple[seam.Database, Callable[[], Awaitable[None]]]:
        """Open the database; return it, and what keeps this daemon's name in it."""
        database = await open_database(self._configuration, on_broken=self._on_broken)
        stack.push_async_callback(database.close)
        await migrate.check(database, MIGRATIONS)
        return database, await stack.enter_async_context(only_daemon(self._configuration))

    def _cashier(self, ports: Ports, sold: Catalog, payments: Payments) -> Cashier:
        cashier = Cashier(
            ports,
            sold,
            payments.cashbox,
            done=payments.done,
            room=lambda name: self.links[name].room,
            offer=self._send,
        )
        payments.follow(cashier.hear)
        payments.follow(self._withdraw)
        return cashier

    def _direct(self, stack: AsyncExitStack, ports: Ports, sold: Catalog, payments: Payments) -> Direct:
        credentials = read_credentials(self._configuration, self._systemd)
        charger = HttpCharger(sold.links, credentials, self._clock)
        charger.open()
        stack.push_async_callback(charger.close)
        direct = Direct(ports, sold, payments, charger)
        payments.follow(direct.hear)
        stack.push_async_callback(self._close_direct, direct)
        return direct

    async def _close_direct(self, direct: Direct) -> None:
        await direct.close(0.0 if self._broken else _CHARGING_S)

    async def _webhooks(self, ports: Ports, stack: AsyncExitStack) -> tuple[Webhooks, HttpPoster]:
        settings = self._configuration.main.webhooks
        poster = HttpPoster(timeout_s=settings.timeout_s, private_networks=settings.private_networks)
        poster.open()
        stack.push_async_callback(poster.close)
        addresses: dict[str, Hooked] = {**self._configuration.services, **self._configuration.merchants}
        webhooks = Webhooks(ports, settings, addresses, poster)
        await webhooks.begin()
        return webhooks, poster

    async def _serve(
        self, stack: AsyncExitStack, ports: Ports, sold: Catalog, payments: Payments, webhooks: Webhooks
    ) -> Upkeep:
        """Open the web; return who keeps the keys that it reads."""
        main = self._configuration.main
        verifier = Verifier(ports, sold, main.guessing, webhooks.wake)
        stack.push_async_callback(verifier.close)
        upkeep = Upkeep(ports, sold, main.guessing, self._key_file, main.retention)
        await upkeep.begin()
        self._returns = upkeep.returns
        watch = Watch()
        payments.follow(watch.hear)
        counts = Counts()
        payments.follow(counts.hear)
        desks = Desks(
            verifier=verifier,
            returns=upkeep.returns,
            ports=ports,
            keys=upkeep.keys,
            send=self._send,
            payments=payments,
            wake=webhooks.wake,
            watch=watch,
            links=lambda: self.links,
            counts=counts,
        )
        server = Server(create(main.web, desks, sold, self._healthy, self._look), main.web)
        stack.push_async_callback(server.stop)
        await server.start()
        self.verify_port = server.port
        return upkeep

    async def _close_webhooks(self, webhooks: Webhooks) -> None:
        await webhooks.close(0.0 if self._broken else _POSTING_S)

    async def _ports(self, database: seam.Database) -> Ports:
        main, file = self._configuration.main, self._key_file
        if not file.exists():
            await self._first_key(database, file)
        return Ports(
            node=main.node,
            database=database,
            clock=self._clock,
            ids=IdMaker(self._clock, self._random_bytes),
            random_bytes=self._random_bytes,
            random=self._chance,
            vault=vault.Vault(vault.read_keys(file), self._random_bytes),
        )

    @property
    def _key_file(self) -> Path:
        return self._configuration.state_dir / self._configuration.main.key_file

    async def _first_key(self, database: seam.Database, file: Path) -> None:
        """Make the key, but never a second one: codes that were made under another would open nothing any more."""
        async with database.read() as reader:
            for query, what in (("codes.any", "codes exist"), ("mts.any", "answers wait to be sent")):
                if await reader.fetch_one(query) is not None:
                    raise SettingsError([f"{file}: the key file is missing, and {what}; restore it from the backup"])
        try:
            vault.make_key(file, self._random_bytes)
        except OSError as error:
            raise StartError(f"{file}: the key file cannot be made: {error.strerror}", _CANNOT_CREATE) from None
        log.info("key.made", file=str(file))

    def _send(self, outgoing: Sequence[Outgoing]) -> None:
        by_link: dict[str, list[Outgoing]] = {}
        for message in outgoing:
            by_link.setdefault(message.row.link, []).append(message)
        for name, messages in by_link.items():
            self.links[name].outbox.offer(messages)

    def _withdraw(self, effects: Effects) -> None:
        """Ask nobody about what has been canceled before the question went out."""
        for row in effects.changed.values():
            if row.status == Status.CANCELED and row.prompted_ms is None and row.link in self.links:
                self.links[row.link].outbox.withdraw(row.id)

    async def _sweep(self, receiver: Receiver, leftovers: Leftovers, keep_name: Callable[[], Awaitable[None]]) -> None:
        lease_s = self._configuration.main.node_lease_s

        async def sweep() -> None:
            taken = await receiver.sweep(int(lease_s * 1000))
            taken += await leftovers.sweep()
            await receiver.give_up_parts()
            if taken:
                self._look_again()
            await keep_name()

        await every(lease_s / 3, sweep, put_off=lambda error: log.warning("sweep.put_off", error=str(error)))

    async def _keep_payments(self, sweeper: Sweeper, cashier: Cashier, direct: Direct) -> None:
        """Do what payments must have done by themselves, every second; now and then look what other nodes have left."""

        async def sweep() -> None:
            await sweeper.sweep()
            if await sweeper.inherit():
                cashier.look_again()
                direct.look_again()

        await every(_PAYMENTS_S, sweep, put_off=lambda error: log.warning("payments.put_off", error=str(error)))

    def _look_again(self) -> None:
        for link in self.links.values():
            link.outbox.look_again()

    async def _watch(self) -> None:
        """Tell the service manager that the loop turns; it ends a daemon that has stopped turning."""
        interval_ms = self._systemd.watchdog_interval_ms
        while True:
            if interval_ms:
                self._systemd.watchdog()
            self._systemd.status(self._status())
            await asyncio.sleep((interval_ms or 10_000) / 1000)

    def _status(self) -> str:
        bound = sum(link.bound for link in self.links.values())
        return f"{bound} of {len(self.links)} links bound"

    def _healthy(self) -> bool:
        return not self._broken

    def _on_broken(self, error: StoreBroken) -> None:
        self._broken = True
        log.critical("store.broken", error=str(error))
        self._end(error)

    def _on_incident(self, incident: Incident) -> None:
        error = incident.error
        if isinstance(error, SmsgwError):
            self._end(error)
        else:
            self._end(StartError(f"the task {incident.task} ended; see the log", _INTERNAL))

    def _end(self, error: SmsgwError) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)
        elif self._late is None and self._ended.exception() is None:
            self._late = error

    def return_keys(self, service: str) -> dict[str, bytes]:
        """Return the keys that a service's merchant checks return tokens with, by their ids."""
        return self._returns.keys_of(service)

    def request_stop(self) -> bool:
        """Ask the daemon to stop; `wait` returns then. False when it is on its way out already."""
        if self._ended.done():
            return False
        self._ended.set_result(None)
        return True

    async def wait(self) -> None:
        """Run until somebody asks for the stop.

        Raises:
            SmsgwError: an incident; its exit status says which.
        """
        await asyncio.shield(self._ended)

    async def _close_outboxes(self) -> None:
        await asyncio.gather(*(link.outbox.close() for link in self.links.values()))

    async def _stop_links(self) -> None:
        budget_s = 0.0 if self._broken else self._configuration.main.stop_timeout_s
        if budget_s:
            await asyncio.gather(*(link.stop(budget_s) for link in self.links.values()))

    async def stop(self) -> None:
        """Stop everything in reverse order: the links first, the store last.

        Raises:
            SmsgwError: an incident that came after somebody had asked for the stop.
        """
        self._systemd.stopping("finishing what is in flight")
        began_ms = self._clock.monotonic_ms()
        await self._stack.aclose()
        log.info("app.stopped", took_ms=self._clock.monotonic_ms() - began_ms)
        if self._late is not None:
            raise self._late
