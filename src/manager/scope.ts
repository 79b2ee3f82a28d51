/** Which service manager: the system's, or that of the user who asks. */
export type Scope = 'system' | 'user';

export function otherScope(scope: Scope): Scope {
  return scope === 'system' ? 'user' : 'system';
}

/** The option that systemctl and journalctl take for the scope. */
export function scopeOption(scope: Scope): '--system' | '--user' {
  return scope === 'system' ? '--system' : '--user';
}
