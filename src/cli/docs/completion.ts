import { commandStatus } from '../command.js';
import { type ParsedCommand, UsageError } from '../usage.js';
import { bashCompletion } from './completion-bash.js';
import { fishCompletion } from './completion-fish.js';
import { isShell, type Shell, shells } from './completion-words.js';
import { zshCompletion } from './completion-zsh.js';

const scripts: Readonly<Record<Shell, () => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** The script that makes a shell complete the commands and their options. */
export function completionScript(shell: Shell): string {
  return scripts[shell]();
}

/** `sd-gateway completion SHELL` */
export async function run(parsed: ParsedCommand): Promise<number> {
  const [shell = ''] = parsed.operands;
  if (!isShell(shell)) {
    throw new UsageError(
      `"${shell}" is no shell known here; known: ${shells.join(', ')}`,
      parsed.command.name,
    );
  }
  process.stdout.write(completionScript(shell));
  return commandStatus.success;
}
