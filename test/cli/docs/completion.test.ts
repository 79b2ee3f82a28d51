import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commonOptions } from '../../../src/cli/command.js';
import { completionScript, shells } from '../../../src/cli/docs/completion.js';
import { commands } from '../../../src/cli/usage.js';

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sd-gateway-completion-'));
  mkdirSync(join(folder, 'config/systemd/user'), { recursive: true });
  for (const name of ['sd-gateway.service', 'sd-gateway-work.service', 'sd-gateway-night.service'])
    writeFileSync(join(folder, 'config/systemd/user', name), '');
  writeFileSync(join(folder, 'one file.toml'), '');
  writeFileSync(join(folder, 'other.toml'), '');
  for (const shell of shells) writeFileSync(join(folder, `script.${shell}`), completionScript(shell));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function shell(file: string, words: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(file, words, {
    cwd: folder,
    encoding: 'utf8',
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      XDG_CONFIG_HOME: join(folder, 'config'),
      LC_ALL: 'C.UTF-8',
    },
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.split('\n').filter((line) => line !== '');
}

/** Offers what bash would; the words are as bash takes them apart, "=" being one of its own. */
function bash(...words: readonly string[]): string[] {
  const script = `source ./script.bash
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _sd_gateway
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  return shell('bash', ['--norc', '-c', script, 'bash', 'sd-gateway', ...words]);
}

function fish(line: string): string[] {
  return shell('fish', [
    '--no-config',
    '-c',
    'source ./script.fish; complete -C "$argv[1]"',
    `sd-gateway ${line}`,
  ]).map((offer) => offer.split('\t')[0] ?? '');
}

const files = ['one file.toml', 'other.toml'];
const instances = ['night', 'work'];
const optionsOf = (name: string) =>
  [...(commands.find((command) => command.name === name)?.options ?? []), ...commonOptions].map(
    (option) => `--${option.name}`,
  );

describe('in bash', () => {
  it('all commands', () => {
    expect(bash('')).toEqual([...commands.map(({ name }) => name), 'help', '--help', '--version']);
    expect(bash('re')).toEqual(['restart', 'reload']);
  });

  it.each(commands.map(({ name }) => name))('all options of %s, none twice', (name) => {
    const offered = bash(name, '--');
    expect(offered.toSorted()).toEqual(optionsOf(name).toSorted());
  });

  it('no option that is there already', () => {
    expect(bash('status', '--json', '--j')).toEqual([]);
  });

  it('files, after a blank and after "="', () => {
    expect(bash('run', '--config', 'o').toSorted()).toEqual(files);
    expect(bash('run', '--config', '=').toSorted()).toEqual(expect.arrayContaining(files));
    expect(bash('run', '--config', '=', 'ot')).toEqual(['other.toml']);
  });

  it('instances, after a blank and after "="', () => {
    expect(bash('status', '--instance', '')).toEqual(instances);
    expect(bash('status', '--instance', '=')).toEqual(instances);
    expect(bash('status', '--instance', '=', 'n')).toEqual(['night']);
  });

  it('nothing for values that nobody knows', () => {
    expect(bash('send', '--session', '')).toEqual([]);
    expect(bash('send', '-s', '')).toEqual([]);
  });

  it('operands', () => {
    expect(bash('completion', '')).toEqual([...shells]);
    expect(bash('help', 'st')).toEqual(['start', 'stop', 'status', 'store']);
  });
});

describe('in fish', () => {
  it('all commands', () => {
    expect(fish('').toSorted()).toEqual([...commands.map(({ name }) => name), 'help'].toSorted());
  });

  it.each(commands.map(({ name }) => name))('all options of %s, none twice', (name) => {
    expect(fish(`${name} --`).toSorted()).toEqual(optionsOf(name).toSorted());
  });

  it('no option that is there already', () => {
    expect(fish('status --json --j')).toEqual([]);
  });

  it('files and instances, after a blank and after "="', () => {
    expect(fish('run --config o').toSorted()).toEqual(files);
    expect(fish('run --config=ot')).toEqual(['--config=other.toml']);
    expect(fish('status --instance ')).toEqual(instances);
    expect(fish('status --instance=n')).toEqual(['--instance=night']);
  });

  it('operands', () => {
    expect(fish('completion ').toSorted()).toEqual([...shells].toSorted());
  });
});

/** Types the line in an interactive zsh, on a terminal of its own, and reads what it lists. */
function zsh(line: string): string {
  const script = `
    zmodload zsh/zpty
    zpty z zsh -f -i
    zpty -w z "PROMPT=''; autoload -Uz compinit && compinit -u -D; source ./script.zsh"
    zpty -w z 'compadd () { local -a found; builtin compadd -O found "$@"; (( $#found )) && print -rl -- $found >>offers; builtin compadd "$@" }'
    # Typed words have quotes in them, printed ones have not.
    # Before the line editor has the terminal a Ctrl-U would be the terminal's own, and take away the line.
    zpty -w z "zle-line-init () { print READ''Y }; zle -N zle-line-init"
    local text; while zpty -r z text '*READY*'; do break; done
    zpty -n -w z "$1"$'\\t'
    zpty -n -w z $'\\C-u print END\\'\\'ED\\n'
    while zpty -r z text '*ENDED*'; do break; done
    zpty -d z
    [[ -e offers ]] && sort -u offers; rm -f offers; true`;
  return shell('zsh', ['-f', '-c', script, 'zsh', `sd-gateway ${line}`]).join(' ');
}

describe('in zsh', () => {
  it('commands, options, files, instances and operands', () => {
    expect(zsh('').split(' ')).toEqual(expect.arrayContaining(commands.map(({ name }) => name)));
    expect(zsh('status --').split(' ')).toEqual(expect.arrayContaining(['--json', '--user']));
    expect(zsh('status --json --').split(' ')).not.toContain('--json');
    expect(zsh('status --instance ')).toContain('night work');
    expect(zsh('status --instance=')).toContain('night work');
    expect(zsh('run --config=ot')).toContain('other.toml');
    expect(zsh('completion ')).toBe('bash fish zsh');
  });
});
