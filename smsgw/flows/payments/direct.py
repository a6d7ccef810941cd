"""Everything that has to do with operators' HTTP APIs, as one part of the daemon: charges, inquiries, refunds."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from smsgw.flows.payments.desk import Payments
from smsgw.flows.payments.effects import Effects
from smsgw.flows.payments.findings import Findings
from smsgw.flows.payments.inquiry import Inquirer
from smsgw.flows.payments.refunding import Refunder
from smsgw.flows.payments.teller import Teller
from smsgw.flows.ports import Catalog, Charger, Ports


class Direct:
    """The teller, who charges, the inquirer, who asks, and the refunder.

    Args:
        ports: the world.
        catalog: links and what is sold.
        payments: are told what operators say.
        charger: the way out.
    """

    def __init__(self, ports: Ports, catalog: Catalog, payments: Payments, charger: Charger) -> None:
        cashbox, done = payments.cashbox, payments.done
        self.findings = Findings(ports, catalog, cashbox, done)
        self.teller = Teller(ports, catalog, cashbox, charger, findings=self.findings, done=done)
        self.inquirer = Inquirer(ports, catalog, charger, self.findings)
        self.refunder = Refunder(ports, catalog, payments, charger)

    @property
    def tasks(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What is to be kept running, by its name."""
        return {"teller": self.teller.run, "inquirer": self.inquirer.run, "refunder": self.refunder.run}

    def hear(self, effects: Effects) -> None:
        """Hear what a transaction about payments has left to be done."""
        self.teller.hear(effects)
        self.inquirer.hear(effects)
        self.refunder.hear(effects)

    def look_again(self) -> None:
        """Hear that another node's attempts are ours now."""
        self.teller.look_again()
        self.inquirer.stir()

    async def close(self, seconds: float) -> None:
        """Let what costs money come to its end, so long at most; write down what was found out."""
        await self.inquirer.close()
        await asyncio.gather(self.teller.close(seconds), self.refunder.close(seconds))
        await self.findings.close()
