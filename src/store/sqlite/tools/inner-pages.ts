import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';

/**
 * Writes the inner pages of a table anew, from its leaves. The file format: https://www.sqlite.org/fileformat2.html. The
 * pointer map of a database with auto-vacuum names the parent of each page, so that leaves are known without them.
 */

const kinds = { inner: 0x05, leaf: 0x0d } as const;
const mapped = { root: 1, child: 5 } as const;
/** Levels of a tree, at most: the bound of SQLite's own cursor. */
const deepest = 20;

interface Leaf {
  readonly page: number;
  readonly first: bigint;
  readonly last: bigint;
}

/**
 * Does so for each of the tables of which a page on the way to its leaves can't be used.
 *
 * @param path a copy of the database, without a log
 * @param roots the root pages of tables with a rowid
 */
export function mendInnerPages(path: string, roots: readonly number[]): void {
  const file = PageFile.open(path);
  if (file === null) return;
  try {
    const byRoot = leavesByRoot(file);
    for (const root of roots) {
      const known = byRoot.get(root) ?? [];
      const reached = reachedFrom(file, root);
      if (known.length <= reached.size || known.every(({ page }) => reached.has(page))) continue;
      writeTree(file, root, inOrder(known));
    }
  } finally {
    file.close();
  }
}

/** Pages of a database, from 1. */
class PageFile {
  readonly #descriptor: number;
  readonly pageBytes: number;
  /** Bytes of a page that SQLite uses. */
  readonly usable: number;
  count: number;

  private constructor(descriptor: number, pageBytes: number, usable: number) {
    this.#descriptor = descriptor;
    this.pageBytes = pageBytes;
    this.usable = usable;
    this.count = Math.floor(fstatSync(descriptor).size / pageBytes);
  }

