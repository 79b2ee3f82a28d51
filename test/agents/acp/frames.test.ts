import { expect, test } from 'vitest';
import { frameReader } from '../../../src/agents/acp/frames.js';
import type { AgentError } from '../../../src/agents/agent.js';

function reader(limitBytes: number, receive = (_frame: string) => {}) {
  const frames: string[] = [];
  const failures: AgentError[] = [];
  const read = frameReader(
    (frame) => {
      receive(frame);
      frames.push(frame);
    },
    (failure) => failures.push(failure),
    limitBytes,
  );
  return { read: (text: string) => read(Buffer.from(text)), frames, failures };
}

test('the limit counts neither the line feed nor the lines before', () => {
  const { read, frames, failures } = reader(4);
  read('abcd\nab');
  read('cd\n');
  expect(frames).toEqual(['abcd', 'abcd']);
  expect(failures).toEqual([]);
});

test('many short lines are taken a little at a time, and none is lost', () => {
  const { read, frames } = reader(100);
  let rest = '{}\n'.repeat(20_000);
  let most = 0;
  while (rest !== '') {
    const before = frames.length;
    rest = rest.slice(read(rest));
    most = Math.max(most, frames.length - before);
  }
  expect(frames).toHaveLength(20_000);
  expect(most).toBeLessThan(2_000);
});

test.each([['abcde\n'], ['abcde']])(
  'an agent with the line %j of five bytes fails once, and is not read on',
  (line) => {
    const { read, frames, failures } = reader(4);
    read(line);
    read('ab\n');
    expect(frames).toEqual([]);
    expect(failures.map(({ reason, message }) => [reason, message])).toEqual([
      ['bad-reply', 'the agent was ended: a line is longer than 4 bytes'],
    ]);
  },
);

test('a frame that can not be received fails the agent', () => {
  const { read, frames, failures } = reader(4, (frame) => {
    if (frame === 'bad') throw new Error('it is bad');
  });
  read('ok\nbad\nno\n');
  expect(frames).toEqual(['ok']);
  expect(failures.map(({ message }) => message)).toEqual(['the agent was ended: it is bad']);
});
