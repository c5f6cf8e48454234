/**
 * The account: balances, positions, ledger, limits; and its executions.
 */

import { CALL_OPTIONS, type Caller, type CallOptions, checkCallOptions } from "./caller.js";
import type { Channel } from "./channel.js";
import type { FieldsOf } from "./fields.js";
import { type FollowOptions, ExecutionStream, LedgerStream } from "./follow.js";
import {
  AccountService,
  type GetAccountResponse,
  type GetLimitsResponse,
  type ListBalancesResponse,
  type ListLedgerEntriesResponse,
  type ListPositionsResponse,
} from "./gen/tradewire/v1/account_service_pb.js";
import {
  ExecutionService,
  type ListExecutionsResponse,
} from "./gen/tradewire/v1/execution_service_pb.js";
import type { Plumbing } from "./stream.js";

/** Which account is meant; empty means the credential's own. */
export interface AccountOptions extends CallOptions {
  readonly account?: string | undefined;
}

/** A page of numbered entries. */
export interface AfterOptions extends AccountOptions {
  /** Entries with a greater number; 0 unless given. */
  readonly afterSequence?: bigint | undefined;
  /** Greatest number of entries: 1 to 1000, 100 unless given. */
  readonly pageSize?: number | undefined;
}

const ACCOUNT_OPTIONS: FieldsOf<AccountOptions> = { ...CALL_OPTIONS, account: true };
const AFTER_OPTIONS: FieldsOf<AfterOptions> = {
  ...ACCOUNT_OPTIONS,
  afterSequence: true,
  pageSize: true,
};

/** The caller's account. */
export class AccountReader {
  /** @internal */
  constructor(
    private readonly caller: Caller,
    private readonly streams: Channel,
    private readonly plumbing: Plumbing,
  ) {}

  /** The account and its fees. */
  async get(options: AccountOptions = {}): Promise<GetAccountResponse> {
    return this.caller.call(AccountService.method.getAccount, which(options), options);
  }

  /** Balances of all assets held, and the numbers up to which they are true. */
  async balances(options: AccountOptions = {}): Promise<ListBalancesResponse> {
    return this.caller.call(AccountService.method.listBalances, which(options), options);
  }

  /** Positions, and the number up to which they are true. */
  async positions(options: AccountOptions = {}): Promise<ListPositionsResponse> {
    return this.caller.call(AccountService.method.listPositions, which(options), options);
  }

  /** Movements of money after a number; continue after the last one. */
  async ledger(options: AfterOptions = {}): Promise<ListLedgerEntriesResponse> {
    return this.caller.call(AccountService.method.listLedgerEntries, after(options), options);
  }

  /** The limits, and how much of them is left. */
  async limits(options: AccountOptions = {}): Promise<GetLimitsResponse> {
    return this.caller.call(AccountService.method.getLimits, which(options), options);
  }

  /** Follow the movements of money, without a gap; each has the totals after it. */
  follow(options: FollowOptions = {}): LedgerStream {
    return new LedgerStream(this.streams, this.plumbing, options, (account) =>
      this.journalId(account),
    );
  }

  /** Identity of the venue's journal. */
  async journalId(account = ""): Promise<string> {
    return (await this.get({ account })).journalId;
  }
}

/** Everything that happened to the account's orders, numbered without a gap. */
export class Executions {
  /** @internal */
  constructor(
    private readonly caller: Caller,
    private readonly streams: Channel,
    private readonly plumbing: Plumbing,
    private readonly account: AccountReader,
  ) {}

  /**
   * Follow the executions, each once and in order, across disconnects and restarts of the venue.
   *
   * The stream throws `SequenceGap`, `SequenceRepeated` or `JournalChanged` when the venue breaks
   * that promise, and `OutOfRange` when the number is older than what it keeps: take a snapshot then.
   */
  follow(options: FollowOptions = {}): ExecutionStream {
    return new ExecutionStream(this.streams, this.plumbing, options, (account) =>
      this.account.journalId(account),
    );
  }

  /** Executions after a number; continue after the last one. */
  async list(options: AfterOptions = {}): Promise<ListExecutionsResponse> {
    return this.caller.call(ExecutionService.method.listExecutions, after(options), options);
  }
}

function which(options: AccountOptions, fields: FieldsOf<AccountOptions> = ACCOUNT_OPTIONS): { account: string } {
  checkCallOptions(options, fields);
  return { account: options.account ?? "" };
}

function after(options: AfterOptions): { afterSequence: bigint; pageSize: number; account: string } {
  const { afterSequence = 0n, pageSize = 0 } = options;
  return { afterSequence, pageSize, ...which(options, AFTER_OPTIONS) };
}
