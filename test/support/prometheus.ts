import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const server = process.env['PROMETHEUS'] ?? '/usr/bin/prometheus';
const tool = process.env['PROMTOOL'] ?? '/usr/bin/promtool';

/** Debian's package "prometheus" is installed. */
export const hasPrometheus = existsSync(server) && existsSync(tool);

/** Runs promtool to its end; gives all that it says. */
export function promtool(
  argv: readonly string[],
  input = '',
): Promise<{ readonly status: number | null; readonly text: string }> {
  return new Promise((resolve) => {
    const child = execFile(tool, argv, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
      resolve({ status, text: `${stdout}${stderr}` });
    });
    child.stdin?.end(input);
  });
}

export interface ScrapeTarget {
  /** HOST:PORT */
  readonly address: string;
  readonly token: string;
}

interface TargetHealth {
  readonly health: string;
  readonly lastError: string;
}

/** A Prometheus in a folder of its own, which scrapes one target every second. */
export class Prometheus {
  readonly #child: ChildProcess;
  readonly #directory: string;
  readonly #base: string;
  #said = '';

  private constructor(child: ChildProcess, directory: string, base: string) {
    this.#child = child;
    this.#directory = directory;
    this.#base = base;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text;
    });
  }

  /** Resolves once it serves. `rules`: files of alert rules. */
  static async start(target: ScrapeTarget, rules: readonly string[] = []): Promise<Prometheus> {
    const directory = mkdtempSync(join(tmpdir(), 'sd-gateway-prometheus-'));
    const configuration = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: rules,
      scrape_configs: [
        {
          job_name: 'sd-gateway',
          authorization: { credentials_file: join(directory, 'token') },
          static_configs: [{ targets: [target.address] }],
        },
      ],
    };
    writeFileSync(join(directory, 'token'), target.token, { mode: 0o600 });
    // JSON is YAML.
    writeFileSync(join(directory, 'prometheus.yml'), JSON.stringify(configuration));
    mkdirSync(join(directory, 'data'));
    const address = `127.0.0.1:${await freePort()}`;
    const child = spawn(
      server,
      [
        `--config.file=${join(directory, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(directory, 'data')}`,
        `--web.listen-address=${address}`,
        '--log.level=warn',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const made = new Prometheus(child, directory, `http://${address}`);
    const ended = once(child, 'exit').then(() => {
      throw new Error(`Prometheus has ended: ${made.#said}`);
    });
    ended.catch(() => undefined);
    await Promise.race([made.#ready(), ended]);
    return made;
  }

  /** The health of the target as the last scrape has found it. */
  async target(): Promise<TargetHealth | null> {
    const { activeTargets } = await this.#ask<{ readonly activeTargets: readonly TargetHealth[] }>('targets');
    return activeTargets[0] ?? null;
  }

  /** The value of an expression with one series; null if it has none. */
  async value(expression: string): Promise<number | null> {
    const { result } = await this.#ask<{
      readonly result: readonly { readonly value: readonly [number, string] }[];
    }>(`query?${new URLSearchParams({ query: expression })}`);
    const found = result[0]?.value[1];
    return found === undefined ? null : Number(found);
  }

  /** Errors of rules that it has evaluated. */
  async ruleErrors(): Promise<readonly string[]> {
    const { groups } = await this.#ask<{
      readonly groups: readonly { readonly rules: readonly { readonly lastError?: string }[] }[];
    }>('rules');
    return groups.flatMap(({ rules }) => rules.flatMap(({ lastError = '' }) => lastError || []));
  }

  async end(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #ready(): Promise<void> {
    for (;;) {
      const answer = await fetch(`${this.#base}/-/ready`).catch(() => null);
      if (answer?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #ask<Data>(path: string): Promise<Data> {
    const answer = await fetch(`${this.#base}/api/v1/${path}`);
    const { data } = (await answer.json()) as { readonly data: Data };
    if (data === undefined) throw new Error(`Prometheus answered ${answer.status} to ${path}.`);
    return data;
  }
}

/** A port that nobody has now. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('There is no port.');
  return address.port;
}
