import {
  type CommandDescription,
  commandStatus,
  configurationOption,
  configurationStatus,
  jsonOption,
  unavailableStatus,
  unitOptions,
  urlOption,
  usageStatus,
} from '../command.js';

/** The exit statuses of a command that asks a gateway, by the words for 0 and 1. */
function statusesOf(success: string, failure: string): CommandDescription['exitStatuses'] {
  return [
    [commandStatus.success, success],
    [commandStatus.failure, failure],
    usageStatus,
    unavailableStatus,
    [commandStatus.noPermission, 'The token is not accepted.'],
    configurationStatus,
  ];
}

const listOptions: CommandDescription['options'] = [
  urlOption,
  configurationOption,
  ...unitOptions,
  { name: 'json', summary: 'Print each item as one line of JSON.' },
];

const listStatuses = statusesOf('It was shown.', 'The gateway refused; the reason is printed.');

const answerOptions: CommandDescription['options'] = [
  urlOption,
  configurationOption,
  ...unitOptions,
  jsonOption,
];

const answerStatuses = statusesOf('The answer was taken.', 'It was not taken; the reason is printed.');

/** The commands that ask a running gateway over HTTP. */
export const clientCommands: readonly CommandDescription[] = [
  {
    name: 'send',
    operands: '[TEXT]',
    operandCount: { least: 0, most: 1 },
    summary: 'Send a message, wait for the reply and print it.',
    description: [
      'The address and the token are those of the gateway with the same configuration and state directory. The environment variables SD_GATEWAY_URL and SD_GATEWAY_TOKEN, or --url, override them. TEXT "-" is read from standard input. Beside --file it may be left out.',
      'If nobody has named the address, only some processes get the token and the text: those of the owner of the state directory, of this user or of root. Anybody may listen there while the gateway is down.',
    ],
    options: [
      { name: 'session', short: 's', value: 'NAME', summary: 'The session; "cli" by default.' },
      {
        name: 'file',
        short: 'f',
        value: 'FILE',
        isRepeatable: true,
        summary: 'A file to send along. May be given more than once.',
      },
      {
        name: 'to',
        value: 'CHANNEL:ADDRESS',
        summary: 'A chat of a channel that gets the reply as well, such as "irc:#dev".',
      },
      {
        name: 'wait',
        value: 'TIME',
        summary: 'Longest wait for the reply, such as "30s" or "5min"; 5 min by default.',
      },
      urlOption,
      configurationOption,
      ...unitOptions,
      jsonOption,
    ],
    exitStatuses: [
      [commandStatus.success, 'The reply was printed.'],
      [commandStatus.failure, 'The message was refused, or is dead; the reason is printed.'],
      usageStatus,
      unavailableStatus,
      [
        commandStatus.restart,
        'No reply within the time, Ctrl-C, the gateway went away, or the token may not read. The message is accepted, and its id is printed. Without an id it may be accepted.',
      ],
      [commandStatus.noPermission, 'The token is not accepted.'],
      configurationStatus,
    ],
    examples: [
      'sd-gateway send "hello"',
      'git diff | sd-gateway send --session review -',
      'sd-gateway send --file photo.png "What is this?"',
      'sd-gateway send --to "irc:#dev" "Sum up the alerts of the night"',
    ],
  },
  {
    name: 'chat',
    operands: '',
    operandCount: { least: 0, most: 0 },
    summary: 'Talk with the agent of a session in the terminal.',
    description: [
      'Prints the last turns of the session, then sends each line and prints the reply as it is written. Ctrl-C cancels the turn that runs; at the prompt it ends the chat, and so does Ctrl-D.',
      'If the agent asks for permission, the question is shown with its code; /approve CODE and /deny CODE answer it, also while the turn runs. Lines from a pipe are messages and never answers: questions go to standard error then.',
      'Lines that begin with "/" are for the chat: /reset begins the session anew, /agent NAME chooses its agent, /file PATH sends a file with the next message, /help lists them. "//" sends a line that begins with "/".',
      'If standard input is no terminal, each line of it is a message, and only the replies are printed.',
      'Finds the gateway as "send" does.',
    ],
    options: [
      { name: 'session', short: 's', value: 'NAME', summary: 'The session; "cli" by default.' },
      urlOption,
      configurationOption,
      ...unitOptions,
    ],
    exitStatuses: statusesOf(
      'The chat was ended.',
      'A message was refused or is dead, if standard input is no terminal.',
    ),
    examples: ['sd-gateway chat --session work', 'printf "hello\\nand again\\n" | sd-gateway chat'],
  },
  {
    name: 'cancel',
    operands: '[ID]',
    operandCount: { least: 0, most: 1 },
    summary: 'Cancel a message, or all of a session that waits or runs.',
    description: [
      'The message is not run, or its turn is ended; there is no reply. A message that has a reply, or is dead, is left alone.',
      'Finds the gateway as "send" does.',
    ],
    options: [
      { name: 'session', short: 's', value: 'NAME', summary: 'All messages of this session.' },
      urlOption,
      configurationOption,
      ...unitOptions,
      jsonOption,
    ],
    exitStatuses: statusesOf('It is cancelled.', 'It could not be cancelled; the reason is printed.'),
    examples: [
      'sd-gateway cancel 0193a1b2-c3d4-7e8f-9a0b-1c2d3e4f5a6b',
      'sd-gateway cancel --session chat-42',
    ],
  },
  {
    name: 'dead',
    operands: '[ACTION [ID...]]',
    operandCount: { least: 0, most: Number.POSITIVE_INFINITY },
    summary: 'List messages that are dead, try them again, or discard them.',
    description: [
      'ACTION is "list" (the default), "show ID", "retry ID..." or "discard ID...".',
      'A message is dead if it could not be run, or its reply could not be delivered. "retry" runs its turn again, as the next of its session, or sends its reply again under the same key. "discard" ends it as cancelled. "discard" also takes a message whose reply waits to be delivered. The gateway gives up that reply, and those behind it in its session go out.',
      'Finds the gateway as "send" does.',
    ],
    options: [
      { name: 'all', summary: 'Take all that are dead now, with "retry" and "discard".' },
      urlOption,
      configurationOption,
      ...unitOptions,
      { name: 'json', summary: 'Print each message as one line of JSON.' },
    ],
    exitStatuses: statusesOf('It is done.', 'It could not be done for one of them; the reason is printed.'),
    examples: ['sd-gateway dead', 'sd-gateway dead retry --all'],
  },
  {
    name: 'approve',
    operands: 'CODE',
    operandCount: { least: 1, most: 1 },
    summary: 'Allow what an agent has asked for.',
    description: [
      'The journal and GET /v1/questions show what an agent wants to do, with the code. A code takes one answer.',
      'Finds the gateway as "send" does.',
    ],
    options: answerOptions,
    exitStatuses: answerStatuses,
    examples: ['sd-gateway approve 7K2M9QXD'],
  },
  {
    name: 'deny',
    operands: 'CODE',
    operandCount: { least: 1, most: 1 },
    summary: 'Refuse what an agent has asked for.',
    description: ['As "approve", with the answer no.', 'Finds the gateway as "send" does.'],
    options: answerOptions,
    exitStatuses: answerStatuses,
    examples: ['sd-gateway deny 7K2M9QXD'],
  },
  {
    name: 'sessions',
    operands: '',
    operandCount: { least: 0, most: 0 },
    summary: 'List the sessions.',
    description: [
      'Prints a line for each: the time of its last message, if a turn runs, the numbers of messages that wait and in all.',
      'Finds the gateway as "send" does.',
    ],
    options: listOptions,
    exitStatuses: listStatuses,
    examples: ['sd-gateway sessions'],
  },
  {
    name: 'messages',
    operands: 'SESSION',
    operandCount: { least: 1, most: 1 },
    summary: 'List the messages of a session, oldest first.',
    description: [
      'Prints a line for each: id, time, state and text. A terminal shows what fits in its width; a pipe or a file gets all.',
      'Finds the gateway as "send" does.',
    ],
    options: listOptions,
    exitStatuses: listStatuses,
    examples: ['sd-gateway messages cli'],
  },
  {
    name: 'session',
    operands: 'ACTION SESSION',
    operandCount: { least: 2, most: 2 },
    summary: 'Choose the agent of a session, begin it anew, or delete it.',
    description: [
      'ACTION is "show", "set", "reset" or "delete".',
      '"set --agent NAME" chooses the agent for the turns to come. "reset" begins a new generation: agents remember nothing of what was said before, and nothing is deleted. "delete" cancels what waits and runs, and deletes the session with all its messages, replies and files, and the directory in which its agent ran.',
      'Finds the gateway as "send" does.',
    ],
    options: [
      { name: 'agent', value: 'NAME', summary: 'The agent, for "set".' },
      { name: 'yes', summary: 'Delete without asking.' },
      urlOption,
      configurationOption,
      ...unitOptions,
      jsonOption,
    ],
    exitStatuses: statusesOf('It is done.', 'It could not be done; the reason is printed.'),
    examples: ['sd-gateway session set chat-42 --agent fast', 'sd-gateway session reset chat-42'],
  },
  {
    name: 'route',
    operands: 'SESSION',
    operandCount: { least: 1, most: 1 },
    summary: 'Say which agent a session has or would get, and why.',
    description: [
      'A session that is there keeps the agent that its first message chose. For a new one the [[route]] tables of the gateway’s configuration are tried in their order.',
      'Finds the gateway as "send" does.',
    ],
    options: [
      { name: 'channel', value: 'NAME', summary: 'The channel of the first message; "http" by default.' },
      { name: 'sender', value: 'NAME', summary: 'Its sender; none by default.' },
      urlOption,
      configurationOption,
      ...unitOptions,
      jsonOption,
    ],
    exitStatuses: listStatuses,
    examples: ['sd-gateway route chat-42', 'sd-gateway route new --sender ada'],
  },
  {
    name: 'show',
    operands: 'ID',
    operandCount: { least: 1, most: 1 },
    summary: 'Show a message, its reply and its delivery.',
    description: ['Finds the gateway as "send" does.'],
    options: listOptions,
    exitStatuses: listStatuses,
    examples: ['sd-gateway show 0193a1b2-c3d4-7e8f-9a0b-1c2d3e4f5a6b'],
  },
  {
    name: 'attachment',
    operands: 'ID [NUMBER]',
    operandCount: { least: 1, most: 2 },
    summary: 'Save a file of a message, or of its reply.',
    description: [
      'ID is the message. "show" lists its files with their numbers; without a NUMBER it is the first one. The file gets the name that its sender gave it, in the current directory. A file that is there stays as it is. The content is checked against the SHA-256 that the gateway has.',
      'Finds the gateway as "send" does.',
    ],
    options: [
      { name: 'reply', summary: 'A file of the reply.' },
      {
        name: 'output',
        short: 'o',
        value: 'FILE',
        summary: 'Save it as FILE. "-" is standard output, if that is no terminal.',
      },
      urlOption,
      configurationOption,
      ...unitOptions,
    ],
    exitStatuses: statusesOf('It was saved.', 'There is no such file, or it could not be saved.'),
    examples: [
      'sd-gateway attachment 0193a1b2-c3d4-7e8f-9a0b-1c2d3e4f5a6b',
      'sd-gateway attachment --reply -o plot.png 0193a1b2-c3d4-7e8f-9a0b-1c2d3e4f5a6b 2',
    ],
  },
  {
    name: 'people',
    operands: '[ACTION [CODE|ID]]',
    operandCount: { least: 0, most: 2 },
    summary: 'List who may write by channels, let somebody in, or forget a person.',
    description: [
      'ACTION is "list" (the default), "accept CODE" or "forget ID".',
      'A stranger who writes in private to a channel with pairing gets a code, and tells it to you. "accept" lets this person in. "list" shows who may write, and who waits with a code.',
      '"forget" takes the right, and deletes the sessions in which nobody else has written, with all messages, replies and files. Sessions with messages of others stay, and are named. A person whom the configuration names may write until it does no more.',
      'Finds the gateway as "send" does.',
    ],
    options: [
      { name: 'owner', summary: 'Let the person in as an owner, who also decides what agents are allowed.' },
      { name: 'channel', value: 'NAME', summary: 'The channel of the person, for "forget".' },
      { name: 'yes', summary: 'Forget without asking.' },
      urlOption,
      configurationOption,
      ...unitOptions,
      jsonOption,
    ],
    exitStatuses: statusesOf('It is done.', 'It could not be done; the reason is printed.'),
    examples: ['sd-gateway people accept 7K2M-9QXD', 'sd-gateway people forget 40412 --channel telegram'],
  },
  {
    name: 'token',
    operands: 'ACTION [NAME]',
    operandCount: { least: 1, most: 2 },
    summary: 'Show, make, list or revoke tokens for clients of the gateway.',
    description: [
      'ACTION is "show", "add NAME", "list" or "revoke NAME".',
      '"show" prints the operator’s token, which may do all. It is read from the gateway’s own place: a credential of its unit, or its state directory. The gateway need not run.',
      '"add" makes a token with the scopes of --scope, and prints it once. The gateway keeps its hash only. "revoke" takes effect at once.',
      'Finds the gateway as "send" does.',
    ],
    options: [
      {
        name: 'scope',
        value: 'SCOPES',
        summary:
          'Scopes of the new token, separated by commas: post, read, operate, approve, metrics, openai.',
      },
      urlOption,
      configurationOption,
      ...unitOptions,
      jsonOption,
    ],
    exitStatuses: [
      [commandStatus.success, 'It is done.'],
      [commandStatus.failure, 'The gateway refused it; the reason is printed.'],
      usageStatus,
      [
        commandStatus.unavailable,
        'No gateway answers; or there is no token yet, or this user may not read it.',
      ],
      [commandStatus.noPermission, 'The token is not accepted.'],
      configurationStatus,
    ],
    examples: ['TOKEN=$(sd-gateway token show)', 'sd-gateway token add ci --scope post,read'],
  },
];
