/**
 * The lines of a text's bytes (UTF-8). They end at line feeds alone: readline, since Node 24, takes U+2028 and U+2029 for
 * ends as well, and JSON may have these within a text (https://github.com/nodejs/node/issues/57591).
 */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let begun = '';
  for await (const chunk of chunks) {
    const lines = decoder.decode(chunk, { stream: true }).split('\n');
    const rest = lines.pop() ?? '';
    for (const line of lines) {
      yield begun + line;
      begun = '';
    }
    begun += rest;
  }
  begun += decoder.decode();
  if (begun !== '') yield begun;
}
