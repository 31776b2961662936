// The same, against the types that a generator made of the AsyncAPI document alone.
import type { Accepted } from "./models/Accepted";
import type { BotSuspended } from "./models/BotSuspended";
import type { ChatHandedOff } from "./models/ChatHandedOff";
import type { ContactDetails } from "./models/ContactDetails";
import type { OpenAccountCommand } from "./models/OpenAccountCommand";
import type { Plan } from "./models/Plan";
import type { SessionStartedEvent } from "./models/SessionStartedEvent";
import type { ThresholdReachedAlert } from "./models/ThresholdReachedAlert";

export const opening = (plan: Plan, contact: ContactDetails): OpenAccountCommand => ({
  type: "open_account",
  command_id: "k-1",
  account_id: "acme",
  issued_by: "crm",
  plan,
  billing_cycle: "monthly",
  contacts: ["admin@acme.example", contact],
});

export const usage = (alert: ThresholdReachedAlert): string => `${alert.used} of ${alert.total}, plan ${alert.plan}`;
export const cost = (accepted: Accepted): number => accepted.charge?.amount_minor ?? 0;
export const partition = (event: SessionStartedEvent): number | undefined =>
  "partition" in event.cause ? event.cause.partition : undefined;

export function conversation(handoff: ChatHandedOff | BotSuspended): string | undefined {
  return handoff.type === "chat_handed_off" ? handoff.conversation_id : undefined;
}

// @ts-expect-error - no such plan
export const unknown: Plan = "gold";
// @ts-expect-error - no such field
export const misspelt = (alert: ThresholdReachedAlert): number => alert.remainder;
