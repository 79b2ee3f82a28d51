import { shellCommand } from '../../text/shell-words.js';
import { unitUser, userExists } from '../../units/unit-user.js';
import { instanceOf, scopeOf } from '../client/locate.js';
import type { ParsedCommand } from '../usage.js';
import { findPresentUnit, giveSecret, isRoots, type PresentUnit } from './unit.js';

/** The way from a configuration that was written to a gateway that runs with it. */
export class NextSteps {
  constructor(
    private readonly parsed: ParsedCommand,
    private readonly say: (text: string) => void,
  ) {}

  /** The unit that is there already; its user gets the secrets. Null: there is none. */
  async presentUnit(path: string, secretFiles: readonly string[]): Promise<PresentUnit | null> {
    const unit = await findPresentUnit(this.parsed, path);
    if (unit?.user && (await userExists(unit.user))) await this.give(secretFiles, unit.user);
    return unit;
  }

  async give(secretFiles: readonly string[], user: string): Promise<void> {
    if (scopeOf(this.parsed) === 'user') return;
    for (const file of secretFiles) {
      if (await giveSecret(file, user)) this.say(`Gave ${file} to ${user}, as whom the gateway runs`);
    }
  }

  /** Names the command that puts the configuration into force. */
  sayCommand(unit: PresentUnit | null, secretFiles: readonly string[]): void {
    const { parsed } = this;
    if (unit !== null) {
      const words = ['sd-gateway', unit.isUp ? 'reload' : 'start', ...this.targetWords()];
      this.say(`Next: "${shellCommand(words)}".`);
      return;
    }
    const roots = secretFiles.filter(isRoots);
    if (scopeOf(parsed) === 'user' || roots.length === 0) {
      const install = this.command('install', '--now');
      this.say(`Next: "${install}", or "${this.command('run')}" in the foreground.`);
      return;
    }
    // The unit of the system has a user of its own, who has to be there before a secret can be given to it.
    const give = shellCommand(['chown', `${unitUser(instanceOf(parsed))}:`, ...roots]);
    const start = shellCommand(['sd-gateway', 'start', ...this.targetWords()]);
    this.say(`Next: "${this.command('install')} && ${give} && ${start}".`);
  }

  targetWords(): readonly string[] {
    const { values, flags } = this.parsed;
    const { instance } = values;
    return [
      ...['user', 'system'].filter((flag) => flags.has(flag)).map((flag) => `--${flag}`),
      ...(instance === undefined ? [] : ['--instance', instance]),
    ];
  }

  words(): readonly string[] {
    const { config } = this.parsed.values;
    return [...this.targetWords(), ...(config === undefined ? [] : ['--config', config])];
  }

  /** A command of sd-gateway for this gateway, as it is typed. */
  command(name: string, ...words: readonly string[]): string {
    // In the foreground there is no unit whose scope could be named.
    const own = this.words().filter((word) => name !== 'run' || !['--user', '--system'].includes(word));
    return shellCommand(['sd-gateway', name, ...own, ...words]);
  }
}
