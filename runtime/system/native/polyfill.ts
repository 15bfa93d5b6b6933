/**
 * What our code expects of its engine and QuickJS lacks. The first import of every entry file of the static binary.
 */
import { sys } from './sys.ts';

/** UTF-8 only; lone surrogates become U+FFFD, as the Encoding Standard says. */
class Utf8Encoder {
  encode(text = ''): Uint8Array<ArrayBuffer> {
    return sys.utf8Encode((text as string & { toWellFormed(): string }).toWellFormed());
  }
}

class Utf8Decoder {
  private readonly fatal: boolean;

  constructor(_label = 'utf-8', options: { fatal?: boolean } = {}) {
    this.fatal = options.fatal ?? false;
  }

  decode(bytes: Uint8Array = new Uint8Array(0)): string {
    const text = (sys.utf8Decode(bytes) as string & { toWellFormed(): string }).toWellFormed();
    if (this.fatal && !isSame(sys.utf8Encode(text), bytes)) throw new TypeError('not UTF-8');
    return text;
  }
}

/** Whatever was replaced in decoding does not come out as it went in. */
function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

Object.assign(globalThis, {
  TextEncoder: Utf8Encoder,
  TextDecoder: Utf8Decoder,
  setTimeout: (callback: () => void, milliseconds = 0) => sys.setTimer(milliseconds, callback),
  clearTimeout: (timer: number | undefined) => {
    if (timer !== undefined) sys.clearTimer(timer);
  },
});

// Each process would draw the same numbers: they all begin with the same heap. sys.getrandom() is for them.
Reflect.deleteProperty(Math, 'random');
