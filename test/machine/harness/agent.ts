/** An agent that answers only once a file is there: a turn that lasts exactly as long as the test wants. */
export function agentThatWaitsFor(file: string): Readonly<Record<string, string>> {
  return {
    SD_GATEWAY_AGENT_TYPE: 'command',
    SD_GATEWAY_AGENT_COMMAND: JSON.stringify([
      '/bin/sh',
      '-c',
      `cat >/dev/null; while ! test -e ${file}; do sleep 0.05; done; echo done`,
    ]),
  };
}
