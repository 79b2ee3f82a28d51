import type { AgentGroups } from '../../agents/agent-groups.js';
import { removePlacedFiles } from '../../agents/placed-files.js';
import { endLeftovers } from '../../agents/process-tree.js';
import type { Log } from '../../log/log.js';
import { errorMessage } from '../../text/failure-text.js';

/**
 * Ends what agents have left running when a gateway with the same directory crashed: their turns are run again, and must
 * not find them at it. Removes the copies of files that agents had. It never rejects.
 *
 * @param agentDirectory the agents' own
 * @param groups null: agents have none
 */
export async function endAgentLeftovers(
  agentDirectory: string,
  groups: AgentGroups | null,
  log: Log,
): Promise<void> {
  try {
    const grouped = (await groups?.endLeftovers()) ?? [];
    const ended = [...grouped, ...(await endLeftovers(agentDirectory))];
    if (ended.length > 0) {
      log.notice(`Ended processes that agents of an earlier run had left: ${ended.join(', ')}`);
    }
  } catch (error) {
    const reason = errorMessage(error);
    log.warning(`Could not look for processes that agents of an earlier run have left: ${reason}`);
  }
  try {
    await removePlacedFiles(agentDirectory);
  } catch (error) {
    log.warning(`Could not remove the copies of files that an earlier run has left: ${errorMessage(error)}`);
  }
}
