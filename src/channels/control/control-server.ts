import { chmodSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { PeerCredentials } from '../../linux/process.js';
import type { Log } from '../../log/log.js';
import { errorMessage } from '../../text/failure-text.js';
import { LineSplitter } from '../../text/lines.js';
import { removeSocketFile } from '../remove-socket-file.js';
import { peerOf } from './connection.js';
import type { CallerTurn, GatewayFacts } from './facts.js';
import { type ControlCommand, type ControlEvent, lineLimit, parseControlRequest } from './protocol.js';

export interface ControlServerOptions {
  /** Path of the socket, in a directory that only its owner may enter. */
  readonly path: string;
  readonly log: Log;
  readonly unit: string | null;
  stop(peer: PeerCredentials): void;
  restart(peer: PeerCredentials): void;
  reload(peer: PeerCredentials): void;
  /** The status line as it is now. */
  status(): string;
  facts(peer: PeerCredentials): Promise<GatewayFacts>;
  /** The running turn that the peer is part of; null: none that is known. Never rejects. */
  turnOf(peer: PeerCredentials): Promise<CallerTurn | null>;
}

/** Time for a client to send its request, in milliseconds. */
const requestTimeout = 10_000;

/** At a time; with more the oldest go that do not wait for the gateway's end. */
const mostClients = 16;

/**
 * Takes orders through a Unix socket from the gateway's own user and from root (SO_PEERCRED, unix(7)). It refuses one
 * from within a turn, if the order would end this turn: the turn would be run again, and give the order again.
 * The caller holds the gateway's lock, so that a socket file which is there already is a dead one.
 */
export class ControlServer {
  readonly #options: ControlServerOptions;
  readonly #server: Server;
  readonly #followers = new Set<Socket>();
  readonly #sockets = new Set<Socket>();

  private constructor(options: ControlServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async listen(options: ControlServerOptions): Promise<ControlServer> {
    const control = new ControlServer(options);
    removeSocketFile(options.path);
    await new Promise<void>((resolve, reject) => {
      control.#server.once('error', reject);
      control.#server.listen({ path: options.path }, () => {
        control.#server.off('error', reject);
        resolve();
      });
    });
    chmodSync(options.path, 0o600);
    control.#server.on('error', (error) => {
      options.log.err(`The control socket ${options.path} failed: ${error.message}`);
    });
    return control;
  }

  /** Tells those who wait for the gateway's end what it is at. */
  announce(text: string): void {
    for (const socket of this.#followers) send(socket, { event: 'status', text });
  }

  /** Takes no more orders. Who waits for the end sees it as the end of the connection. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) {
      if (this.#followers.has(socket)) socket.unref();
      else socket.destroy();
    }
    // Followers are let go by the process's end: that is what they wait for.
    if (this.#followers.size === 0) await closed;
  }

  #serve(socket: Socket): void {
    const { log, path } = this.#options;
    if (this.#sockets.size >= mostClients && !this.#makeRoom()) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.setTimeout(requestTimeout, () => socket.destroy());
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#followers.delete(socket);
    });
    socket.on('error', (error) => log.debug(`A client of the control socket went away: ${error.message}`));
    const peer = peerOf(socket);
    if (peer === null || (peer.uid !== process.getuid?.() && peer.uid !== 0)) {
      log.warning(
        `Refused an order through ${path} from UID ${peer?.uid ?? 'unknown'}: not the gateway's user.`,
        {
          SD_GATEWAY_SENDER_PID: peer?.pid,
          SD_GATEWAY_SENDER_UID: peer?.uid,
        },
      );
      refuse(socket, 'only the user that the gateway runs as, and root, may give orders');
      return;
    }
    const splitter = new LineSplitter(lineLimit);
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      try {
        const [line] = splitter.push(chunk);
        if (line === undefined) return;
        hearNoMore(socket);
        const request = parseControlRequest(line);
        if ('command' in request) {
          const refuseFailed = (error: unknown) => refuse(socket, errorMessage(error));
          this.#obey(socket, peer, request.command).catch(refuseFailed);
        } else this.#tell(socket, peer);
      } catch (error) {
        hearNoMore(socket);
        refuse(socket, `no request that is known: ${errorMessage(error)}`);
      }
    });
  }

  /** An agent is of the gateway's user, and must not keep root out. */
  #makeRoom(): boolean {
    for (const socket of this.#sockets) {
      if (this.#followers.has(socket)) continue;
      this.#sockets.delete(socket);
      socket.destroy();
      return true;
    }
    return false;
  }

  #tell(socket: Socket, peer: PeerCredentials): void {
    socket.setTimeout(0);
    this.#options.facts(peer).then(
      (facts) => {
        send(socket, { event: 'facts', facts });
        socket.end();
      },
      (error: unknown) => refuse(socket, errorMessage(error)),
    );
  }

  async #obey(socket: Socket, peer: PeerCredentials, command: ControlCommand): Promise<void> {
    const { stop, restart, reload, status, unit, turnOf } = this.#options;
    socket.setTimeout(0);
    const endsTurns = command === 'stop' || command === 'restart';
    const turn = endsTurns ? await turnOf(peer) : null;
    if (turn !== null) {
      this.#refuseWithinTurn(socket, peer, command, turn);
      return;
    }
    send(socket, { event: 'accepted', pid: process.pid, unit });
    switch (command) {
      case 'stop':
      case 'restart':
        this.#followers.add(socket);
        (command === 'stop' ? stop : restart)(peer);
        break;
      case 'reload':
        reload(peer);
        send(socket, { event: 'status', text: status() });
        socket.end();
        break;
      case 'status':
        send(socket, { event: 'status', text: status() });
        socket.end();
        break;
    }
  }

  #refuseWithinTurn(
    socket: Socket,
    { pid, uid }: PeerCredentials,
    command: ControlCommand,
    turn: CallerTurn,
  ): void {
    const { turnId, messageId, session } = turn;
    this.#options.log.warning(
      `Refused a ${command} that process ${pid} asked for from within the running turn ${turnId}: the turn would be cut off, and run again.`,
      {
        SD_GATEWAY_SENDER_PID: pid,
        SD_GATEWAY_SENDER_UID: uid,
        SD_GATEWAY_SESSION: session,
        SD_GATEWAY_MESSAGE: messageId,
      },
    );
    refuse(
      socket,
      `a ${command} was asked for from within the running turn ${turnId} (session "${session}", message ${messageId}), which it would cut off, to be run again. End the turn first; from outside of it the ${command} is carried out.`,
      turn,
    );
  }
}

/** Cuts off a client that sends more behind its request, as it could go on without end. */
function hearNoMore(socket: Socket): void {
  socket.removeAllListeners('data').on('data', () => socket.destroy());
}

function send(socket: Socket, event: ControlEvent): void {
  socket.write(`${JSON.stringify(event)}\n`);
}

function refuse(socket: Socket, reason: string, turn?: CallerTurn): void {
  send(socket, { event: 'refused', reason, ...(turn !== undefined && { turn }) });
  socket.end();
}
