import type { Result } from './measure.js';
import { short } from './table.js';

const width = 760;
const left = 250;
const barHeight = 16;

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** One group as bars, with a whisker from the least to the largest; each figure has a scale of its own, from zero. */
export function plot(group: string, results: readonly Result[]): string {
  const parts: string[] = [];
  let y = 20;
  const text = (x: number, content: string, more = ''): void => {
    parts.push(`<text x="${x}" y="${y}" ${more}>${escapeXml(content)}</text>`);
  };
  for (const result of results) {
    for (const figure of result.figures) {
      text(
        10,
        `${result.title}: ${figure.name}, ${figure.unit} (${figure.better} is better)`,
        'font-weight="bold"',
      );
      y += 8;
      const largest = Math.max(...result.contenders.map(({ figures }) => figures[figure.name]?.max ?? 0));
      const scale = (value: number): number => (value / largest) * (width - left - 90);
      for (const [index, contender] of result.contenders.entries()) {
        const summary = contender.figures[figure.name];
        if (summary === undefined) continue;
        const middle = y + barHeight / 2;
        parts.push(
          `<rect x="${left}" y="${y}" width="${scale(summary.median).toFixed(1)}" height="${barHeight}" fill="${index === 0 ? '#2563eb' : '#94a3b8'}"/>`,
          `<path d="M${(left + scale(summary.min)).toFixed(1)} ${middle}H${(left + scale(summary.max)).toFixed(1)}" stroke="#111"/>`,
        );
        y += 12;
        text(left - 6, contender.name, 'text-anchor="end"');
        text(left + scale(summary.max) + 6, short(summary.median));
        y += barHeight - 8;
      }
      y += 24;
    }
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" font-family="sans-serif" font-size="12">`,
    `<title>${escapeXml(group)}</title>`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}
