import { discordKeys } from '../../config/discord-keys.js';
import type { ChannelAnswer } from './answers.js';
import { InterruptedError } from './asker.js';
import type { ChannelQuestions, OfferedChannel } from './channel-questions.js';

const name = 'discord';

export const discordChannel: OfferedChannel = {
  choice: name,
  meaning: 'a bot of Discord, in private and on servers',
  ask: askDiscord,
};

async function askDiscord(questions: ChannelQuestions): Promise<ChannelAnswer | null> {
  const { asker, environment } = questions;
  const { root, values } = questions.apiRoot(discordKeys().api_root);
  const token = await questions.token(name, {
    question: 'The token of the bot, which its page at discord.com/developers/applications gives:',
    maker: 'it names the file with the token, which the bot’s page gives',
  });
  asker.say('Asking Discord who the bot is…');
  const { tryDiscord } = await import('../../channels/discord/try-discord.js');
  const trial = await tryDiscord(root, token.text, environment, asker.interrupted);
  if (asker.interrupted.aborted) throw new InterruptedError();
  const bot = trial.kind === 'ok' ? trial.username : 'the bot';
  if (trial.kind === 'ok') asker.say(`✓ It is ${bot}`);
  else if (!(await questions.takesToken(token, trial.reason))) return null;
  if (trial.kind === 'ok' && trial.mayReadAll === false) {
    asker.say(
      '! On servers it hears what mentions it, or answers it. For more switch "Message Content Intent" on at its page, and set message_content = true.',
    );
  }
  if (token.isTyped) questions.secrets.push(token);
  const owners = await questions.ids(
    'owners',
    'Your id in Discord, if you know it (empty: the bot gives you a code):',
    /^\d{5,20}$/,
    'an id in Discord is a number, which "Copy User ID" gives once "Developer Mode" is on. Without one the bot gives a code to who writes to it',
  );
  return {
    name,
    values: { type: name, token_file: token.path, ...(owners.length > 0 && { owners }), ...values },
    takesWebhooks: false,
    secretFiles: [token.path],
    next: questions.thenWrite(`to ${bot} in Discord`, owners),
  };
}
