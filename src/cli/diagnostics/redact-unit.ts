import { parseUnit, type UnitLine } from '../../units/unit-text.js';
import { leftOut, type Redaction } from './redact.js';

/** Variables whose names say nothing about a person. */
const knownVariable =
  /^(?:SD_GATEWAY_[A-Z_]+|MALLOC_ARENA_MAX|NODE_[A-Z_]+|PATH|HOME|LANG|LC_[A-Z]+|TZ|XDG_[A-Z_]+)$/;
const plainValue =
  /^(?:yes|no|true|false|on|off|infinity|[+-]?\d{1,12}(?:\.\d+)?(?:%|[a-zµ]{1,6}|[KMGT])?|[0-7]{4})$/;
/** Words of a command of the gateway. */
const ownOption = /^(?:run|--config|--instance|--takeover)$/;

/** Leaves out of unit files what does not come from this program or systemd. */
export class UnitRedaction {
  readonly #redaction: Redaction;
  readonly #lines: ReadonlySet<string>;
  readonly #words: ReadonlySet<string>;

  /** `shipped`: the texts of this package's units. */
  constructor(redaction: Redaction, shipped: readonly string[]) {
    this.#redaction = redaction;
    this.#lines = new Set(shipped.flatMap((text) => text.split('\n')));
    const lines = shipped.flatMap(parseUnit);
    const values = lines.flatMap((line) =>
      line.kind === 'directive' && line.name !== 'Description' ? [line.value] : [],
    );
    this.#words = new Set(values.flatMap((value) => value.split(/\s+/)));
  }

  /** The text of a unit or a drop-in. */
  text(text: string): string {
    return `${parseUnit(text)
      .map((line) => this.#line(line))
      .join('\n')}\n`;
  }

  /** A unified difference of two units. */
  difference(text: string): string {
    const lines = text.replace(/\n$/, '').split('\n');
    const shown = lines.map((line) => {
      if (/^(?:---|\+\+\+) /.test(line)) return `${line.slice(0, 4)}${this.#redaction.text(line.slice(4))}`;
      if (/^@@ [-+0-9, ]+ @@$/.test(line)) return line;
      return `${line.slice(0, 1)}${this.text(line.slice(1)).trimEnd()}`;
    });
    return `${shown.join('\n')}\n`;
  }

  #line(line: UnitLine): string {
    if (this.#lines.has(line.text)) return line.text;
    switch (line.kind) {
      case 'section':
        return /^[A-Z][A-Za-z-]{1,30}$/.test(line.name) ? `[${line.name}]` : `[${leftOut}]`;
      case 'directive':
        return /^[A-Z][A-Za-z]{1,40}$/.test(line.name)
          ? `${line.name}=${this.#value(line.name, line.value)}`
          : `${leftOut}=${leftOut}`;
      case 'other':
        return line.text.trim() === '' ? '' : `# ${leftOut}`;
    }
  }

  #value(name: string, value: string): string {
    const words = value.split(/\s+/).filter((word) => word !== '');
    if (name === 'Environment' || name === 'SetCredential' || name === 'SetCredentialEncrypted') {
      return words.map((word) => this.#assignment(word)).join(' ');
    }
    const shown = words.map((word) => (name.startsWith('Exec') ? this.#commandWord(word) : this.#word(word)));
    return shown.join(' ').replace(/…(?: …)+/g, leftOut);
  }

  #assignment(word: string): string {
    const [, variable] = /^["']?([A-Za-z0-9_]+)=/.exec(word) ?? [];
    return variable !== undefined && knownVariable.test(variable) ? `${variable}=${leftOut}` : leftOut;
  }

  #commandWord(word: string): string {
    return ownOption.test(word) ? word : this.#path(word);
  }

  #word(word: string): string {
    return plainValue.test(word) || this.#words.has(word) ? word : this.#path(word);
  }

  /** A path, with the prefixes of systemd.exec(5); anything else is left out. */
  #path(word: string): string {
    const [, prefix = '', path] = /^([-+!@:|~]*)"?(\/[^"]*)"?$/.exec(word) ?? [];
    if (path !== undefined) return `${prefix}${this.#redaction.path(path)}`;
    return this.#redaction.unitName(word) ?? leftOut;
  }
}
