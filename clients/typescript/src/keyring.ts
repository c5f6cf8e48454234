/**
 * Management of the account's own keys. What makes a key is sent once: a repeat would make another.
 */

import { type Caller, type CallOptions, checkCallOptions } from "./caller.js";
import { checkFields, type FieldsOf } from "./fields.js";
import { type ApiKey, KeyAlgorithm } from "./gen/tradewire/v1/key_pb.js";
import {
  type CreateKeyResponse,
  KeyService,
  type RotateKeyResponse,
} from "./gen/tradewire/v1/key_service_pb.js";
import { Scope } from "./gen/tradewire/v1/options_pb.js";
import { type EnumInput, enumValue, type TimeInput, times } from "./inputs.js";
import { Pages } from "./pages.js";

/** A new key: with `publicKey` an Ed25519 key, without one an HMAC secret is made. */
export interface NewKey {
  readonly publicKey?: string | undefined;
  /** Permissions; none means read only. */
  readonly scopes?: readonly EnumInput<typeof Scope>[] | undefined;
  /** Addresses from which it may be used, as CIDR; none means any. */
  readonly addresses?: readonly string[] | undefined;
  readonly expireTime?: TimeInput | undefined;
  readonly label?: string | undefined;
}

/** How a key is followed by another. */
export interface Successor {
  /** Of an Ed25519 key. */
  readonly publicKey?: string | undefined;
  /** How long the old key is good beside the new one. */
  readonly overlapSeconds?: number | undefined;
}

const NEW_KEY: FieldsOf<NewKey> = {
  publicKey: true,
  scopes: true,
  addresses: true,
  expireTime: true,
  label: true,
};
const SUCCESSOR: FieldsOf<Successor> = { publicKey: true, overlapSeconds: true };

export class Keys {
  /** @internal */
  constructor(private readonly caller: Caller) {}

  /** Make a key. The secret of an HMAC key is in this answer only. */
  async create(key: NewKey, options: CallOptions = {}): Promise<CreateKeyResponse> {
    checkFields(key, NEW_KEY, "key");
    checkCallOptions(options);
    const { publicKey = "", scopes = [], addresses = [], label = "", expireTime } = key;
    return this.caller.call(
      KeyService.method.createKey,
      {
        algorithm: publicKey === "" ? KeyAlgorithm.HMAC_SHA256 : KeyAlgorithm.ED25519,
        publicKey,
        scopes: scopes.map((scope) => enumValue(Scope, scope, "scopes")),
        addresses: [...addresses],
        label,
        ...times({ expireTime }),
      },
      { ...options, effect: "once" },
    );
  }

  /** The account's keys, revoked ones included, by creation. */
  list(options: CallOptions = {}): Pages<ApiKey> {
    checkCallOptions(options);
    return new Pages(async (pageToken) => {
      const page = await this.caller.call(KeyService.method.listKeys, { pageToken }, options);
      return { items: page.keys, next: page.nextPageToken };
    });
  }

  /** Make a successor with the same permissions; the old key ends after the overlap, 24 h unless given. */
  async rotate(
    apiKey: string,
    successor: Successor = {},
    options: CallOptions = {},
  ): Promise<RotateKeyResponse> {
    checkFields(successor, SUCCESSOR, "successor");
    checkCallOptions(options);
    const { publicKey = "", overlapSeconds = 0 } = successor;
    const request = { apiKey, publicKey, overlapSeconds };
    return this.caller.call(KeyService.method.rotateKey, request, { ...options, effect: "once" });
  }

  /** End a key, its sessions and its streams within a second. */
  async revoke(apiKey: string, options: CallOptions = {}): Promise<ApiKey | undefined> {
    checkCallOptions(options);
    const about = { ...options, effect: "repeatable" } as const;
    return (await this.caller.call(KeyService.method.revokeKey, { apiKey }, about)).key;
  }
}
