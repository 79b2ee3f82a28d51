import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isAlive } from '../../support/is-alive.js';
import { type Gateway, Place, program } from '../foreground.js';

let place: Place;
let gateway: Gateway;

beforeEach(() => {
  place = new Place();
});
afterEach(() => {
  place.remove();
});

/** A file in the place's directory. */
const file = (name: string): string => join(place.directory, name);

/** Starts a gateway whose agent runs the script, in which `sd` is this program with the directories of the place. */
async function startWithAgent(script: string): Promise<void> {
  const { environment } = place;
  const directories = ['STATE_DIRECTORY', 'RUNTIME_DIRECTORY', 'CONFIGURATION_DIRECTORY']
    .map((name) => `export ${name}='${environment[name]}'`)
    .join('\n');
  const own = `${directories}\nsd() { '${process.execPath}' '${program}' "$@"; }\n`;
  gateway = await place.start({
    SD_GATEWAY_AGENT_TYPE: 'command',
    SD_GATEWAY_AGENT_COMMAND: JSON.stringify(['/bin/sh', '-c', `${own}${script}`]),
  });
}

const waitFor = (path: string) => vi.waitFor(() => expect(existsSync(path)).toBe(true), 10_000);

describe('a command of the turn that would end it', () => {
  it.each(['stop', 'restart', 'restart --when-idle'])('%s is refused', async (words) => {
    await startWithAgent(`sd ${words} 2>&1; echo "status $?"`);
    const { stdout } = await place.run(['send', 'x', '--session', 'chat']);
    expect(stdout).toMatch(
      /part of a turn that the gateway runs \(turn_\w+ of session "chat", message \S+\)/,
    );
    expect(stdout).toContain('Nothing was done.\n  End the turn first.');
    expect(stdout).toContain('status 77\n');
    expect((await place.run(['status', '--json'])).status).toBe(0);
  });

  it.each([
    ['left its parent, and its environment', `(env -u SD_GATEWAY_TURN sh -c "$ask" &)`],
    ['left its parent, and its session', `setsid -f sh -c "$ask"`],
    ['has another environment and another session', `setsid -w env -u SD_GATEWAY_TURN sh -c "$ask"`],
  ])('is refused to a process that %s', async (_what, command) => {
    const said = file('said');
    await startWithAgent(
      [
        `ask="'${process.execPath}' '${program}' stop >'${said}.new' 2>&1; echo \\"status \\$?\\" >>'${said}.new'; mv '${said}.new' '${said}'"`,
        command,
        `while ! test -e '${said}'; do sleep 0.05; done; cat '${said}'`,
      ].join('\n'),
    );
    const { stdout } = await place.run(['send', 'x']);
    expect(stdout).toContain('part of a turn that the gateway runs');
    expect(stdout).toContain('status 77\n');
  });

  it('is refused what is for a person', async () => {
    await startWithAgent(
      'for words in "token list" "people list" "people accept 7K2M9QXD" "dead retry --all" "dead discard 0193a1b2-c3d4-7e8f-9a0b-1c2d3e4f5a6b"; do sd $words 2>&1; echo "status $?"; done; sd sessions >/dev/null; echo "status $?"',
    );
    const { stdout } = await place.run(['send', 'x', '--session', 'chat']);
    expect(stdout.match(/running turn turn_\w+ \(session "chat"/g)).toHaveLength(4);
    expect(stdout.match(/status \d+/g)).toEqual([
      'status 77',
      'status 77',
      'status 77',
      'status 0',
      'status 77',
      'status 0',
    ]);
  });

  it('may reload the gateway', async () => {
    await startWithAgent(`sd reload >/dev/null 2>&1; echo "status $?"`);
    expect((await place.run(['send', 'x'])).stdout).toBe('status 0\n');
  });
});

describe('a stop from elsewhere', () => {
  it('is carried out for an operator, while a turn runs', async () => {
    await startWithAgent(`touch '${file('runs')}'; while ! test -e '${file('go')}'; do sleep 0.05; done`);
    const sent = place.run(['send', 'x']);
    await waitFor(file('runs'));
    const stopped = place.run(['stop']);
    await gateway.says('Stopping: stop asked for through the control socket');
    writeFileSync(file('go'), '');
    expect((await stopped).status).toBe(0);
    expect((await gateway.end).status).toBe(0);
    await sent;
  });

  it('never comes from a shell that a turn has left behind: it ends with the turn', async () => {
    // The id of its turn is still in its environment, but not the mark by which the turn knows it.
    const left = file('left');
    await startWithAgent(
      [
        `setsid -f env -u SD_GATEWAY_MARK sh -c "echo \\$\\$ >'${left}.new'; mv '${left}.new' '${left}'; exec sleep 1000" >/dev/null 2>&1`,
        `while ! test -e '${left}'; do sleep 0.05; done`,
      ].join('\n'),
    );
    expect((await place.run(['send', 'x'])).status).toBe(0);
    expect(isAlive(Number(readFileSync(left, 'utf8')))).toBe(false);
    gateway.child.kill('SIGINT');
    await gateway.end;
  });
});
