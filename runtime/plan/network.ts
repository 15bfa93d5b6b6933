import type { AgentInterface } from '../../proto/agent.ts';
import { Fault } from '../../proto/fault.ts';
import {
  describeDevice,
  isTap,
  type NetworkAttachment,
  type NicConfig,
  type NicDns,
  networkAttachmentKey,
  type TapDevice,
} from '../../proto/network-attachment.ts';
import type { Sandbox } from '../../proto/sandbox-record.ts';
import type { Nic, NicDevice } from '../vmm/port.ts';

export interface NetworkPlan {
  readonly nics: readonly Nic[];
  readonly interfaces: readonly AgentInterface[];
  /** Of the first attachment that has any: a guest has one resolv.conf. */
  readonly dns: NicDns;
  readonly choices: Sandbox['choices'];
}

const NO_DNS: NicDns = { nameservers: [], search: [], options: [] };

/** One virtio-net NIC for each wired pod interface, which takes over that interface's identity. */
export function planNetwork(networks: readonly NetworkAttachment[], vcpus: number): NetworkPlan {
  const wired = networks.map((attachment) => ({ attachment, nic: wiredNic(attachment) }));
  checkUnique(
    'name',
    wired.map(({ attachment }) => attachment.ifName),
  );
  checkUnique(
    'MAC address',
    wired.map(({ nic }) => nic.mac),
  );
  return {
    nics: wired.map(({ attachment, nic }, index) => ({
      id: `nic${index}`,
      device: planDevice(attachment, vcpus),
      mac: nic.mac,
      mtu: nic.mtu,
    })),
    interfaces: wired.map(({ attachment, nic }) => toAgentInterface(attachment.ifName, nic)),
    dns: wired.find(({ nic }) => hasDns(nic.dns))?.nic.dns ?? NO_DNS,
    choices: wired.map(({ attachment }) => toChoice(attachment, vcpus)),
  };
}

/** The guest works no more queues than it has processors: what is beyond is left closed. */
function planDevice(attachment: NetworkAttachment, vcpus: number): NicDevice {
  const { kind, name, ifIndex, queues } = tapOf(attachment);
  if (ifIndex === undefined) throw notWired(attachment);
  return { kind, name, ifIndex, queues: Math.min(queues, vcpus), isMultiQueue: queues > 1 };
}

function toChoice(attachment: NetworkAttachment, vcpus: number): NetworkPlan['choices'][number] {
  const { kind, queues } = tapOf(attachment);
  const used = Math.min(queues, vcpus);
  return {
    source: `interface ${attachment.ifName} of network ${attachment.network}`,
    chosen: `virtio-net on ${describeDevice(attachment.device)}${used > 1 ? ` with ${used} queues` : ''}`,
    reason: `${REASONS[kind]}${used < queues ? `; the guest uses a queue for each vCPU, ${used} of its ${queues}` : ''}`,
  };
}

const REASONS = {
  tap: 'the TAP that CNI ADD joined to the interface by tc redirect',
  macvtap: 'the macvtap that CNI ADD put on the interface',
} as const;

function tapOf(attachment: NetworkAttachment): TapDevice {
  const { device, ifName, network } = attachment;
  if (isTap(device)) return device;
  const message =
    `interface ${ifName} of network ${network} is ${describeDevice(device)}, which berth cannot attach; ` +
    'use a CNI plugin that makes a veth, macvlan or bridge interface';
  throw new Fault('unsupported', message, { fields: { attachment: networkAttachmentKey(attachment) } });
}

export const hasDns = (dns: NicDns): boolean => dns.nameservers.length + dns.search.length + dns.options.length > 0;

function wiredNic(attachment: NetworkAttachment): NicConfig {
  if (attachment.state === 'ready' && attachment.nic !== undefined) return attachment.nic;
  throw notWired(attachment);
}

function notWired(attachment: NetworkAttachment): Fault {
  const key = networkAttachmentKey(attachment);
  const message = `network attachment ${key} is ${attachment.state}, not wired to its end; run CNI ADD again`;
  return new Fault('precondition', message, { fields: { attachment: key, state: attachment.state } });
}

function checkUnique(what: string, values: readonly string[]): void {
  const twice = values.find((value, index) => values.indexOf(value) !== index);
  if (twice === undefined) return;
  throw new Fault('precondition', `two interfaces of the pod have the ${what} ${twice}; a guest needs them different`);
}

function toAgentInterface(name: string, nic: NicConfig): AgentInterface {
  return {
    name,
    mac: nic.mac,
    mtu: nic.mtu,
    addresses: nic.addresses.map(({ peer = '', broadcast = '', deprecated = false, ...address }) => ({
      ...address,
      peer,
      broadcast,
      deprecated,
    })),
    routes: nic.routes.map(({ gateway = '', source = '', metric = 0, mtu = 0, tos = 0, metrics = [], ...route }) => ({
      ...route,
      gateway,
      source,
      metric,
      mtu,
      tos,
      metrics,
    })),
    neighbours: nic.neighbours,
  };
}
