import manifest from '../../package.json' with { type: 'json' };
import { AGENT_SERVICE, agentMethods } from '../../proto/agent.ts';
import { GUEST_RESOLV_CONF } from '../../proto/guest-layout.ts';
import { sys } from '../system/native/sys.ts';
import { openNetlink } from '../system/netlink/socket.ts';
import { defineService, type Service } from '../system/rpc/ttrpc-server.ts';
import type { Containers } from './containers.ts';
import { readText, writeText } from './files.ts';
import { setUpNetwork } from './network.ts';
import { toResolvConf } from './resolv-conf.ts';
import type { Shutdown } from './shutdown.ts';
import type { Volumes } from './volume.ts';

/** The agent's verbs (proto/agent.ts). */
export function agentService(containers: Containers, volumes: Volumes, shutdown: Shutdown): Service {
  return defineService(AGENT_SERVICE, agentMethods, {
    getGuestDetails: async () => ({
      agentVersion: manifest.version,
      kernelVersion: readText('/proc/sys/kernel/osrelease')?.trim() ?? '',
      memoryTotalBytes: parseMemoryTotal(readText('/proc/meminfo') ?? ''),
    }),
    async setUpSandbox({ hostname, dns, interfaces }) {
      if (hostname !== '') sys.sethostname(hostname);
      writeText(GUEST_RESOLV_CONF, toResolvConf(dns ?? { nameservers: [], search: [], options: [] }));
      const netlink = openNetlink();
      try {
        await setUpNetwork(netlink, interfaces);
      } finally {
        netlink.close();
      }
      return {};
    },
    async checkBlank({ serial }) {
      await volumes.checkBlank(serial);
      return {};
    },
    formatVolume: async (request) => ({ uuid: await volumes.format(request) }),
    mountVolume: (request) => volumes.mount(request),
    measureVolume: async ({ serial }) => volumes.measure(serial),
    growVolume: ({ serial, sizeBytes }) => volumes.grow(serial, sizeBytes),
    async freezeVolumes({ serials, timeoutMs }) {
      await volumes.freeze(serials, timeoutMs);
      return {};
    },
    thawVolumes: async ({ serials }) => ({ wasHeld: volumes.thaw(serials) }),
    trimVolume: async ({ serial }) => ({ trimmedBytes: await volumes.trim(serial) }),
    checkVolume: ({ serial, fsType, repair }) => volumes.check(serial, fsType, repair),
    async createContainer(request) {
      await containers.create(request);
      return {};
    },
    async startContainer({ containerId }) {
      await (await containers.find(containerId)).start();
      return {};
    },
    waitContainer: async ({ containerId }) => ({ exitCode: await (await containers.find(containerId)).wait() }),
    async signalContainer({ containerId, signal, all }) {
      await (await containers.find(containerId)).signal(signal, all);
      return {};
    },
    async removeContainer({ containerId }) {
      await containers.remove(containerId);
      return {};
    },
    async shutdown() {
      await shutdown.run();
      return {};
    },
  });
}

/** `MemTotal:  243512 kB` of /proc/meminfo, in bytes. */
export function parseMemoryTotal(text: string): number {
  return Number(/^MemTotal:\s*(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}
