import { telegramKeys } from '../../config/telegram-keys.js';
import type { ChannelAnswer } from './answers.js';
import { InterruptedError } from './asker.js';
import type { ChannelQuestions, OfferedChannel } from './channel-questions.js';

const name = 'telegram';

export const telegramChannel: OfferedChannel = {
  choice: name,
  meaning: 'a bot of Telegram, to which people write',
  ask: askTelegram,
};

async function askTelegram(questions: ChannelQuestions): Promise<ChannelAnswer | null> {
  const { asker, environment } = questions;
  const { root, values } = questions.apiRoot(telegramKeys().api_root);
  const token = await questions.token(name, {
    question: 'The token of the bot, which @BotFather gives:',
    maker: 'it names the file with the token, which @BotFather gives',
  });
  asker.say('Asking Telegram who the bot is…');
  const { tryBot } = await import('../../channels/telegram/try-bot.js');
  const trial = await tryBot(root, token.text, environment, asker.interrupted);
  if (asker.interrupted.aborted) throw new InterruptedError();
  const bot = trial.kind === 'ok' ? `@${trial.username}` : 'the bot';
  if (trial.kind === 'ok') asker.say(`✓ It is ${bot}`);
  else if (!(await questions.takesToken(token, trial.reason))) return null;
  if (token.isTyped) questions.secrets.push(token);
  const owners = await questions.ids(
    'owners',
    'Your id in Telegram, if you know it (empty: the bot gives you a code):',
    /^\d+$/,
    'an id in Telegram is a number, such as 42. Without one the bot gives a code to who writes to it',
  );
  return {
    name,
    values: {
      type: name,
      token_file: token.path,
      ...(owners.length > 0 && { owners }),
      ...values,
    },
    takesWebhooks: false,
    secretFiles: [token.path],
    next: questions.thenWrite(`to ${bot} in Telegram`, owners),
  };
}
