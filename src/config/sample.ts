import { type Setting, settings } from './settings.js';

function valueText(value: unknown): string {
  // For a setting that has no default, what kind of value it takes is in its description.
  return value === null || value === undefined ? '…' : JSON.stringify(value);
}

function entry(setting: Setting, value: string | undefined): string {
  const key = setting.path.at(-1) ?? '';
  const assignment =
    value === undefined ? `#${key} = ${valueText(setting.default)}` : `${key} = ${JSON.stringify(value)}`;
  return `# ${setting.description}\n${assignment}\n`;
}

/**
 * A configuration file to begin with: every key with its meaning and its default, as comments.
 * @param values texts to put into effect, by key, such as `http.listen`
 */
export function sampleConfiguration(values: Readonly<Record<string, string>> = {}): string {
  const parts = [
    '# Configuration of sd-gateway. What is commented out has the default that it shows.\n' +
      '# "sd-gateway check-config" says whether it can be used, "sd-gateway reload" puts it into effect.\n',
  ];
  let section = '';
  for (const setting of settings) {
    const table = setting.path.slice(0, -1).join('.');
    if (table !== section) parts.push(`[${table}]\n`);
    section = table;
    parts.push(entry(setting, values[setting.path.join('.')]));
  }
  return parts.join('\n');
}
