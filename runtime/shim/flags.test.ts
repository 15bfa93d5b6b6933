import { describe, expect, it } from 'vitest';
import { parseInvocation } from './flags.ts';

const words = (line: string) => line.split(' ').filter(Boolean);

describe('invocation', () => {
  it.each([
    // containerd 1.6 to 2.2 (core/runtime/v2/binary.go)
    [
      '-namespace k8s.io -address /run/containerd/containerd.sock -publish-binary /usr/bin/containerd -id a -debug start',
      { verb: 'start', flags: { id: 'a', bundle: '', runDirectory: '/run/berth', debug: true } },
    ],
    [
      '-namespace n -id a -bundle /b -run-dir /r start',
      { verb: 'start', flags: { id: 'a', bundle: '/b', runDirectory: '/r', debug: false } },
    ],
    [
      '--id=a --debug=false --run-dir=/r serve',
      { verb: 'serve', flags: { id: 'a', bundle: '', runDirectory: '/r', debug: false } },
    ],
    ['-v', { verb: 'version' }],
    ['version', { verb: 'version' }],
    ['jail {} -m 1', { verb: 'jail', request: '{}', args: ['-m', '1'] }],
    ['write-durable /p 600', { verb: 'write-durable', path: '/p', mode: 0o600 }],
  ])('%s', (line, expected) => {
    expect(parseInvocation(words(line))).toEqual(expected);
  });

  it.each([
    ['', 'the verb is ""'],
    ['-id a', 'the verb is ""'],
    ['-id a run', 'the verb is "run"'],
    ['start', '-id is ""'],
    ['-id ../a start', '-id is "../a"'],
    ['-id', '-id needs a value'],
    ['-id a -run-dir r start', '-run-dir is "r"'],
    ['-id a -bundle b start', '-bundle is "b"'],
    ['-id a -what x start', 'no flag -what'],
    ['-id a start more', 'start takes no "more"'],
    ['jail', 'jail needs a request'],
    ['write-durable /p', 'write-durable needs'],
    ['write-durable /p 999', 'write-durable needs'],
    ['write-durable p 600', 'the path is "p"'],
  ])('refuses %j', (line, message) => {
    const error = expect.objectContaining({ code: 'invalid', message: expect.stringContaining(message) });
    expect(() => parseInvocation(words(line))).toThrow(error);
  });
});
