/** A way by which mails come in. */
export interface MailSource {
  /** Rejects if no mail can come. Once started, it reconnects by itself. */
  start(): Promise<void>;
  /** Ask for no more. */
  stopAccepting(): void;
  close(timeoutMs: number): Promise<void>;
}
