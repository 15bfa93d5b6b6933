import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inNetns, PEER } from '../../deploy/demo/netns.ts';
import { createNodeNetwork } from '../../deploy/demo/network.ts';
import { exec } from '../../runtime/system/node/exec.ts';
import { createLab, type Lab, programs } from '../support/lab.ts';
import { QEMUS } from '../support/qemus.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await createLab();
});
afterAll(() => lab.close());

/** Answers with its name whoever asks, and asks the other pod until that answers. */
const talker = (name: string, other: string): string => `
  mkdir /tmp/www
  echo "${name}" >/tmp/www/name
  httpd -f -p 80 -h /tmp/www &
  trap 'kill $!; exit 0' TERM
  until wget -q -O /tmp/answer http://${other}/name; do sleep 1; done
  echo "reached $(cat /tmp/answer)"
  wait
`;

describe.each([
  ...QEMUS.map(([name, flags]) => ['ptp', name, flags] as const),
  ['bridge', "the machine's QEMU", []] as const,
])('network of %s (%s)', (plugin, _, flags) => {
  it('lets two pods and the node reach one another', async () => {
    const network = await createNodeNetwork(plugin, ['/usr/lib/cni', programs.cniDirectory], lab.prefix);
    const one = await network.addPod('one');
    const two = await network.addPod('two');
    const pods = [
      await lab.start('one', talker('one', two.address), ['--netns', one.netns, ...flags]),
      await lab.start('two', talker('two', one.address), ['--netns', two.netns, ...flags]),
    ] as const;
    expect(await lab.line(pods[0], 'reached')).toBe('two');
    expect(await lab.line(pods[1], 'reached')).toBe('one');
    expect(await fetchInPeer(`http://${one.address}/name`)).toBe('one\n');
    expect(await fetchInPeer(`http://${two.address}/name`)).toBe('two\n');
    expect((await lab.berth(['ps'])).stdout).toContain(one.address);
    expect(await Promise.all(pods.map((pod) => pod.end()))).toEqual([0, 0]);
    expect(await network.deletePod('one')).toEqual([]);
    expect(await network.deletePod('two')).toEqual([]);
    await network.close();
    expect(await lab.remains()).toEqual([]);
  });
});

async function fetchInPeer(url: string): Promise<string> {
  const [file = '', ...args] = [...lab.prefix, ...inNetns(PEER), 'busybox', 'wget', '-q', '-O', '-', url];
  return exec(file, args);
}
