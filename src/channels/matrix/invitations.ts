import { z } from 'zod';
import type { MatrixChannelConfiguration } from '../../config/channel-table.js';
import { itemsOfPages } from '../../store/pages.js';
import { errorMessage } from '../../text/failure-text.js';
import type { ChannelContext } from '../channel.js';
import type { Complaints } from '../complaints.js';
import { isRoomId, serverOf } from './address.js';
import { type Invitation, invitationIn } from './event-schema.js';
import { clientPath, type MatrixApi } from './matrix-api.js';

const pageSize = 100;
/** An invitation that nobody has accepted is forgotten after that. */
const keptMs = 7 * 86_400_000;
const mostKept = 200;
/** Between two looks at the invitations that are left, in milliseconds. */
const reviewMs = 60_000;
/** A join may ask many other servers. */
const joinTimeoutMs = 120_000;
/** Private rooms of strangers that are joined in an hour, for a code to be given there. */
const mostOfStrangers = 10;
const hourMs = 3_600_000;

const kept = z.object({
  inviter: z.string(),
  isDirect: z.boolean(),
  /** True: the room takes the place of one that the account is in. */
  isSuccessor: z.boolean(),
});

type KeptInvitation = z.output<typeof kept>;

export interface InvitationsOptions {
  readonly context: Pick<ChannelContext, 'name' | 'records' | 'keeps' | 'log' | 'clock'>;
  readonly configuration: Pick<MatrixChannelConfiguration, 'invites' | 'pairing'>;
  readonly api: MatrixApi;
  readonly ownId: string;
  readonly complaints: Complaints;
  readonly signal: AbortSignal;
}

/**
 * Joins rooms. Invitations are on disk until they are accepted, so that a join that fails is made again, and an inviter who
 * may write later on need not invite again.
 */
export class Invitations {
  readonly #options: InvitationsOptions;
  readonly #kind: string;
  #ofStrangers: number[] = [];
  /** Rooms whose invitations were said not to be accepted. */
  readonly #told = new Set<string>();
  /** Invitations that are on disk. */
  #left = 0;
  #reviewing: Promise<void> = Promise.resolve();
  #cancelReview = () => {};

  constructor(options: InvitationsOptions) {
    this.#options = options;
    this.#kind = `${options.context.name}:invitation`;
  }

