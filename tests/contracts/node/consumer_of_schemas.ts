// What a TypeScript consumer writes against the types made of schemas/; every `ts-expect-error` must be one.
import type { SessionsExhaustedAlert } from "./types/alerts/sessions_exhausted";
import type { ThresholdReachedAlert } from "./types/alerts/threshold_reached";
import type { Balance } from "./types/balances/balance";
import type { Accepted } from "./types/command-results/accepted";
import type { Rejected } from "./types/command-results/rejected";
import type { PurchasePacksCommand } from "./types/commands/purchase_packs";
import type { BotResumed } from "./types/handoffs/bot_resumed";
import type { BotSuspended } from "./types/handoffs/bot_suspended";
import type { ChatHandedOff } from "./types/handoffs/chat_handed_off";
import type { Interaction } from "./types/interactions/interaction";
import type { SessionStartedEvent } from "./types/journal/session_started";

type Alert = ThresholdReachedAlert | SessionsExhaustedAlert;
type Handoff = ChatHandedOff | BotSuspended | BotResumed;

export const interaction: Interaction = {
  event_id: "e-1",
  account_id: "acme",
  end_user_id: "u-1",
  conversation_id: "c-1",
  widget: "conversations",
  actor: "end_user",
  occurred_at: new Date().toISOString(),
};

export const purchase: PurchasePacksCommand = {
  type: "purchase_packs",
  command_id: "k-1",
  account_id: "acme",
  issued_by: "crm",
  packs: 2,
};

export function addresses(alert: Alert): string[] {
  return alert.contacts
    .filter((contact) => typeof contact === "string" || (contact.alerts ?? [alert.type]).includes(alert.type))
    .map((contact) => (typeof contact === "string" ? contact : contact.email));
}

export function subject(alert: Alert): string {
  const ahead = alert.cycle_elapsed_percent !== undefined && alert.percent > alert.cycle_elapsed_percent;
  return `${alert.percent} % of ${alert.total} sessions used${ahead ? ", ahead of the calendar" : ""}`;
}

export function route(handoff: Handoff): string {
  switch (handoff.type) {
    case "chat_handed_off":
      return `${handoff.conversation_id} of ${handoff.end_user_id}: ${handoff.reason}`;
    case "bot_suspended":
      return `${handoff.account_id}: ${handoff.conversations}`;
    case "bot_resumed":
      return `${handoff.account_id}: ${handoff.reason}`;
    default:
      return handoff satisfies never;
  }
}

export function price(answer: Accepted | Rejected): string {
  if (answer.type === "rejected") return answer.message;
  return answer.charge ? `${answer.charge.amount_minor} ${answer.charge.currency}` : "nothing";
}

export const causedBy = (event: SessionStartedEvent): string =>
  "event_id" in event.cause ? event.cause.event_id : "command_id" in event.cause ? event.cause.command_id : "timer";

export const left = (balance: Balance): number => balance.remaining + balance.cycle.number;

// @ts-expect-error - no such field
export const misspelt = (balance: Balance): number => balance.remainder;
// @ts-expect-error - a number is no text
export const mistyped = (balance: Balance): string => balance.used;
// @ts-expect-error - no such plan
export const unknown: Balance["plan"] = "gold";
// @ts-expect-error - a required field is missing
export const incomplete: PurchasePacksCommand = { type: "purchase_packs", command_id: "k", account_id: "a", packs: 1 };
// @ts-expect-error - may be null
export const unchecked = (accepted: Accepted): number => accepted.charge.amount_minor;
