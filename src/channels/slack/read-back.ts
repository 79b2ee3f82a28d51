import { z } from 'zod';
import type { JsonValue } from '../../store/messages.js';
import { boundedList } from '../bounded-list.js';
import type { CallOptions } from '../platform-http.js';
import type { SlackAddress } from './address.js';
import type { SlackPart } from './reply-plan.js';
import type { SlackApi, SlackEnd } from './slack-api.js';

/** Looks for a send in doubt in its conversation: each message of a reply names its delivery in its metadata. */

export const metadataType = 'sd_gateway_reply';
const pageSize = 200;
/** So far back it is looked for: more messages than this have come since, and nobody can tell. */
const mostPages = 5;
/** The clocks of Slack and of this machine may differ by so much, in milliseconds. */
const clockDifferenceMs = 300_000;

const page = z.object({
  messages: boundedList(
    z.looseObject({
      ts: z.string(),
      user: z.string().optional(),
      metadata: z
        .object({
          event_type: z.string(),
          event_payload: z.record(z.string(), z.unknown()).default({}),
        })
        .optional()
        .catch(undefined),
      files: boundedList(z.object({ id: z.string(), name: z.string().nullish(), size: z.number().nullish() }))
        .default([])
        .catch([]),
    }),
  ),
  has_more: z.boolean().default(false),
  response_metadata: z.object({ next_cursor: z.string().default('') }).nullish(),
});

type FoundMessage = z.output<typeof page>['messages'][number];

export interface WantedSend {
  readonly address: SlackAddress;
  readonly part: SlackPart;
  /** The name of the delivery, and of the part in it. */
  readonly delivery: string;
  readonly number: number;
  /** Files of the reply that are known to have arrived. */
  readonly arrivedFiles: readonly string[];
  /** It was sent behind this `ts`, if it was. */
  readonly since: string;
  readonly botUserId: string;
}

export type ReadBack =
  | { readonly kind: 'found'; readonly receipt: JsonValue }
  | { readonly kind: 'not-there' }
  /** There are too many messages to look through. */
  | { readonly kind: 'unknown'; readonly reason: string }
  | { readonly kind: 'failed'; readonly end: Exclude<SlackEnd, { readonly kind: 'ok' }> };

/** @param timeMs of this machine, in milliseconds since the Unix epoch */
export function earliestTs(timeMs: number): string {
  return ((timeMs - clockDifferenceMs) / 1_000).toFixed(6);
}

export async function readBack(api: SlackApi, wanted: WantedSend, options: CallOptions): Promise<ReadBack> {
  const { channel, thread } = wanted.address;
  const method = thread === null ? 'conversations.history' : 'conversations.replies';
  let cursor = '';
  for (let pages = 0; pages < mostPages; pages += 1) {
    const end = await api.call(
      method,
      {
        channel,
        ...(thread === null ? {} : { ts: thread }),
        oldest: wanted.since,
        limit: pageSize,
        include_all_metadata: true,
        ...(cursor === '' ? {} : { cursor }),
      },
      options,
    );
    if (end.kind !== 'ok') return { kind: 'failed', end };
    const parsed = page.safeParse(end.result);
    if (!parsed.success) return { kind: 'unknown', reason: 'Slack gave a history that is none' };
    const receipt = receiptIn(parsed.data.messages, wanted);
    if (receipt !== null) return { kind: 'found', receipt };
    cursor = parsed.data.response_metadata?.next_cursor ?? '';
    if (!parsed.data.has_more || cursor === '') return { kind: 'not-there' };
  }
  return { kind: 'unknown', reason: `more than ${mostPages * pageSize} messages have come since` };
}

function receiptIn(messages: readonly FoundMessage[], wanted: WantedSend): JsonValue | null {
  const { part, botUserId, delivery, number, arrivedFiles } = wanted;
  for (const { ts, user, metadata, files } of messages) {
    if (user !== botUserId) continue;
    if (part.kind === 'file') {
      // Slack keeps no metadata of ours with a file.
      const { name, sizeBytes } = part.file;
      const file = files.find((each) => each.name === name && each.size === sizeBytes);
      if (file !== undefined && !arrivedFiles.includes(file.id)) return { file: file.id };
    } else if (metadata?.event_type === metadataType) {
      const { delivery: named, part: at } = metadata.event_payload;
      if (named === delivery && at === number) return { ts };
    }
  }
  return null;
}
