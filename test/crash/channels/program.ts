import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import type { Machine } from '../../machine/harness/machine.js';
import { parseLines } from '../record.js';
import { type Platform, quiet, rowOf } from './platform.js';

const capabilities = {
  reconcile: 'reconcile',
  idempotent: 'idempotent',
  resend: null,
  ask: null,
  drop: null,
} as const;

interface SentLine {
  readonly id: string;
  readonly to: string;
  readonly text: string;
}

/** A program (inside/channel-program.mjs) whose platform is a directory. It misbehaves by itself, unless it is to be well. */
export async function programPlatform(
  machine: Machine,
  kind: keyof typeof capabilities,
  seed: number | 'well',
): Promise<Platform> {
  const directory = `/run/tester/${kind}`;
  const fileOf = (name: string) => `/proc/${machine.pid}/root${directory}/${name}`;
  const script = 'mkdir -p "$1" && cd "$1" && touch in acked out mistakes starts && chown -R daemon .';
  await machine.check(['sh', '-ec', script, 'sh', directory]);
  const capability = capabilities[kind];
  const program = ['node', '/usr/lib/sd-gateway/test/crash/inside/channel-program.mjs', directory, `${seed}`];
  const command = JSON.stringify([...program, ...(capability === null ? [] : [capability])]);
  const { chats, unknownKey } = rowOf(kind);
  let written = 0;
  return {
    kind,
    table: `type = "command"
command = ${command}
timeout = "1s"
health_interval = "2s"
${unknownKey}${quiet}`,
    secrets: {},
    sessions: chats.map((chat) => `${kind}:chat-${chat}`),
    write: (session, text) => {
      written += 1;
      const line = { id: String(written), chat: session.split(':')[1], text };
      appendFileSync(fileOf('in'), `${JSON.stringify(line)}\n`);
    },
    misbehave: () => {},
    recover: () => writeFileSync(fileOf('well'), ''),
    shown: () => {
      const sent = parseLines<SentLine>(readFileSync(fileOf('out'), 'utf8'));
      const isFirst = ({ id }: SentLine, index: number) =>
        sent.findIndex((other) => other.id === id) === index;
      // Such a platform takes what comes again under its id for one.
      const seen = kind === 'idempotent' ? sent.filter(isFirst) : sent;
      return seen.map(({ to, text }) => ({ session: `${kind}:${to}`, text }));
    },
    mistakes: () =>
      parseLines<{ readonly mistake: string }>(readFileSync(fileOf('mistakes'), 'utf8')).map(
        ({ mistake }) => mistake,
      ),
    close: async () => {},
  };
}
