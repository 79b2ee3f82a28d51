import { slackKeys } from '../../config/slack-keys.js';
import type { ChannelAnswer } from './answers.js';
import { InterruptedError } from './asker.js';
import type { ChannelQuestions, OfferedChannel } from './channel-questions.js';

const name = 'slack';

export const slackChannel: OfferedChannel = {
  choice: name,
  meaning: 'an app of Slack, in private, in channels and in threads',
  ask: askSlack,
};

async function askSlack(questions: ChannelQuestions): Promise<ChannelAnswer | null> {
  const { asker, environment } = questions;
  const { root, values } = questions.apiRoot(slackKeys().api_root);
  const bot = await questions.token(name, {
    question: 'The token of the bot, which "Install App" at api.slack.com/apps gives (xoxb-…):',
    maker: 'it names the file with the token of the bot, which "Install App" gives',
  });
  const app = await questions.token(name, {
    option: 'app-token-file',
    kind: 'app-token',
    question: 'The token of the app with the scope connections:write, of "App-Level Tokens" (xapp-…):',
    maker: 'it names the file with the token of the app, for Socket Mode',
  });
  asker.say('Asking Slack who the bot is…');
  const { trySlack } = await import('../../channels/slack/try-slack.js');
  const tokens = { bot: bot.text, app: app.text };
  const trial = await trySlack(root, tokens, environment, asker.interrupted);
  if (asker.interrupted.aborted) throw new InterruptedError();
  if (trial.kind === 'ok') asker.say(`✓ It is @${trial.user} of ${trial.team}`);
  else if (!(await questions.takesToken(trial.token === 'bot' ? bot : app, trial.reason))) return null;
  if (trial.kind === 'ok' && trial.missing !== null) {
    asker.say(
      `! The app lacks scopes: ${trial.missing}. Add them at api.slack.com/apps ("OAuth & Permissions"), and install the app again.`,
    );
  }
  for (const token of [bot, app]) if (token.isTyped) questions.secrets.push(token);
  const owners = await questions.ids(
    'owners',
    'Your id in Slack, if you know it (empty: the bot gives you a code):',
    /^[UW][A-Z0-9]{1,20}$/,
    'an id in Slack is such as U012ABCDEF, which "Copy member ID" of your profile gives. Without one the bot gives a code to who writes to it',
  );
  return {
    name,
    values: {
      type: name,
      token_file: bot.path,
      app_token_file: app.path,
      ...(owners.length > 0 && { owners }),
      ...values,
    },
    takesWebhooks: false,
    secretFiles: [bot.path, app.path],
    next: questions.thenWrite(`to @${trial.kind === 'ok' ? trial.user : name} in Slack`, owners),
  };
}
