import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readChannelSecret } from '../../channels/secret.js';
import { channelHost } from '../../gateway/channel-programs.js';
import type { Log } from '../../log/log.js';
import { parseTimeSpan } from '../../text/time-span.js';
import { commandStatus } from '../command.js';
import { printable, versionedLine } from '../terminal.js';
import { actionOf, type ParsedCommand, UsageError } from '../usage.js';
import { type ConformanceCheck, conformance } from './conformance.js';

/** Tries a program as a channel; says of each check how it ended. */
export async function run(parsed: ParsedCommand): Promise<number> {
  actionOf(parsed, ['test']);
  const [, program, ...words] = parsed.operands;
  if (program === undefined) throw new UsageError('test needs PROGRAM', parsed.command.name);
  const asJson = parsed.flags.has('json');
  const directory = mkdtempSync(join(tmpdir(), 'sd-gateway-channel-'));
  const checks: ConformanceCheck[] = [];
  try {
    const host = channelHost({
      name: 'test',
      directory,
      agentDirectory: directory,
      workingDirectory: process.cwd(),
      setting: 'PROGRAM',
      groups: null,
      environment: process.env,
      credentialsDirectory: null,
      log: standardErrorLog,
    });
    const file = parsed.values['token-file'];
    const secret = readChannelSecret(
      { name: 'test', token_file: file === undefined ? null : resolve(file), token_credential: null },
      null,
    );
    const all = conformance({
      host,
      command: [program, ...words],
      env: parsed.lists['env'] ?? [],
      secret,
      to: parsed.values['to'] ?? null,
      waitMs: waitOf(parsed),
      ask: (text) => process.stderr.write(`${text}\n`),
    });
    for await (const check of all) {
      checks.push(check);
      if (!asJson)
        process.stdout.write(`${check.verdict.padEnd(8)}${check.name}: ${printable(check.text)}\n`);
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    process.stderr.write(`sd-gateway: ${printable((error as Error).message)}\n`);
    return commandStatus.failure;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  const passed = checks.every(({ verdict }) => verdict !== 'failed');
  if (asJson) process.stdout.write(versionedLine({ passed, checks }));
  return passed ? commandStatus.success : commandStatus.failure;
}

function waitOf({ values, command }: ParsedCommand): number {
  const text = values['wait'];
  if (text === undefined) return 0;
  const waitMs = parseTimeSpan(text);
  if (waitMs === null) throw new UsageError(`--wait "${text}" is no time such as "30s"`, command.name);
  return waitMs;
}

const say = (message: string) => process.stderr.write(`${printable(message)}\n`);

const standardErrorLog: Log = {
  crit: say,
  err: say,
  warning: say,
  notice: say,
  info: say,
  debug: () => undefined,
};
