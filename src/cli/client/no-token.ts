import { userInfo } from 'node:os';
import { join } from 'node:path';
import { askFacts } from '../../channels/control/ask-facts.js';
import { ownCommand } from '../../text/own-command.js';
import { commandFor } from '../operate/find.js';
import { shellWord } from '../terminal.js';
import type { ParsedCommand } from '../usage.js';
import { type GatewayLocation, instanceOf, systemUnitOf } from './locate.js';

/**
 * Says what to do without a token, in sentences.
 *
 * @param isDenied true: there is one, which this user may not read
 */
export async function noTokenAdvice(
  parsed: ParsedCommand,
  { scope, unit, directories }: GatewayLocation,
  isDenied: boolean,
): Promise<string> {
  const isRoot = process.getuid?.() === 0;
  if (!isDenied && (await askFacts(join(directories.runtime, 'control.sock'))).outcome === 'told') {
    const restart = commandFor('restart', { scope, instance: instanceOf(parsed) }, true);
    return `The gateway runs, and its token file is gone. Restart it, and it makes a new one: ${restart}.`;
  }
  // A person without a gateway of their own means the system's, where there is one.
  const systems = isRoot || unit !== null ? null : await systemUnitOf(instanceOf(parsed));
  if (!isRoot && scope === 'system') return `${asRoot(parsed, 'It is for root and the gateway’s user')}.`;
  if (systems !== null) {
    return `${asRoot(parsed, `If you mean the gateway of the system (${systems})`)}. For a gateway of your own: "${ownCommand('run')}", or "${ownCommand('install')}".`;
  }
  if (isDenied) return 'It is for its owner alone: run this as that user, or set SD_GATEWAY_TOKEN.';
  if (unit !== null) {
    const start = commandFor('start', { scope, instance: instanceOf(parsed) }, true);
    return `The first start of ${unit} makes it: "${start}". Or set SD_GATEWAY_TOKEN; a token that is a credential of the unit can be read by root in /run/credentials/${unit}/token.`;
  }
  return `Start a gateway as this user ("${ownCommand('run')}") or install one ("${ownCommand('install')}"), name its instance with --instance, or set SD_GATEWAY_TOKEN; a token that is a credential of the unit can be read by root in /run/credentials/UNIT/token.`;
}

/** @param condition the part of the sentence before the commands */
function asRoot(parsed: ParsedCommand, condition: string): string {
  const target = { scope: 'system', instance: instanceOf(parsed) } as const;
  const own = commandFor(`${parsed.command.name} …`, target, true);
  const make = commandFor(`token add ${shellWord(nameOfPerson())} --scope post,read`, target, true);
  // With --system in the command already there is nothing to add.
  const add = parsed.flags.has('system')
    ? ' and set SD_GATEWAY_TOKEN to it'
    : ', set SD_GATEWAY_TOKEN to it, and add --system';
  return `${condition}: "${own}". Or have root make a token for you ("${make}")${add}`;
}

function nameOfPerson(): string {
  try {
    return userInfo().username;
  } catch (error) {
    // A UID without an entry in passwd(5).
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return 'NAME';
  }
}
