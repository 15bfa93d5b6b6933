import { exec } from '../../../runtime/system/node/exec.ts';

/**
 * A namespace's network as lines that are the same whenever the network is: what two snapshots differ in was changed.
 */
export type NetworkState = readonly string[];

const LOOK = String.raw`
section() { echo "@$1"; }
section links; ip -json -details link show
section addresses; ip -json address show
section routes4; ip -4 -json route show table all
section routes6; ip -6 -json route show table all
section neighbours; ip -json neighbour show nud permanent
section rules4; ip -4 -json rule show
section rules6; ip -6 -json rule show
section qdiscs; tc -json qdisc show
filters() {
  section "filters $1 $2"
  tc filter show dev $1 $2 | grep '^filter' | grep -v -e 'ht divisor' -e 'chain 0 *$'
}
devices_with() { tc qdisc show | grep -E "^qdisc ($1) " | sed -n 's/.* dev \([^ ]*\) .*/\1/p' | sort -u; }
for device in $(devices_with 'ingress|clsact'); do filters $device ingress; done
for device in $(devices_with clsact); do filters $device egress; done
for device in $(devices_with 'htb|prio'); do filters $device; done
section tables
if command -v nft >/dev/null; then nft --stateless list ruleset
elif command -v iptables-save >/dev/null; then iptables-save; ip6tables-save; fi
true`;

/** Reads the network of the namespaces that `prefix` enters. */
export async function readNetworkState(prefix: readonly string[]): Promise<NetworkState> {
  const [file = '', ...args] = [...prefix, 'sh', '-c', LOOK];
  return parseNetworkState(await exec(file, args));
}

interface Entry {
  readonly [key: string]: unknown;
}

/** `text` is what LOOK prints. Left out is what comes and goes by itself: carriers, link-local addresses, counters. */
function parseNetworkState(text: string): NetworkState {
  return text
    .split(/^@/m)
    .filter((section) => section.trim() !== '')
    .flatMap((section) => {
      const [title = '', ...lines] = section.split('\n');
      return describe(title, lines);
    })
    .sort();
}

function describe(title: string, lines: readonly string[]): string[] {
  const [kind = ''] = title.split(' ');
  const isText = kind === 'filters' || kind === 'tables';
  if (isText) return lines.filter(isWorthALine).map((line) => `${title.trim()}: ${withoutCounters(line)}`);
  const entries = parseEntries(lines.join('\n'));
  const describeEntry = ENTRIES[kind];
  return describeEntry === undefined ? [] : entries.flatMap(describeEntry);
}

/** iptables prints the time and its own version; an empty table is the same as none. */
const isWorthALine = (line: string): boolean =>
  line.trim() !== '' && !/^(#|COMMIT|\*|:(PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING) ACCEPT)/.test(line);

const withoutCounters = (line: string): string => line.replaceAll(/\[\d+:\d+\]/g, '').trim();

/** iproute2 prints nothing for an empty answer. */
const parseEntries = (text: string): Entry[] => (text.trim() === '' ? [] : (JSON.parse(text) as Entry[]));

const isPassing = (address: unknown): boolean => /^(fe80:|ff|multicast)/.test(String(address));

const ENTRIES: Readonly<Record<string, (entry: Entry) => string[]>> = {
  links: (link) => {
    const { info_kind = 'device' } = (link['linkinfo'] ?? {}) as { info_kind?: string };
    const isUp = (link['flags'] as string[]).includes('UP');
    const words = [link['ifname'], info_kind, link['address'], `mtu ${link['mtu']}`, isUp ? 'up' : 'down'];
    if (link['master'] !== undefined) words.push(`master ${link['master']}`);
    if (link['ifalias'] !== undefined) words.push(`alias ${link['ifalias']}`);
    return [`link: ${words.join(' ')}`];
  },
  addresses: (link) =>
    ((link['addr_info'] ?? []) as Entry[])
      .filter(({ local }) => !isPassing(local))
      .map(({ local, prefixlen }) => `address: ${local}/${prefixlen} of ${link['ifname']}`),
  routes4: describeRoute,
  routes6: describeRoute,
  neighbours: ({ dst, lladdr, dev }) => [`neighbour: ${dst} ${lladdr} of ${dev}`],
  rules4: describeRule,
  rules6: describeRule,
  // The kernel gives a link its default when it first goes up.
  qdiscs: ({ kind, dev, parent, root }) =>
    kind === 'noqueue' || kind === 'pfifo_fast' || kind === 'mq' || kind === 'fq_codel'
      ? []
      : [`qdisc: ${kind} of ${dev} ${root === true ? 'root' : parent}`],
};

function describeRoute(route: Entry): string[] {
  if (isPassing(route['dst']) || route['type'] === 'multicast' || route['type'] === 'anycast') return [];
  const { type = 'unicast', dst, gateway, dev, table = 'main', metric } = route;
  const words = [type, dst, gateway === undefined ? '' : `via ${gateway}`, dev === undefined ? '' : `of ${dev}`];
  return [
    `route: ${[...words, `table ${table}`, metric].filter((word) => word !== '' && word !== undefined).join(' ')}`,
  ];
}

function describeRule({ priority, src, dst, table, iif, fwmark }: Entry): string[] {
  return [`rule: ${[priority, src, dst, table, iif, fwmark].filter((word) => word !== undefined).join(' ')}`];
}

/** What came (`+`) and what went (`-`); a line that is there twice counts twice. */
export function compareStates(before: NetworkState, after: NetworkState): string[] {
  return [...without(after, before).map((line) => `+ ${line}`), ...without(before, after).map((line) => `- ${line}`)];
}

function without(lines: NetworkState, others: NetworkState): string[] {
  const left = new Map<string, number>();
  for (const line of others) left.set(line, (left.get(line) ?? 0) + 1);
  return lines.filter((line) => {
    const count = left.get(line) ?? 0;
    left.set(line, count - 1);
    return count <= 0;
  });
}
