import {
  type CommandDescription,
  commandStatus,
  configurationOption,
  unitOptions,
  usageStatus,
} from '../command.js';

/** The command that makes a first configuration. */
export const initCommands: readonly CommandDescription[] = [
  {
    name: 'init',
    operands: '',
    operandCount: { least: 0, most: 0 },
    summary: 'Ask a few questions, and write a configuration and its secrets.',
    description: [
      'Asks which agent answers and by which channel messages come, tries each answer, shows what it would write, and writes it when you say so. Then it offers to install and start the unit, or to have the one that is there run with the configuration. Until then Ctrl-C leaves nothing behind.',
      'Without a terminal, and with --yes, the options are the answers. A configuration that is there stays as it is: with --force it is kept under another name.',
    ],
    options: [
      { name: 'agent', value: 'TYPE', summary: '"echo", "command", "acp" or "openai".' },
      {
        name: 'command',
        value: 'WORDS',
        summary: 'The program of "command" and "acp" with its arguments, such as "hermes acp".',
      },
      {
        name: 'base-url',
        value: 'URL',
        summary: 'The server of "openai", such as http://127.0.0.1:11434/v1.',
      },
      { name: 'model', value: 'NAME', summary: 'The model of "openai".' },
      { name: 'key-file', value: 'FILE', summary: 'The file with the key of "openai", if it needs one.' },
      {
        name: 'channel',
        value: 'TYPE',
        summary:
          '"none", or a platform such as "telegram", "slack", "discord", "matrix", "email" or "github".',
      },
      {
        name: 'secret-file',
        value: 'FILE',
        summary: 'The file with the secret, the token or the password of the channel.',
      },
      { name: 'address', value: 'ADDRESS', summary: 'The address of the agent, of "email".' },
      {
        name: 'imap',
        value: 'URL',
        summary: 'The mailbox, such as imaps://agent%40example.org@imap.example.org.',
      },
      {
        name: 'lmtp',
        value: 'PATH',
        summary: 'The Unix socket at which your own mail server hands mails over, instead of --imap.',
      },
      {
        name: 'smtp',
        value: 'URL',
        summary: 'The server that takes replies, such as smtps://agent%40example.org@smtp.example.org.',
      },
      {
        name: 'authserv-id',
        value: 'NAME',
        summary: 'The name of your mail server in Authentication-Results.',
      },
      {
        name: 'app-token-file',
        value: 'FILE',
        summary: 'The file with the token of the app of Slack, beside that of its bot.',
      },
      {
        name: 'homeserver',
        value: 'URL',
        summary: 'The homeserver of the account of Matrix, such as https://matrix.example.org.',
      },
      {
        name: 'owners',
        value: 'IDS',
        summary:
          'Ids, or addresses, of the people who may write, and decide what the agent may do. In chats others get a code.',
      },
      {
        name: 'api-root',
        value: 'URL',
        summary: 'A server of your own, in the place of the API of the platform.',
      },
      {
        name: 'public-url',
        value: 'URL',
        summary: 'The URL by which platforms reach the gateway, such as https://gateway.example.org.',
      },
      { name: 'install', summary: 'Install and start the unit; one that is there is restarted.' },
      ...unitOptions,
      configurationOption,
      { name: 'yes', summary: 'Ask nothing: what no option says has its default.' },
      {
        name: 'force',
        summary: 'Take answers that did not pass, and replace a configuration that is there.',
      },
    ],
    exitStatuses: [
      [commandStatus.success, 'It is written, or you have kept what was there.'],
      [commandStatus.failure, 'An answer did not pass, or something is there already. Nothing was written.'],
      usageStatus,
      [commandStatus.noPermission, 'Only root can write the configuration of the system.'],
      [commandStatus.interrupted, 'Ctrl-C: nothing was written.'],
    ],
    examples: [
      'sd-gateway init',
      'sd-gateway init --agent acp --command "hermes acp" --channel none --install',
      'sd-gateway init --yes --channel telegram --secret-file /etc/sd-gateway/telegram.token --owners 42',
      'sd-gateway init --yes --agent openai --base-url http://127.0.0.1:11434/v1 --model llama3.2',
    ],
  },
];
