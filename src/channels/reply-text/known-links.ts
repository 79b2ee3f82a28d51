import type { PartLimit } from './split.js';
import { isShown, type StyledText, StyledTextBuilder, type TextRun, textOf } from './styled-text.js';

/** The marks of one run of a link may take so much of a part, and those of all its runs together one part. */
const mostShareOfMarks = 1 / 2;

export interface LinkRules {
  /** True if the platform makes a link of the URL behind this text. */
  readonly isLinkable: (url: string, linked: string) => boolean;
  readonly limits: readonly PartLimit[];
}

/**
 * Shows the URLs of other links as text, once behind all that is linked. So it does where the marks would take much of a
 * part: each run, and each part that it is cut into, has the whole URL.
 */
export function withKnownLinks(text: StyledText, { isLinkable, limits }: LinkRules): StyledText {
  const builder = new StyledTextBuilder();
  for (const { link, runs } of linksIn(text)) {
    const linked = link === undefined ? '' : textOf(runs);
    if (link === undefined || (isLinkable(link, linked) && areCheap(runs, limits))) builder.appendAll(runs);
    else {
      const unlinked = runs.map(({ text: run, style: { link: _link, ...style } }) => ({ text: run, style }));
      builder.appendAll(unlinked);
      if (!isShown(link, linked)) builder.append(` (${link})`, unlinked.at(-1)?.style ?? {});
    }
  }
  return builder.build();
}

interface LinkedRuns {
  /** Undefined: they are in no link. */
  readonly link: string | undefined;
  readonly runs: readonly TextRun[];
}

function linksIn(text: StyledText): readonly LinkedRuns[] {
  const found: { readonly link: string | undefined; readonly runs: TextRun[] }[] = [];
  for (const run of text) {
    const last = found.at(-1);
    if (last !== undefined && last.link === run.style.link) last.runs.push(run);
    else found.push({ link: run.style.link, runs: [run] });
  }
  return found;
}

/** Looks at no more runs than fit a part. Some platforms want the marks around each line. */
function areCheap(runs: readonly TextRun[], limits: readonly PartLimit[]): boolean {
  return limits.every(({ most, ofStyle }) => {
    let left = most;
    return runs.every(({ text, style }) => {
      const cost = ofStyle?.(style) ?? 0;
      left -= cost * text.split('\n').length;
      return left >= 0 && cost <= most * mostShareOfMarks;
    });
  });
}
