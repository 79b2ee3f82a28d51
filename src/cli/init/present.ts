import { existsSync } from 'node:fs';
import { ConfigurationError } from '../../config/configuration-error.js';
import { loadConfiguration } from '../../config/load.js';
import { type Configuration, configurationSchema } from '../../config/schema.js';
import { writtenAddress } from '../../config/values.js';
import { instanceOf } from '../client/locate.js';
import type { ParsedCommand } from '../usage.js';

/** The address that is configured already or, for a new gateway, the first port that nobody has; null: the default. */
export async function listenFor(parsed: ParsedCommand, path: string): Promise<string | null> {
  const usual = configurationSchema.parse({}).http.listen;
  const present = configurationAtPath(path);
  if (present !== null && !(present instanceof ConfigurationError)) {
    const { listen } = present.http;
    return writtenAddress(listen) === writtenAddress(usual) ? null : writtenAddress(listen);
  }
  if (usual.kind !== 'tcp') return null;
  const { portForNew } = await import('../install/facts.js');
  const port = await portForNew(instanceOf(parsed), path, usual.port);
  return port === usual.port ? null : writtenAddress({ ...usual, port });
}

/** Says in one line what the configuration has that is there. */
export function presentLine(path: string): string {
  const present = configurationAtPath(path);
  if (present instanceof ConfigurationError) {
    return `There is a configuration in ${path}, which can't be used: ${present.problems[0]?.message ?? 'it is damaged'}.`;
  }
  return `There is a configuration in ${path}: ${present === null ? 'nothing' : summaryOf(present)}.`;
}

/** Null: there is none. */
function configurationAtPath(path: string): Configuration | ConfigurationError | null {
  if (!existsSync(path)) return null;
  try {
    return loadConfiguration({ file: path, required: true, environment: {} }).configuration;
  } catch (error) {
    if (error instanceof ConfigurationError) return error;
    throw error;
  }
}

function summaryOf({ agents, channels }: Configuration): string {
  const named = (what: string, tables: Readonly<Record<string, { readonly type: string }>>) => {
    const each = Object.entries(tables).map(([name, { type }]) => `${name} (${type})`);
    return `${what} ${each.length === 0 ? 'none' : each.join(', ')}`;
  };
  return `${named('agents', agents)}; ${named('channels', channels)}`;
}
