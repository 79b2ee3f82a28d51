/** A value that no unit file can hold. */
export class UnitValueError extends Error {
  constructor(
    readonly value: string,
    reason: string,
  ) {
    super(`${JSON.stringify(value)} can’t stand in a unit file: ${reason}`);
    this.name = 'UnitValueError';
  }
}

function refuseControlCharacters(value: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(value)) throw new UnitValueError(value, 'it has a control character');
}

/** "%" begins a specifier (systemd.unit(5)). */
export function escapeSpecifiers(value: string): string {
  refuseControlCharacters(value);
  return value.replaceAll('%', '%%');
}

/** One word of a list, in quotes where it needs them (systemd.syntax(7), "Quoting"). */
export function quoteWord(value: string): string {
  const escaped = escapeSpecifiers(value);
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(escaped)) return escaped;
  return `"${escaped.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** A command line for ExecStart= (systemd.service(5), "Command lines"): nothing in it is expanded. */
export function commandLine(program: string, parameters: readonly string[]): string {
  // In the program’s path "$" stands for itself, and in its argv[0] for a variable; no notation suits both.
  if (program.includes('$')) throw new UnitValueError(program, 'a program’s path can’t have a "$"');
  return [quoteWord(program), ...parameters.map((word) => quoteWord(word.replaceAll('$', '$$$$')))].join(' ');
}

/** A path for EnvironmentFile=, which takes it without quotes and as a pattern of glob(7). */
export function environmentFilePath(path: string): string {
  return escapeSpecifiers(path).replace(/[\\*?[]/g, '\\$&');
}
