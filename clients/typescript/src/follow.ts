/**
 * Streams of numbered entries: executions and the ledger, resumed by number.
 */

import { create, type MessageInitShape } from "@bufbuild/protobuf";

import type { Channel } from "./channel.js";
import { Cursor } from "./cursor.js";
import { ConfigurationError, ProtocolViolation } from "./errors.js";
import { checkFields, type FieldsOf } from "./fields.js";
import type { LedgerEntry } from "./gen/tradewire/v1/account_pb.js";
import {
  AccountService,
  StreamAccountRequestSchema,
  type StreamAccountResponse,
} from "./gen/tradewire/v1/account_service_pb.js";
import {
  ExecutionService,
  StreamExecutionsRequestSchema,
  type StreamExecutionsResponse,
} from "./gen/tradewire/v1/execution_service_pb.js";
import type { Execution } from "./gen/tradewire/v1/order_pb.js";
import type { AccountSnapshot } from "./gen/tradewire/v1/order_service_pb.js";
import type { CaughtUp, Heartbeat } from "./gen/tradewire/v1/stream_pb.js";
import { type Plumbing, type StreamMessage, SupervisedStream } from "./stream.js";

/** Where a numbered stream begins. */
export interface FollowOptions {
  /** Entries with a greater number: 0 means from the beginning; absent means from now. */
  readonly afterSequence?: bigint | undefined;
  /** Working orders, balances and positions first; not with `afterSequence`. */
  readonly snapshot?: boolean | undefined;
  /** The journal of which `afterSequence` is; empty if it is not known. */
  readonly journalId?: string | undefined;
  /** The account; empty means the credential's own. */
  readonly account?: string | undefined;
}

const FOLLOW_OPTIONS: FieldsOf<FollowOptions> = {
  afterSequence: true,
  snapshot: true,
  journalId: true,
  account: true,
};

/** Asks the venue for the identity of its journal. */
export type JournalId = (account: string) => Promise<string>;

type NumberedMessage = StreamMessage & {
  readonly event:
    | { readonly case: "snapshot"; readonly value: AccountSnapshot }
    | { readonly case: "caughtUp"; readonly value: CaughtUp }
    | { readonly case: "heartbeat"; readonly value: Heartbeat }
    | { readonly case: "batch" | "closing"; readonly value: unknown }
    | { readonly case: undefined };
};

/** Entries of an account after a number, in order, without a gap or a repetition. */
export abstract class NumberedStream<
  Message extends NumberedMessage,
  Item,
