import * as v from 'valibot';
import { Fault } from '../../../proto/fault.ts';
import { decodeWith } from '../../../proto/record.ts';
import { exec } from './exec.ts';

/** What `ip -json` and `tc -json` print (iproute2 6.1), as far as berth looks at it; other keys are left out. */
const link = v.object({
  ifindex: v.number(),
  ifname: v.string(),
  flags: v.array(v.string()),
  mtu: v.number(),
  operstate: v.string(),
  address: v.optional(v.string()),
  ifalias: v.optional(v.string()),
  linkinfo: v.optional(
    v.object({
      info_kind: v.optional(v.string()),
      info_data: v.optional(v.record(v.string(), v.unknown())),
    }),
  ),
});
export type Link = v.InferOutput<typeof link>;

const address = v.object({
  family: v.string(),
  local: v.string(),
  prefixlen: v.number(),
  scope: v.string(),
  broadcast: v.optional(v.string()),
  /** The other end of a point-to-point address. */
  address: v.optional(v.string()),
});
const addressed = v.object({ ifname: v.string(), addr_info: v.array(address) });
export type Address = v.InferOutput<typeof address>;

const route = v.object({
  type: v.optional(v.string(), 'unicast'),
  dst: v.string(),
  gateway: v.optional(v.string()),
  table: v.optional(v.string(), 'main'),
  protocol: v.optional(v.string()),
  scope: v.optional(v.string()),
  prefsrc: v.optional(v.string()),
  metric: v.optional(v.number()),
  flags: v.array(v.string()),
  metrics: v.optional(v.array(v.record(v.string(), v.number())), []),
});
export type Route = v.InferOutput<typeof route>;

const neighbour = v.object({
  dst: v.string(),
  lladdr: v.optional(v.string()),
  state: v.array(v.string()),
});
export type Neighbour = v.InferOutput<typeof neighbour>;

const qdisc = v.object({
  kind: v.string(),
  handle: v.string(),
  parent: v.optional(v.string()),
});
export type Qdisc = v.InferOutput<typeof qdisc>;

const action = v.object({
  kind: v.string(),
  mirred_action: v.optional(v.string()),
  direction: v.optional(v.string()),
  to_dev: v.optional(v.string()),
});
const filter = v.object({
  protocol: v.string(),
  pref: v.number(),
  kind: v.string(),
  options: v.optional(v.object({ actions: v.optional(v.array(action), []) }), {}),
});
export type Filter = v.InferOutput<typeof filter>;

export interface Iproute2 {
  /** Undefined if there is no such link. */
  link(name: string): Promise<Link | undefined>;
  links(): Promise<Link[]>;
  addresses(device: string): Promise<Address[]>;
  /** Of all tables and of both families. */
  routes(device: string): Promise<Route[]>;
  neighbours(device: string): Promise<Neighbour[]>;
  qdiscs(device: string): Promise<Qdisc[]>;
  /** Filters of the device's ingress that carry actions: u32 prints its hash tables too. */
  ingressFilters(device: string): Promise<Filter[]>;
  /** `ip ARGS` for its effect. */
  ip(...args: string[]): Promise<void>;
}

/** `prefix` enters a namespace: `['ip', 'netns', 'exec', NAME]`, `['nsenter', '--net=/path', '--']`. Empty: our own. */
export function iproute2(prefix: readonly string[] = []): Iproute2 {
  const runIn = (...words: string[]): Promise<string> => {
    const [file, ...args] = [...prefix, ...words];
    if (file === undefined) throw new Fault('internal', 'no program to run');
    return exec(file, args);
  };
  const show = async <S extends v.GenericSchema>(schema: S, ...words: string[]): Promise<v.InferOutput<S>[]> =>
    parseJsonArray(schema, await runIn(...words), words.join(' '));
  const links = (): Promise<Link[]> => show(link, 'ip', '-json', '-details', 'link', 'show');
  return {
    links,
    link: async (name) => (await links()).find(({ ifname }) => ifname === name),
    addresses: async (device) => {
      const found = await show(addressed, 'ip', '-json', 'address', 'show', 'dev', device);
      return found.flatMap(({ addr_info }) => addr_info);
    },
    routes: async (device) => [
      ...(await show(route, 'ip', '-4', '-json', 'route', 'show', 'table', 'all', 'dev', device)),
      ...(await show(route, 'ip', '-6', '-json', 'route', 'show', 'table', 'all', 'dev', device)),
    ],
    neighbours: (device) => show(neighbour, 'ip', '-json', 'neighbour', 'show', 'dev', device),
    qdiscs: (device) => show(qdisc, 'tc', '-json', 'qdisc', 'show', 'dev', device),
    ingressFilters: async (device) => {
      const filters = await show(filter, 'tc', '-json', 'filter', 'show', 'dev', device, 'ingress');
      return filters.filter(({ options }) => options.actions.length > 0);
    },
    ip: async (...args) => {
      await runIn('ip', ...args);
    },
  };
}

/** iproute2 prints nothing at all for an empty answer, and empty objects for entries that a filter left out. */
export function parseJsonArray<S extends v.GenericSchema>(
  schema: S,
  text: string,
  command: string,
): v.InferOutput<S>[] {
  if (text.trim() === '') return [];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Fault('malformed', `${command} printed something that is not JSON`, { fields: { text }, cause });
  }
  const entries = decodeWith(v.array(v.unknown()), value, command);
  const filled = entries.filter(
    (entry) => typeof entry !== 'object' || entry === null || Object.keys(entry).length > 0,
  );
  return filled.map((entry) => decodeWith(schema, entry, command));
}
