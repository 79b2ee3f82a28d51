import { expect, test } from 'vitest';
import { agentTable } from '../../src/config/agent-table.js';

const connect = 'unix:/run/agent.sock';

function problems(table: object): readonly string[] {
  const { error } = agentTable.safeParse(table);
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

test.each<[table: object, wanted: readonly RegExp[]]>([
  [{ type: 'command', connect }, []],
  [{ type: 'acp', connect, cwd: '/srv/agent' }, []],
  [{ type: 'command' }, [/^command: must name a program/]],
  [{ type: 'acp' }, [/^command: must name a program/]],
  [{ type: 'command', command: [] }, [/^command: must name a program/]],
  [{ type: 'command', command: ['/bin/true'], connect }, [/^command: can't be set beside agent\.connect/]],
  [{ type: 'command', connect, input: 'text' }, [/^input: must be "json"/]],
  [{ type: 'command', connect, env: ['HOME'] }, [/^env: has no effect .* \(Environment=\)$/]],
  [{ type: 'command', connect, memory_max: '1G' }, [/^memory_max: has no effect .* \(MemoryMax=\)$/]],
  [{ type: 'acp', connect, cwd: '/srv/agent', terminals: 1 }, [/^terminals: must be 0 when agent\.connect/]],
  [{ type: 'acp', connect }, [/^cwd: must name a directory of the agent's user/]],
  [{ type: 'command', connect: '/run/agent.sock' }, [/^connect: must be the address of a Unix socket/]],
  [{ type: 'command', connect: 'unix:agent.sock' }, [/^connect: must be the address of a Unix socket/]],
])('%o', (table, wanted) => {
  const found = problems(table);
  expect(found).toHaveLength(wanted.length);
  for (const [index, pattern] of wanted.entries()) expect(found[index]).toMatch(pattern);
});
