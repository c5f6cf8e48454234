/** The reasons that orders carry, in words for a table; other names are made readable as they stand. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ["USER_CANCELED", "Canceled by you"],
  ["MASS_CANCELED", "Cancel all"],
  ["SELF_TRADE_PREVENTED", "Self-trade prevented"],
  ["DISCONNECTED", "Connection ended"],
  ["EXPIRED", "Time ended"],
  ["IMMEDIATE_OR_CANCEL", "IOC remainder"],
  ["FILL_OR_KILL", "FOK not filled"],
  ["NO_LIQUIDITY", "No liquidity"],
  ["PRICE_PROTECTION", "Price protection"],
  ["ADMIN_CANCELED", "Canceled by venue"],
  ["KILL_SWITCH", "Kill switch"],
  ["REPRICED", "Repriced"],
]);

export function reasonWords(reason: string): string {
  if (reason === "") return "";
  const words = reason.replaceAll("_", " ").toLowerCase();
  return WORDS.get(reason) ?? words.charAt(0).toUpperCase() + words.slice(1);
}
