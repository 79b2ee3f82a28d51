import { settings } from './settings.js';

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

/** The table of all settings, in Markdown; docs/configuration.md holds it. */
export function configurationReference(): string {
  const rows = settings.map(({ path, variable, description, default: value }) => {
    const shown = value === null || value === undefined ? 'unset' : `\`${JSON.stringify(value)}\``;
    return `| \`${path.join('.')}\` | ${cell(shown)} | \`${variable}\` | ${cell(description)} |`;
  });
  return ['| key | default | environment | meaning |', '| --- | --- | --- | --- |', ...rows, ''].join('\n');
}