> extends SupervisedStream<Message, Item> {
  private readonly cursor: Cursor;
  private readonly wantsSnapshot: boolean;
  private taken: AccountSnapshot | undefined;
  private last: bigint | undefined;
  private live = false;
  protected readonly account: string;

  constructor(
    plumbing: Plumbing,
    what: string,
    options: FollowOptions,
    private readonly askJournalId: JournalId,
  ) {
    super(plumbing, what);
    checkFields(options, FOLLOW_OPTIONS, "options");
    const { afterSequence, snapshot = false, journalId = "", account = "" } = options;
    if (snapshot && afterSequence !== undefined) {
      throw new ConfigurationError("snapshot and afterSequence exclude each other");
    }
    if (afterSequence !== undefined && typeof afterSequence !== "bigint") {
      throw new TypeError("afterSequence is a bigint, e.g. 0n");
    }
    this.cursor = new Cursor(what, afterSequence, journalId);
    this.last = afterSequence;
    this.wantsSnapshot = snapshot;
    this.account = account;
  }

  /**
   * The number of the entry handed out last: keep it, with `journalId`, to go on after a restart.
   * Undefined before the place is known.
   */
  get sequence(): bigint | undefined {
    return this.last;
  }

  /** Identity of the journal, empty before the venue told it. */
  get journalId(): string {
    return this.cursor.journalId;
  }

  /** Whether everything from before the stream was opened has been read. */
  get caughtUp(): boolean {
    return this.live;
  }

  /** Wait until the place is known: "from now" means from here, not from whenever somebody reads. */
  async begin(): Promise<this> {
    while (this.cursor.last === undefined) {
      await this.receive();
    }
    this.last ??= this.cursor.last;
    return this;
  }

  /**
   * Working orders, balances and positions at the number where the stream begins.
   *
   * @throws ConfigurationError if the stream was opened without `snapshot`.
   */
  async snapshot(): Promise<AccountSnapshot> {
    if (!this.wantsSnapshot) {
      throw new ConfigurationError("follow with { snapshot: true } to get one");
    }
    while (this.taken === undefined) {
      await this.receive();
    }
    return this.taken;
  }

  protected abstract number(item: Item): bigint;
  protected abstract items(message: Message): readonly Item[];
  protected abstract numberOfSnapshot(snapshot: AccountSnapshot): bigint;

  protected override get place(): bigint | undefined {
    return this.cursor.last;
  }

  /** The fields of the request that say where to go on. */
  protected get request(): { afterSequence?: bigint; snapshot: boolean; account: string } {
    const { last } = this.cursor;
    const place = last === undefined ? {} : { afterSequence: last };
    const snapshot = this.wantsSnapshot && this.taken === undefined;
    return { ...place, snapshot, account: this.account };
  }

  protected override handedOut(item: Item): Item {
    this.last = this.number(item);
    return item;
  }

  protected override async beforeReopening(): Promise<void> {
    // The stream tells its journal only after the replay. By then entries of another journal would
    // have been handed out, so it is asked for before.
    if (this.cursor.last !== undefined && this.cursor.journalId !== "") {
      this.cursor.checkJournal(await this.askJournalId(this.account));
    }
  }

  protected override accept(message: Message, handOut: (item: Item) => void): void {
    const { event } = message;
    if (event.case === "snapshot") {
      this.take(event.value);
    } else if (event.case === "caughtUp") {
      const { journalId, asOfSequence } = event.value;
      this.cursor.checkJournal(journalId);
      this.cursor.confirm(asOfSequence);
      this.live = true;
    } else if (event.case === "heartbeat") {
      this.cursor.confirm(event.value.asOfSequence);
    }
    for (const item of this.items(message)) {
      this.cursor.advance(this.number(item));
      handOut(item);
    }
  }

  private take(snapshot: AccountSnapshot): void {
    if (this.taken !== undefined) {
      throw new ProtocolViolation("a second snapshot came, which was not asked for");
    }
    this.cursor.checkJournal(snapshot.journalId);
    this.cursor.restart(this.numberOfSnapshot(snapshot));
    this.last = this.cursor.last;
    this.taken = snapshot;
  }
}

/** The executions of an account; see `Executions.follow`. */
export class ExecutionStream extends NumberedStream<StreamExecutionsResponse, Execution> {
  /** @internal */
  constructor(
    private readonly channel: Channel,
    plumbing: Plumbing,
    options: FollowOptions,
    askJournalId: JournalId,
  ) {
    super(plumbing, "executions", options, askJournalId);
  }

  protected override open(signal: AbortSignal): AsyncIterable<StreamExecutionsResponse> {
    const request: MessageInitShape<typeof StreamExecutionsRequestSchema> = this.request;
    return this.channel.stream(
      ExecutionService.method.streamExecutions,
      create(StreamExecutionsRequestSchema, request),
      signal,
    );
  }

  protected override items(message: StreamExecutionsResponse): readonly Execution[] {
    return message.event.case === "batch" ? message.event.value.executions : [];
  }

  protected override number(item: Execution): bigint {
    return item.sequence;
  }

  protected override numberOfSnapshot(snapshot: AccountSnapshot): bigint {
    return snapshot.asOfSequence;
  }
}

/** The movements of money of an account; see `AccountReader.follow`. */
export class LedgerStream extends NumberedStream<StreamAccountResponse, LedgerEntry> {
  /** @internal */
  constructor(
    private readonly channel: Channel,
    plumbing: Plumbing,
    options: FollowOptions,
    askJournalId: JournalId,
  ) {
    super(plumbing, "ledger entries", options, askJournalId);
  }

  protected override open(signal: AbortSignal): AsyncIterable<StreamAccountResponse> {
    const request: MessageInitShape<typeof StreamAccountRequestSchema> = this.request;
    return this.channel.stream(
      AccountService.method.streamAccount,
      create(StreamAccountRequestSchema, request),
      signal,
    );
  }

  protected override items(message: StreamAccountResponse): readonly LedgerEntry[] {
    return message.event.case === "batch" ? message.event.value.entries : [];
  }

  protected override number(item: LedgerEntry): bigint {
    return item.ledgerSequence;
  }

  protected override numberOfSnapshot(snapshot: AccountSnapshot): bigint {
    return snapshot.asOfLedgerSequence;
  }
}
