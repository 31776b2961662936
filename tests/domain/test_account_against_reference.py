"""One account, moved at random, against a reference restated from the rules (S1 to S7, A1 to A13, T1 to T5, C1, C4)."""

from __future__ import annotations

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from botmeter.domain import commands as cmd
from botmeter.domain.announcements import Alert, HandedOffChat, ResumedBot, SuspendedBot
from botmeter.domain.cycles import BillingCycle
from botmeter.domain.prices import DAY_MS
from botmeter.domain.sessions import Interaction
from properties import property_

from .ledger import SMALL, Ledger, interaction, open_account, tick
from .moves import Say, anchors, billing_cycles, later_commands, plans, says, waits
from .reference import Reference


class AccountAgainstReference(RuleBasedStateMachine):
    """Every rule does the same to the ledger and to the reference; after each the two must agree."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.reference = Reference(SMALL.prices.pack_sessions, SMALL.prices.complimentary_sessions)
        self.asked: list[cmd.Command] = []

    @initialize(plan=plans, billing_cycle=billing_cycles, anchor=anchors)
    def open(self, plan: cmd.Plan, billing_cycle: BillingCycle, anchor: int) -> None:
        open_account(plan, billing_cycle=billing_cycle, anchor=anchor)(self.ledger)
        self.reference.open(self.ledger.now, plan, billing_cycle, anchor)

    @rule(wait=waits)
    def let_time_pass(self, wait: int) -> None:
        tick(self.ledger.now + wait)(self.ledger)
        self.reference.roll(self.ledger.now)

    @rule(wait=waits)
    def let_others_speak(self, wait: int) -> None:
        interaction(actor="agent", at=self.ledger.now + wait)(self.ledger)
        self.reference.roll(self.ledger.now)
        assert self.ledger.outcomes[-1] == "ignored"

    @rule(said=says)
    def say(self, said: Say) -> None:
        self._say(said, self.ledger.now + said.wait, said.behind, people=1)

    @rule(said=says, people=st.integers(2, 8))
    def say_together(self, said: Say, people: int) -> None:
        """Several end-users say it as it occurs, so that allowances come to their end soon."""
        self._say(said, self.ledger.now + said.wait, 0, people)

    @rule(said=says, late_by=st.sampled_from([0, 1, DAY_MS]), people=st.integers(1, 4))
    def say_across_the_boundary(self, said: Say, late_by: int, people: int) -> None:
        """What occurred in the last millisecond of the present cycle arrives in the next one (A13)."""
        boundary = self.reference.ends_at
        at = max(self.ledger.now, boundary + late_by)
        self._say(said, at, at - boundary + 1, people)

    def _say(self, said: Say, at: int, behind: int, people: int) -> None:
        occurred_at, where = at - behind, said.conversation
        for n in range(people):
            who = f"u-{(int(said.end_user[2:]) + n) % 12}"
            heard = Interaction(who, "b-1", where, said.widget, "end_user", said.preview, occurred_at)
            self.ledger.take_interaction(heard, at)
            expected = self.reference.say(at, occurred_at, who, where, said.widget, preview=said.preview)
            assert expected == self.ledger.outcomes[-1]

    @rule(wait=waits, command=later_commands)
    def ask(self, wait: int, command: cmd.Command) -> None:
        self.asked.append(_named(command, f"later-{len(self.asked)}"))
        self._ask(wait, self.asked[-1])

    @precondition(lambda self: self.asked)
    @rule(wait=waits, data=st.data())
    def ask_again(self, wait: int, data: st.DataObject) -> None:
        self._ask(wait, data.draw(st.sampled_from(self.asked)))

    @precondition(lambda self: len(self.asked) > 12)
    @rule()
    def close(self) -> None:
        self.asked.append(cmd.CloseAccount(f"later-{len(self.asked)}", "tester"))
        self._ask(0, self.asked[-1])

    def _ask(self, wait: int, command: cmd.Command) -> None:
        self.ledger.take_command(command, self.ledger.now + wait)
        expected = self.reference.obey(self.ledger.now, command.command_id, *_restated(command))
        assert expected == self.ledger.results[-1].reason

    @invariant()
    def the_two_agree(self) -> None:
        if self.ledger.state is None:
            return
        account, reference = self.ledger.account, self.reference
        allowance, past = account.allowance, account.past_cycle
        assert (reference.status, reference.pool) == (account.status, allowance.pool)
        assert (reference.total, reference.used) == (allowance.total, allowance.used)
        assert (reference.packs, reference.packs_next) == (allowance.packs, allowance.packs_next_cycle)
        cycle = (reference.cycle_number, reference.starts_at, reference.ends_at)
        assert cycle == (account.cycle.number, account.cycle.starts_at, account.cycle.ends_at)
        assert (reference.past.used if reference.past else None) == (past.used if past else None)

    @invariant()
    def the_same_was_announced(self) -> None:
        assert self.reference.announced == [_summary(one) for one in self.ledger.announcements]

    @invariant()
    def no_session_is_charged_beyond_the_total(self) -> None:
        if self.ledger.state is not None:
            assert 0 <= self.ledger.account.allowance.used <= self.ledger.account.allowance.total


def _named(command: cmd.Command, command_id: str) -> cmd.Command:
    return type(command)(command_id, *[getattr(command, name) for name in command.__match_args__[1:]])


def _restated(command: cmd.Command) -> tuple[object, ...]:
    """The command in the reference's words."""
    match command:
        case cmd.PurchasePacks():
            return "purchase", command.packs
        case cmd.ReducePacks():
            return "reduce", command.packs
        case cmd.CancelReduction():
            return ("cancel_reduction",)
        case cmd.ChangePlan():
            return "change_plan", command.plan
        case cmd.ChangeBillingCycle():
            return "change_billing_cycle", command.billing_cycle
        case cmd.CreditSessions():
            return "credit", command.sessions
        case cmd.SetThresholds():
            return "set_thresholds", command.percents
        case cmd.SetAutoRecharge():
            return "set_auto_recharge", command.below, command.packs
        case cmd.CloseAccount():
            return ("close",)
        case cmd.InvalidCommand():
            return ("invalid",)
        case _:
            raise AssertionError(command)


def _summary(one: object) -> tuple[str, object]:
    """An announcement in the reference's words."""
    match one:
        case Alert():
            return "alert", one.percent
        case SuspendedBot():
            return "suspended", one.reason
        case ResumedBot():
            return "resumed", one.reason
        case HandedOffChat():
            return "handed_off", one.conversation_id
        case _:
            raise AssertionError(one)


TestAccountAgainstReference = AccountAgainstReference.TestCase
TestAccountAgainstReference.settings = settings(
    property_,
    stateful_step_count=50,
    phases=[each for each in property_.phases if each is not Phase.explain],  # which takes a minute more
)
