import { userForm } from '../../channels/matrix/address.js';
import { matrixKeys } from '../../config/matrix-keys.js';
import type { ChannelAnswer } from './answers.js';
import { InterruptedError } from './asker.js';
import type { ChannelQuestions, OfferedChannel } from './channel-questions.js';

const name = 'matrix';

export const matrixChannel: OfferedChannel = {
  choice: name,
  meaning: 'an account of Matrix, in rooms without encryption',
  ask: askMatrix,
};

async function askMatrix(questions: ChannelQuestions): Promise<ChannelAnswer | null> {
  const { asker, environment } = questions;
  const homeserver = await questions.checked(
    { option: 'homeserver', text: 'The homeserver of the account, such as https://matrix.example.org:' },
    matrixKeys().homeserver,
  );
  const token = await questions.token(name, {
    question: 'The access token of the account, which a login gives (docs/channels/matrix.md, step 2):',
    maker: 'it names the file with the access token of the account, which a login gives',
  });
  asker.say('Asking the homeserver whose token it is…');
  const { tryMatrix } = await import('../../channels/matrix/try-matrix.js');
  const trial = await tryMatrix(homeserver, token.text, environment, asker.interrupted);
  if (asker.interrupted.aborted) throw new InterruptedError();
  const account = trial.kind === 'ok' ? trial.userId : 'the account';
  if (trial.kind === 'ok') asker.say(`✓ It is ${account}`);
  // The homeserver may be named anew, whoever has given the token.
  else if (
    !(await questions.takesToken(trial.about === 'token' ? token : { ...token, isTyped: true }, trial.reason))
  )
    return null;
  if (token.isTyped) questions.secrets.push(token);
  const owners = await questions.ids(
    'owners',
    'Your id in Matrix, if you know it (empty: the account gives you a code):',
    userForm,
    'an id in Matrix is such as @ada:example.org. Without one the account gives a code to who writes to it',
  );
  return {
    name,
    values: { type: name, homeserver, token_file: token.path, ...(owners.length > 0 && { owners }) },
    takesWebhooks: false,
    secretFiles: [token.path],
    next: questions.thenWrite(`to ${account}, in a room without encryption that you invite it to`, owners),
  };
}
