import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { AcpAgent } from '../../../../src/agents/acp/acp-agent.js';
import type { AgentEvent, AgentRequest } from '../../../../src/agents/agent.js';
import { type Gateway, Place as GatewayPlace } from '../../../cli/foreground.js';
import { agentSessionRecord } from '../../../support/agent-request.js';
import { isAlive } from '../../../support/is-alive.js';
import { MockModel } from '../../../support/mock-model/mock-model.js';
import { Place, turn } from '../fixture.js';
import { type RealAgent, writeFiles } from './agents.js';
import { installAgent } from './install.js';
import { memoryOf, processesOf } from './processes.js';

const textOf = (events: readonly AgentEvent[]) =>
  events.flatMap((event) => (event.type === 'delta' ? event.text : [])).join('');

async function untilTrue(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await pause(20);
}

/** What any agent that speaks ACP must do behind the gateway; with a model of our own. The `first` test alone, or `all`. */
export function describeRealAgent(real: RealAgent, tests: 'first' | 'all'): void {
  describe(real.name, { timeout: 180_000 }, () => {
    let model: MockModel;
    let command: readonly string[];
    beforeAll(async () => {
      [model, command] = await Promise.all([MockModel.listen(), installAgent(real)]);
    }, 600_000);
    afterAll(() => model.close());

    const agentAt = (place: Place, allow: readonly string[] = []): AcpAgent => {
      writeFiles(join(place.directory, 'home'), real.files(model.origin));
      const environment = { PATH: process.env['PATH'], ...real.environment(model.origin) };
      return place.agent({}, { command, environment, allow, mode: real.mode ?? null });
    };

    /** A turn that has begun to reply, and does not end. */
    const endless = async (agent: AcpAgent, request: Partial<AgentRequest>, signal?: AbortSignal) => {
      let begins: () => void;
      const begun = new Promise<void>((resolve) => {
        begins = resolve;
      });
      const ended = turn(agent, 'go on', request, signal, ({ type }) => {
        if (type === 'delta') begins();
      });
      await Promise.race([begun, ended]);
      return { ended };
    };

    test('replies in pieces, is denied a tool, is killed, and knows the session when it is back', async ({
      annotate,
    }) => {
      const place = new Place();
      const home = join(place.directory, 'home');
      const agent = agentAt(place);
      const agentSession = agentSessionRecord();
      const began = performance.now();
      const first = await turn(agent, 'say one two three', { agentSession });
      expect(first.error).toBeNull();
      expect(first.reply?.text).toBe('one two three');
      expect(textOf(first.events)).toBe('one two three');
      const seconds = ((performance.now() - began) / 1_000).toFixed(1);
      await annotate(`${seconds} s to the first reply, ${memoryOf(processesOf(home))} MiB`);

      const denied = await turn(agent, 'run touch denied.txt', { agentSession });
      expect(denied.reply?.metadata).toMatchObject({ acp: { denied: [{ kind: 'execute' }] } });
      expect(existsSync(join(place.directory, 'sessions/alice/denied.txt'))).toBe(false);

      const { ended } = await endless(agent, { agentSession });
      const [{ pid } = { pid: 0 }] = place.processes;
      process.kill(pid, 'SIGKILL');
      expect((await ended).error?.reason).toBe('killed');
      expect(processesOf(home)).toEqual([]);

      const earlier = {
        messageId: 'm1',
        seq: 1,
        text: 'say one two three',
        sender: null,
        acceptedAt: 0,
        reply: { text: 'one two three', metadata: {} },
      };
      const again = await turn(agent, 'say back', {
        agentSession,
        attempt: 2,
        history: async () => [earlier],
      });
      expect(again.reply?.text).toBe('back');
      expect(model.conversations.findLast((text) => text.includes('say back'))).toContain('one two three');
      await annotate(again.reply?.metadata === null ? '' : JSON.stringify(again.reply?.metadata));
    });
    if (tests === 'first') return;

    test('runs a tool that is allowed, and nothing of it is left after a cancel', async () => {
      const place = new Place();
      const agent = agentAt(place, ['execute']);
      const directory = join(place.directory, 'sessions/alice');
      // What the tool wrote is missing from the replies of some at times.
      expect((await turn(agent, 'run touch allowed.txt')).error).toBeNull();
      expect(existsSync(join(directory, 'allowed.txt'))).toBe(true);

      const cancel = new AbortController();
      const file = join(directory, 'pid');
      const script = join(directory, 'tool.sh');
      writeFileSync(script, 'echo $$ >pid; exec sleep 1000');
      const running = turn(agent, 'run setsid sh tool.sh', {}, cancel.signal);
      await untilTrue(() => existsSync(file) && readFileSync(file, 'utf8') !== '');
      const tool = Number(readFileSync(file, 'utf8'));
      cancel.abort();
      expect((await running).error?.reason).toBe('cancelled');
      expect(isAlive(tool)).toBe(false);
      expect(processesOf(join(place.directory, 'home'))).toEqual([]);
    });

    test('is asked again, in its session, when its gateway was killed', async () => {
      const place = new GatewayPlace();
      const home = join(place.directory, 'state/agents/home');
      const gateways: Gateway[] = [];
      const start = async () => {
        gateways.push(await place.start(real.environment(model.origin)));
        return gateways.at(-1) as Gateway;
      };
      onTestFinished(async () => {
        for (const { child, end } of gateways) {
          child.kill('SIGKILL');
          await end;
        }
        // If the test fails, no next start of the gateway ends them.
        for (const pid of processesOf(home)) process.kill(pid, 'SIGKILL');
        place.remove();
      });
      writeFiles(home, real.files(model.origin));
      mkdirSync(join(place.directory, 'etc'));
      const mode = real.mode === undefined ? {} : { mode: real.mode };
      const settings = { type: 'acp', command, ...mode, kill_delay: '2s' };
      const lines = Object.entries(settings).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
      writeFileSync(join(place.directory, 'etc/sd-gateway.toml'), `[agent]\n${lines.join('\n')}\n`);
      const post = async (text: string) => {
        const { body } = await place.client.post('/v1/sessions/alice/messages', { text }, {});
        return String(body?.['id']);
      };
      const replyTo = async (id: string) => {
        while (true) {
          const { body } = await place.client.get(`/v1/messages/${id}?wait=30`, 60_000);
          if (body?.['reply'] !== null) return body?.['reply'];
        }
      };

      const first = await start();
      expect(await replyTo(await post('say one two three'))).toMatchObject({ text: 'one two three' });
      const asked = model.conversations.length;
      model.isEndless = true;
      const id = await post('go on');
      await untilTrue(() => model.conversations.slice(asked).some((text) => text.includes('go on')));
      const before = processesOf(home);
      expect(before).not.toEqual([]);
      first.child.kill('SIGKILL');
      await first.end;

      model.isEndless = false;
      const askedBefore = model.conversations.length;
      onTestFinished(() => {
        model.isEndless = true;
      });
      const second = await start();
      expect(await replyTo(id)).toMatchObject({ text: 'well' });
      // Claude asks for a title of the turn, too.
      expect(model.conversations.slice(askedBefore)).toContainEqual(
        expect.stringMatching(/one two three.*go on/s),
      );
      const after = processesOf(home);
      expect(after.filter((pid) => before.includes(pid))).toEqual([]);
      second.child.kill('SIGINT');
      await second.end;
      expect(processesOf(home)).toEqual([]);
    });
  });
}
