import { AGENT_SERVICE, type AgentMethods, agentMethods } from '../../../proto/agent.ts';
import { HelloScanner, helloLine } from '../../../proto/hello.ts';
import { STDERR, STDOUT } from '../../../proto/stdio-frame.ts';
import { prefixedStream } from '../../system/channel/prefixed-stream.ts';
import { StdioMux } from '../../system/channel/stdio-mux.ts';
import { silentLog } from '../../system/log.ts';
import type { ByteStream } from '../../system/port.ts';
import { memoryStreams } from '../../system/rpc/memory-stream.ts';
import { defineService, type Handlers, serve } from '../../system/rpc/ttrpc-server.ts';

/** Of what the guest formats. */
export const UUID = '0f5c1a52-9d3b-4a41-8f0e-5a1d6c7b8e90';

type AgentHandlers = Handlers<AgentMethods>;
interface AgentRequest {
  readonly containerId?: string;
}
interface FakeContainer {
  readonly exited: Promise<{ exitCode: number }>;
  end(exitCode: number): void;
}

export interface GuestPlace {
  /** Gets the calls of the agent; one of another container than main has its id behind it. */
  readonly journal: string[];
  /** The other socket is the one of standard streams. */
  readonly controlSocket: string;
  /** The guest has switched itself off. */
  readonly onShutdown: () => void;
}

/** A guest that answers on in-memory streams, and does what it is asked to by saying so. */
export class FakeGuest {
  /** Overrides of what it answers. */
  agent: Partial<AgentHandlers> = {};
  saysHello = true;
  private readonly place: GuestPlace;
  private streams: ByteStream[] = [];
  /** Its end of the stdio channel, and its containers' numbers on it. */
  private readonly stdio = new StdioMux();
  private readonly stdioIds = new Map<string, number>();

  constructor(place: GuestPlace) {
    this.place = place;
  }

  async connect(path: string): Promise<ByteStream> {
    const [near, far] = memoryStreams();
    this.streams.push(far);
    if (this.saysHello) void this.greet(far, path);
    return near;
  }

  /** Every connection to it is gone. */
  hangUp(): void {
    for (const stream of this.streams.splice(0)) stream.close();
  }

  private async greet(stream: ByteStream, path: string): Promise<void> {
    const scanner = new HelloScanner();
    for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read()) {
      const found = scanner.push(chunk);
      if (found === undefined) continue;
      await stream.write(helloLine(found.nonce));
      const conversation = prefixedStream(found.rest, stream);
      if (path !== this.place.controlSocket) return this.stdio.attach(conversation);
      serve(conversation, defineService(AGENT_SERVICE, agentMethods, this.handlers()), silentLog);
      return;
    }
  }

  private handlers(): AgentHandlers {
    const containers = new Map<string, FakeContainer>();
    const find = (containerId: string): FakeContainer => {
      const container = containers.get(containerId) ?? this.fakeContainer(containerId);
      containers.set(containerId, container);
      return container;
    };
    const guest: AgentHandlers = {
      getGuestDetails: async () => ({}),
      setUpSandbox: async () => ({}),
      checkBlank: async () => ({}),
      formatVolume: async () => ({ uuid: UUID }),
      mountVolume: async () => ({}),
      measureVolume: async () => ({}),
      growVolume: async () => ({}),
      freezeVolumes: async () => ({}),
      thawVolumes: async () => ({}),
      trimVolume: async () => ({}),
      checkVolume: async () => ({}),
      createContainer: async ({ containerId, stdioId }) => {
        this.stdioIds.set(containerId, stdioId);
        return {};
      },
      startContainer: async () => ({}),
      waitContainer: ({ containerId }) => find(containerId).exited,
      signalContainer: async ({ containerId, signal }) => {
        find(containerId).end(128 + signal);
        return {};
      },
      removeContainer: async ({ containerId }) => {
        find(containerId).end(137);
        return {};
      },
      shutdown: async () => {
        setTimeout(this.place.onShutdown);
        return {};
      },
      ...this.agent,
    };
    const names = Object.keys(guest) as (keyof AgentHandlers)[];
    const logged = names.map((name) => {
      const handler = guest[name] as (request: AgentRequest) => Promise<object>;
      return [name, (request: AgentRequest) => this.answer(name, request, handler)];
    });
    return Object.fromEntries(logged) as unknown as AgentHandlers;
  }

  private answer(name: string, request: AgentRequest, handler: (request: AgentRequest) => Promise<object>) {
    const { containerId = 'main' } = request;
    this.place.journal.push(containerId === 'main' ? name : `${name} ${containerId}`);
    return handler(request);
  }

  private fakeContainer(id: string): FakeContainer {
    let announce = (_reply: { exitCode: number }): void => {};
    const exited = new Promise<{ exitCode: number }>((resolve) => {
      announce = resolve;
    });
    const end = (exitCode: number): void => {
      const stdioId = this.stdioIds.get(id) ?? 0;
      for (const stream of [STDOUT, STDERR] as const) this.stdio.sender(stdioId, stream).end();
      announce({ exitCode });
    };
    return { exited, end };
  }
}
