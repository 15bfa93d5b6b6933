/**
 * Text of a guest, a record or a cause for a message of gRPC: cut to `maxLength`, and without half a surrogate pair, which
 * is no UTF-8: clients of gRPC take no message that has it.
 */
export const toWireText = (text: string, maxLength: number): string =>
  text.slice(0, maxLength).replace(/\p{Surrogate}/gu, '\ufffd');
