import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { AgentConfiguration } from '../../src/config/agent-table.js';
import { loadConfiguration } from '../../src/config/load.js';
import { Place } from '../cli/foreground.js';

const folder = new URL('../../docs/agents/', import.meta.url).pathname;
const textOf = (page: string) => readFileSync(join(folder, page), 'utf8');
/** Pages of the folder that are about all agents. */
const general = ['README.md', 'acp.md', 'own-user.md'];
const recipes = readdirSync(folder).filter((name) => !general.includes(name));

/** The blocks of code in that language. */
const blocksOf = (page: string, language: string): readonly string[] =>
  [...textOf(page).matchAll(/^```(\w+)\n(.*?)^```$/gms)].flatMap(([, name, text = '']) =>
    name === language ? text : [],
  );

const agentTableOf = (page: string): string =>
  blocksOf(page, 'toml').find((text) => text.startsWith('[agents.')) ?? '';

/** The agent, as check-config reads its table. */
function agentOf(page: string): AgentConfiguration | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'recipe-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'sd-gateway.toml');
  writeFileSync(file, agentTableOf(page));
  const { configuration, warnings } = loadConfiguration({ file, required: true, environment: {} });
  expect(warnings).toEqual([]);
  const { default: _, ...agents } = configuration.agents;
  return Object.values(agents)[0];
}

describe.each(recipes)('%s', (page) => {
  test('has the shape of all recipes', () => {
    const text = textOf(page);
    const [intro, ...sections] = text.split('\n## ');
    expect(intro).toMatch(/Tried (?:with|in each run)|Not tried here, because/);
    const headings = sections.map((section) => /^(.*)\n\n\S/.exec(section)?.[1]);
    expect(headings).toEqual(['Install', 'The unit', 'The agent', 'Log in', 'To know']);
    for (const json of blocksOf(page, 'json')) expect(() => JSON.parse(json)).not.toThrow();
  });

  test('has a table that check-config accepts, and loads the credentials that it uses', () => {
    const agent = agentOf(page);
    expect(agent).toBeDefined();
    const words = agent !== undefined && 'command' in agent ? (agent.command ?? []) : [];
    if (words[0] === '/bin/sh') execFileSync('sh', ['-n', '-c', words[2] ?? '']);
    const key = agent?.type === 'openai' ? agent.key_credential : null;
    const used = [...words.join(' ').matchAll(/\$CREDENTIALS_DIRECTORY\/([\w.-]+)/g)].map(([, name]) => name);
    const loaded = blocksOf(page, 'systemd')
      .join('\n')
      .matchAll(/^LoadCredential=([\w.-]+):/gm);
    const names = [...loaded].map(([, name]) => name);
    for (const name of key === null ? used : [key]) expect(names).toContain(name);
    // Else the program does not get the directory's name.
    expect(
      words.length > 0 && used.length > 0 && agent !== undefined && 'env' in agent ? agent.env : used,
    ).toEqual(used.length > 0 ? ['CREDENTIALS_DIRECTORY'] : []);
  });
});

test('the index names each recipe, and what it was tried with', () => {
  const index = textOf('README.md');
  const rows = [...index.matchAll(/^\| \[.*\]\((.*)\) \| `(.*)` \| (.*) \|$/gm)];
  expect(rows.map(([, page]) => page).sort()).toEqual(recipes.toSorted());
  for (const [, page = '', type, tried = ''] of rows) {
    expect(agentOf(page)?.type).toBe(type);
    const [intro = ''] = textOf(page).split('\n## ');
    expect(/Not tried here/.test(intro)).toBe(tried === 'not here');
    const [version] = /\d[\w.]+$/.exec(tried) ?? [];
    if (version !== undefined) expect(intro).toContain(version);
  }
});

test('the shell script answers as its page says', async () => {
  const place = new Place();
  onTestFinished(() => place.remove());
  const program = join(place.directory, 'desk-agent');
  writeFileSync(program, blocksOf('shell-script.md', 'sh')[0] ?? '');
  chmodSync(program, 0o755);
  mkdirSync(join(place.directory, 'etc'));
  const table = agentTableOf('shell-script.md').replace('/usr/local/bin/desk-agent', program);
  writeFileSync(join(place.directory, 'etc/sd-gateway.toml'), `${table}\n[[route]]\nagent = "desk"\n`);
  await place.start();
  const said = async (session: string, text: string) =>
    (await place.run(['send', '--session', session, text])).stdout;
  expect(await said('alice', 'note buy milk; rm -rf "$HOME"')).toBe('Noted.\n');
  expect(await said('alice', 'notes')).toBe('buy milk; rm -rf "$HOME"\n');
  expect(await said('bob', 'notes')).toBe('There are none.\n');
  expect(await said('bob', 'disk')).toMatch(/\d+%/);
  expect(await said('bob', 'load')).toMatch(/^\d+\.\d+ \d/);
  expect(await said('bob', 'sing')).toContain('I know: disk');
});
