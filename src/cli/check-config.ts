import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { trialOf, tryAgent } from '../agents/try-agent.js';
import { channelPath } from '../channels/channel-program.js';
import { hookPath } from '../channels/hooks.js';
import { type ChannelConfiguration, peopleChannels } from '../config/channel-table.js';
import { ConfigurationError } from '../config/load.js';
import type { AgentConfigurations, Configuration } from '../config/schema.js';
import { writtenConfiguration } from '../config/written.js';
import { programIn, programOf } from '../doctor/facts/agents.js';
import { managerPath } from '../doctor/facts/unit.js';
import { readTexts } from '../gateway/people/open-reception.js';
import { errorMessage } from '../text/failure-text.js';
import { type Hiding, hiddenFrom } from '../units/paths.js';
import type { Runner } from '../units/runner.js';
import { channelSecretProblems } from './client/channel-secrets.js';
import { closedConfiguration } from './client/closed-configuration.js';
import { configurationAt, type GatewayLocation, instanceOf, locateGateway } from './client/locate.js';
import { memoryMaxProblems } from './client/memory-max.js';
import { storePlaceProblem } from './client/store-place.js';
import { unitRunner } from './client/unit-runner.js';
import { commandStatus } from './command.js';
import { printable, versionedLine } from './terminal.js';
import type { ParsedCommand } from './usage.js';

/** True if this user may execute the file (access(2)). */
function canExecute(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Says which agents can't be reached as it is: a configuration may be right before its agents are there. */
async function agentWarnings(
  location: GatewayLocation,
  agents: AgentConfigurations,
): Promise<readonly string[]> {
  const { directories, environment, unit, unitUser, hiding } = location;
  const path = environment['PATH'] ?? managerPath;
  // A trial is by the gateway's user: another one's rights are none of its.
  const mayTry = unit === null || unitUser === process.getuid?.();
  const warnings: string[] = [];
  for (const [name, agent] of Object.entries(agents)) {
    const program = programOf(agent);
    const file = program === null ? null : programIn(program, path);
    if (program !== null && file === null) {
      warnings.push(`agents.${name}: the program ${program} is not there, or not in the PATH ${path}`);
    } else if (file !== null && hiddenFrom(hiding, file) !== null) {
      warnings.push(
        `agents.${name}: the unit’s ${hiddenFrom(hiding, file)} hides ${file} from the gateway; put the program below /opt or /usr/local, and name it there`,
      );
    } else if (mayTry && file !== null && !canExecute(file)) {
      warnings.push(
        `agents.${name}: this user, who runs the gateway, can’t execute ${file}: check its mode, and those of the directories above it`,
      );
    } else if (mayTry && trialOf(agent) === 'request') {
      const directory = join(directories.state, 'agents');
      const tried = await tryAgent(agent, { directory, environment });
      if (tried?.verdict !== 'problem' && tried?.verdict !== 'warning') continue;
      const { text, mend } = tried;
      warnings.push(`agents.${name}: ${text}${mend === null ? '' : `; ${mend}`}`);
    }
  }
  return warnings;
}

/** Says which files of texts for people can't be used. This user may not be the gateway's. */
async function textWarnings(
  channels: Readonly<Record<string, ChannelConfiguration>>,
): Promise<readonly string[]> {
  const warnings: string[] = [];
  for (const [name, { texts }] of peopleChannels(channels)) {
    await readTexts(texts).catch((error: unknown) =>
      warnings.push(`channels.${name}: ${errorMessage(error)}`),
    );
  }
  return warnings;
}

/** False if a channel that people write to takes nobody's messages, and lets nobody in. */
function mayAnybodyWrite(table: ChannelConfiguration): boolean {
  if (!('allow' in table)) return true;
  return table.allow.length + table.owners.length > 0 || ('pairing' in table && table.pairing);
}

/** Says which programs and secrets of channels the gateway can't use, and who may not write by which. */
function channelWarnings(
  channels: Readonly<Record<string, ChannelConfiguration>>,
  runner: Runner,
  hiding: Hiding,
): readonly string[] {
  return Object.entries(channels).flatMap(([name, table]) => {
    const noSecret = channelSecretProblems(name, table, runner, hiding);
    const who = table.type === 'email' ? 'the addresses of persons' : 'the ids of persons';
    const nobody = mayAnybodyWrite(table)
      ? []
      : [`channels.${name}: nobody may write to it: add ${who} to channels.${name}.allow`];
    if (table.type !== 'command') return [...noSecret, ...nobody];
    const [program = ''] = table.command;
    const file = programIn(program, channelPath);
    const away = `channels.${name}: the program ${program} is not there, or not in the PATH ${channelPath}`;
    const denied = `channels.${name}: this user can’t execute ${file}: check its mode, and those of the directories above it`;
    return [...noSecret, ...(file === null ? [away] : canExecute(file) ? [] : [denied]), ...nobody];
  });
}

/** The addresses to give to platforms; null: the gateway does not know its own. */
function hookAddresses({
  http,
  channels,
}: Configuration): readonly { channel: string; url: string | null }[] {
  const { public_url: publicUrl } = http;
  return Object.entries(channels)
    .filter(([, table]) => table.type === 'webhook' || (table.type === 'slack' && table.mode === 'events'))
    .map(([channel]) => ({ channel, url: publicUrl === null ? null : `${publicUrl}${hookPath(channel)}` }));
}

/** Prints what is in force, or every problem. */
export async function run(parsed: ParsedCommand): Promise<number> {
  const asJson = parsed.flags.has('json');
  try {
    const location = await locateGateway(parsed);
    const { configuration, warnings, file } = configurationAt(location);
    const runner = await unitRunner(location);
    const problems = [
      ...closedConfiguration(location, runner),
      ...(await memoryMaxProblems(location, configuration.agents)),
    ];
    if (problems.length > 0) throw new ConfigurationError(problems);
    const hooks = hookAddresses(configuration);
    const storeProblem = await storePlaceProblem(location, configuration, instanceOf(parsed));
    const found = [
      ...warnings,
      ...(storeProblem === null ? [] : [storeProblem]),
      ...hooks.flatMap(({ channel, url }) =>
        url === null
          ? [
              `channels.${channel}: the platform sends its requests to ${hookPath(channel)} below the URL of the gateway, which http.public_url does not name`,
            ]
          : [],
      ),
      ...(await agentWarnings(location, configuration.agents)),
      ...channelWarnings(configuration.channels, runner, location.hiding),
      ...(await textWarnings(configuration.channels)),
    ];
    for (const warning of found) process.stderr.write(`sd-gateway: ${printable(warning)}\n`);
    if (asJson) {
      process.stdout.write(
        versionedLine({ valid: true, file, unit: location.unit, configuration, hooks, warnings: found }),
      );
      return commandStatus.success;
    }
    const source = file ?? 'no file: defaults and environment';
    const reader = location.unit === null ? '' : `, as ${location.unit} reads it`;
    const addresses = hooks.map(({ channel, url }) =>
      url === null ? '' : `# The platform of channels.${channel} sends its requests to ${url}\n`,
    );
    process.stdout.write(
      `# ${printable(source)}${reader}\n${addresses.join('')}${writtenConfiguration(configuration)}`,
    );
    return commandStatus.success;
  } catch (error) {
    if (!asJson || !(error instanceof ConfigurationError)) throw error;
    process.stdout.write(versionedLine({ valid: false, problems: error.problems }));
    return commandStatus.configuration;
  }
}
