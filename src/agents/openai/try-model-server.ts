import type { AgentFinding } from '../agent-finding.js';
import { modelsText, readModels } from './models.js';
import { type KeySettings, readKey, readSmallFile } from './settings-files.js';
import { ServerAway } from './verdict.js';

export interface ModelServerSettings extends KeySettings {
  /** Without a slash at its end. */
  readonly baseUrl: string;
  readonly model: string;
  readonly systemFile: string | null;
}

/** Asks the server for its models, and looks at the files of the settings. Asks for no reply. */
export async function tryModelServer(
  { baseUrl, model, systemFile, ...keySettings }: ModelServerSettings,
  environment: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<AgentFinding> {
  const { keyCredential } = keySettings;
  if (keyCredential !== null && environment['CREDENTIALS_DIRECTORY'] === undefined) {
    const text = `The key for ${baseUrl} is a credential of the unit, "${keyCredential}", which only the gateway can read.`;
    return { verdict: 'unknown', text, mend: null };
  }
  try {
    if (systemFile !== null) readSmallFile(systemFile, 'agent.system_file');
    const key = readKey(keySettings, environment);
    return modelFinding(baseUrl, model, await readModels(new URL(`${baseUrl}/models`), key, signal));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const reason = signal.aborted
      ? `the model’s server at ${baseUrl} does not answer in time`
      : error.message;
    const text = `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`;
    const isAway = error instanceof ServerAway || signal.aborted;
    return { verdict: 'problem', text, mend: isAway ? 'Start that server, or check base_url' : null };
  }
}

/** Servers take other names than they list, so that one that is missing may be right. */
function modelFinding(baseUrl: string, model: string, models: readonly string[]): AgentFinding {
  // Ollama lists "llama3.2:latest" and takes "llama3.2".
  if (models.includes(model) || models.includes(`${model}:latest`)) {
    return { verdict: 'ok', text: `The server at ${baseUrl} has the model "${model}".`, mend: null };
  }
  const text = `The server at ${baseUrl} doesn’t list the model "${model}": ${modelsText(models)}.`;
  return { verdict: 'warning', text, mend: 'Check agent.model' };
}
