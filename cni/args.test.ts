import { describe, expect, it } from 'vitest';
import { parseCniArgs } from './args.ts';
import { refusal } from './refusal.fixture.ts';

describe('CNI_ARGS', () => {
  it.each([
    [undefined, {}],
    ['', {}],
    ['IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_UID=', {}],
    ['TC_REDIRECT_TAP_NAME=tap7', { tapName: 'tap7' }],
    [
      'IgnoreUnknown=1;TC_REDIRECT_TAP_UID=123;TC_REDIRECT_TAP_GID=0;TC_REDIRECT_TAP_NAME=vm',
      { tapName: 'vm', uid: 123, gid: 0 },
    ],
    ['OTHER=a=b', {}],
  ])('%j', (text, expected) => {
    expect(parseCniArgs(text)).toEqual(expected);
  });

  it.each([
    ['OTHER', '"OTHER"'],
    ['A=1;', '""'],
    ['=1', '"=1"'],
    ['TC_REDIRECT_TAP_NAME=', 'TC_REDIRECT_TAP_NAME is ""'],
    ['TC_REDIRECT_TAP_NAME=sixteen-letters-', 'TC_REDIRECT_TAP_NAME is "sixteen-letters-"'],
    ['TC_REDIRECT_TAP_NAME=tap%d', 'TC_REDIRECT_TAP_NAME is "tap%d"'],
    ['TC_REDIRECT_TAP_NAME=berth3-in', 'TC_REDIRECT_TAP_NAME is "berth3-in"'],
    ['TC_REDIRECT_TAP_NAME=all', 'TC_REDIRECT_TAP_NAME is "all"'],
    ['TC_REDIRECT_TAP_UID=root', 'TC_REDIRECT_TAP_UID is "root"'],
    ['TC_REDIRECT_TAP_UID=-1', 'TC_REDIRECT_TAP_UID is "-1"'],
    ['TC_REDIRECT_TAP_GID=4294967295', 'TC_REDIRECT_TAP_GID is "4294967295"'],
  ])('%j is refused', (text, message) => {
    const [code, found] = refusal(() => parseCniArgs(text));
    expect(code).toBe(4);
    expect(found).toContain('CNI_ARGS');
    expect(found).toContain(message);
  });
});
