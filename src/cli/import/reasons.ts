/** Reasons by what the name of a setting, in snake case, has in it. The first one counts. */
const reasons: readonly (readonly [name: RegExp, reason: string])[] = [
  [
    /allowed_(?:chats|channels|rooms|topics|guilds)|group_allow|guilds|groups|^(?:channels|rooms)$|free_response|ignored_/,
    'there is no list of groups here: the people who may write may do so in each group that the bot is in',
  ],
  [/home_/, 'there is no home chat here: "sd-gateway send --to CHANNEL:CHAT" names one'],
  [/proxy/, 'the gateway uses no proxy (docs/network.md)'],
  [/webhook/, 'the gateway asks for messages; the page of the channel has the other way (docs/channels)'],
  [
    /cron|heartbeat|schedule|automation|job/,
    'the other gateway ran it: a timer of systemd can "sd-gateway send"',
  ],
  [/voice|tts|stt|audio|transcri|talk/, 'there is no voice here'],
  [/encrypt|e2ee|crypto|recovery_key|cross_sign/, 'there is no end-to-end encryption here'],
  [/role/, 'people are known by their ids alone'],
  [/mention_patterns|mention_aliases/, 'a mention of the bot, or an answer to it, is the only sign here'],
  [/dm_scope|per_user|session/, 'each chat and each thread is a session here'],
  [/prompt|skill|model|personal|agent|tool|memory|bindings/, 'it is the agent’s'],
  [/refresh_token/, 'the access token is not renewed here: log in for one that does not expire'],
  [/password/, 'the access token is all that is used'],
  [/user_token/, 'the bot’s own token is all that is used'],
];

/** Says why a setting was left, by its name in camel or snake case. */
export function reasonFor(name: string): string {
  const snake = name.replace(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
  return reasons.find(([form]) => form.test(snake))?.[1] ?? 'there is no such setting here';
}

export const encryptedRooms =
  'encrypted rooms can’t be read here: invite the account to rooms without encryption (docs/channels/matrix.md)';

export const passwordAlone =
  'it logs in with a password there, and an access token is needed here: docs/channels/matrix.md says how to get one';

export const noSuchChannel =
  'there is no such channel here; any program can be one (docs/channels/protocol.md)';
