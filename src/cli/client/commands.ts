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
      'The address and the token are those of the gateway with the same configuration and state directory; the environment variables SD_GATEWAY_URL and SD_GATEWAY_TOKEN, or --url, say otherwise. TEXT "-" is read from standard input.',
      'At an address that nobody has named, the token and the text go only to a process of the user who owns the state directory, of this user or of root: anybody may listen there while the gateway is down.',
    ],
    options: [
      { name: 'session', short: 's', value: 'NAME', summary: 'The session; "cli" by default.' },
      {
        name: 'wait',
        value: 'TIME',
        summary: 'How long to wait for the reply, such as "30s" or "5min"; 5 min by default.',
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
      'It is not run, or its turn is ended; there is no reply. What has a reply, or is dead, is left alone.',
      'The gateway is found as "send" finds it.',
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
      'Dead is what could not be run, or whose reply could not be delivered. With "retry" its turn is run again, as the next of its session, or its reply is sent again under the same key; with "discard" it ends as cancelled. So does, with "discard", a message whose reply waits to be delivered: the reply is given up, and those behind it in its session go out.',
      'The gateway is found as "send" finds it.',
    ],
    options: [
      { name: 'all', summary: 'With "retry" and "discard": all that are dead now.' },
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
      'A line each: when its last message came, if a turn runs, how many messages wait, how many there are.',
      'The gateway is found as "send" finds it.',
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
      'A line each: id, time, state and text. A terminal shows what fits in its width; a pipe or a file gets all.',
      'The gateway is found as "send" finds it.',
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
    description: ['The gateway is found as "send" finds it.'],
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
      'ACTION is "show". The token is read from where the gateway has it: a credential of its unit, or its state directory. The gateway need not run.',
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
