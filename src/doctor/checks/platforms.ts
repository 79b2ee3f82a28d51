import { type DoctorFacts, gatewayCommand, type PlatformAccess } from '../facts.js';
import { type Finding, findings, mend } from '../finding.js';

/** Checks that the bots of the configuration may do what the gateway asks of them. */
export function checkPlatforms(facts: DoctorFacts): readonly Finding[] {
  const say = findings('network', 'scopes and intents');
  const { platforms } = facts;
  if (platforms.length === 0) {
    return [say('not-applicable', 'The configuration has no channel of Slack or Discord')];
  }
  const found = platforms.flatMap((platform) => checkPlatform(facts, platform) ?? []);
  if (found.length > 0) return found;
  return [say('ok', `Nothing is missing: ${platforms.map(({ name }) => name).join(', ')}`)];
}

/** Gives null if nothing is missing. */
function checkPlatform(facts: DoctorFacts, { name, ...access }: PlatformAccess): Finding | null {
  const say = findings('network', 'scopes and intents');
  if ('untold' in access) {
    return say('unknown', `What the bot of the channel "${name}" may do can't be asked: ${access.untold}`);
  }
  const { lacks } = access;
  if (lacks === null) return null;
  if (lacks.kind === 'scopes') {
    return say(
      'warning',
      `The app of the channel "${name}" lacks scopes: ${lacks.scopes}.`,
      mend('Add them at api.slack.com/apps ("OAuth & Permissions"), and install the app again'),
    );
  }
  return say(
    'problem',
    `The bot of the channel "${name}" may not read messages that do not mention it, and the configuration wants them.`,
    mend(
      `Switch "Message Content Intent" on at its page at discord.com/developers/applications, or set channels.${name}.message_content = false and groups to something else than "all". Then:`,
      gatewayCommand(facts, 'reload'),
    ),
  );
}
