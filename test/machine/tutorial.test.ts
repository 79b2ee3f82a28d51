import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type ChatLine, chatPicture, terminalLines, terminalPicture } from '../../tools/pictures.js';
import { realAgents } from '../agents/acp/real/agents.js';
import { installAgent } from '../agents/acp/real/install.js';
import { MockModel } from '../support/mock-model/mock-model.js';
import { type SentMessage, TelegramStandIn } from '../support/telegram-stand-in.js';
import { lead, passTo } from './harness/lead.js';
import type { Machine } from './harness/machine.js';
import { describeOnMachine } from './harness/suite.js';

const project = fileURLToPath(new URL('../../', import.meta.url));
const page = readFileSync(join(project, 'docs/tutorial.md'), 'utf8');
/** UPDATE_PICTURES=yes writes the pictures in the place of comparing them. */
const updates = process.env['UPDATE_PICTURES'] === 'yes';

type Step =
  | { readonly kind: 'sh' | 'console' | 'text'; readonly lines: readonly string[] }
  | { readonly kind: 'picture'; readonly title: string; readonly file: string };

/** The blocks of code and the pictures of the page, in their order. */
const steps: readonly Step[] = [
  ...page.matchAll(/^```(sh|console|text)\n([\s\S]*?)\n```$|^!\[(.*)\]\((pictures\/[\w-]+\.svg)\)$/gm),
].map(([, kind, code = '', title = '', file = '']) =>
  kind === undefined
    ? { kind: 'picture', title, file }
    : { kind: kind as 'sh' | 'console' | 'text', lines: code.split('\n') },
);

/** True if the next block of a terminal begins with an answer. */
function asksOn(following: readonly Step[]): boolean {
  const next = following.find(({ kind }) => kind === 'sh' || kind === 'console');
  return next?.kind === 'console' && next.lines[0]?.startsWith('>') === true;
}

/** A shell of root, on a terminal of 100 columns. */
class Terminal {
  readonly #child: ChildProcess;
  #shown = '';
  #seen = 0;
  #pictured = 0;

