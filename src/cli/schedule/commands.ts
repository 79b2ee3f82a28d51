import {
  type CommandDescription,
  commandStatus,
  jsonOption,
  noPermissionStatus,
  noUnitStatus,
  unitOptions,
  usageStatus,
} from '../command.js';

/** The command about messages that a timer of systemd posts. */
export const scheduleCommands: readonly CommandDescription[] = [
  {
    name: 'schedule',
    operands: '[ACTION [NAME [TEXT]]]',
    operandCount: { least: 0, most: 3 },
    summary: 'Have a timer of systemd post a message: add, list or remove one.',
    description: [
      'ACTION is "list" (the default), "add NAME TEXT" or "remove NAME". "post NAME" is what the unit of a schedule runs.',
      '"add" writes a timer and a service beside the unit of the gateway, and enables them. TEXT "-" is read from standard input. systemd checks the expression of --on-calendar first, and the next five times are printed. Times are those of the machine’s time zone, unless the expression names one.',
      'Each elapse is one message, also if the gateway is down or the machine restarts in between. Of those that pass while the machine is off, one is made up for.',
    ],
    options: [
      {
        name: 'on-calendar',
        value: 'TIME',
        summary: 'When it is posted, such as "Mon..Fri 08:00" or "hourly" (systemd.time(7)), for "add".',
      },
      { name: 'session', short: 's', value: 'NAME', summary: 'The session of the messages, for "add".' },
      {
        name: 'reply-to',
        value: 'TARGET',
        summary: 'Where replies go: CHANNEL:ADDRESS, such as "irc:#dev", or a URL; for "add".',
      },
      ...unitOptions,
      jsonOption,
    ],
    exitStatuses: [
      [commandStatus.success, 'It is done.'],
      [commandStatus.failure, 'It could not be done; the reason is printed.'],
      noUnitStatus,
      usageStatus,
      [commandStatus.unavailable, 'systemd can’t be reached.'],
      [commandStatus.restart, '"post": no gateway has taken it yet; systemd runs it again.'],
      noPermissionStatus,
      [commandStatus.configuration, '"post": the gateway refuses the message.'],
    ],
    examples: [
      'sd-gateway schedule add news -s news --on-calendar "Mon..Fri 08:00" "What is new?"',
      'sd-gateway schedule list',
      'sd-gateway schedule remove news',
    ],
  },
];