  /** Resolves once all are on disk. Rejects with what the store fails with. */
  async take(rooms: Readonly<Record<string, unknown>>): Promise<void> {
    const { ownId } = this.#options;
    const found = Object.entries(rooms).flatMap(([roomId, value]) => {
      const invitation = isRoomId(roomId) ? invitationIn(value, ownId) : null;
      return invitation === null ? [] : [{ roomId, ...invitation, isSuccessor: false }];
    });
    for (const each of found) {
      // Strangers must not fill the disk.
      if (this.#left >= mostKept && !(await this.#mayWrite(each.roomId, each.inviter))) continue;
      await this.#keep(each);
      this.#left += 1;
    }
    if (found.length > 0) this.review();
  }

  /** Joins the room that takes the place of one that the account is in. */
  async follow(roomId: string, sender: string): Promise<void> {
    await this.#keep({ roomId, inviter: sender, isDirect: false, isSuccessor: true });
    this.review();
  }

  /** Looks which rooms may be joined, now and once a minute as long as some are left. */
  review(): void {
    this.#cancelReview();
    this.#reviewing = this.#reviewing.then(async () => {
      try {
        if ((await this.#reviewOnce()) && !this.#options.signal.aborted) this.#reviewLater();
      } catch (error) {
        this.#complain(`invitations could not be looked at: ${errorMessage(error)}`);
        this.#reviewLater();
      }
    });
  }

  async close(): Promise<void> {
    this.#cancelReview();
    await this.#reviewing;
    this.#cancelReview();
  }

  #reviewLater(): void {
    this.#cancelReview();
    if (this.#options.signal.aborted) return;
    this.#cancelReview = this.#options.context.clock.after(reviewMs, () => this.review());
  }

  #keep({ roomId, ...value }: KeptInvitation & { readonly roomId: string }): Promise<unknown> {
    const { records } = this.#options.context;
    return records.putRecord({ kind: this.#kind, key: roomId, value, expiresInMs: keptMs });
  }

  /** True if some are left. */
  async #reviewOnce(): Promise<boolean> {
    const { records } = this.#options.context;
    const pages = (after: string | null) => records.records(this.#kind, { limit: pageSize, after });
    const rooms: { roomId: string; version: number; invitation: KeptInvitation }[] = [];
    for await (const { key: roomId, value, version } of itemsOfPages(pages)) {
      const invitation = kept.safeParse(value).data;
      if (invitation !== undefined) rooms.push({ roomId, version, invitation });
    }
    this.#left = rooms.length;
    for (const { roomId, version, invitation } of rooms) {
      if (this.#options.signal.aborted) return false;
      const isDone = (await this.#mayJoin(roomId, invitation)) && (await this.#join(roomId, invitation));
      if (!isDone) continue;
      // Unless there is another invitation to the room by now.
      if (await records.deleteRecord(this.#kind, roomId, version)) this.#left -= 1;
    }
    return this.#left > 0;
  }

  async #mayJoin(roomId: string, { inviter, isDirect, isSuccessor }: KeptInvitation): Promise<boolean> {
    const { configuration, context } = this.#options;
    const { invites, pairing } = configuration;
    if (invites === 'none') {
      this.#tellOnce(
        roomId,
        `${inviter} invites to the room ${roomId}, which is not joined: channels.${context.name}.invites is "none"`,
      );
      return false;
    }
    if (invites === 'all' || isSuccessor || (await this.#mayWrite(roomId, inviter))) return true;
    if (pairing && isDirect) return this.#takePlaceOfStranger();
    this.#tellOnce(
      roomId,
      `${inviter}, who may not write, invites to the room ${roomId}, which is not joined. To allow it, add this id to channels.${context.name}.allow, and reload`,
    );
    return false;
  }

  #mayWrite(roomId: string, inviter: string): Promise<boolean> {
    return this.#options.context.keeps({
      conversation: roomId,
      id: null,
      text: '',
      person: { id: inviter, name: null },
      isGroup: false,
      replyTo: null,
    });
  }

  #takePlaceOfStranger(): boolean {
    const now = this.#options.context.clock.now();
    this.#ofStrangers = this.#ofStrangers.filter((at) => now - at < hourMs);
    if (this.#ofStrangers.length >= mostOfStrangers) return false;
    this.#ofStrangers.push(now);
    return true;
  }

  /** True if nothing is left to be done about it. */
  async #join(roomId: string, { inviter }: Invitation): Promise<boolean> {
    const { api, signal, context } = this.#options;
    const server = serverOf(inviter);
    const query = server === null ? {} : { server_name: server, via: server };
    const end = await api.call(
      { method: 'POST', path: clientPath('join', roomId), query, body: {} },
      { timeoutMs: joinTimeoutMs, signal },
    );
    if (end.kind === 'ok') {
      context.log.info(`The channel ${context.name} has joined the room ${roomId}, as ${inviter} invites.`);
      return true;
    }
    if (end.kind === 'refused' && [400, 403, 404].includes(end.status)) {
      const told = `${end.code}: ${end.description}`;
      this.#complain(`the room ${roomId}, to which ${inviter} invites, can't be joined (${told})`);
      return true;
    }
    if (end.kind !== 'aborted') {
      const why = end.kind === 'failed' ? end.reason : `${end.code}: ${end.description}`;
      this.#complain(`the room ${roomId} could not be joined yet: ${why}`);
    }
    return false;
  }

  /** It is looked at again and again. */
  #tellOnce(roomId: string, text: string): void {
    if (this.#told.has(roomId)) return;
    if (this.#told.size >= mostKept) this.#told.clear();
    this.#told.add(roomId);
    this.#complain(text);
  }

  #complain(text: string): void {
    const { context, complaints } = this.#options;
    complaints.note('invitation', `The channel ${context.name}: ${text}.`);
  }
}
