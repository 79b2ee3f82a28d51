/** Words as systemd.exec(5) quotes them in Environment=, and a shell's simple ones: "A=b" 'C=d e' F=g. */
function words(text: string): readonly string[] {
  const found: string[] = [];
  const pattern = /"((?:[^"\\]|\\.)*)"|'([^']*)'|((?:[^\s\\]|\\.)+)/g;
  for (const [, double, single, bare] of text.matchAll(pattern)) {
    found.push(single ?? (double ?? bare ?? '').replace(/\\(.)/g, '$1'));
  }
  return found;
}

function variable(assignment: string): readonly [string, string][] {
  const at = assignment.indexOf('=');
  return at <= 0 ? [] : [[assignment.slice(0, at), assignment.slice(at + 1)]];
}

/** What the unit sets, from the property Environment=. */
export function environmentOf(property: string): Record<string, string> {
  return Object.fromEntries(words(property).flatMap(variable));
}

/** What a file of EnvironmentFile= sets: lines of NAME=VALUE, the value quoted or not. */
export function environmentOfFile(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && !/^[#;]/.test(line))
      .flatMap(variable)
      .map(([name, value]) => {
        const quoted = /^(["'])(.*)\1$/.exec(value);
        return [name, quoted?.[2] ?? value];
      }),
  );
}
