import { hash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { AgentFile, AgentRequest } from '../../src/agents/agent.js';
import { type FileContent, NewAttachments } from '../../src/store/new-attachments.js';

/** The input of a turn for tests of agents. */
export function agentRequest(changes: Partial<AgentRequest> = {}): AgentRequest {
  return {
    turnId: 'turn-1',
    messageId: 'message-1',
    session: 'alice',
    generation: 1,
    seq: 1,
    attempt: 1,
    putBacks: 0,
    text: 'hello',
    metadata: {},
    sender: null,
    collected: [],
    files: [],
    addFile: async () => {
      throw new Error('This agent makes no files.');
    },
    history: async () => [],
    agentSession: agentSessionRecord(),
    ...changes,
  };
}

/** A file of a message. */
export function agentFile(name: string, content: string | Buffer, mediaType = 'text/plain'): AgentFile {
  const bytes = Buffer.from(content);
  return {
    id: `id of ${name}`,
    name,
    mediaType,
    sizeBytes: bytes.length,
    sha256: hash('sha256', bytes),
    path: `/v1/messages/message-1/attachments/${name}`,
    open: async () => Readable.from([bytes]),
  };
}

/** Takes the files of a reply, up to so many, of ten bytes at most. */
export function fileTaker(mostFiles = 2) {
  const taken: {
    readonly name: string | null;
    readonly mediaType: string | null;
    readonly content: string;
  }[] = [];
  const store = {
    putBlob: async (content: FileContent, limitBytes: number) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of content) chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      if (bytes.length > limitBytes) return null;
      return { id: bytes.toString(), sizeBytes: bytes.length, sha256: hash('sha256', bytes) };
    },
    removeBlob: async () => undefined,
  };
  const files = new NewAttachments(store, { count: mostFiles, fileBytes: 10, totalBytes: 1_000 });
  const addFile: AgentRequest['addFile'] = async (file, content) => {
    const attachment = await files.add(file, content);
    taken.push({ name: attachment.name, mediaType: attachment.mediaType, content: attachment.id });
    return attachment;
  };
  return { taken, addFile };
}

/** Keeps its value in memory. */
export function agentSessionRecord(): AgentRequest['agentSession'] {
  let value: Awaited<ReturnType<AgentRequest['agentSession']['read']>> = null;
  return {
    read: async () => value,
    write: async (written) => {
      value = written;
    },
  };
}
