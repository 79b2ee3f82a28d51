import { nearest } from './nearest.js';
import { type Setting, settings } from './settings.js';

/** Names with our prefix that are no settings. */
const otherVariables: ReadonlySet<string> = new Set([
  // Read by `send`.
  'SD_GATEWAY_TOKEN',
  'SD_GATEWAY_URL',
  // Read by the addon's loader.
  'SD_GATEWAY_PREBUILD',
  // Set for agent commands, and inherited by a gateway that one of them starts.
  'SD_GATEWAY_SESSION',
  'SD_GATEWAY_MESSAGE',
  'SD_GATEWAY_ATTEMPT',
  'SD_GATEWAY_PUT_BACKS',
  'SD_GATEWAY_TURN',
]);

export interface Override {
  readonly setting: Setting;
  /** As it would stand in the file. */
  readonly value: unknown;
}

export interface Overrides {
  readonly overrides: readonly Override[];
  readonly problems: readonly { readonly where: string; readonly message: string }[];
  readonly warnings: readonly string[];
}

/** A list is a JSON array, or words separated by commas or white space. */
function readList(text: string): unknown {
  if (text.trim().startsWith('[')) return JSON.parse(text);
  return text.split(/[\s,]+/).filter((word) => word !== '');
}

function readValue(setting: Setting, text: string): unknown {
  switch (setting.form) {
    case 'number':
      if (text.trim() === '' || Number.isNaN(Number(text)))
        throw new Error(`must be a number, not "${text}"`);
      return Number(text);
    case 'boolean':
      if (/^(true|yes|on|1)$/i.test(text)) return true;
      if (/^(false|no|off|0)$/i.test(text)) return false;
      throw new Error(`must be "true" or "false", not "${text}"`);
    case 'list':
      try {
        return readList(text);
      } catch {
        throw new Error('must be a JSON array such as ["a", "b"], or words separated by commas');
      }
    case 'text':
      return text;
  }
}

/** Finds the settings that the environment overrides (`SD_GATEWAY_<SECTION>_<KEY>`). An empty one is as unset. */
export function readOverrides(environment: NodeJS.ProcessEnv): Overrides {
  const overrides: Override[] = [];
  const problems: { where: string; message: string }[] = [];
  const warnings: string[] = [];
  const known = new Map(settings.map((setting) => [setting.variable, setting]));
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith('SD_GATEWAY_') || otherVariables.has(variable)) continue;
    const setting = known.get(variable);
    if (setting === undefined) {
      const meant = nearest(variable, [...known.keys()]);
      warnings.push(
        `The environment variable ${variable} is no setting and has no effect${meant === null ? '' : `; did you mean ${meant}?`}`,
      );
      continue;
    }
    if (text === undefined || text === '') continue;
    try {
      overrides.push({ setting, value: readValue(setting, text) });
    } catch (error) {
      problems.push({ where: variable, message: error instanceof Error ? error.message : String(error) });
    }
  }
  return { overrides, problems, warnings };
}