  constructor(machine: Machine, environment: Readonly<Record<string, string>>) {
    const variables = { HOME: '/root', LANG: 'C.UTF-8', TERM: 'xterm', PS1: '# ', ...environment };
    const words = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
    const shell = 'stty cols 100 rows 40; exec bash --norc --noprofile --noediting';
    const script = ['script', '-qfec', shell, '/dev/null'];
    this.#child = spawn(
      'nsenter',
      ['--target', String(machine.pid), '--all', 'env', '-i', '--chdir=/root', path, ...words, ...script],
      { stdio: 'pipe' },
    );
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#shown += text;
    });
  }

  /** Waits for a text behind all that was waited for. */
  async sees(text: string | RegExp): Promise<void> {
    const isThere = () => {
      const rest = this.#shown.slice(this.#seen);
      const found = typeof text === 'string' ? rest.indexOf(text) : rest.search(text);
      if (found < 0)
        throw new Error(`"${text}" is not on the terminal, behind:\n${this.#shown.slice(-3000)}`);
      const length = typeof text === 'string' ? text.length : (text.exec(rest)?.[0].length ?? 0);
      this.#seen += found + length;
    };
    await vi.waitFor(isThere, { timeout: 30_000, interval: 20 });
  }

  type(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Waits for the prompt of the shell, or for that of a command's next line. */
  prompt(): Promise<void> {
    return this.sees(/(?:^|\n)[#>] $/);
  }

  /** All that was shown since the last picture, above the line that was waited for last. */
  takePicture(): string {
    const end = this.#shown.lastIndexOf('\n', this.#seen - 1) + 1;
    const lines = terminalLines(this.#shown.slice(this.#pictured, end).replace(/\r?\n$/, ''));
    this.#pictured = end;
    return lines.join('\n');
  }

  close(): void {
    this.#child.kill();
  }
}

/** TUTORIAL_AGENT=real has Qwen Code itself answer. It takes half a minute. */
const isReal = process.env['TUTORIAL_AGENT'] === 'real';

/** Puts what npm would install in its place; the machine has no network. Elsewhere npm itself installs both. */
const npm = (agent: string) => `#!/bin/sh -e
checkout=/usr/lib/sd-gateway
case "$*" in
  "install --global ./sd-gateway-"*.tgz) ln -s $checkout/dist/cli/main.js /usr/local/bin/sd-gateway ;;
  "install --prefix /opt/qwen --ignore-scripts --omit=optional ${agent}")
    ${
      isReal
        ? 'ln -s $checkout/node_modules/.cache/real-agents/qwen-code /opt/qwen'
        : `bin=/opt/qwen/node_modules/.bin
    mkdir -p $bin
    printf '#!/bin/sh\\nexec node %s\\n' $checkout/test/support/acp-sdk-agent.mjs >$bin/qwen
    chmod +x $bin/qwen`
    } ;;
  *) echo "npm: the machine has no network" >&2; exit 1 ;;
esac
`;

describeOnMachine('the tutorial', (machine) => {
  let telegram: TelegramStandIn;
  let model: MockModel;
  let terminal: Terminal;

  beforeAll(async () => {
    [telegram, model] = await Promise.all([
      TelegramStandIn.start(),
      MockModel.listen(),
      isReal ? installAgent(realAgents.qwen) : null,
    ]);
    Object.assign(telegram.bot, { first_name: 'Ada’s helper', username: 'ada_helper_bot' });
    const folder = mkdtempSync(join(tmpdir(), 'sd-gateway-tutorial-'));
    const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(folder, name)) as [string, string];
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=stand-in'];
    const name = ['-addext', 'subjectAltName=DNS:api.telegram.org'];
    execFileSync('openssl', [...request, ...name, '-keyout', key, '-out', cert], { stdio: 'pipe' });
    const tls = { key: readFileSync(key), cert: readFileSync(cert) };
    rmSync(folder, { recursive: true });
    await lead(machine(), 443, passTo(telegram.root), tls);
    await lead(machine(), 11_434, passTo(model.origin));
    const ca = '/etc/ssl/stand-in.pem';
    await machine().writeFile(ca, String(tls.cert));
    await machine().check(['systemctl', 'set-environment', `NODE_EXTRA_CA_CERTS=${ca}`]);
    const [[agent = '', version = ''] = []] = Object.entries(realAgents.qwen.packages);
    await machine().writeFile('/usr/local/sbin/npm', npm(`${agent}@${version}`));
    await machine().check([
      'sh',
      '-c',
      'chmod +x /usr/local/sbin/npm && rm /usr/local/bin/sd-gateway && echo 127.0.0.1 api.telegram.org >>/etc/hosts',
    ]);
    terminal = new Terminal(machine(), { NODE_EXTRA_CA_CERTS: ca });
    await terminal.prompt();
    terminal.takePicture();
  });

  afterAll(async () => {
    terminal.close();
    await Promise.all([telegram.close(), model.close()]);
  });

  /** Codes of the page, and those that they stand for. */
  const codes = new Map<string, string>();
  const code = /\b(?=\w*-?\w*\d)[0-9A-Z]{4}-?[0-9A-Z]{4}\b/g;
  const withCodes = (text: string) => text.replace(code, (sample) => codes.get(sample) ?? sample);
  const chat: ChatLine[] = [];
  /** Messages of the bot that the page has told. */
  const heard = new Set<number>();

  async function type(lines: readonly string[]): Promise<void> {
    for (const line of lines) {
      terminal.type(withCodes(line));
      await terminal.prompt();
    }
  }

  async function answer(lines: readonly string[]): Promise<void> {
    for (const line of lines) {
      const [, sign, typed = ''] = /^(#|>)(?: (.*))?$/.exec(line) ?? [];
      if (sign === undefined) await terminal.sees(line);
      else terminal.type(typed === '(the token)' ? telegram.token : typed);
    }
  }

  /** The bot says what the page says; a code stands for the real one, and "…" for more. */
  async function talk(lines: readonly string[]): Promise<void> {
    for (const line of lines.join('\n').split(/\n(?=\w+: )/)) {
      const [, who = '', words = ''] = /^(\w+): ([\s\S]*)$/.exec(line) ?? [];
      if (who !== 'bot') {
        telegram.says(withCodes(words));
        chat.push({ who, text: words, isOwn: true });
        continue;
      }
      const samples = [...words.matchAll(code)].map(([sample]) => sample);
      const form = words
        .replace(/[\\^$*+?.()|[\]{}]/g, '\\$&')
        .replace(code, '([0-9A-Z]{4}-?[0-9A-Z]{4})')
        .replaceAll('…', '[\\s\\S]*');
      const wanted = new RegExp(`^${form}$`);
      // The answer to a word and the agent's reply may change places.
      const said = await vi.waitFor(
        () => {
          const found = telegram.sent.find((each) => !heard.has(each.messageId) && wanted.test(each.text));
          expect(found, `${line} in ${JSON.stringify(telegram.texts)}`).toBeDefined();
          return found as SentMessage;
        },
        { timeout: 60_000, interval: 20 },
      );
      heard.add(said.messageId);
      for (const [index, real] of wanted.exec(said.text)?.slice(1).entries() ?? []) {
        codes.set(samples[index] ?? '', real);
      }
      chat.push({ who: `@${telegram.bot.username}`, text: plain(said.text), isOwn: false });
    }
  }

  /** With the page's codes, and without what differs from run to run. */
  function plain(text: string): string {
    let result = text;
    for (const [sample, real] of codes) result = result.replaceAll(real, sample);
    return (
      result
        .replace(/\b[A-Z][a-z]{2} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'Mon 2026-11-30 12:00:00')
        .replace(/\b[0-9a-f]{32}\b/g, 'd64266c6c0204a4fb9439e4a0fc20236')
        .replace(/Watchdog: every .*(?:\n {13}.*)*/, 'Watchdog: every 30s; last sign of life 2s ago')
        .replace(/\b(?:(?:\d+min )?\d+(?:\.\d+)?m?s ago|just now)\b/g, '2s ago')
        .replace(/\b\d+(?:\.\d+)? ?(?:ms|s)\b(?! ago|; last)/g, '120 ms')
        .replace(/within (?:1h|\d+min[\w ]*) it is/g, 'within 59min it is')
        .replace(/\b\d+(?:\.\d+)?M\b/g, '110.0M')
        .replace(/\bPID (?!1\b)\d+/g, 'PID 140')
        .replace(/\bUID [1-9]\d*/g, 'UID 995')
        .replace(/Node\.js \d+\.\d+\.\d+/g, 'Node.js 20.20.2')
        // The manager's job may not be known yet.
        .replace(/(planned stop by systemd \(PID 1, UID 0\))(?!,)/g, '$1, restart job')
    );
  }

  function compare(file: string, svg: string): void {
    // Its words are its own.
    if (isReal) return;
    const path = join(project, 'docs', file);
    if (updates) writeFileSync(path, svg);
    expect(
      existsSync(path) ? readFileSync(path, 'utf8') : '',
      `${file}: UPDATE_PICTURES=yes draws it anew`,
    ).toBe(svg);
  }

  it('leads to a conversation, as it is printed', { timeout: 240_000 }, async () => {
    let kind = '';
    for (const [index, step] of steps.entries()) {
      switch (step.kind) {
        case 'sh':
          await type(step.lines);
          break;
        case 'console':
          await answer(step.lines);
          // The command goes on in the next block.
          if (!asksOn(steps.slice(index + 1))) await terminal.prompt();
          break;
        case 'text':
          await talk(step.lines);
          break;
        case 'picture':
          if (kind === 'text') compare(step.file, chatPicture(step.title, chat.splice(0)));
          else compare(step.file, terminalPicture(step.title, plain(terminal.takePicture())));
      }
      kind = step.kind;
    }
    // The agent has its session again after the restart.
    if (isReal) expect(model.conversations.at(-1)).toContain('say Hello Ada');
    expect(telegram.mistakes).toEqual([]);
    expect(heard.size).toBe(telegram.sent.length);
    const drawn = steps.flatMap((step) => (step.kind === 'picture' ? basename(step.file) : []));
    expect(readdirSync(join(project, 'docs/pictures')).sort()).toEqual(drawn.sort());
  });
});
