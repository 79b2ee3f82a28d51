import { readFile } from 'node:fs/promises';
import type { McpServer } from '@agentclientprotocol/sdk';
import { errorMessage } from '../../text/failure-text.js';
import { AgentError } from '../agent.js';
import { membersOf } from './updates.js';

/**
 * Reads a file of MCP servers as other programs have it: `{"mcpServers": {"NAME": {"command": …, "args": […], "env": {…}}}}`,
 * or with `url` and `headers` for one that is reached by HTTP.
 *
 * @throws AgentError of reason `unavailable`
 */
export async function readMcpServers(path: string): Promise<McpServer[]> {
  try {
    const { mcpServers } = membersOf(JSON.parse(await readFile(path, 'utf8')));
    if (typeof mcpServers !== 'object' || mcpServers === null)
      throw new Error('it has no "mcpServers" object');
    return Object.entries(mcpServers).map(([name, server]) => mcpServer(name, membersOf(server)));
  } catch (error) {
    throw new AgentError(
      'unavailable',
      `the MCP servers of agent.mcp_servers can't be read from ${path}: ${errorMessage(error)}`,
      true,
      { cause: error },
    );
  }
}

function mcpServer(name: string, server: Readonly<Record<string, unknown>>): McpServer {
  const { type, command, args, env, url, headers } = server;
  if (typeof url === 'string') {
    return { type: type === 'sse' ? 'sse' : 'http', name, url, headers: pairs(name, 'headers', headers) };
  }
  if (typeof command !== 'string') throw new Error(`"${name}" has neither "command" nor "url"`);
  const words = args ?? [];
  if (!Array.isArray(words) || words.some((word) => typeof word !== 'string')) {
    throw new Error(`"args" of "${name}" is no list of texts`);
  }
  return { name, command, args: words, env: pairs(name, 'env', env) };
}

function pairs(name: string, key: string, value: unknown): { name: string; value: string }[] {
  return Object.entries(membersOf(value)).map(([variable, text]) => {
    if (typeof text !== 'string') throw new Error(`"${variable}" in "${key}" of "${name}" is no text`);
    return { name: variable, value: text };
  });
}
