/** Where in the code a record comes from: `CODE_FILE`, `CODE_LINE` and `CODE_FUNC` (systemd.journal-fields(7)). */
export type CallSite = Readonly<Partial<Record<'CODE_FILE' | 'CODE_LINE' | 'CODE_FUNC', string>>>;

/** The caller of `above`, by V8's stack trace (https://v8.dev/docs/stack-trace-api). */
export function callSiteAbove(above: (...parameters: never[]) => unknown): CallSite {
  const place: { stack?: string } = {};
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 1;
  Error.captureStackTrace(place, above);
  Error.stackTraceLimit = before;
  const match = /\n\s+at (?:(.+) \()?(?:file:\/\/)?(\/.+?):(\d+):\d+\)?$/.exec(place.stack ?? '');
  if (match === null) return {};
  const [, name, file, line] = match;
  return {
    ...(file === undefined ? {} : { CODE_FILE: file }),
    ...(line === undefined ? {} : { CODE_LINE: line }),
    ...(name === undefined ? {} : { CODE_FUNC: name }),
  };
}