  /** Null: it has no pointer map, or its header can't be read. */
  static open(path: string): PageFile | null {
    const descriptor = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW);
    const header = Buffer.alloc(100);
    const isWhole = readSync(descriptor, header, 0, 100, 0) === 100;
    const written = header.readUInt16BE(16);
    const pageBytes = written === 1 ? 65_536 : written;
    const usable = pageBytes - header.readUInt8(20);
    const hasMap = header.readUInt32BE(52) > 0;
    if (!isWhole || !hasMap || pageBytes < 512 || (pageBytes & (pageBytes - 1)) !== 0 || usable < 480) {
      closeSync(descriptor);
      return null;
    }
    return new PageFile(descriptor, pageBytes, usable);
  }

  read(page: number): Buffer {
    const buffer = Buffer.alloc(this.pageBytes);
    readSync(this.#descriptor, buffer, 0, this.pageBytes, (page - 1) * this.pageBytes);
    return buffer;
  }

  write(page: number, bytes: Buffer): void {
    writeSync(this.#descriptor, bytes, 0, this.pageBytes, (page - 1) * this.pageBytes);
  }

  /** Makes a page at the end, and gives its number. One of the pointer map is passed over. */
  add(bytes: Buffer): number {
    this.count += this.isMap(this.count + 1) ? 2 : 1;
    this.write(this.count, bytes);
    const count = Buffer.alloc(4);
    count.writeUInt32BE(this.count);
    writeSync(this.#descriptor, count, 0, 4, 28);
    return this.count;
  }

  isMap(page: number): boolean {
    return page >= 2 && (page - 2) % (this.mappedPages + 1) === 0;
  }

  /** Pages that one page of the pointer map describes: those behind it. */
  get mappedPages(): number {
    return Math.floor(this.usable / 5);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** The leaves of each table and index by its root page, as the pointer map has them. */
function leavesByRoot(file: PageFile): ReadonlyMap<number, readonly Leaf[]> {
  const parents = new Map<number, number>();
  for (let map = 2; map <= file.count; map += file.mappedPages + 1) {
    const entries = file.read(map);
    for (let at = 0; at < file.mappedPages; at += 1) {
      const kind = entries[at * 5];
      if (kind === mapped.root) parents.set(map + 1 + at, 0);
      if (kind === mapped.child) parents.set(map + 1 + at, entries.readUInt32BE(at * 5 + 1));
    }
  }
  const found = new Map<number, Leaf[]>();
  for (const page of parents.keys()) {
    if (page > file.count) continue;
    const root = rootOf(page, parents);
    const leaf = root === null ? null : leafIn(file, page);
    if (root === null || leaf === null) continue;
    const leaves = found.get(root);
    if (leaves === undefined) found.set(root, [leaf]);
    else leaves.push(leaf);
  }
  return found;
}

function rootOf(page: number, parents: ReadonlyMap<number, number>): number | null {
  let at = page;
  for (let level = 0; level < deepest; level += 1) {
    const parent = parents.get(at);
    if (parent === undefined) return null;
    if (parent === 0) return at;
    at = parent;
  }
  return null;
}

/** A leaf of a table whose rowids ascend; null: the page is something else, or damaged. */
function leafIn(file: PageFile, page: number): Leaf | null {
  const bytes = file.read(page);
  if (bytes[0] !== kinds.leaf) return null;
  const cells = bytes.readUInt16BE(3);
  if (cells === 0 || 8 + 2 * cells > file.usable) return null;
  let first: bigint | null = null;
  let last: bigint | null = null;
  for (let cell = 0; cell < cells; cell += 1) {
    const at = bytes.readUInt16BE(8 + 2 * cell);
    if (at < 8 + 2 * cells || at + 2 > file.usable) return null;
    const [, rowidAt] = readVarint(bytes, at);
    const [rowid] = readVarint(bytes, rowidAt);
    if (last !== null && rowid <= last) return null;
    first ??= rowid;
    last = rowid;
  }
  return first === null || last === null ? null : { page, first, last };
}

/** The leaves to which the present pages lead. */
function reachedFrom(file: PageFile, root: number): ReadonlySet<number> {
  const leaves = new Set<number>();
  const seen = new Set<number>();
  const pages = [root];
  for (let page = pages.pop(); page !== undefined; page = pages.pop()) {
    if (page < 2 || page > file.count || seen.has(page)) continue;
    seen.add(page);
    const bytes = file.read(page);
    if (bytes[0] === kinds.leaf && leafIn(file, page) !== null) leaves.add(page);
    if (bytes[0] !== kinds.inner) continue;
    const cells = bytes.readUInt16BE(3);
    if (12 + 2 * cells > file.usable) continue;
    for (let cell = 0; cell < cells; cell += 1) {
      const at = bytes.readUInt16BE(12 + 2 * cell);
      if (at + 4 <= file.usable) pages.push(bytes.readUInt32BE(at));
    }
    pages.push(bytes.readUInt32BE(8));
  }
  return leaves;
}

/** In the order of their rowids; of those that overlap, as after misplaced pages, the first counts. */
function inOrder(leaves: readonly Leaf[]): readonly Leaf[] {
  const sorted = leaves.toSorted((one, other) => (one.first < other.first ? -1 : 1));
  const kept: Leaf[] = [];
  for (const leaf of sorted) {
    const before = kept.at(-1);
    if (before === undefined || leaf.first > before.last) kept.push(leaf);
  }
  return kept;
}

/** Writes pages above the leaves until one is enough, which is the root. */
function writeTree(file: PageFile, root: number, leaves: readonly Leaf[]): void {
  // A leaf at the root's own place would be overwritten by it.
  let level = leaves.map((leaf) =>
    leaf.page === root ? { ...leaf, page: file.add(file.read(root)) } : leaf,
  );
  // A cell has a page number of four bytes and a rowid of nine at most, beside its pointer of two.
  const most = Math.floor((file.usable - 12) / 15);
  while (level.length > most) {
    const above: Leaf[] = [];
    for (let at = 0; at < level.length; at += most) {
      const below = level.slice(at, at + most);
      const [first, last] = [below[0], below.at(-1)];
      if (first === undefined || last === undefined) continue;
      above.push({ page: file.add(innerPage(file, below)), first: first.first, last: last.last });
    }
    level = above;
  }
  file.write(root, innerPage(file, level));
}

function innerPage(file: PageFile, below: readonly Leaf[]): Buffer {
  const page = Buffer.alloc(file.pageBytes);
  const cells = below.slice(0, -1);
  let content = file.usable;
  for (const [index, { page: child, last }] of cells.entries()) {
    const key = varint(last);
    content -= 4 + key.length;
    page.writeUInt32BE(child, content);
    page.set(key, content + 4);
    page.writeUInt16BE(content, 12 + 2 * index);
  }
  page[0] = kinds.inner;
  page.writeUInt16BE(cells.length, 3);
  page.writeUInt16BE(content === 65_536 ? 0 : content, 5);
  page.writeUInt32BE(below.at(-1)?.page ?? 0, 8);
  return page;
}

/** A variable-length integer, and where it ends. */
function readVarint(bytes: Buffer, at: number): readonly [value: bigint, end: number] {
  let value = 0n;
  for (let index = 0; index < 9; index += 1) {
    const byte = bytes[at + index] ?? 0;
    if (index === 8) return [BigInt.asIntN(64, (value << 8n) | BigInt(byte)), at + 9];
    value = (value << 7n) | BigInt(byte & 0x7f);
    if (byte < 0x80) return [value, at + index + 1];
  }
  return [value, at + 9];
}

function varint(value: bigint): Buffer {
  if (value < 0n || value >= 1n << 56n) {
    const unsigned = BigInt.asUintN(64, value);
    const bytes = [Number(unsigned & 0xffn)];
    for (let rest = unsigned >> 8n; bytes.length < 9; rest >>= 7n) bytes.unshift(Number(rest & 0x7fn) | 0x80);
    return Buffer.from(bytes);
  }
  const bytes = [Number(value & 0x7fn)];
  for (let rest = value >> 7n; rest > 0n; rest >>= 7n) bytes.unshift(Number(rest & 0x7fn) | 0x80);
  return Buffer.from(bytes);
}
