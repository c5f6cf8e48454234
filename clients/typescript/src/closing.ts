/**
 * Why a connection ended, as an error: what the venue announced, what its close frame says, or what
 * is known of a lost link.
 */

import { type TradewireError, Unavailable } from "./errors.js";
import type { ConnectionClosing } from "./gen/tradewire/v1/websocket_pb.js";
import { errorOfReason, errorOfStatus } from "./status.js";

export function errorOfAnnouncement(closing: ConnectionClosing): TradewireError {
  return closing.status === undefined
    ? new Unavailable("the venue ends the connection")
    : errorOfStatus(closing.status);
}

export function errorOfClose(
  code: number,
  reason: string,
  closing: ConnectionClosing | undefined,
  cause: Error | undefined,
): TradewireError {
  if (closing !== undefined) {
    return errorOfAnnouncement(closing);
  }
  const known = errorOfReason(reason);
  if (known !== undefined) {
    return known;
  }
  const why = [reason, cause?.message ?? ""].filter((text) => text !== "").join(", ");
  return new Unavailable(
    `the connection was lost (${String(code)}${why === "" ? "" : `: ${why}`})`,
    { cause },
  );
}
