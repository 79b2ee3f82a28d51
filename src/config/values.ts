import { BlockList, isIP } from 'node:net';
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { parseTimeSpan } from '../text/time-span.js';

/** Units of a size, to the base 1024 as in systemd.unit(5), in bytes. */
const sizeUnits: ReadonlyMap<string, number> = new Map(
  Object.entries({
    '': 1,
    B: 1,
    K: 1024,
    KiB: 1024,
    M: 1024 ** 2,
    MiB: 1024 ** 2,
    G: 1024 ** 3,
    GiB: 1024 ** 3,
  }),
);

/** Reads "256K", "1 MiB" or a plain number of bytes; null when it is none. Bytes. */
export function parseSize(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text.trim());
  const unit = sizeUnits.get(match?.[2] ?? '?');
  return match === null || unit === undefined ? null : Math.round(Number(match[1]) * unit);
}

/** The written form of a value that is something else once it is read. */
export type ValueUnit = 'time' | 'size' | 'address';

const units = new WeakMap<z.ZodType, ValueUnit>();

function inUnit<Type extends z.ZodType>(unit: ValueUnit, type: Type): Type {
  units.set(type, unit);
  return type;
}

/** The unit of a schema's value, or of the schema inside of its default; null if it has none. */
export function unitOf(type: z.ZodType): ValueUnit | null {
  const own = units.get(type);
  if (own !== undefined) return own;
  const { innerType } = type.def as { readonly innerType?: z.ZodType };
  return innerType === undefined ? null : unitOf(innerType);
}

/** Milliseconds as they are written in the configuration: in the largest unit that leaves a whole number. */
export function writtenTimeSpan(milliseconds: number): string {
  if (milliseconds === 0) return '0';
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
    ['ms', 1],
  ] as const;
  const [unit, size] = units.find(([, size]) => milliseconds % size === 0) ?? ['ms', 1];
  return `${milliseconds / size}${unit}`;
}

/** Bytes as they are written in the configuration: in the largest unit that leaves a whole number. */
export function writtenSize(bytes: number): string | number {
  const units = [
    ['G', 1024 ** 3],
    ['M', 1024 ** 2],
    ['K', 1024],
  ] as const;
  const found = units.find(([, size]) => bytes >= size && bytes % size === 0);
  return found === undefined ? bytes : `${bytes / found[1]}${found[0]}`;
}

/** As `parseListenAddress` reads it. */
export function writtenAddress(address: ListenAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  if (address.kind === 'systemd') return address.name === null ? 'systemd' : `systemd:${address.name}`;
  return `${hostInUrl(address.host)}:${address.port}`;
}

/** One for all, as every start makes the schemas. */
const numberOrText = z.union([z.number(), z.string()]);

/** A whole number from `minimum` to `maximum`. */
export function count(minimum: number, maximum: number) {
  return z.int().check(z.gte(minimum), z.lte(maximum));
}

/** A time span given as a number of seconds or as text such as "1min 30s"; becomes milliseconds. */
export function timeSpan(minimumMilliseconds: number, maximumMilliseconds: number) {
  return inUnit(
    'time',
    numberOrText.transform((value, context) => {
      const milliseconds = typeof value === 'number' ? Math.round(value * 1_000) : parseTimeSpan(value);
      if (milliseconds === null || !Number.isFinite(milliseconds)) {
        context.addIssue({
          code: 'custom',
          message: 'must be a number of seconds or a time span such as "30s" or "5min"',
        });
        return z.NEVER;
      }
      if (milliseconds < minimumMilliseconds || milliseconds > maximumMilliseconds) {
        context.addIssue({
          code: 'custom',
          message: `must be from ${minimumMilliseconds / 1_000} to ${maximumMilliseconds / 1_000} seconds`,
        });
        return z.NEVER;
      }
      return milliseconds;
    }),
  );
}

