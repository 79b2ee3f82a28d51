import { isatty } from 'node:tty';
import { ConfigurationError } from '../config/configuration-error.js';
import { type StoreThread, useStoreThread } from '../store/sqlite/thread/store-thread.js';
import { instanceOf } from './client/locate.js';
import { nameGivenGateway } from './given-gateway.js';
import { wantsColour } from './terminal.js';
import { type ParsedCommand, UsageError } from './usage.js';

/**
 * libuv gives half of its threads to getaddrinfo(3), each for as long as a name's servers are silent: with its four, two
 * such names keep the replies to all other hosts.
 */
const threads = '16';
/** The number of standard error. */
const standardError = 2;

/** A unit that names one that can't be ends with 78, which has it not started again. Throws a ConfigurationError. */
function instanceToRun(parsed: ParsedCommand): string | null {
  try {
    return instanceOf(parsed);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const isEscaped = /\\x[0-9a-f]{2}/.test(parsed.values['instance'] ?? '');
    const hint = isEscaped ? '; systemd-escape(1) made this one, which needs a plain name' : '';
    throw new ConfigurationError([{ where: '--instance', message: `${error.message}${hint}` }]);
  }
}

/**
 * Runs the gateway; the process ends with it.
 *
 * @param storeThread one that was started before its time
 */
export async function run(parsed: ParsedCommand, storeThread: StoreThread): Promise<never> {
  nameGivenGateway(parsed);
  const instance = instanceToRun(parsed);
  useStoreThread(storeThread);
  const environment = { ...process.env };
  // Read when the first of the threads is needed. It is no matter of the agent's, who has the environment as it was.
  process.env['UV_THREADPOOL_SIZE'] ??= threads;
  const { runGateway } = await import('../gateway/run.js');
  return runGateway({
    configurationFile: parsed.values['config'] ?? null,
    instance,
    takeover: parsed.flags.has('takeover'),
    environment,
    colour: wantsColour(parsed.flags, environment, isatty(standardError)),
  });
}
