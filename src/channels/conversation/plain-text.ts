/** U+FFFD stands for what a store can't keep: NUL and unpaired surrogates. */
export function storableText(text: string): string {
  return Buffer.from(text.replaceAll('\0', '\uFFFD')).toString();
}

/** Cuts a text to so many bytes of UTF-8, between two characters. */
export function limitedText(text: string, limitBytes: number): string {
  // Each UTF-16 unit has one byte at least.
  const bytes = Buffer.from(storableText(text.slice(0, limitBytes)));
  if (bytes.length <= limitBytes) return bytes.toString();
  let end = limitBytes;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString();
}
