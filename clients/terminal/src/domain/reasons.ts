/** The reasons that orders carry, in words that follow a status; other names are made readable as they stand. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ["USER_CANCELED", "by you"],
  ["MASS_CANCELED", "with cancel all"],
  ["SELF_TRADE_PREVENTED", "self-trade prevented"],
  ["DISCONNECTED", "connection ended"],
  ["EXPIRED", "time ended"],
  ["IMMEDIATE_OR_CANCEL", "IOC remainder"],
  ["FILL_OR_KILL", "FOK not filled"],
  ["NO_LIQUIDITY", "no liquidity"],
  ["PRICE_PROTECTION", "price protection"],
  ["ADMIN_CANCELED", "by the venue"],
  ["KILL_SWITCH", "kill switch"],
  ["REPRICED", "repriced"],
]);

export function reasonWords(reason: string): string {
  return WORDS.get(reason) ?? reason.replaceAll("_", " ").toLowerCase();
}
