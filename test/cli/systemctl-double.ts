import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';

const systemctl = `#!/bin/sh
if [ "$1" = --version ]; then echo 'systemd 252 (252.1)'; exit; fi
shift
echo "$*" >>"$0.log"
case $1 in
  show) cat "$0.$2" 2>/dev/null || echo ActiveState=inactive;;
  is-enabled) cat "$0.$2.enabled" 2>/dev/null;;
  *) if [ -e "$0.$1.refused" ]; then echo "$1 refused" >&2; exit 1; fi;;
esac
`;

/** A home, and a systemctl that says what a test has it say: no service manager is asked, none is changed. */
export class SystemctlDouble {
  readonly home = mkdtempSync(join(tmpdir(), 'sd-gateway-systemctl-'));
  readonly #systemctl = join(this.home, 'bin/systemctl');
  /** The text on standard output and standard error. */
  said = '';

  constructor() {
    mkdirSync(join(this.home, 'bin'));
    this.#program('systemctl', systemctl);
    this.#program('systemd-analyze', '#!/bin/sh\n');
    this.#program('loginctl', '#!/bin/sh\necho yes\n');
    vi.stubEnv('PATH', `${join(this.home, 'bin')}:${process.env.PATH}`);
    vi.stubEnv('HOME', this.home);
    for (const name of ['CONFIG_HOME', 'STATE_HOME', 'CACHE_HOME', 'DATA_HOME', 'RUNTIME_DIR'])
      vi.stubEnv(`XDG_${name}`, join(this.home, name));
    for (const stream of [process.stdout, process.stderr]) {
      vi.spyOn(stream, 'write').mockImplementation((text) => {
        this.said += String(text);
        return true;
      });
    }
  }

  /** The directory of the user's units. */
  get units(): string {
    const path = join(this.home, 'CONFIG_HOME/systemd/user');
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** Sets the answers of "show" and "is-enabled" for the unit. By default it is inactive, and has no file. */
  says(unit: string, properties: Readonly<Record<string, string>>, enabled = ''): void {
    const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(`${this.#systemctl}.${unit}`, lines.join(''));
    writeFileSync(`${this.#systemctl}.${unit}.enabled`, `${enabled}\n`);
  }

  /** Has a verb fail. */
  refuses(verb: string): void {
    writeFileSync(`${this.#systemctl}.${verb}.refused`, '');
  }

  /** The verbs that it was asked for, with their units. */
  get asked(): readonly string[] {
    const log = `${this.#systemctl}.log`;
    return existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
  }

  remove(): void {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    rmSync(this.home, { recursive: true });
  }

  #program(name: string, text: string): void {
    const path = join(this.home, 'bin', name);
    writeFileSync(path, text);
    chmodSync(path, 0o755);
  }
}
