import { expect, it } from 'vitest';
import { formatMetrics } from './exposition.ts';
import { RpcMetrics } from './rpc-metrics.ts';

it('escapes what the text format needs escaped', () => {
  const family = {
    name: 'm',
    type: 'gauge',
    help: 'a\\b\nc',
    series: [{ labels: { l: 'x"\\\n' }, value: 1.5 }],
  } as const;
  expect(formatMetrics([family])).toBe('# HELP m a\\\\b\\nc\n# TYPE m gauge\nm{l="x\\"\\\\\\n"} 1.5\n');
  expect(formatMetrics([{ ...family, help: '', series: [{ labels: {}, value: 0 }] }])).toContain('\nm 0\n');
});

it('counts calls by verb and status, and their times in cumulative buckets', () => {
  const metrics = new RpcMetrics();
  metrics.begin('CreateVolume')('OK', 0.002);
  metrics.begin('CreateVolume')('ABORTED', 0.2);
  metrics.begin('CreateVolume')('OK', 500);
  const end = metrics.begin('DeleteVolume');
  const text = formatMetrics(metrics.families());
  expect(text).toContain('berth_csi_rpc_total{rpc="CreateVolume",code="OK"} 2\n');
  expect(text).toContain('berth_csi_rpc_total{rpc="CreateVolume",code="ABORTED"} 1\n');
  expect(text).toContain('berth_csi_rpc_in_flight{rpc="CreateVolume"} 0\n');
  expect(text).toContain('berth_csi_rpc_in_flight{rpc="DeleteVolume"} 1\n');
  for (const [le, count] of [
    ['0.001', 0],
    ['0.0025', 1],
    ['0.25', 2],
    ['120', 2],
    ['+Inf', 3],
  ]) {
    expect(text).toContain(`berth_csi_rpc_duration_seconds_bucket{rpc="CreateVolume",le="${le}"} ${count}\n`);
  }
  expect(text).toContain('berth_csi_rpc_duration_seconds_count{rpc="CreateVolume"} 3\n');
  expect(text).toContain('berth_csi_rpc_duration_seconds_sum{rpc="CreateVolume"} 500.202\n');
  end('OK', 1);
  expect(formatMetrics(metrics.families())).toContain('berth_csi_rpc_in_flight{rpc="DeleteVolume"} 0\n');
});
