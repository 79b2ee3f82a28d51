import { once } from 'node:events';
import { connect, isIP } from 'node:net';
import { connectionErrorMessage } from '../../text/failure-text.js';
import type { AgentFinding } from '../agent-finding.js';

/** Connects to the agent, by TLS if its URL says so, and sends nothing: whatever it is sent, it may take for a turn. */
export async function tryHttpAgent(address: string, signal: AbortSignal): Promise<AgentFinding> {
  const { origin, protocol, hostname, port } = new URL(address);
  const isSecure = protocol === 'https:';
  const host = hostname.replace(/^\[|\]$/g, '');
  const target = { host, port: Number(port || (isSecure ? 443 : 80)) };
  const socket = isSecure
    ? (await import('node:tls')).connect({
        ...target,
        ...(isIP(host) === 0 && { servername: host }),
        // Said, as NODE_TLS_REJECT_UNAUTHORIZED in the environment would else turn it off.
        rejectUnauthorized: true,
      })
    : connect(target);
  try {
    await once(socket, isSecure ? 'secureConnect' : 'connect', { signal });
    const text = `${origin} takes connections; nothing was posted to try it`;
    return { verdict: 'ok', text, mend: null };
  } catch (error) {
    const why = signal.aborted ? 'it does not answer in time' : connectionErrorMessage(error);
    const text = `${origin} can’t be reached: ${why}.`;
    return { verdict: 'problem', text, mend: 'Start that server, or check agent.url' };
  } finally {
    socket.on('error', () => undefined);
    socket.destroy();
  }
}