/** A size given as a number of bytes or as text such as "256K"; becomes bytes. */
export function size(minimumBytes: number, maximumBytes: number) {
  return inUnit(
    'size',
    numberOrText.transform((value, context) => {
      const bytes = typeof value === 'number' ? value : parseSize(value);
      if (bytes === null || !Number.isSafeInteger(bytes)) {
        context.addIssue({
          code: 'custom',
          message: 'must be a number of bytes or a size such as "256K" or "1M"',
        });
        return z.NEVER;
      }
      if (bytes < minimumBytes || bytes > maximumBytes) {
        context.addIssue({
          code: 'custom',
          message: `must be from ${minimumBytes} to ${maximumBytes} bytes`,
        });
        return z.NEVER;
      }
      return bytes;
    }),
  );
}

/** An address range in CIDR notation (RFC 4632, RFC 4291), such as "127.0.0.0/8". */
export const addressRange = z.string().superRefine((value, context) => {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(value);
  const family = isIP(match?.[1] ?? '');
  const prefix = Number(match?.[2]);
  if (match === null || family === 0 || prefix > (family === 4 ? 32 : 128)) {
    context.addIssue({
      code: 'custom',
      message: `"${value}" is not an address range in CIDR notation, such as "127.0.0.0/8" or "::1/128"`,
    });
    return;
  }
  new BlockList().addSubnet(match[1] ?? '', prefix, family === 4 ? 'ipv4' : 'ipv6');
});

/** An address that a server listens at. */
export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }
  /** Only a socket passed by systemd (sd_listen_fds(3)), by its FileDescriptorName= if one is given. */
  | { readonly kind: 'systemd'; readonly name: string | null };

/** Longest path of a Unix socket, in bytes: sockaddr_un holds 108 with the closing NUL, unix(7). */
export const longestSocketPath = 107;

/** Reads "127.0.0.1:8733", "[::1]:8733", "unix:/path" or "systemd[:NAME]"; null when it is none. */
export function parseListenAddress(text: string): ListenAddress | null {
  if (text === 'systemd') return { kind: 'systemd', name: null };
  if (text.startsWith('systemd:')) {
    const name = text.slice('systemd:'.length);
    return name === '' ? null : { kind: 'systemd', name };
  }
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    return path.startsWith('/') && Buffer.byteLength(path) <= longestSocketPath
      ? { kind: 'unix', path }
      : null;
  }
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  if (match === null) return null;
  const host = match[1] ?? match[2] ?? '';
  const port = Number(match[3]);
  // No URL can name one with a zone ("%eth0"), and so no client of this package.
  if (port > 65_535 || (match[1] !== undefined && (isIP(host) !== 6 || host.includes('%')))) return null;
  if (match[2] !== undefined && isIP(host) === 0 && !/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(host)) {
    return null;
  }
  return { kind: 'tcp', host, port };
}

/**
 * A host name or IP address as it stands in a URL (RFC 3986, 3.2.2). For one that is known to be either: net.isIPv6 takes
 * milliseconds at first, which a start has no need of.
 */
export function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** An http or https URL that paths can be put behind; it has no slash at its end then. */
export const publicUrl = z.string().transform((value, context) => {
  const url = URL.canParse(value) ? new URL(value) : null;
  const isPlain = url !== null && url.search === '' && url.hash === '' && url.username === '';
  if (!isPlain || !/^https?:\/\//i.test(value)) {
    context.addIssue({
      code: 'custom',
      message: `"${value}" is not the URL of a server, such as "https://gateway.example.org"`,
    });
    return z.NEVER;
  }
  return url.href.replace(/\/+$/, '');
});

/** One that is not absolute would lead somewhere else from each working directory. */
export const absolutePathSuchAs = (example: string) =>
  z.string().refine(isAbsolute, {
    error: ({ input }) => `"${input}" is not an absolute path, such as "${example}"`,
  });

export const absolutePath = absolutePathSuchAs('/srv/gateway.db');

export const listenAddress = inUnit(
  'address',
  z.string().transform((value, context) => {
    const address = parseListenAddress(value);
    if (address === null) {
      context.addIssue({
        code: 'custom',
        message: `"${value}" is not an address to listen on: use "127.0.0.1:8733", "[::1]:8733", "unix:/path/of/socket" or "systemd"`,
      });
      return z.NEVER;
    }
    return address;
  }),
);
