/** Says what the end of an attempt to send a mail means: pure functions. */

/** The failure of an attempt, as nodemailer and Node.js describe it. */
export interface SmtpFailure {
  readonly message: string;
  /** The server's answer (RFC 5321, section 4.2); null: it gave none. */
  readonly responseCode: number | null;
  /** The command that was answered, such as "RCPT TO"; null: it is not known. */
  readonly command: string | null;
  /** Such as "EAUTH"; null: it has none. */
  readonly code: string | null;
  /** True if the whole mail went out, and no answer came. */
  readonly mayHaveArrived: boolean;
}

export type SmtpVerdict =
  /** The server is away or refuses the gateway itself: everything that goes there fails alike. */
  | { readonly kind: 'server'; readonly inDoubt: boolean }
  /** The server takes this mail later. */
  | { readonly kind: 'later' }
  /** The server takes this mail never. */
  | { readonly kind: 'never' };

/** Commands before a mail: their refusal is not about the mail. */
const commandsOfConnection = /^(?:CONN|EHLO|HELO|STARTTLS|AUTH|API)\b/;

export function smtpVerdict({ responseCode, command, code, mayHaveArrived }: SmtpFailure): SmtpVerdict {
  if (code === 'EENVELOPE' && responseCode === null) return { kind: 'never' };
  if (code === 'EMESSAGE' && responseCode === null && !mayHaveArrived) return { kind: 'never' };
  const isOfConnection = command === null || commandsOfConnection.test(command);
  if (responseCode === null) return { kind: 'server', inDoubt: mayHaveArrived };
  // The server ends the connection in the middle of a mail: 421 is an answer to anything.
  if (responseCode === 421 || isOfConnection || code === 'EAUTH') return { kind: 'server', inDoubt: false };
  if (responseCode >= 500) return { kind: 'never' };
  return { kind: 'later' };
}

/** Reads what was thrown. */
export function smtpFailure(error: unknown, mayHaveArrived: boolean): SmtpFailure {
  const { message, responseCode, command, code } = error as {
    readonly message?: unknown;
    readonly responseCode?: unknown;
    readonly command?: unknown;
    readonly code?: unknown;
  };
  const answer = typeof responseCode === 'number' && responseCode >= 400 ? responseCode : null;
  return {
    message: (typeof message === 'string' ? message : String(error)).replace(/\s+/g, ' ').slice(0, 500),
    responseCode: answer,
    command: typeof command === 'string' ? command : null,
    code: typeof code === 'string' ? code : null,
    // An answer settles it.
    mayHaveArrived: mayHaveArrived && answer === null,
  };
}
