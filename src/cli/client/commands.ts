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

const listOptions: CommandDescription['options'] = [
  urlOption,
  configurationOption,
  ...unitOptions,
  { name: 'json', summary: 'Print each item as one line of JSON.' },
];

const listStatuses: CommandDescription['exitStatuses'] = [
  [commandStatus.success, 'It was shown.'],
  [commandStatus.failure, 'The gateway refused; the reason is printed.'],
  usageStatus,
  unavailableStatus,
  [commandStatus.noPermission, 'The token is not accepted.'],
  configurationStatus,
];

/** The commands that ask a running gateway over HTTP. */
export const clientCommands: readonly CommandDescription[] = [
  {
    name: 'send',
    operands: 'TEXT',
    operandCount: { least: 1, most: 1 },
    summary: 'Send a message, wait for the reply and print it.',
    description: [
      'The address and the token are those of the gateway with the same configuration and state directory. The environment variables SD_GATEWAY_URL and SD_GATEWAY_TOKEN, or --url, override them. TEXT "-" is read from standard input.',
      'If nobody has named the address, only some processes get the token and the text: those of the owner of the state directory, of this user or of root. Anybody may listen there while the gateway is down.',
    ],
    options: [
      { name: 'session', short: 's', value: 'NAME', summary: 'The session; "cli" by default.' },
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
        'No reply within the time, Ctrl-C, or the gateway went away. The message is accepted, and its id is printed.',
      ],
      [commandStatus.noPermission, 'The token is not accepted.'],
      configurationStatus,
    ],
    examples: ['sd-gateway send "hello"', 'git diff | sd-gateway send --session review -'],
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
    exitStatuses: [
      [commandStatus.success, 'It is cancelled.'],
      [commandStatus.failure, 'It could not be cancelled; the reason is printed.'],
      usageStatus,
      unavailableStatus,
      [commandStatus.noPermission, 'The token is not accepted.'],
      configurationStatus,
    ],
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
    exitStatuses: [
      [commandStatus.success, 'It is done.'],
      [commandStatus.failure, 'It could not be done for one of them; the reason is printed.'],
      usageStatus,
      unavailableStatus,
      [commandStatus.noPermission, 'The token is not accepted.'],
      configurationStatus,
    ],
    examples: ['sd-gateway dead', 'sd-gateway dead retry --all'],
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
    name: 'token',
    operands: 'ACTION',
    operandCount: { least: 1, most: 1 },
    summary: 'Print the token that a client of the gateway needs.',
    description: [
      'ACTION is "show". The token is read from the gateway’s own place: a credential of its unit, or its state directory. The gateway need not run.',
    ],
    options: [configurationOption, ...unitOptions, jsonOption],
    exitStatuses: [
      [commandStatus.success, 'It was printed.'],
      usageStatus,
      [commandStatus.unavailable, 'There is none yet, or this user may not read it.'],
    ],
    examples: ['TOKEN=$(sd-gateway token show)'],
  },
];
